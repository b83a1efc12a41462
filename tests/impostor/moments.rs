//! At each moment of a deployment, and however the device is recognised: where the management interface does not get
//! the certificate.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use panos_sim::{ManagementCertificate, Settings};

use super::liar::Liar;
use crate::common::pki::{self, Issued, KeyKind};
use crate::common::world::{Ended, NAME, PORTAL, World, print, settings};
use crate::switch::Switch;

/// How the device is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Pin,
    Known,
    Authority,
}

/// From when on the impostor answers instead of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    FirstConnection,
    /// As soon as the device has got the commit.
    Commit,
    /// As soon as the device has said that the commit is over.
    AfterIt,
    NextRun,
}

/// What the impostor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The certificate that is being installed.
    New,
    /// Another certificate of the same authority with the same key pair, as a renewal that keeps the key makes it.
    SameKey,
}

const SHOWN: [Shown; 2] = [Shown::New, Shown::SameKey];

impl Shown {
    pub fn of(self, world: &World, new: &Issued) -> Issued {
        match self {
            Self::New => new.clone(),
            Self::SameKey => {
                let spec = pki::CertificateSpec::named(NAME).san(NAME).valid(-60, 3600);
                world.ca.issue_for_key(&spec, new.key.clone())
            }
        }
    }
}

/// A device, the impostor beside it, and whoever decides which of the two is reached.
pub struct Scene {
    pub world: Arc<World>,
    pub liar: Liar,
    switch: Switch,
    honest: Arc<AtomicBool>,
}

impl Scene {
    pub fn new(settings: Settings, shown: Shown, moment: Moment) -> (Self, Issued) {
        let world = World::with(Settings { keep_alive: false, ..settings });
        let new = world.renew();
        let world = Arc::new(world);
        let liar = Liar::showing(&shown.of(&world, &new), world.device.address());
        let honest = Arc::new(AtomicBool::new(moment == Moment::NextRun));
        let (watched, impostor, is_honest, told) =
            (world.clone(), liar.address(), honest.clone(), AtomicUsize::new(0));
        let switch = Switch::at("127.0.0.1", move || {
            let device = &watched.device;
            let has_come = match moment {
                Moment::FirstConnection | Moment::NextRun => true,
                Moment::Commit => device.commits() > 0,
                // The first connection after the job's end is the one that is told of it.
                Moment::AfterIt => {
                    let over = device.commits() > 0 && device.wait_idle(Duration::ZERO);
                    over && told.fetch_add(1, Ordering::SeqCst) > 0
                }
            };
            if has_come && !is_honest.load(Ordering::SeqCst) { impostor } else { device.address() }
        });
        (Self { world, liar, switch, honest }, new)
    }

    /// From now on the device answers, or the impostor.
    pub fn is_honest(&self, honest: bool) {
        self.honest.store(honest, Ordering::SeqCst);
    }

    pub fn target(&self) -> SocketAddr {
        self.switch.address()
    }

    /// A run that recognises the device in this way. `pin` is what it shows at the beginning.
    pub fn command(&self, way: Way, pin: &str) -> Command {
        let mut command = self.world.bare_command();
        command.arg("-k").arg(self.world.path(".panrc")).args(["-p", PORTAL]);
        match way {
            Way::Pin => drop(command.args(["--pin", pin])),
            Way::Known => {}
            Way::Authority => drop(command.arg("--ca-file").arg(self.world.path("ca.pem"))),
        }
        command.arg(self.target().to_string());
        command
    }

    pub fn write_known(&self, pin: &str) {
        std::fs::create_dir_all(self.world.path("state")).unwrap();
        let line = format!("{} {pin}\n", self.target());
        pki::write(&self.world.path("state/known_devices"), line.as_bytes(), 0o600);
    }

    pub fn known(&self) -> String {
        std::fs::read_to_string(self.world.path("state/known_devices")).unwrap_or_default()
    }
}

