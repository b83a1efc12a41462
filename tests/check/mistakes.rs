//! Mistakes, one at a time: each is found, nothing else is, and nothing is changed by looking. Where a command is
//! printed, it is typed exactly so, and mends it.

use panos_sim::{Administrator, Profile, Rights, Settings, Simulator};

use crate::common::pki::{self, KeyKind};
use crate::support::{Desk, Found, KEY, NAME, PASSWORD, PORTAL, USER, settings};

/// What is expected of a mistake.
pub struct Expected<'a> {
    /// The exit code.
    pub code: i32,
    /// The beginning of the one finding that is not ok.
    pub trouble: &'a str,
    /// What it is about, in its text.
    pub about: &'a str,
    /// A part of each command that mends it.
    pub run: &'a [&'a str],
    /// A part of what somebody is told to do.
    pub advice: &'a str,
}

/// Looks, and compares; types what was printed, and looks again.
#[track_caller]
pub fn is_found(support: &Desk, arguments: &[&str], expected: &Expected<'_>) {
    let before = support.picture();
    let found = support.check(arguments);
    support.looks_like(&before);
    let troubles = found.troubles();
    assert_eq!(troubles.len(), 1, "{found:#?}");
    assert!(troubles[0].starts_with(expected.trouble), "{troubles:?}");
    assert!(troubles[0].contains(expected.about), "{troubles:?}");
    assert_eq!(found.code, expected.code, "{found:#?}");
    let run = found.fixes("run");
    assert_eq!(run.len(), expected.run.len(), "{found:#?}");
    for (command, part) in run.iter().zip(expected.run) {
        assert!(command.contains(part), "{command}");
    }
    assert!(found.fixes("do").join(" ").contains(expected.advice), "{found:#?}");
    if run.is_empty() {
        return;
    }
    for command in &run {
        support.type_in(command);
    }
    is_well(&support.check(arguments));
}

#[track_caller]
pub fn is_well(found: &Found) {
    assert_eq!((found.troubles(), found.code), (Vec::new(), 0), "{found:#?}");
}

