//! What is missing at the FreeIPA server, one at a time: found before a certificate is asked for, and added by the
//! commands that are printed, typed as they stand.

use crate::desk::{Desk, HOST, NAME, PORTAL};
use crate::mistakes::{Expected, is_found, is_well};

const VPN: &str = "vpn.example.com";

/// Looks with further options at what somebody has spoilt, and types what is printed.
#[track_caller]
fn found(desk: &Desk, options: &[&str], (trouble, about): (&str, &str), run: &[&str]) {
    let target = desk.target();
    let mut arguments = vec!["-p", PORTAL];
    arguments.extend_from_slice(options);
    arguments.push(&target);
    let trouble = format!("failed {trouble}: ");
    let code = match trouble.as_str() {
        "failed certificate profile: " => 6,
        "failed keytab: " => 5,
        _ => 10,
    };
    is_found(desk, &arguments, &Expected { code, trouble: &trouble, about, run, advice: "" });
}

#[track_caller]
fn well(desk: &Desk, options: &[&str]) {
    let target = desk.target();
    let mut arguments = vec!["-p", PORTAL];
    arguments.extend_from_slice(options);
    arguments.push(&target);
    is_well(&desk.check(&arguments));
}

#[test]
fn a_further_name_needs_a_principal_that_this_machine_manages() {
    let desk = Desk::new();
    let run = [
        "kinit admin",
        "ipa host-add vpn.example.com --force",
        "ipa service-add HTTP/vpn.example.com --force",
        "ipa service-add-host HTTP/vpn.example.com --hosts=certs.example.com",
    ];
    let about = "HTTP/vpn.example.com is not known to the server";
    found(&desk, &["--san", VPN, "--san", NAME], ("SAN principal", about), &run);
    desk.service(VPN, &[VPN], &["www.example.com"]);
    let about = "HTTP/vpn.example.com is managed by www.example.com, not by certs.example.com";
    found(&desk, &["--san", VPN], ("SAN principal", about), &[run[0], run[3]]);
    // Another name of the same principal needs none of its own.
    let desk = Desk::new();
    desk.service(NAME, &[NAME, VPN], &[HOST]);
    well(&desk, &["--san", VPN]);
}

#[test]
fn a_principal_is_found_by_its_alias_as_freeipa_issues_for_it() {
    let desk = Desk::new();
    desk.remove("run/state/services/HTTP_gp.example.com");
    desk.service("www.example.com", &["www.example.com", NAME], &[HOST]);
    well(&desk, &[]);
    // A name that only begins so is another one.
    desk.service("www.example.com", &["www.example.com", "x.gp.example.com"], &[HOST]);
    let run = ["kinit admin", "ipa service-add HTTP/gp.example.com", "ipa service-add-host"];
    found(&desk, &[], ("service principal", "is not known to the server"), &run);
}

#[test]
fn a_host_is_no_service_and_is_asked_for_as_a_host() {
    let desk = Desk::new();
    let managed = "ipa host-add-managedby gp.example.com --hosts=certs.example.com";
    let about = "host/gp.example.com is managed by gp.example.com, not by certs.example.com";
    found(&desk, &["-S", "host"], ("service principal", about), &["kinit admin", managed]);
    desk.remove("run/state/hosts/gp.example.com");
    let run = ["kinit admin", "ipa host-add gp.example.com --force", managed];
    found(&desk, &["-S", "host"], ("service principal", "is not known"), &run);
    // What is not a host's: no such principal is there.
    let ldap = ["kinit admin", "ipa service-add ldap/gp.example.com --force", "ipa service-add-host ldap/"];
    found(&desk, &["-S", "ldap"], ("service principal", "ldap/gp.example.com is not known"), &ldap);
    let told = desk.check(&["-S", "ldap", "-p", PORTAL, &desk.target()]);
    assert!(format!("{told:?}").contains("ldap/gp.example.com may use"), "{told:#?}");
}

