//! Where the new certificate is not served: the profiles present again what they presented before, if that was seen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::process::Command;

use common::inside;
use common::pair::count;
use common::pki::{self, CertificateSpec, Issued, KeyKind};
use common::scene::{JANE, pending_of};
use common::trouble::wait_until;
use common::world::{ADMINISTRATOR, Ended, NAME, PORTAL, World, print, settings};
use pancert::install::problem::Problem;
use pancert::install::result::Outcome;
use pancert::install::result::RunResult;
use panos_sim::{Administrator, PreloadedCertificate, Profile, Serving, Simulator};

const PRINTER: &str = "/config/shared/address/entry[@name='printer']";

/// A device that serves an older certificate, a newer one to be installed, and Jane's change.
struct Scene {
    world: World,
    old: Issued,
    new: Issued,
}

impl Scene {
    fn new() -> Self {
        let ca = pki::root("Example CA", KeyKind::P256);
        let old = ca.issue(&CertificateSpec::named(NAME).san(NAME));
        let mut settings = settings().with_key(Administrator::superuser(JANE, "secret"), "jane's key");
        let (certificate, key) = (old.certificate_pem(), Some(old.key_pem()));
        settings.certificates =
            vec![PreloadedCertificate { name: "before".into(), certificate, key, vsys: None }];
        settings.profiles = vec![Profile::bound(PORTAL, "before")];
        let world = World::of(Simulator::start(settings).unwrap(), ca);
        world.device.add_pending_change(JANE, PRINTER, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
        let new = world.renew();
        Self { world, old, new }
    }

    fn endpoint(&self) -> String {
        self.world.device.service_address().to_string()
    }

    /// Through the library: with a shorter retry policy than the program has.
    fn deliver(&self, further: &[&str]) -> (RunResult, Vec<String>) {
        let endpoint = self.endpoint();
        let arguments = ["--insecure", "-p", PORTAL, "--served", &endpoint];
        inside::deliver(&self.world, &[&arguments, further].concat())
    }

    #[track_caller]
    fn serves_the_old_one_and_nothing_of_ours_is_left(&self) {
        let device = &self.world.device;
        assert!(is_bound_to("before", &device.running_xml()), "{}", device.running_xml());
        assert!(is_bound_to("before", &device.candidate_xml()), "{}", device.candidate_xml());
        assert_eq!(self.world.served(), Some(print(&self.old.certificate)));
        assert_eq!(pending_of(device, ADMINISTRATOR), Vec::<String>::new());
        self.janes_change_is_pending();
    }

    #[track_caller]
    fn janes_change_is_pending(&self) {
        let device = &self.world.device;
        assert_eq!(pending_of(device, JANE), [PRINTER]);
        assert!(!device.running_xml().contains("printer"));
    }
}

/// Whether a profile is bound to this object in a configuration.
fn is_bound_to(object: &str, xml: &str) -> bool {
    xml.contains(&format!("<certificate>{object}</certificate>"))
}

#[track_caller]
fn problem((outcome, log): &(RunResult, Vec<String>), exit: u8) -> &Problem {
    let Outcome::Failed(problem) = &outcome.outcome else { panic!("{outcome:?} {log:#?}") };
    assert_eq!(problem.exit.code(), exit, "{problem:?} {log:#?}");
    problem
}

const BOUND_BACK: &str = "The profiles were restored to the previous certificate and committed.";

#[test]
fn restores_old_certificate_when_service_fails() {
    let scene = Scene::new();
    scene.world.device.set_serving(Serving::Without(print(&scene.new.certificate)));
    let told = scene.deliver(&["--suffix", "serial"]);
    let problem = problem(&told, 15);
    assert!(
        problem.what.contains("was restored and committed") && problem.what.contains(&scene.endpoint()),
        "{problem:?}"
    );
    assert!(told.1.contains(&BOUND_BACK.to_owned()), "{told:#?}");
    assert_eq!(count(&scene.world.device, "commit"), 2);
    scene.serves_the_old_one_and_nothing_of_ours_is_left();
    assert_eq!(scene.world.record()["state"]["exit"], 15);
    // Once the service is mended, the same again comes to its end.
    scene.world.device.set_serving(Serving::Normal);
    let (outcome, log) = scene.deliver(&["--suffix", "serial"]);
    assert!(matches!(outcome.outcome, Outcome::Installed { unchanged: false, .. }), "{outcome:?} {log:#?}");
    assert_eq!(scene.world.served(), Some(print(&scene.new.certificate)));
    scene.janes_change_is_pending();
}

#[test]
fn a_service_that_goes_on_showing_the_old_one_is_bound_back_too() {
    let scene = Scene::new();
    scene.world.device.set_serving(Serving::Stuck);
    let told = scene.deliver(&["--suffix", "serial"]);
    assert!(problem(&told, 15).what.contains("shows another certificate"), "{told:#?}");
    scene.serves_the_old_one_and_nothing_of_ours_is_left();
    scene.world.device.set_serving(Serving::Normal);
    assert_eq!(scene.world.served(), Some(print(&scene.old.certificate)));
}

#[test]
fn what_did_not_answer_before_says_nothing_about_the_new_one() {
    let scene = Scene::new();
    scene.world.device.set_serving(Serving::Without(print(&scene.old.certificate)));
    assert_eq!(scene.world.served(), None);
    scene.world.device.set_serving(Serving::Stuck);
    let told = scene.deliver(&["--suffix", "serial"]);
    assert!(!problem(&told, 15).what.contains("was restored and committed"), "{told:#?}");
    assert!(!told.1.contains(&BOUND_BACK.to_owned()), "{told:#?}");
    assert_eq!(count(&scene.world.device, "commit"), 1);
    assert!(!is_bound_to("before", &scene.world.device.running_xml()));
    scene.janes_change_is_pending();
}

#[test]
fn overwritten_certificate_is_not_restored() {
    let scene = Scene::new();
    scene.world.device.set_serving(Serving::Stuck);
    let told = scene.deliver(&["-n", "before"]);
    assert!(!problem(&told, 15).what.contains("was restored and committed"), "{told:#?}");
    assert_eq!(count(&scene.world.device, "commit"), 1);
    assert_eq!(pending_of(&scene.world.device, ADMINISTRATOR), Vec::<String>::new());
}

#[test]
fn where_there_is_nothing_to_do_the_endpoint_still_has_to_show_it() {
    let scene = Scene::new();
    let (outcome, log) = scene.deliver(&["--suffix", "serial"]);
    assert!(matches!(outcome.outcome, Outcome::Installed { unchanged: false, .. }), "{outcome:?} {log:#?}");
    let (outcome, log) = scene.deliver(&["--suffix", "serial"]);
    assert!(matches!(outcome.outcome, Outcome::Installed { unchanged: true, .. }), "{outcome:?} {log:#?}");
    assert!(log.iter().any(|line| line.starts_with("Served: ")), "{log:#?}");
    scene.world.device.set_serving(Serving::Without(print(&scene.new.certificate)));
    let told = scene.deliver(&["--suffix", "serial"]);
    assert!(!problem(&told, 15).what.contains("was restored and committed"), "{told:#?}");
    assert_eq!(count(&scene.world.device, "commit"), 1);
    scene.janes_change_is_pending();
}

#[test]
fn a_way_back_that_the_device_refuses_leaves_nothing_pending_and_says_so() {
    let scene = Scene::new();
    let device = &scene.world.device;
    device.set_serving(Serving::Without(print(&scene.new.certificate)));
    let told = std::thread::scope(|scope| {
        let run = scope.spawn(|| scene.deliver(&["--suffix", "serial"]));
        // The first commit has begun: the second one is to fail.
        let answered = |record: &panos_sim::RequestRecord| {
            record.r#type.as_deref() == Some("commit") && record.status.is_some()
        };
        assert!(wait_until(|| device.requests().iter().any(answered)));
        device.fail_next_commit(&["Validation Error:", " something else is invalid"]);
        run.join().unwrap()
    });
    assert!(!problem(&told, 15).what.contains("was restored and committed"), "{told:#?}");
    assert!(told.1.iter().any(|line| line.contains("could not be bound back")), "{told:#?}");
    assert_eq!(count(device, "commit"), 2);
    assert_eq!(pending_of(device, ADMINISTRATOR), Vec::<String>::new(), "{told:#?}");
    scene.janes_change_is_pending();
}

#[test]
fn only_the_failing_certificate_is_restored() {
    let scene = Scene::new();
    let other = "other.example.com";
    scene.world.ca.issue(&CertificateSpec::named(other).san(other)).write(scene.world.folder.path(), other);
    // Both trust in the same way, so that they go with each other.
    let (folder, state) = (scene.world.folder.path(), scene.world.path("state"));
    let mut order = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    order.args(["-b", "--queue", "--insecure", "-c", other]).arg("-C").arg(folder).arg("-K").arg(folder);
    order.arg("-k").arg(scene.world.path(".panrc")).arg("--state-dir").arg(state).arg(scene.world.target());
    Ended::of(order.env_clear().env("TZ", "UTC")).exits(0);
    scene.world.device.set_serving(Serving::Without(print(&scene.new.certificate)));
    scene.deliver(&["--suffix", "serial"]);
    scene.serves_the_old_one_and_nothing_of_ours_is_left();
    assert_eq!(count(&scene.world.device, "commit"), 2);
    assert!(scene.world.device.running_xml().contains(other));
    assert_eq!(scene.world.record()["state"]["exit"], 15);
}

#[test]
fn what_is_presented_is_never_deleted_as_an_older_one_however_often_a_renewal_was_bound_back() {
    let scene = Scene::new();
    let device = &scene.world.device;
    let tidy = ["--suffix", "serial", "--keep", "1"];
    let good = &scene.new;
    let (outcome, log) = scene.deliver(&tidy);
    assert!(matches!(outcome.outcome, Outcome::Installed { .. }), "{outcome:?} {log:#?}");
    for _ in 0..3 {
        let bad = scene.world.renew();
        device.set_serving(Serving::Without(print(&bad.certificate)));
        let told = scene.deliver(&tidy);
        assert!(problem(&told, 15).what.contains("was restored and committed"), "{told:#?}");
        assert_eq!(scene.world.served(), Some(print(&good.certificate)));
        assert_eq!(pending_of(device, ADMINISTRATOR), Vec::<String>::new());
    }
    // Those that were never served go, and in the end the one that was.
    for _ in 0..2 {
        let last = scene.world.renew();
        let (outcome, log) = scene.deliver(&tidy);
        assert!(matches!(outcome.outcome, Outcome::Installed { .. }), "{outcome:?} {log:#?}");
        assert_eq!(scene.world.served(), Some(print(&last.certificate)));
    }
    assert_eq!(device.running_xml().matches("<entry name=\"gp.example.com_").count(), 2);
    scene.janes_change_is_pending();
}