fn of_machine(trouble: &'static str, code: i32, run: &'static [&'static str]) -> Expected<'static> {
    Expected { code, trouble, about: "", run, advice: "" }
}

fn of_device(
    trouble: &'static str,
    code: i32,
    about: &'static str,
    advice: &'static str,
) -> Expected<'static> {
    Expected { code, trouble, about, run: &[], advice }
}

#[test]
fn nothing_is_found_where_all_is_well() {
    let support = Desk::new();
    let before = support.picture();
    is_well(&support.usual());
    support.looks_like(&before);
    assert!(
        support
            .device
            .requests()
            .iter()
            .all(|request| !matches!(request.r#type.as_deref(), Some("commit" | "import")))
    );
}

/// The usual arguments on a machine that somebody has spoilt.
#[track_caller]
fn spoilt(spoil: impl FnOnce(&Desk), expected: &Expected<'_>) {
    let support = Desk::new();
    spoil(&support);
    let target = support.target();
    is_found(&support, &["-p", PORTAL, &target], expected);
}

/// The usual arguments for another device.
#[track_caller]
fn other(adjust: impl FnOnce(&mut Settings), expected: &Expected<'_>) {
    let support = Desk::with(adjust);
    let target = support.target();
    is_found(&support, &["-p", PORTAL, &target], expected);
}

#[test]
fn the_key_files_mode() {
    let spoil = |support: &Desk| {
        let text = std::fs::read_to_string(support.path("etc/ipa/.panrc")).unwrap();
        support.write("etc/ipa/.panrc", &text, 0o644);
    };
    spoilt(spoil, &of_machine("failed key file:", 5, &["chmod 600 /etc/ipa/.panrc"]));
}

#[test]
fn a_wrong_key() {
    let command = &["pan_certctl keygen fw1.example.com"];
    spoilt(|support| support.key_file("LUFRPT1-another=="), &of_machine("failed key:", 17, command));
}

#[test]
fn a_missing_right() {
    type Take = fn(&mut Rights);
    let takers: [(&str, Take); 4] = [
        ("Configuration", |rights| rights.config = false),
        ("Operational Requests", |rights| rights.op = false),
        ("Commit", |rights| rights.commit = false),
        ("Import", |rights| rights.import = false),
    ];
    for (name, take) in takers {
        let mut rights = Rights::DEPLOYMENT;
        take(&mut rights);
        let support = Desk::with(|settings| {
            *settings = settings.clone().with_key(Administrator::with_rights(USER, PASSWORD, rights), KEY);
        });
        let found = support.usual();
        let failed: Vec<String> =
            found.troubles().into_iter().filter(|trouble| trouble.starts_with("failed")).collect();
        assert_eq!(failed, [format!("failed rights: the XML API right '{name}' is missing")], "{found:#?}");
        assert_eq!(found.code, 17);
        assert!(found.fixes("do").iter().any(|fix| fix.contains(&format!("enable '{name}'"))), "{found:#?}");
    }
}

#[test]
fn a_misspelt_profile() {
    let support = Desk::new();
    let target = support.target();
    is_found(
        &support,
        &["-p", "GP prtal", &target],
        &of_device("failed profiles:", 13, "'GP portal'", "correct -p"),
    );
}

#[test]
fn a_profile_of_a_virtual_system() {
    let adjust = |settings: &mut Settings| {
        settings.profiles = vec![Profile { vsys: Some("vsys1".into()), ..Profile::unbound(PORTAL) }];
    };
    other(
        adjust,
        &of_device("failed profiles:", 13, PORTAL, "'GP portal' is in vsys1: name that place with --vsys"),
    );
    let support = Desk::with(adjust);
    is_well(&support.check(&["-p", PORTAL, "--vsys", "vsys1", &support.target()]));
}

#[test]
fn a_host_that_is_not_enrolled() {
    let run = &["ipa-client-install"];
    spoilt(|support| support.remove("etc/ipa/default.conf"), &of_machine("failed enrolment:", 5, run));
}

#[test]
fn no_keytab() {
    let run = &["kinit admin", "ipa-getkeytab -p host/certs.example.com -k /etc/krb5.keytab"];
    spoilt(|support| support.remove("etc/krb5.keytab"), &of_machine("failed keytab:", 5, run));
}

#[test]
fn a_keytab_that_others_can_read() {
    let spoil = |support: &Desk| support.write("etc/krb5.keytab", "1 first\n", 0o644);
    spoilt(spoil, &of_machine("failed keytab:", 5, &["chmod 600 /etc/krb5.keytab"]));
}

#[test]
fn a_stopped_certmonger() {
    let run = &["systemctl enable --now certmonger"];
    spoilt(|support| support.remove("run/state/certmonger"), &of_machine("failed certmonger:", 10, run));
}

#[test]
fn a_missing_service_principal() {
    let run = &["kinit admin", "ipa service-add HTTP/gp.example.com --force", "ipa service-add-host"];
    let spoil = |support: &Desk| support.remove("run/state/services/HTTP_gp.example.com");
    spoilt(spoil, &of_machine("failed service principal:", 10, run));
    let run =
        &["kinit admin", "ipa host-add gp.example.com --force", "ipa service-add", "ipa service-add-host"];
    let spoil = |support: &Desk| {
        support.remove("run/state/services/HTTP_gp.example.com");
        support.remove("run/state/hosts/gp.example.com");
    };
    spoilt(spoil, &of_machine("failed service principal:", 10, run));
}

#[test]
fn a_service_that_another_host_manages() {
    let run = &["kinit admin", "ipa service-add-host HTTP/gp.example.com --hosts=certs.example.com"];
    let spoil = |support: &Desk| support.service(NAME, &[NAME], &["www.example.com"]);
    let expected =
        Expected { about: "managed by www.example.com", ..of_machine("failed service principal:", 10, run) };
    spoilt(spoil, &expected);
}

#[test]
fn a_wrong_port() {
    let support = Desk::new();
    let expected = of_device("failed address:", 4, "Connection refused", "check the port");
    is_found(&support, &["-p", PORTAL, "fw1.example.com:1"], &expected);
}

#[test]
fn a_name_that_does_not_resolve() {
    let expected = of_device("failed address:", 4, "fw7.example.com has no address", "/etc/hosts");
    is_found(&Desk::new(), &["-p", PORTAL, "fw7.example.com"], &expected);
}

#[test]
fn an_untrusted_device() {
    let run = &["pan_certctl pin fw1.example.com"];
    let expected =
        Expected { about: "self-signed", advice: "--ca-file", ..of_machine("failed identity:", 16, run) };
    spoilt(|support| support.remove("lib/pan_getcert/known_devices"), &expected);
}

#[test]
fn outdated_pin() {
    let run = &["pan_certctl pin fw1.example.com"];
    let expected = Expected { about: "the pinned AB:AB", ..of_machine("failed identity:", 16, run) };
    spoilt(|support| support.pin(&"ab".repeat(32)), &expected);
}

#[test]
fn a_name_that_is_too_long_for_panorama() {
    let support = Desk::with(|settings| settings.model = "M-200".into());
    let target = support.target();
    let long = "gateway-of-the-global-protect-vpn";
    let expected = of_device("failed object name:", 1, "33 characters; this device allows 31", "-n");
    is_found(&support, &["-p", PORTAL, "-n", long, &target], &expected);
    is_well(&support.check(&["-p", PORTAL, "-n", long, "--suffix", "serial", &target]));
}

#[test]
fn a_passive_member_of_a_pair() {
    let ca = pki::root("Example CA", KeyKind::P256);
    let first = settings(&ca);
    let second = Settings { listen: "127.0.0.2:0".parse().unwrap(), ..first.clone() };
    let (active, passive) = Simulator::pair(second, first).unwrap();
    let support = Desk::of(passive, ca);
    let target = support.target();
    // The peer, by the address that it tells, is not to be reached from here.
    let expected = of_device("failed high availability:", 19, "passive", "--ha-peer");
    is_found(&support, &["-p", PORTAL, &target], &expected);
    drop(active);
}

#[test]
fn a_clock_that_is_off_by_a_day() {
    for seconds in [86_460, -86_460] {
        let expected = of_device("failed clock:", 10, "1 day", "NTP");
        other(|settings| settings.clock_ahead = seconds, &expected);
    }
}

#[test]
fn a_device_without_the_authority() {
    let expected = of_device("warning authority:", 0, "/etc/ipa/ca.crt", "import /etc/ipa/ca.crt");
    other(|settings| settings.certificates.clear(), &expected);
}

#[test]
fn a_worker_that_is_not_enabled() {
    let spoil =
        |support: &Desk| support.remove("etc/systemd/system/paths.target.wants/pan_certctl-retry.path");
    let run =
        &["systemctl enable --now pan_certctl-retry.timer pan_certctl-retry.path pan_certctl-verify.timer"];
    spoilt(spoil, &of_machine("warning worker:", 0, run));
}

#[test]
fn a_state_folder_that_others_can_write() {
    use std::os::unix::fs::PermissionsExt as _;
    let spoil = |support: &Desk| {
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(support.path("lib/pan_getcert"), open).unwrap();
    };
    spoilt(spoil, &of_machine("failed state directory:", 1, &["chmod 700 /var/lib/pan_getcert"]));
}

#[test]
fn a_key_that_will_end_and_a_role_that_may_do_anything() {
    let support = Desk::with(|settings| {
        settings.api_key_lifetime = Some(std::time::Duration::from_secs(30 * 86_400));
        *settings = settings.clone().with_key(Administrator::superuser(USER, PASSWORD), KEY);
    });
    let found = support.usual();
    assert_eq!(found.code, 0, "{found:#?}");
    let troubles = found.troubles();
    assert_eq!(troubles.len(), 2, "{found:#?}");
    assert!(troubles[0].starts_with("warning rights: the role is 'superuser'"), "{troubles:?}");
    assert!(troubles[1].contains("expire 30 days after"), "{troubles:?}");
}

/// A second device on this machine, and its name.
fn second(management: &panos_sim::ManagementCertificate, ca: &pki::Issued) -> (Simulator, String) {
    let settings = Settings {
        listen: "127.0.0.2:0".parse().unwrap(),
        management_certificate: management.clone(),
        ..settings(ca)
    };
    let device = Simulator::start(settings).unwrap();
    let name = format!("fw2.example.com:{}", device.address().port());
    (device, name)
}

#[test]
fn management_interfaces_with_one_key_pair() {
    let own = pki::self_signed(&pki::CertificateSpec::named("one"));
    let again = pki::root("Another CA", KeyKind::P256)
        .issue_for_key(&pki::CertificateSpec::named("two"), own.key.clone());
    let given = |issued: &pki::Issued| panos_sim::ManagementCertificate::Given {
        certificate: issued.certificate_pem(),
        key: issued.key_pem(),
    };
    let support = Desk::with(|settings| settings.management_certificate = given(&own));
    support.write("etc/hosts", "127.0.0.1 localhost fw1.example.com\n127.0.0.2 fw2.example.com\n", 0o644);
    support.write(
        "etc/ipa/.panrc",
        &format!("api_key={KEY}\nhostname=fw1.example.com\nhostname=fw2.example.com\napi_username={USER}\n"),
        0o600,
    );
    let first = support.target();
    let known = |name: &str, pin: &str| {
        let text = format!("{first} {}\n{name} {pin}\n", support.device.certificate_fingerprint());
        support.write("lib/pan_getcert/known_devices", &text, 0o600);
    };
    let says = |found: &Found, other: &str| {
        let troubles = found.troubles();
        let text = format!(
            "warning management key: its management interface has the same key pair as that of {other}:"
        );
        troubles.iter().filter(|trouble| trouble.starts_with(&text)).count()
    };
    // The same certificate, or another one of the same key pair: seen where both are looked at, or one is the peer.
    for issued in [&own, &again] {
        let (device, name) = second(&given(issued), &support.ca);
        known(&name, &device.certificate_fingerprint());
        let found = support.check(&["-p", PORTAL, &first, &name]);
        assert_eq!((says(&found, &name), says(&found, &first), found.code), (1, 1, 0), "{found:#?}");
        let found = support.check(&["-p", PORTAL, "--ha-peer", &name, &first]);
        assert_eq!((says(&found, &name), found.code), (1, 0), "{found:#?}");
        // One that is not looked at is known by its fingerprint only.
        let found = support.check(&["-p", PORTAL, &first]);
        assert_eq!(says(&found, &name), usize::from(issued.certificate == own.certificate), "{found:#?}");
    }
    let (device, name) = second(&panos_sim::ManagementCertificate::SelfSigned, &support.ca);
    known(&name, &device.certificate_fingerprint());
    is_well(&support.check(&["-p", PORTAL, &first, &name]));
}

/// A management interface with the profile that is renewed, and this certificate for it.
fn managed(support: &Desk, spec: &pki::CertificateSpec) {
    let issued = support.ca.issue(spec);
    issued.write(&support.path("etc/ssl/certs"), NAME);
    issued.write(&support.path("etc/ssl/private"), NAME);
}

#[test]
fn a_certificate_that_would_lock_us_out_of_the_management_interface() {
    let bound = |settings: &mut Settings| {
        let own = pki::self_signed(&pki::CertificateSpec::named("fw1.example.com"));
        settings.certificates.push(panos_sim::PreloadedCertificate {
            name: "own".to_owned(),
            certificate: own.certificate_pem(),
            key: Some(own.key_pem()),
            vsys: None,
        });
        settings.profiles = vec![Profile::bound(PORTAL, "own")];
        settings.management_profile = Some(PORTAL.to_owned());
    };
    let good = pki::CertificateSpec::named(NAME).san(NAME);
    let support = Desk::with(bound);
    managed(&support, &good.clone().key(KeyKind::RsaPss));
    // That PAN-OS is not known to use such keys is said as well.
    let found = support.usual();
    let [unusual, locked_out] = &found.troubles()[..] else { panic!("{found:#?}") };
    assert!(
        unusual.starts_with("warning certificate:") && unusual.contains("for RSASSA-PSS only"),
        "{unusual}"
    );
    assert!(
        locked_out.starts_with("failed management:") && locked_out.contains("for RSA-PSS only"),
        "{found:#?}"
    );
    assert!(found.code == 16 && found.fixes("do").join(" ").contains("-G, -b"), "{found:#?}");
    managed(&support, &good.clone().key(KeyKind::P521));
    let found = support.usual();
    is_well(&found);
    assert!(format!("{found:?}").contains("the certificate would be accepted there"), "{found:#?}");
}

#[test]
fn a_device_whose_tls_is_not_spoken_here_is_told_by_its_suite_and_key() {
    use crate::server::identity::{Key, Plan};
    use crate::server::{Server, Tls, reply};
    let rsa = Plan::named("fw").key(Key::Rsa(2048)).self_signed();
    let curve = openssl::nid::Nid::BRAINPOOL_P256R1;
    let other = Plan::named("fw").key(Key::Ec(curve)).self_signed();
    for (identity, tls, says) in [
        (&rsa, Tls::Suites("AES128-SHA"), "speaks TLSv1.2 with AES128-SHA and an RSA key of 2048 bits"),
        (&rsa, Tls::Suites("ECDHE-RSA-AES256-SHA384"), "with ECDHE-RSA-AES256-SHA384 and an RSA key"),
        (&other, Tls::Only(openssl::ssl::SslVersion::TLS1_2), "an EC key on the curve brainpoolP256r1"),
    ] {
        let shown = identity.clone();
        let server = Server::start_with(move |_| (shown.clone(), tls), |_| reply("200 OK", ""));
        let support = Desk::new();
        let target = server.address().to_string();
        let line = format!("{target} {}\n", identity.pin());
        support.write("lib/pan_getcert/known_devices", &line, 0o600);
        let found = support.check(&["-p", PORTAL, &target]);
        let troubles = found.troubles();
        assert_eq!((troubles.len(), found.code), (1, 4), "{found:#?}");
        assert!(troubles[0].starts_with("failed TLS:") && troubles[0].contains(says), "{troubles:?}");
        assert!(server.requests().is_empty());
    }
}
