//! Certificates and keys on their way in and out.

use panos_sim::{PreloadedCertificate, Profile, Simulator};

use crate::{client::*, pki};

fn two_step<'a>(category: &'a str, name: &'a str) -> [(&'a str, &'a str); 4] {
    [("category", category), ("format", "pem"), ("certificate-name", name), ("passphrase", "dummy")]
}

fn pkcs12<'a>(name: &'a str, passphrase: &'a str) -> [(&'a str, &'a str); 4] {
    [("category", "keypair"), ("format", "pkcs12"), ("certificate-name", name), ("passphrase", passphrase)]
}

fn entry(name: &str) -> String {
    format!("/config/shared/certificate/entry[@name='{name}']")
}

#[test]
fn a_key_pair_lands_in_the_candidate_with_what_devices_show_of_it() {
    let device = start();
    let made = pki::self_signed("vpn.example.test");
    import_pair(&device, "vpn-1", &made.pem())
        .has("<result>Successfully imported vpn-1 into candidate configuration</result>");
    let shown = config(&device, "get", &entry("vpn-1"), "");
    shown.has(">vpn.example.test</common-name>").has(">EC</algorithm>").has(">-AQ==");
    shown.has(">/CN=vpn.example.test</subject>").has(">yes</ca>");
    config(&device, "show", &entry("vpn-1"), "").has("No such node");
    let rsa = pki::rsa("r.example.test");
    import_pair(&device, "vpn-2", &rsa.pem()).has("success");
    config(&device, "get", &entry("vpn-2"), "").has(">RSA</algorithm>");
}

#[test]
fn one_file_with_a_foreign_key_is_refused_and_two_files_are_not() {
    let device = start();
    let (one, other) = (pki::self_signed("a.test"), pki::self_signed("b.test"));
    let before = device.candidate_xml();
    let mixed = other.key_pem() + &one.certificate_pem();
    import_pair(&device, "vpn", &mixed).has("Mismatched public and private keys");
    assert_eq!(device.candidate_xml(), before);
    let certificate = one.certificate_pem();
    import(&device, &two_step("certificate", "vpn"), certificate.as_bytes()).has("success");
    import(&device, &two_step("private-key", "vpn"), other.key_pem().as_bytes()).has("success");
}

#[test]
fn a_mismatched_pair_is_committed_and_nobody_can_connect() {
    let device = start();
    let (one, other) = (pki::self_signed("a.test"), pki::self_signed("b.test"));
    let certificate = one.certificate_pem();
    import(&device, &two_step("certificate", "vpn"), certificate.as_bytes());
    import(&device, &two_step("private-key", "vpn"), other.key_pem().as_bytes());
    config(&device, "set", PORTAL, "<certificate>vpn</certificate>");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert!(shown(device.service_address()).is_err());
    import(&device, &two_step("private-key", "vpn"), one.key_pem().as_bytes());
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert_eq!(shown(device.service_address()).unwrap(), one.fingerprint());
}

#[test]
fn the_key_comes_after_its_certificate() {
    let device = start();
    let made = pki::self_signed("a.test");
    import(&device, &two_step("private-key", "vpn"), made.key_pem().as_bytes()).has("status=\"error\"");
    import(&device, &two_step("certificate", "vpn"), made.key_pem().as_bytes())
        .has("Import of vpn failed. Failed to extract certificate");
    import_pair(&device, "vpn", &made.certificate_pem()).has("private key doesn't exist for csr");
}

#[test]
fn names_are_held_to_the_device_s_rules() {
    let device = start();
    let pem = pki::self_signed("a.test").pem();
    let longest = "n".repeat(63);
    import_pair(&device, &longest, &pem).has("success");
    for bad in ["*.example.test", "_x", "n/a", &"n".repeat(64)] {
        import_pair(&device, bad, &pem)
            .has("code=\"17\"")
            .has(&format!("<![CDATA[ upload -> keypair -> certificate-name '{bad}' is invalid]]>"));
    }
    let mut taking = settings();
    taking.takes_leading_underscore = true;
    let taking = Simulator::start(taking).unwrap();
    import_pair(&taking, "_x", &pem).has("success");
    let mut settings = settings();
    settings.model = "Panorama".into();
    let panorama = Simulator::start(settings).unwrap();
    import_pair(&panorama, &"n".repeat(32), &pem).has("code=\"17\"");
    import_pair(&panorama, &"n".repeat(31), &pem).has("success");
    assert!(panorama.pending_changes()[0].0.starts_with("/config/panorama/certificate/"));
}

#[test]
fn pkcs12_is_opened_for_real() {
    let device = start();
    let root = pki::self_signed("Root");
    let made = pki::issued("a.test", &root);
    let file = made.pkcs12("pass", &[&root], false);
    import(&device, &pkcs12("vpn", "wrong"), &file).has("Invalid passphrase");
    import(&device, &pkcs12("vpn", "pass"), b"-----BEGIN").has("Failed to extract certificate");
    import(&device, &pkcs12("vpn", "pass"), &file).has("success");
    let text = config(&device, "get", &entry("vpn"), "").text();
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 1, "extra certificates are dropped");
    assert_eq!(import(&device, &pkcs12("vpn", ""), &file).status, 400);

    let mut settings = settings();
    settings.drops_extra_certificates = false;
    settings.legacy_only = true;
    let old = Simulator::start(settings).unwrap();
    import(&old, &pkcs12("vpn", "pass"), &file).has("Failed to extract certificate");
    let file = made.pkcs12("pass", &[&root], true);
    import(&old, &pkcs12("vpn", "pass"), &file).has("success");
    let text = config(&old, "get", &entry("vpn"), "").text();
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
}

