//! Where the management interface does get the certificate, and the device is recognised by it from the commit on.

use std::process::Stdio;
use std::time::Duration;

use panos_sim::{Fault, Matcher, PreloadedCertificate, Profile, Pushed, Settings, What, When};

use super::liar::Liar;
use super::moments::{Moment, Scene, Shown, Way};
use crate::common::pair::count;
use crate::common::pki::{self, Issued, KeyKind};
use crate::common::trouble::wait_until;
use crate::common::world::{Ended, NAME, PORTAL, print, settings, shown};

/// A device whose management interface uses the profile that is renewed, which presents this until then.
fn managed(own: &Issued) -> Settings {
    let (certificate, key) = (own.certificate_pem(), Some(own.key_pem()));
    Settings {
        certificates: vec![PreloadedCertificate { name: "own".into(), certificate, key, vsys: None }],
        profiles: vec![Profile::bound(PORTAL, "own")],
        management_profile: Some(PORTAL.into()),
        restart_outage: Duration::from_millis(30),
        ..settings()
    }
}

fn own() -> Issued {
    pki::self_signed(&pki::CertificateSpec::named("fw1.example.com"))
}

fn line(scene: &Scene, now: &str, before: &str) -> String {
    format!("{} {now} before={before}\n", scene.target())
}

#[track_caller]
fn got_nothing(scene: &Scene, what: &str) {
    assert!(scene.liar.connections() > 0, "{what}: the impostor was never met");
    assert_eq!(scene.liar.received(), 0, "{what}: {:#?}", scene.world.log());
}

#[test]
fn before_the_commit_it_gets_nothing_and_another_certificate_of_the_key_never_does() {
    let cases = [
        (Moment::FirstConnection, Shown::New),
        (Moment::FirstConnection, Shown::SameKey),
        (Moment::Commit, Shown::SameKey),
        (Moment::AfterIt, Shown::SameKey),
        (Moment::NextRun, Shown::SameKey),
    ];
    for way in [Way::Pin, Way::Known] {
        for (moment, shown) in cases {
            let what = format!("{way:?} {moment:?} {shown:?}");
            let (scene, new) = Scene::new(managed(&own()), shown, moment);
            let (pin, new) = (scene.world.device.certificate_fingerprint(), print(&new.certificate));
            if way == Way::Known {
                scene.write_known(&pin);
            }
            if moment == Moment::NextRun {
                Ended::of(&mut scene.command(way, &pin)).exits(0);
                scene.is_honest(false);
            }
            let before = scene.known();
            let ended = Ended::of(&mut scene.command(way, &pin));
            got_nothing(&scene, &what);
            assert_ne!(ended.code, Some(0), "{what}: {:#?}", scene.world.log());
            assert_eq!(scene.known(), before, "{what}");
            // The device itself is recognised, by what it shows now.
            scene.is_honest(true);
            assert!(scene.world.device.wait_idle(Duration::from_secs(10)));
            Ended::of(&mut scene.command(way, &pin)).exits(0);
            assert_eq!(scene.world.device.certificate_fingerprint(), new, "{what}");
            assert_eq!(scene.known(), line(&scene, &new, &pin), "{what}");
        }
    }
}

/// What the run that died leaves behind. `at` is the request that is not answered.
fn die(scene: &Scene, way: Way, pin: &str, at: Matcher) {
    let silence = Fault::new(When::request(at), What::Silence).after_effect().times(u32::MAX);
    scene.world.device.inject(silence);
    let mut dying = scene.command(way, pin).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let struck = || scene.world.device.requests().iter().any(|request| request.fault.is_some());
    assert!(wait_until(struck));
    dying.kill().unwrap();
    dying.wait().unwrap();
    scene.world.device.clear_faults();
    assert!(scene.world.device.wait_idle(Duration::from_secs(10)));
}

