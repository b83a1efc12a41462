//! Scenes: devices in the states in which a deployment finds them, all with the same two certificates, so that
//! what one of them ends as can be compared with what another one ends as.

use std::time::Duration;

use chrono::Utc;
use pancert::delivery::{Installation, InstallationStore};
use pancert::install::result::CreatedObject;
use panos_sim::{
    Administrator, JournalShape, ManagementCertificate, PreloadedCertificate, Profile, Pushed, Settings,
    Simulator, Stack,
};

use panos_xmlapi::{ClientOptions, Push, Session, Trust};

use super::inside::order;
use super::pki::{self, Issued, KeyKind};
use super::world::{ADMINISTRATOR, Ended, GATEWAY, KEY, NAME, PORTAL, World, print, served, settings};

/// The other administrator, with a change that nobody has committed.
pub const JANE: &str = "jane";
/// Two older objects of this program's, the latest last.
const OLDER: [&str; 2] = ["gp.example.com_1", "gp.example.com_2"];
/// Her change in a place of the deployment.
pub const HERS: &str = "<protocol-settings><min-version>tls1-1</min-version></protocol-settings>";
const PROFILE: &str = "/config/shared/ssl-tls-service-profile/entry[@name='GP portal']";
const PRINTER: &str = "/config/shared/address/entry[@name='printer']";

/// In which state a deployment finds the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The object is new, and two unbound profiles are bound to it.
    Fresh,
    /// The object is there with an older certificate, and a profile is bound to it.
    Overwrite,
    /// The profile of the management interface gets a new object: the port restarts with it.
    Management,
    /// As `Overwrite`, and the device refuses the commit's content.
    RefusedCommit,
    /// A new object for a bound profile, and an older object to be deleted in the same commit.
    Tidy,
    /// As `Overwrite`, on the active member of a pair.
    Pair,
    /// As `Overwrite`, on a device that lists pending changes by the lists that hold them.
    Container,
    /// As `Overwrite`, with an intermediate certificate, and another one whose time has come to go.
    Chain,
    /// As `Container`, and Jane has a pending change in the profile: nothing is begun.
    Contested,
    /// A new object in a template of a Panorama, which is pushed to a firewall.
    Template,
}

impl Shape {
    pub const ALL: [Self; 10] = [
        Self::Fresh,
        Self::Overwrite,
        Self::Management,
        Self::RefusedCommit,
        Self::Tidy,
        Self::Pair,
        Self::Container,
        Self::Chain,
        Self::Contested,
        Self::Template,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh object",
            Self::Overwrite => "overwritten object",
            Self::Management => "management profile",
            Self::RefusedCommit => "refused commit",
            Self::Tidy => "older object deleted",
            Self::Pair => "active of a pair",
            Self::Container => "changes listed by container",
            Self::Chain => "intermediates as objects",
            Self::Contested => "a colleague's pending change in the same place",
            Self::Template => "a template of a Panorama, pushed to a firewall",
        }
    }

    /// What a deployment is asked for.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Fresh => &["-p", PORTAL, "-s", GATEWAY],
            Self::Tidy => &["-p", PORTAL, "--suffix", "serial", "--keep", "1"],
            Self::Chain => &["-p", PORTAL, "--keep", "1"],
            Self::Template => &["-p", PORTAL, "--template", "branch"],
            _ => &["-p", PORTAL],
        }
    }
}

/// The certificates of all scenes.
pub struct Certificates {
    ca: Issued,
    old: Issued,
    /// An intermediate, a certificate that it has issued, and an intermediate that nothing needs.
    issuer: Issued,
    pub below: Issued,
    former: Issued,
    pub new: Issued,
    management: Issued,
}

impl Certificates {
    pub fn issue() -> Self {
        let ca = pki::root("Example CA", KeyKind::P256);
        let named = || ca.issue(&pki::CertificateSpec::named(NAME).san(NAME));
        let management = pki::self_signed(&pki::CertificateSpec::named("fw1.example.com"));
        let issuer = ca.intermediate("Example Issuing CA", KeyKind::P256);
        let former = ca.intermediate("Former Issuing CA", KeyKind::P256);
        let below = issuer.issue(&pki::CertificateSpec::named(NAME).san(NAME));
        Self { old: named(), new: named(), management, issuer, below, former, ca }
    }