/// With a management certificate of an authority that has nothing to do with what is installed.
fn own_certificate(authority: &Issued) -> Settings {
    let management_certificate = ManagementCertificate::Issued {
        name: "127.0.0.1".into(),
        ca_certificate: authority.certificate_pem(),
        ca_key: authority.key_pem(),
    };
    Settings { management_certificate, ..settings() }
}

fn nothing_is_got(way: Way, moment: Moment, shown: Shown) {
    let authority = pki::root("Management CA", KeyKind::P256);
    let (scene, new) = Scene::new(own_certificate(&authority), shown, moment);
    let what = format!("{way:?} {moment:?} {shown:?}");
    pki::write(&scene.world.path("ca.pem"), authority.certificate_pem().as_bytes(), 0o644);
    let pin = scene.world.device.certificate_fingerprint();
    if way == Way::Known {
        scene.write_known(&pin);
    }
    let before = scene.known();
    if moment == Moment::NextRun {
        Ended::of(&mut scene.command(way, &pin)).exits(0);
        assert_eq!(scene.known(), before, "{what}");
        scene.is_honest(false);
    }
    let ended = Ended::of(&mut scene.command(way, &pin));
    let log = scene.world.log();
    assert_eq!(scene.liar.received(), 0, "{what}: {ended:#?} {log:#?}");
    assert!(scene.liar.connections() > 0, "{what}: the impostor was never met");
    assert_ne!(ended.code, Some(0), "{what}: {log:#?}");
    assert_eq!(scene.known(), before, "{what}");
    assert!(
        !log.iter().any(|line| line.contains("END - Finished")) || moment == Moment::NextRun,
        "{what}: {log:#?}"
    );
    // The device itself is recognised as before.
    scene.is_honest(true);
    assert!(scene.world.device.wait_idle(Duration::from_secs(10)));
    Ended::of(&mut scene.command(way, &pin)).exits(0);
    assert!(scene.world.device.running_xml().contains(NAME), "{what}");
    assert_eq!(scene.world.served(), Some(print(&new.certificate)), "{what}");
    assert_eq!(scene.known(), before, "{what}");
}

#[track_caller]
fn at_each_moment(way: Way) {
    for moment in [Moment::FirstConnection, Moment::Commit, Moment::AfterIt, Moment::NextRun] {
        for shown in SHOWN {
            nothing_is_got(way, moment, shown);
        }
    }
}

#[test]
fn where_a_pin_is_given_it_gets_nothing_at_any_moment() {
    at_each_moment(Way::Pin);
}

#[test]
fn where_the_device_is_known_it_gets_nothing_at_any_moment() {
    at_each_moment(Way::Known);
}

#[test]
fn where_an_authority_is_trusted_it_gets_nothing_at_any_moment() {
    at_each_moment(Way::Authority);
}

#[test]
fn a_commit_that_has_failed_is_not_called_a_success_by_anybody_else() {
    for way in [Way::Pin, Way::Known, Way::Authority] {
        let authority = pki::root("Management CA", KeyKind::P256);
        let (scene, _) = Scene::new(own_certificate(&authority), Shown::New, Moment::Commit);
        pki::write(&scene.world.path("ca.pem"), authority.certificate_pem().as_bytes(), 0o644);
        let pin = scene.world.device.certificate_fingerprint();
        if way == Way::Known {
            scene.write_known(&pin);
        }
        scene.world.device.fail_next_commit(&["Invented reason"]);
        let ended = Ended::of(&mut scene.command(way, &pin));
        assert_eq!(scene.liar.received(), 0, "{way:?}: {ended:#?}");
        assert_ne!(ended.code, Some(0), "{way:?}: {ended:#?}");
        assert!(!scene.world.device.running_xml().contains(NAME));
        scene.is_honest(true);
        Ended::of(&mut scene.command(way, &pin)).exits(0);
    }
}
