//! After the commit: what the services show, and what the management interface shows from then on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use panos_sim::{PreloadedCertificate, Profile};

use common::world::{Ended, PORTAL, World, print, settings};

#[test]
fn an_endpoint_is_looked_at_until_it_shows_the_certificate() {
    let world = World::new();
    let endpoint = world.device.service_address().to_string();
    world.install(&["-p", PORTAL, "--served", &endpoint]).exits(0);
    let shown = format!("Served: {endpoint} shows the new certificate.");
    assert!(world.log().contains(&shown), "{:#?}", world.log());
    assert!(world.install(&["-p", PORTAL, "--served", "fw1:x"]).exits(1).stderr.contains("--served"));
}

#[test]
fn a_management_certificate_that_is_ours_is_remembered_for_the_next_renewal() {
    let mut managed = settings();
    let own = common::pki::self_signed(&common::pki::CertificateSpec::named("fw1"));
    let (certificate, key) = (own.certificate_pem(), Some(own.key_pem()));
    managed.certificates = vec![PreloadedCertificate { name: "own".into(), certificate, key, vsys: None }];
    managed.profiles = vec![Profile::bound(PORTAL, "own")];
    managed.management_profile = Some(PORTAL.into());
    let world = World::with(managed);
    let known = world.path("state/known_devices");
    std::fs::create_dir(world.path("state")).unwrap();
    let line = |print: &str| format!("{} {print}\n", world.target());
    let first = world.device.certificate_fingerprint();
    common::pki::write(&known, line(&first).as_bytes(), 0o600);
    let install = || {
        let mut command = world.bare_command();
        command.args(["-k", world.path(".panrc").to_str().unwrap(), "-p", PORTAL]);
        Ended::of(command.arg(world.target()))
    };
    for round in 0..3 {
        let (issued, before) = (world.renew(), world.device.certificate_fingerprint());
        install().exits(0);
        assert_eq!(world.device.certificate_fingerprint(), print(&issued.certificate));
        let named = if round == 0 { String::new() } else { format!(" pinned={first}") };
        let now = format!("{} before={before}{named}", print(&issued.certificate));
        assert_eq!(std::fs::read_to_string(&known).unwrap(), line(&now));
    }
    // That it is the one that is to be installed makes it nobody's identity.
    let lost = line(&"cd".repeat(32));
    common::pki::write(&known, lost.as_bytes(), 0o600);
    install().exits(16);
    assert_eq!(std::fs::read_to_string(&known).unwrap(), lost);
    // Somebody else's certificate is not learnt.
    world.renew();
    common::pki::write(&known, line(&"ab".repeat(32)).as_bytes(), 0o600);
    install().exits(16);
    assert_eq!(std::fs::read_to_string(&known).unwrap(), line(&"ab".repeat(32)));
}