    /// A device in this state, with the new certificate in the administrator's folder and Jane's change pending.
    pub fn scene(&self, shape: Shape, adjust: impl FnOnce(&mut Settings)) -> World {
        let mut settings = settings();
        // Every scene of a shape begins with the same configuration, and none needs a key made.
        settings.management_certificate = ManagementCertificate::Given {
            certificate: self.management.certificate_pem(),
            key: self.management.key_pem(),
        };
        settings = settings.with_key(Administrator::superuser(JANE, "secret"), "jane's key");
        let old = |name: &str| PreloadedCertificate {
            name: name.to_owned(),
            certificate: self.old.certificate_pem(),
            key: Some(self.old.key_pem()),
            vsys: None,
        };
        match shape {
            Shape::Fresh => {}
            Shape::Template => {
                settings = Settings { certificates: Vec::new(), profiles: Vec::new(), ..settings };
                (settings.model, settings.serial) = ("Panorama".to_owned(), "000710000001".to_owned());
                settings.served_profile = None;
                settings.templates = vec!["branch".to_owned()];
                settings.stacks = vec![Stack {
                    name: "branches".to_owned(),
                    templates: settings.templates.clone(),
                    devices: vec![MANAGED.to_owned()],
                }];
            }
            Shape::Overwrite | Shape::RefusedCommit | Shape::Pair => {
                settings.certificates = vec![old(NAME)];
                settings.profiles = vec![Profile::bound(PORTAL, NAME)];
            }
            Shape::Chain => {
                let name = issuer_object(&self.former);
                let former = PreloadedCertificate {
                    name,
                    certificate: self.former.certificate_pem(),
                    key: None,
                    vsys: None,
                };
                settings.certificates = vec![old(NAME), former];
                settings.profiles = vec![Profile::bound(PORTAL, NAME)];
            }
            Shape::Container | Shape::Contested => {
                settings.certificates = vec![old(NAME)];
                settings.profiles = vec![Profile::bound(PORTAL, NAME)];
                settings.journal = JournalShape::Container;
            }
            Shape::Tidy => {
                settings.certificates = OLDER.map(old).to_vec();
                settings.profiles = vec![Profile::bound(PORTAL, OLDER[1])];
            }
            Shape::Management => {
                settings.certificates = vec![old("before")];
                settings.profiles = vec![Profile::bound(PORTAL, "before")];
                settings.management_profile = Some(PORTAL.to_owned());
            }
        }
        // Longer than the way to a second program run, so that a job may be found running.
        settings.commit_duration = Duration::from_millis(200);
        settings.restart_outage = Duration::from_millis(30);
        adjust(&mut settings);
        let (device, peer) = match shape {
            Shape::Pair => {
                let second = Settings { listen: "127.0.0.2:0".parse().unwrap(), ..settings.clone() };
                let (first, second) = Simulator::pair(settings, second).unwrap();
                (first, Some(second))
            }
            _ => (Simulator::start(settings).unwrap(), None),
        };
        let firewall = (shape == Shape::Template).then(|| managed(&device));
        let world = World { peer, firewall, ..World::of(device, self.ca.clone()) };
        if matches!(shape, Shape::Tidy | Shape::Chain) {
            self.note_older(&world, shape);
        }
        self.wanted(shape).write(world.folder.path(), NAME);
        pki::write(&world.path("chain.pem"), self.issuer.certificate_pem().as_bytes(), 0o644);
        world.device.add_pending_change(JANE, PRINTER, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
        if shape == Shape::Contested {
            world.device.add_pending_change(JANE, PROFILE, HERS).unwrap();
        }
        if shape == Shape::RefusedCommit {
            world.device.fail_next_commit(&["Validation Error:", " ssl-tls-service-profile is invalid"]);
        }
        world
    }
}

impl Certificates {
    /// The certificate that is to be installed.
    pub fn wanted(&self, shape: Shape) -> &Issued {
        if shape == Shape::Chain { &self.below } else { &self.new }
    }

    /// The object of the intermediate that has to go.
    pub fn former_object(&self) -> String {
        issuer_object(&self.former)
    }