/// Sources differ: here the intermediates of the file are dropped, and the objects that have issued the leaf are sent.
#[test]
fn the_leaf_alone_is_kept_and_its_issuers_are_sent_where_they_are_objects() {
    let mut settings = settings();
    (settings.keeps_leaf_only, settings.sends_issuer_objects) = (true, true);
    let device = Simulator::start(settings).unwrap();
    let root = pki::self_signed("Root");
    let above = pki::issued("Issuing CA", &root);
    let made = pki::issued("a.test", &above);
    import_pair(&device, "vpn", &(made.pem() + &above.certificate_pem())).has("success");
    let text = config(&device, "get", &entry("vpn"), "").text();
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 1);
    config(&device, "set", PORTAL, "<certificate>vpn</certificate>");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    let sent = || {
        let stream = tls(device.service_address()).unwrap();
        let chain = stream.ssl().peer_cert_chain().unwrap();
        chain.iter().map(|c| pki::fingerprint(&c.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(sent(), [made.fingerprint()]);
    for (name, authority) in [("issuing", &above), ("root", &root)] {
        import(&device, &two_step("certificate", name), authority.certificate_pem().as_bytes())
            .has("success");
    }
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert_eq!(sent(), [made.fingerprint(), above.fingerprint()]);
}

#[test]
fn a_chain_in_pem_is_served() {
    let device = start();
    let root = pki::self_signed("Root");
    let made = pki::issued("a.test", &root);
    import_pair(&device, "vpn", &(made.pem() + &root.certificate_pem())).has("success");
    import_pair(&device, "turned", &(made.key_pem() + &root.certificate_pem())).has("Mismatched");
    config(&device, "set", PORTAL, "<certificate>vpn</certificate>");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    let stream = tls(device.service_address()).unwrap();
    let chain = stream.ssl().peer_cert_chain().unwrap();
    let prints: Vec<_> = chain.iter().map(|c| pki::fingerprint(&c.to_owned())).collect();
    assert_eq!(prints, [made.fingerprint(), root.fingerprint()]);
}

#[test]
fn expired_certificates_stay_outside() {
    let device = start();
    let pem = pki::expired("a.test").pem();
    import_pair(&device, "vpn", &pem).has("Certificate is expired");
}

#[test]
fn a_certificate_is_exported_and_a_blocked_key_is_not() {
    let device = start();
    let made = pki::self_signed("a.test");
    let mut parameters = two_step("keypair", "vpn").to_vec();
    parameters.push(("block-private-key", "yes"));
    import(&device, &parameters, made.pem().as_bytes()).has("success");
    let export = |include: &str| {
        post(
            &device,
            &[
                ("type", "export"),
                ("category", "certificate"),
                ("certificate-name", "vpn"),
                ("format", "pem"),
                ("include-key", include),
                ("passphrase", "pass"),
            ],
        )
    };
    let file = export("no");
    assert!(file.head.contains("application/octet-stream"));
    assert_eq!(file.text(), made.certificate_pem());
    export("yes").has("blocked from export");
    import_pair(&device, "vpn", &made.pem());
    export("yes").has("BEGIN ENCRYPTED PRIVATE KEY");
}

#[test]
fn what_the_settings_preload_is_committed_and_served() {
    let made = pki::self_signed("a.test");
    let mut settings = settings();
    settings.profiles = vec![Profile::bound("portal", "old")];
    settings.certificates.push(PreloadedCertificate {
        name: "old".into(),
        certificate: made.certificate_pem(),
        key: Some(made.key_pem()),
        vsys: None,
    });
    let device = Simulator::start(settings).unwrap();
    assert_eq!(device.candidate_xml(), device.running_xml());
    assert_eq!(shown(device.service_address()).unwrap(), made.fingerprint());
}

#[test]
fn a_virtual_system_has_certificates_of_its_own() {
    let mut settings = settings();
    settings.multi_vsys = true;
    settings.vsys = vec!["vsys1".into(), "vsys2".into()];
    settings.profiles = vec![Profile { vsys: Some("vsys2".into()), ..Profile::unbound("portal") }];
    let device = Simulator::start(settings).unwrap();
    let made = pki::self_signed("a.test");
    let mut parameters = two_step("keypair", "vpn").to_vec();
    parameters.push(("vsys", "vsys2"));
    import(&device, &parameters, made.pem().as_bytes()).has("success");
    let place = "/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys2']";
    let profile = format!("{place}/ssl-tls-service-profile/entry[@name='portal']");
    config(&device, "set", &profile, "<certificate>vpn</certificate>").has("code=\"20\"");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert_eq!(shown(device.service_address()).unwrap(), made.fingerprint());
    parameters.pop();
    parameters.push(("vsys", "vsys9"));
    import(&device, &parameters, made.pem().as_bytes()).has("code=\"17\"");
}