#[test]
fn after_a_run_that_died_only_what_its_record_says_is_accepted() {
    let (import, polls) = (|| Matcher::typed("import"), || Matcher::typed("op").cmd("<jobs>"));
    let alone = || Settings { management_profile: None, ..managed(&own()) };
    let cases = [
        // It died before its commit, or the management interface does not get the certificate: nothing was decided.
        ("before the commit", managed(&own()), import(), Shown::New, false),
        ("management alone", alone(), polls(), Shown::New, false),
        // It was decided, and no other certificate of the same key.
        ("another certificate", managed(&own()), polls(), Shown::SameKey, true),
    ];
    for (what, settings, at, shown, decided) in cases {
        let (scene, new) = Scene::new(settings, shown, Moment::NextRun);
        let pin = scene.world.device.certificate_fingerprint();
        scene.write_known(&pin);
        let before = scene.known();
        die(&scene, Way::Known, &pin, at);
        let record = record(&scene);
        assert_eq!(record.contains("next_identities"), decided, "{what}: {record}");
        scene.is_honest(false);
        let ended = Ended::of(&mut scene.command(Way::Known, &pin));
        got_nothing(&scene, what);
        assert_ne!(ended.code, Some(0), "{what}");
        assert_eq!(scene.known(), before, "{what}");
        scene.is_honest(true);
        Ended::of(&mut scene.command(Way::Known, &pin)).exits(0);
        assert!(scene.world.device.running_xml().contains(NAME), "{what}");
        if decided {
            assert_eq!(scene.known(), line(&scene, &print(&new.certificate), &pin), "{what}");
        }
        assert!(!self::record(&scene).contains("next_identities"), "{what}");
    }
}

fn record(scene: &Scene) -> String {
    crate::common::world::everything_below(&scene.world.path("state/installations"))
}

#[test]
fn what_is_remembered_falls_back_to_the_one_before_when_the_device_shows_that_again() {
    let (scene, new) = Scene::new(managed(&own()), Shown::New, Moment::NextRun);
    let device = &scene.world.device;
    let (pin, new) = (device.certificate_fingerprint(), print(&new.certificate));
    scene.write_known(&pin);
    let run = || Ended::of(&mut scene.command(Way::Known, &pin));
    run().exits(0);
    assert_eq!(scene.known(), line(&scene, &new, &pin));
    // An administrator takes it back.
    let profile = format!("/config/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']");
    device.add_pending_change("admin", &profile, "<certificate>own</certificate>").unwrap();
    device.commit_as("admin");
    assert!(device.wait_idle(Duration::from_secs(10)));
    assert!(wait_until(|| shown(device).as_ref() == Some(&pin)));
    device.fail_next_commit(&["Invented reason"]);
    run().exits(14);
    assert_eq!(scene.known(), format!("{} {pin}\n", scene.target()));
    assert!(scene.world.log().iter().any(|line| line.contains("the certificate from before again")));
    run().exits(0);
    assert_eq!(scene.known(), line(&scene, &new, &pin));
    // With nothing to do, nothing changes.
    run().exits(0).says("already");
    assert_eq!(scene.known(), line(&scene, &new, &pin));
}

#[test]
fn by_an_authority_nothing_is_accepted_besides_and_what_would_lock_us_out_is_refused_beforehand() {
    let authority = pki::root("Management CA", KeyKind::P256);
    let own =
        authority.issue(&pki::CertificateSpec::named("fw1.example.com").ip("127.0.0.1".parse().unwrap()));
    let (scene, _) = Scene::new(managed(&own), Shown::New, Moment::NextRun);
    pki::write(&scene.world.path("ca.pem"), authority.certificate_pem().as_bytes(), 0o644);
    Ended::of(&mut scene.command(Way::Authority, "")).exits(16).says("would not be recognised any more");
    assert_eq!((count(&scene.world.device, "import"), count(&scene.world.device, "commit")), (0, 0));
    assert_eq!(scene.world.device.pending_changes(), []);
    // The right authority, and the wrong name.
    let both = authority.certificate_pem() + &scene.world.ca.certificate_pem();
    pki::write(&scene.world.path("ca.pem"), both.as_bytes(), 0o644);
    Ended::of(&mut scene.command(Way::Authority, "")).exits(16).says("mismatch");
    assert_eq!(count(&scene.world.device, "commit"), 0);
    // Both right.
    let new =
        scene.world.issue(&pki::CertificateSpec::named(NAME).san(NAME).ip("127.0.0.1".parse().unwrap()));
    Ended::of(&mut scene.command(Way::Authority, "")).exits(0);
    assert_eq!(scene.world.device.certificate_fingerprint(), print(&new.certificate));
    assert_eq!(scene.known(), "");
}