#[test]
fn a_certificate_profile_that_is_not_there_or_takes_other_keys_is_told_before() {
    let desk = Desk::new();
    let target = desk.target();
    let mut expected = Expected {
        code: 6,
        trouble: "failed certificate profile: ",
        about: "'caIPAserviceCert' takes RSA keys only",
        run: &[],
        advice: "Use -G RSA",
    };
    is_found(&desk, &["-G", "EC", "-p", PORTAL, &target], &expected);
    well(&desk, &["-G", "RSA"]);
    desk.acl("gateways", &format!("  Profiles: gpServer\n  Services: HTTP/{NAME}@EXAMPLE.COM\n"));
    expected.about = "no certificate profile 'gpServer'";
    expected.advice = "ipa certprofile-find";
    is_found(&desk, &["-T", "gpServer", "-p", PORTAL, &target], &expected);
    desk.profile("gpServer", "EC");
    expected.about = "'gpServer' takes EC keys only";
    expected.advice = "Use -G EC";
    is_found(&desk, &["-T", "gpServer", "-p", PORTAL, &target], &expected);
    well(&desk, &["-T", "gpServer", "-G", "ecdsa"]);
    // "-" in a profile is any type.
    desk.profile("gpServer", "-");
    well(&desk, &["-T", "gpServer", "-G", "ec"]);
    well(&desk, &["-T", "gpServer"]);
}

#[test]
fn a_ca_acl_that_is_missing_is_found_and_what_is_printed_opens_nothing_else() {
    let desk = Desk::new();
    desk.profile("gpServer", "RSA");
    let run = [
        "kinit admin",
        "ipa caacl-add pan_getcert-gpServer",
        "ipa caacl-add-profile pan_getcert-gpServer --certprofiles=gpServer",
        "ipa caacl-add-service pan_getcert-gpServer --services=HTTP/gp.example.com",
    ];
    let about =
        "no enabled CA ACL lets HTTP/gp.example.com use the certificate profile gpServer with the CA ipa";
    found(&desk, &["-T", "gpServer"], ("CA ACL", about), &run);
    // The sub-CA is another rule: added to the first one, it would take the usual CA away from it (measured).
    desk.write("run/state/cas/gateways", "  Name: gateways\n", 0o644);
    let own = "pan_getcert-gpServer-gateways";
    let run = [
        "kinit admin".to_owned(),
        format!("ipa caacl-add {own}"),
        format!("ipa caacl-add-profile {own} --certprofiles=gpServer"),
        format!("ipa caacl-add-ca {own} --cas=gateways"),
        format!("ipa caacl-add-service {own} --services=HTTP/gp.example.com"),
    ];
    let run: Vec<&str> = run.iter().map(String::as_str).collect();
    let options = ["-T", "gpServer", "-X", "gateways"];
    found(&desk, &options, ("CA ACL", "with the CA gateways"), &run);
    well(&desk, &["-T", "gpServer"]);
    // A further name becomes a member of the rule that is there.
    desk.host(VPN, &[VPN]);
    desk.service(VPN, &[VPN], &[HOST]);
    let run = ["kinit admin", "ipa caacl-add-service pan_getcert-gpServer --services=HTTP/vpn.example.com"];
    found(&desk, &["-T", "gpServer", "--san", VPN], ("CA ACL", "lets HTTP/vpn.example.com use"), &run);
    // The rule that every server has can be disabled.
    let usual = "run/state/acls/hosts_services_caIPAserviceCert";
    let text = std::fs::read_to_string(desk.path(usual)).unwrap();
    desk.write(usual, &text.replace("Enabled: True", "Enabled: False"), 0o644);
    let run = [
        "kinit admin",
        "ipa caacl-add pan_getcert-caIPAserviceCert",
        "ipa caacl-add-profile",
        "ipa caacl-add-",
    ];
    found(&desk, &[], ("CA ACL", "('hosts_services_caIPAserviceCert' would, and is disabled)"), &run);
    // Where there is no rule at all.
    let desk = Desk::new();
    desk.remove(usual);
    found(&desk, &[], ("CA ACL", "no enabled CA ACL lets"), &run);
}

