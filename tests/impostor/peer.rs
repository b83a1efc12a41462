//! A device that was broken into names an address of its choice as its HA peer: another firewall's, where somebody
//! in the network answers with a certificate that the first device is recognised by, or with any.

use std::net::TcpListener;
use std::process::Command;

use panos_sim::{Administrator, PreloadedCertificate, Profile, Settings, Simulator};

use super::liar::Liar;
use crate::common::pki::{self, Issued, KeyKind};
use crate::common::world::{Ended, KEY, NAME, PORTAL, World, settings};
use crate::switch::Switch;

/// The key of the firewall whose address is named.
const ITS_KEY: &str = "LUFRPT1-key-of-another-firewall==";

/// The first device, which says that it is passive and that its peer is at 127.0.0.2, and who answers there.
struct Scene {
    world: World,
    /// What the impostor passes on to: as good as the real one.
    _second: Simulator,
    impostor: Liar,
    _switch: Switch,
    authority: Issued,
}

/// What the impostor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The certificate that the first device shows.
    TheFirstOnes,
    /// One that the authority has issued for the address that is named.
    OfTheAuthority,
}

impl Scene {
    fn new(shown: Shown) -> Self {
        let authority = pki::root("Management CA", KeyKind::P256);
        let own = authority.issue(&pki::CertificateSpec::named("127.0.0.1").ip("127.0.0.1".parse().unwrap()));
        let (certificate, key) = (own.certificate_pem(), Some(own.key_pem()));
        let managed = Settings {
            certificates: vec![PreloadedCertificate { name: "own".into(), certificate, key, vsys: None }],
            profiles: vec![Profile::unbound(PORTAL), Profile::bound("mgmt", "own")],
            management_profile: Some("mgmt".into()),
            ..settings()
        };
        let second = settings().with_key(Administrator::superuser("other", "secret"), ITS_KEY);
        // The second one isn't where the impostor is going to be: at its address, and another port. Below those that
        // the system gives out, so that only another one of these can have it.
        let (first, second, place) = (20_000..20_100)
            .find_map(|port| {
                let second = Settings { listen: ([127, 0, 0, 2], port).into(), ..second.clone() };
                let (first, second) = Simulator::pair(managed.clone(), second).ok()?;
                let place = TcpListener::bind(("127.0.0.2", first.address().port())).ok()?;
                Some((first, second, place))
            })
            .expect("free ports");
        second.make_active();
        let world = World::of(first, pki::root("Example CA", KeyKind::P256));
        world.renew();
        pki::write(&world.path("ca.pem"), authority.certificate_pem().as_bytes(), 0o644);
        let impostor = Liar::showing(
            &match shown {
                Shown::TheFirstOnes => own,
                Shown::OfTheAuthority => authority
                    .issue(&pki::CertificateSpec::named("127.0.0.2").ip("127.0.0.2".parse().unwrap())),
            },
            second.address(),
        );
        let address = impostor.address();
        let switch = Switch::on(place, move || address);
        Self { world, _second: second, impostor, _switch: switch, authority }
    }

    fn command(&self, trust: &[&str]) -> Command {
        let mut command = self.world.bare_command();
        command.arg("-k").arg(self.world.path(".panrc")).args(["-p", PORTAL, "--format", "pem"]).args(trust);
        command.arg(self.world.target());
        command
    }

    fn pin(&self) -> String {
        self.world.device.certificate_fingerprint()
    }

    fn ca_file(&self) -> String {
        self.world.path("ca.pem").display().to_string()
    }

    fn write_known(&self, lines: &[(String, String)]) {
        std::fs::create_dir_all(self.world.path("state")).unwrap();
        let text: String = lines.iter().map(|(device, pin)| format!("{device} {pin}\n")).collect();
        pki::write(&self.world.path("state/known_devices"), text.as_bytes(), 0o600);
    }

    fn peer(&self) -> String {
        format!("127.0.0.2:{}", self.world.device.address().port())
    }

    #[track_caller]
    fn gets_nothing(&self, mut command: Command) {
        let ended = Ended::of(&mut command).exits(19).says(&self.peer());
        assert!(self.impostor.connections() > 0, "the impostor was never met");
        assert_eq!(self.impostor.received(), 0, "{ended:#?} {:#?}", self.world.log());
        assert!(!self.world.device.candidate_xml().contains(NAME));
    }
}

#[test]
fn a_peer_that_only_the_device_names_is_not_recognised_by_what_the_device_is_recognised_by() {
    let keys = [
        format!("api_key={KEY}\n"),
        format!("hostname%a=127.0.0.1\napi_key%a={KEY}\nhostname%b=127.0.0.2\napi_key%b={ITS_KEY}\n"),
    ];
    for keys in keys {
        let scene = Scene::new(Shown::TheFirstOnes);
        scene.world.write_key_file(&keys);
        // By its pin, its line, and where nobody asks who it is.
        scene.gets_nothing(scene.command(&["--pin", &scene.pin()]));
        scene.gets_nothing(scene.command(&["--insecure"]));
        scene.gets_nothing(scene.command(&["--ca-file", &scene.ca_file()]));
        scene.write_known(&[(scene.world.target(), scene.pin())]);
        scene.gets_nothing(scene.command(&[]));
    }
}

#[test]
fn a_peer_that_only_the_device_names_gets_no_key_that_the_device_does_not_have() {
    let scene = Scene::new(Shown::OfTheAuthority);
    // The first device has a key of its own; the other one is for all that nobody has named.
    scene.world.write_key_file(&format!("hostname%a=127.0.0.1\napi_key%a={KEY}\napi_key={ITS_KEY}\n"));
    let mut command = scene.command(&["--ca-file", &scene.ca_file()]);
    let ended = Ended::of(&mut command).exits(19).says(&scene.peer());
    assert_eq!(scene.impostor.received(), 0, "{ended:#?} {:#?}", scene.world.log());
    ended.says("--ha-peer");
    // A line of its own that says otherwise counts more than the authority.
    scene.world.write_key_file(&format!("api_key={KEY}\n"));
    let other =
        scene.authority.issue(&pki::CertificateSpec::named("127.0.0.2").ip("127.0.0.2".parse().unwrap()));
    let pin = crate::common::world::print(&other.certificate);
    scene.write_known(&[(scene.world.target(), scene.pin()), (scene.peer(), pin)]);
    scene.gets_nothing(scene.command(&["--ca-file", &scene.ca_file()]));
}

#[test]
fn a_peer_that_only_the_device_names_is_reached_by_a_trust_and_a_key_of_its_own() {
    let of_all = format!("api_key={KEY}\n");
    let of_each =
        format!("hostname%a=127.0.0.1\napi_key%a={KEY}\nhostname%b=127.0.0.2\napi_key%b={ITS_KEY}\n");
    for keys in [&of_all, &of_each] {
        // By the authority.
        let scene = Scene::new(Shown::OfTheAuthority);
        scene.world.write_key_file(keys);
        Ended::of(&mut scene.command(&["--ca-file", &scene.ca_file()])).exits(0);
        // By a line of its own.
        let scene = Scene::new(Shown::TheFirstOnes);
        scene.world.write_key_file(keys);
        scene.write_known(&[(scene.peer(), scene.pin())]);
        Ended::of(&mut scene.command(&["--pin", &scene.pin()])).exits(0);
    }
}