    /// The record says that the older objects were made by this program.
    fn note_older(&self, world: &World, shape: Shape) {
        let order = order(world, &[]);
        let mut record = Installation::ingest(order, None, Utc::now());
        let fingerprint = print(&self.old.certificate).parse().unwrap();
        let made = |name: &str| CreatedObject { object: name.parse().unwrap(), fingerprint, at: Utc::now() };
        if shape == Shape::Chain {
            let fingerprint = print(&self.former.certificate).parse().unwrap();
            let object = issuer_object(&self.former).parse().unwrap();
            record.created_issuers = vec![CreatedObject { object, fingerprint, at: Utc::now() }];
        } else {
            record.created_objects = OLDER.map(made).to_vec();
        }
        InstallationStore::below(&world.path("state")).write(&record).unwrap();
    }
}

/// The serial number of the firewall behind the Panorama.
const MANAGED: &str = "001900000000001";

/// A firewall that serves what the Panorama pushes, and the profile for it in the template.
fn managed(panorama: &Simulator) -> Simulator {
    let mut settings = settings();
    settings.serial = MANAGED.to_owned();
    let (template, profiles) = ("branches".to_owned(), vec![Profile::unbound(PORTAL)]);
    settings.profiles = vec![Profile::unbound(GATEWAY)];
    settings.pushed = Some(Pushed { template, profiles, ..Pushed::default() });
    let firewall = Simulator::start(settings).unwrap();
    panorama.manage(&firewall);
    let template = super::estate::below("template", "branch");
    let profile = format!("{template}/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']");
    panorama.add_pending_change(ADMINISTRATOR, &profile, super::estate::UNBOUND).unwrap();
    panorama.commit_as(ADMINISTRATOR);
    assert!(panorama.wait_idle(Duration::from_secs(10)));
    push_all(panorama);
    firewall
}

/// The first push to a firewall is a whole one.
fn push_all(panorama: &Simulator) {
    let address = panorama.address().to_string().parse().unwrap();
    let key = panos_xmlapi::secrecy::SecretString::from(KEY);
    let trust = Trust::DangerousAcceptAny;
    let session = Session::new(&address, &trust, &key, ClientOptions::default()).unwrap();
    let push = Push::of(&"stack:branches".parse().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(session.push(&push)).unwrap();
    drop((session, runtime));
    assert!(panorama.wait_idle(Duration::from_secs(10)));
}

/// How the object of an intermediate is called.
fn issuer_object(issuer: &Issued) -> String {
    format!("pan_getcert-ca-{}", &print(&issuer.certificate)[..16])
}

/// What a deployment is asked for in this scene: of a pair, with the other member's name.
pub fn arguments(world: &World, shape: Shape) -> Vec<String> {
    let chain = (shape == Shape::Chain)
        .then(|| ["--chain".to_owned(), world.path("chain.pem").to_str().unwrap().to_owned()]);
    let peer = world.peer.iter().flat_map(|peer| ["--ha-peer".to_owned(), peer.address().to_string()]);
    shape
        .arguments()
        .iter()
        .map(|word| (*word).to_owned())
        .chain(peer)
        .chain(chain.into_iter().flatten())
        .collect()
}

/// Runs the program in a scene, to its end.
pub fn install(world: &World, shape: Shape) -> Ended {
    Ended::of(&mut command(world, shape))
}

/// The program, ready to run in a scene. It trusts whatever answers, because a deployment may change that.
pub fn command(world: &World, shape: Shape) -> std::process::Command {
    // What is waited for in vain there comes to an end.
    let seconds = if shape == Shape::Contested { "1" } else { "5" };
    waiting(world, shape, seconds)
}

/// The same with this many seconds for a commit, a lock, or somebody's pending change.
pub fn waiting(world: &World, shape: Shape, seconds: &str) -> std::process::Command {
    let mut command = world.bare_command();
    command
        .arg("-k")
        .arg(world.path(".panrc"))
        .args(["--insecure", "--commit-timeout", seconds])
        .args(arguments(world, shape))
        .arg(world.target());
    command
}

/// A device's two configurations, and what its service port shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub candidate: String,
    pub running: String,
    pub served: Option<String>,
}

impl State {
    /// Of a world: behind a Panorama, its firewall is the one that serves.
    pub fn seen(world: &World) -> Self {
        let serving = world.firewall.as_ref().unwrap_or(&world.device);
        Self { served: served(serving), ..Self::of(&world.device) }
    }

    pub fn of(device: &Simulator) -> Self {
        Self { candidate: device.candidate_xml(), running: device.running_xml(), served: served(device) }
    }

    /// As a restart leaves it that loses what is not committed.
    pub fn without_pending(&self) -> Self {
        Self { candidate: self.running.clone(), ..self.clone() }
    }

    /// What differs from another state, in a few words.
    pub fn against(&self, other: &Self) -> String {
        let part = |same: bool, name: &'static str| (!same).then_some(name);
        let differing = [
            part(self.candidate == other.candidate, "candidate"),
            part(self.running == other.running, "running"),
            part(self.served == other.served, "served"),
        ];
        differing.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

/// Jane's changes that are pending, and those of the API administrator.
pub fn pending_of(device: &Simulator, administrator: &str) -> Vec<String> {
    let changes = device.pending_changes().into_iter();
    changes.filter(|(_, owner)| owner == administrator).map(|(path, _)| path).collect()
}

/// Whether Jane's change is there and uncommitted, and none of ours is.
pub fn only_jane_is_pending(device: &Simulator) -> bool {
    pending_of(device, JANE) == [PRINTER] && pending_of(device, ADMINISTRATOR).is_empty()
}