#[test]
fn a_sub_ca_that_is_not_there() {
    let desk = Desk::new();
    desk.acl(
        "all",
        "  CA category: all\n  Profile category: all\n  Host category: all\n  Service category: all\n",
    );
    let run = ["kinit admin", "ipa ca-add gateways --subject=CN=gateways,O=EXAMPLE.COM"];
    found(&desk, &["-X", "gateways"], ("issuing CA", "no CA 'gateways'"), &run);
}

#[test]
fn the_keytab_advice_mends_every_case_that_was_measured() {
    let (remove, fetch) = (
        "ipa-rmkeytab -p host/certs.example.com -k /etc/krb5.keytab",
        "ipa-getkeytab -p host/certs.example.com -k /etc/krb5.keytab",
    );
    let anew = ["kinit admin", remove, fetch];
    let added = ["kinit admin", "ipa host-add certs.example.com --force", remove, fetch];
    let admin = |desk: &Desk, command: &str| {
        desk.type_in("kinit admin");
        desk.type_in(command);
    };
    // What was printed before did not help here: the new key has number 1 again, and stands behind the old one.
    let desk = Desk::new();
    admin(&desk, "ipa host-disable certs.example.com");
    found(&desk, &[], ("keytab", "Generic preauthentication failure"), &anew);
    let desk = Desk::new();
    admin(&desk, "ipa host-del certs.example.com");
    found(&desk, &[], ("keytab", "not found in Kerberos database"), &added);
    let desk = Desk::new();
    admin(&desk, "ipa host-del certs.example.com");
    desk.host(HOST, &[HOST]);
    // Somebody has made a key for it elsewhere: number 1, as the old one.
    desk.write("run/state/hostkey", "1 elsewhere\n", 0o600);
    found(&desk, &[], ("keytab", "Preauthentication failed"), &anew);
    let desk = Desk::new();
    desk.remove("etc/krb5.keytab");
    found(&desk, &[], ("keytab", "Key table file '/etc/krb5.keytab' not found"), &[anew[0], fetch]);
    // An outage is none of the keytab's.
    for (flag, words) in
        [("kdc-down", "Cannot contact any KDC"), ("directory-down", "Generic error (see e-text)")]
    {
        let desk = Desk::new();
        desk.write(&format!("run/state/{flag}"), "", 0o644);
        let target = desk.target();
        let expected = Expected {
            code: 5,
            trouble: "failed keytab: ",
            about: words,
            run: &[],
            advice: "that it and its directory server run",
        };
        is_found(&desk, &["-p", PORTAL, &target], &expected);
    }
}

#[test]
fn where_the_server_can_not_be_asked_that_is_said_once_and_nothing_is_called_wrong() {
    let desk = Desk::new();
    desk.write("run/state/down", "", 0o644);
    let found = desk.check(&["-T", "gpServer", "--san", NAME, "-p", PORTAL, &desk.target()]);
    let troubles = found.troubles();
    assert_eq!((troubles.len(), found.code), (1, 0), "{found:#?}");
    assert!(troubles[0].starts_with("warning service principal: whether"), "{troubles:?}");
    // What Kerberos does not find is nothing that FreeIPA lacks.
    let words = "Kerberos error: Server HTTP/ipa.example.com not found in Kerberos database";
    desk.write("run/state/down", words, 0o644);
    let found = desk.check(&["-T", "gpServer", "-p", PORTAL, &desk.target()]);
    assert_eq!((found.troubles().len(), found.code), (1, 0), "{found:#?}");
    // Asked with the host's ticket, in a cache of its own.
    desk.remove("run/state/down");
    desk.type_in("kinit admin");
    well(&desk, &[]);
    assert!(desk.asked().iter().rev().take(2).all(|line| line.starts_with("host ")), "{:#?}", desk.asked());
    assert_eq!(std::fs::read_to_string(desk.path("run/state/admin")).unwrap(), "admin\n");
}