#[test]
fn a_profile_of_a_virtual_system_is_not_the_management_interfaces() {
    let own = own();
    let world = managed(&own);
    let (certificate, key) = (own.certificate_pem(), Some(own.key_pem()));
    let vsys = Some("vsys1".to_owned());
    let hidden = PreloadedCertificate { name: "own".into(), certificate, key, vsys: vsys.clone() };
    let settings = Settings {
        certificates: [world.certificates.clone(), vec![hidden]].concat(),
        profiles: [world.profiles.clone(), vec![Profile { vsys, ..Profile::bound(PORTAL, "own") }]].concat(),
        ..world
    };
    let (scene, _) = Scene::new(settings, Shown::New, Moment::Commit);
    let pin = scene.world.device.certificate_fingerprint();
    scene.write_known(&pin);
    let before = scene.known();
    let mut command = scene.command(Way::Known, &pin);
    let ended = Ended::of(command.args(["--vsys", "vsys1"]));
    got_nothing(&scene, "vsys");
    assert_ne!(ended.code, Some(0));
    assert_eq!(scene.known(), before);
}

/// PAN-OS ignores a profile that somebody made under the name of a predefined one, with its certificate: it is refused,
/// and nothing is decided about who is accepted.
#[test]
fn a_predefined_profile_hides_the_one_that_gets_the_certificate() {
    let hidden = Settings { predefined_profiles: Some(vec![PORTAL.into()]), ..managed(&own()) };
    let (scene, _) = Scene::new(hidden, Shown::New, Moment::NextRun);
    let pin = scene.world.device.certificate_fingerprint();
    scene.write_known(&pin);
    Ended::of(&mut scene.command(Way::Known, &pin)).exits(13).says("has the name of a predefined one");
    assert_eq!((count(&scene.world.device, "import"), count(&scene.world.device, "commit")), (0, 0));
    assert!(!record(&scene).contains("next_identities"), "{}", record(&scene));
    scene.is_honest(false);
    assert_ne!(Ended::of(&mut scene.command(Way::Known, &pin)).code, Some(0));
    got_nothing(&scene, "the next run");
    assert_eq!(scene.known(), format!("{} {pin}\n", scene.target()));
    // Another name than the predefined one's is decided as ever.
    let other = Settings { predefined_profiles: Some(vec!["another".into()]), ..managed(&own()) };
    let (scene, _) = Scene::new(other, Shown::New, Moment::NextRun);
    let pin = scene.world.device.certificate_fingerprint();
    scene.write_known(&pin);
    die(&scene, Way::Known, &pin, Matcher::typed("op").cmd("<jobs>"));
    assert!(record(&scene).contains("next_identities"), "{}", record(&scene));
    // Which names are predefined is asked for once in a run.
    let asks = scene.world.device.requests().into_iter().filter_map(|request| request.xpath);
    assert_eq!(asks.filter(|xpath| xpath.starts_with("/config/predefined/")).count(), 1);
}

/// A firewall whose management interface is bound by a template of Panorama: that is in effect, and not part of the running
/// configuration.
fn bound_by_a_template() -> Settings {
    let management_profile = Some(PORTAL.to_owned());
    let pushed = Pushed { template: "branch-stack".into(), management_profile, ..Pushed::default() };
    Settings { management_profile: None, pushed: Some(pushed), ..managed(&own()) }
}

#[test]
fn a_binding_that_panorama_has_pushed_is_one_as_well() {
    // Nobody is between: the device is recognised by its new certificate during its own commit and in the next run.
    let (scene, new) = Scene::new(bound_by_a_template(), Shown::New, Moment::NextRun);
    let (pin, new) = (scene.world.device.certificate_fingerprint(), print(&new.certificate));
    scene.write_known(&pin);
    Ended::of(&mut scene.command(Way::Known, &pin)).exits(0);
    assert_eq!(scene.world.device.certificate_fingerprint(), new, "the template's binding is in effect");
    assert_eq!(scene.known(), line(&scene, &new, &pin), "{:#?}", scene.world.log());
    Ended::of(&mut scene.command(Way::Known, &pin)).exits(0).says("already");
    // After a run that died, by what its record says.
    let (scene, new) = Scene::new(bound_by_a_template(), Shown::New, Moment::NextRun);
    let (pin, new) = (scene.world.device.certificate_fingerprint(), print(&new.certificate));
    scene.write_known(&pin);
    die(&scene, Way::Known, &pin, Matcher::typed("op").cmd("<jobs>"));
    assert!(record(&scene).contains("next_identities"), "{}", record(&scene));
    Ended::of(&mut scene.command(Way::Known, &pin)).exits(0);
    assert_eq!(scene.known(), line(&scene, &new, &pin), "{:#?}", scene.world.log());
    // Before the commit nobody else gets anything.
    let (scene, _) = Scene::new(bound_by_a_template(), Shown::New, Moment::FirstConnection);
    let pin = scene.world.device.certificate_fingerprint();
    scene.write_known(&pin);
    assert_ne!(Ended::of(&mut scene.command(Way::Known, &pin)).code, Some(0));
    got_nothing(&scene, "pushed");
}

/// The other member of a pair, which the impostor stands before from the beginning.
#[test]
fn in_the_place_of_an_ha_peer_it_gets_nothing() {
    use crate::common::pair::Pair;
    use crate::switch::Switch;
    for (peer_is_bound, shown) in
        [(false, Shown::New), (false, Shown::SameKey), (true, Shown::New), (true, Shown::SameKey)]
    {
        let what = format!("{peer_is_bound} {shown:?}");
        let own = own();
        let pair = Pair::with(|settings| {
            let base = managed(&own);
            settings.certificates = base.certificates;
            settings.profiles = base.profiles;
            settings.keep_alive = false;
            let is_first = settings.hostname == "fw-a";
            settings.management_profile = (is_first || peer_is_bound).then(|| PORTAL.to_owned());
        });
        let new = pair.world.renew();
        let liar = Liar::showing(&shown.of(&pair.world, &new), pair.second.address());
        let impostor = liar.address();
        let switch = Switch::at("127.0.0.2", move || impostor);
        std::fs::create_dir(pair.world.path("state")).unwrap();
        let (first, pin) =
            (pair.world.device.certificate_fingerprint(), pair.second.certificate_fingerprint());
        let known = format!("{} {first}\n{} {pin}\n", pair.world.target(), switch.address());
        pki::write(&pair.world.path("state/known_devices"), known.as_bytes(), 0o600);
        let mut command = pair.bare_command();
        command.args(["-p", PORTAL, "--ha-peer", &switch.address().to_string()]);
        let ended = Ended::of(command.arg(pair.world.target()));
        assert!(liar.connections() > 0, "{what}: {:#?}", pair.world.log());
        assert_eq!(liar.received(), 0, "{what}: {:#?}", pair.world.log());
        assert_eq!(ended.code, Some(16), "{what}: {ended:#?} {:#?}", pair.world.log());
        let now = print(&new.certificate);
        assert_eq!(
            pair.known_devices(),
            [format!("{} {now} before={first}", pair.world.target()), format!("{} {pin}", switch.address())],
            "{what}"
        );
        pair.kept_its_secrets();
    }
}

#[test]
fn the_record_of_one_device_says_nothing_about_another_one() {
    let (scene, new) = Scene::new(managed(&own()), Shown::New, Moment::NextRun);
    let pin = scene.world.device.certificate_fingerprint();
    scene.write_known(&pin);
    die(&scene, Way::Known, &pin, Matcher::typed("op").cmd("<jobs>"));
    let text = record(&scene);
    assert!(text.contains("next_identities") && text.contains(&print(&new.certificate)), "{text}");
    // The same record, under the name of another device that is behind the same switch.
    let other = format!("localhost:{}", scene.target().port());
    let folder = scene.world.path("state/installations");
    std::fs::create_dir_all(folder.join(&other).join("shared")).unwrap();
    let name = format!("shared/{NAME}.json");
    let from = folder.join(scene.target().to_string()).join(&name);
    let whole = std::fs::read_to_string(from).unwrap();
    let device = scene.target();
    let moved = whole.replacen(&format!("\"device\": \"{device}\""), &format!("\"device\": \"{other}\""), 1);
    assert_ne!(moved, whole);
    pki::write(&folder.join(&other).join(&name), moved.as_bytes(), 0o600);
    let known = scene.known() + &format!("{other} {pin}\n");
    pki::write(&scene.world.path("state/known_devices"), known.as_bytes(), 0o600);
    scene.is_honest(false);
    let mut command = scene.world.bare_command();
    command.arg("-k").arg(scene.world.path(".panrc")).args(["-p", PORTAL, &other]);
    Ended::of(&mut command).exits(16);
    got_nothing(&scene, "another device");
}
