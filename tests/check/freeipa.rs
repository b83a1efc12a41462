//! What is missing at the FreeIPA server, one at a time: found before a certificate is asked for, and added by the
//! commands that are printed, typed as they stand.

use crate::mistakes::{Expected, is_found, is_well};
use crate::support::{Desk, HOST, NAME, PORTAL};

const VPN: &str = "vpn.example.com";

/// Looks with further options at what somebody has spoilt, and types what is printed.
#[track_caller]
fn found(support: &Desk, options: &[&str], (trouble, about): (&str, &str), run: &[&str]) {
    let target = support.target();
    let mut arguments = vec!["-p", PORTAL];
    arguments.extend_from_slice(options);
    arguments.push(&target);
    let trouble = format!("failed {trouble}: ");
    let code = match trouble.as_str() {
        "failed certificate profile: " => 6,
        "failed keytab: " => 5,
        _ => 10,
    };
    is_found(support, &arguments, &Expected { code, trouble: &trouble, about, run, advice: "" });
}

#[track_caller]
fn well(support: &Desk, options: &[&str]) {
    let target = support.target();
    let mut arguments = vec!["-p", PORTAL];
    arguments.extend_from_slice(options);
    arguments.push(&target);
    is_well(&support.check(&arguments));
}

#[test]
fn a_further_name_needs_a_principal_that_this_machine_manages() {
    let support = Desk::new();
    let run = [
        "kinit admin",
        "ipa host-add vpn.example.com --force",
        "ipa service-add HTTP/vpn.example.com --force",
        "ipa service-add-host HTTP/vpn.example.com --hosts=certs.example.com",
    ];
    let about = "HTTP/vpn.example.com is not known to the server";
    found(&support, &["--san", VPN, "--san", NAME], ("SAN principal", about), &run);
    support.service(VPN, &[VPN], &["www.example.com"]);
    let about = "HTTP/vpn.example.com is managed by www.example.com, not by certs.example.com";
    found(&support, &["--san", VPN], ("SAN principal", about), &[run[0], run[3]]);
    // Another name of the same principal needs none of its own.
    let support = Desk::new();
    support.service(NAME, &[NAME, VPN], &[HOST]);
    well(&support, &["--san", VPN]);
}

#[test]
fn a_principal_is_found_by_its_alias_as_freeipa_issues_for_it() {
    let support = Desk::new();
    support.remove("run/state/services/HTTP_gp.example.com");
    support.service("www.example.com", &["www.example.com", NAME], &[HOST]);
    well(&support, &[]);
    // A name that only begins so is another one.
    support.service("www.example.com", &["www.example.com", "x.gp.example.com"], &[HOST]);
    let run = ["kinit admin", "ipa service-add HTTP/gp.example.com", "ipa service-add-host"];
    found(&support, &[], ("service principal", "is not known to the server"), &run);
}

#[test]
fn a_host_is_no_service_and_is_asked_for_as_a_host() {
    let support = Desk::new();
    let managed = "ipa host-add-managedby gp.example.com --hosts=certs.example.com";
    let about = "host/gp.example.com is managed by gp.example.com, not by certs.example.com";
    found(&support, &["-S", "host"], ("service principal", about), &["kinit admin", managed]);
    support.remove("run/state/hosts/gp.example.com");
    let run = ["kinit admin", "ipa host-add gp.example.com --force", managed];
    found(&support, &["-S", "host"], ("service principal", "is not known"), &run);
    // What is not a host's: no such principal is there.
    let ldap = ["kinit admin", "ipa service-add ldap/gp.example.com --force", "ipa service-add-host ldap/"];
    found(&support, &["-S", "ldap"], ("service principal", "ldap/gp.example.com is not known"), &ldap);
    let told = support.check(&["-S", "ldap", "-p", PORTAL, &support.target()]);
    assert!(format!("{told:?}").contains("ldap/gp.example.com may use"), "{told:#?}");
}

#[test]
fn a_certificate_profile_that_is_not_there_or_takes_other_keys_is_told_before() {
    let support = Desk::new();
    let target = support.target();
    let mut expected = Expected {
        code: 6,
        trouble: "failed certificate profile: ",
        about: "'caIPAserviceCert' takes RSA keys only",
        run: &[],
        advice: "use -G RSA",
    };
    is_found(&support, &["-G", "EC", "-p", PORTAL, &target], &expected);
    well(&support, &["-G", "RSA"]);
    support.acl("gateways", &format!("  Profiles: gpServer\n  Services: HTTP/{NAME}@EXAMPLE.COM\n"));
    expected.about = "no certificate profile 'gpServer'";
    expected.advice = "ipa certprofile-find";
    is_found(&support, &["-T", "gpServer", "-p", PORTAL, &target], &expected);
    support.profile("gpServer", "EC");
    expected.about = "'gpServer' takes EC keys only";
    expected.advice = "use -G EC";
    is_found(&support, &["-T", "gpServer", "-p", PORTAL, &target], &expected);
    well(&support, &["-T", "gpServer", "-G", "ecdsa"]);
    // "-" in a profile is any type.
    support.profile("gpServer", "-");
    well(&support, &["-T", "gpServer", "-G", "ec"]);
    well(&support, &["-T", "gpServer"]);
}

#[test]
fn a_ca_acl_that_is_missing_is_found_and_what_is_printed_opens_nothing_else() {
    let support = Desk::new();
    support.profile("gpServer", "RSA");
    let run = [
        "kinit admin",
        "ipa caacl-add pan_getcert-gpServer",
        "ipa caacl-add-profile pan_getcert-gpServer --certprofiles=gpServer",
        "ipa caacl-add-service pan_getcert-gpServer --services=HTTP/gp.example.com",
    ];
    let about =
        "no enabled CA ACL lets HTTP/gp.example.com use the certificate profile gpServer with the CA ipa";
    found(&support, &["-T", "gpServer"], ("CA ACL", about), &run);
    // The sub-CA is another rule: added to the first one, it would take the usual CA away from it (measured).
    support.write("run/state/cas/gateways", "  Name: gateways\n", 0o644);
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
    found(&support, &options, ("CA ACL", "with the CA gateways"), &run);
    well(&support, &["-T", "gpServer"]);
    // A further name becomes a member of the rule that is there.
    support.host(VPN, &[VPN]);
    support.service(VPN, &[VPN], &[HOST]);
    let run = ["kinit admin", "ipa caacl-add-service pan_getcert-gpServer --services=HTTP/vpn.example.com"];
    found(&support, &["-T", "gpServer", "--san", VPN], ("CA ACL", "lets HTTP/vpn.example.com use"), &run);
    // The rule that every server has can be disabled.
    let usual = "run/state/acls/hosts_services_caIPAserviceCert";
    let text = std::fs::read_to_string(support.path(usual)).unwrap();
    support.write(usual, &text.replace("Enabled: True", "Enabled: False"), 0o644);
    let run = [
        "kinit admin",
        "ipa caacl-add pan_getcert-caIPAserviceCert",
        "ipa caacl-add-profile",
        "ipa caacl-add-",
    ];
    found(&support, &[], ("CA ACL", "('hosts_services_caIPAserviceCert' would, and is disabled)"), &run);
    // Where there is no rule at all.
    let support = Desk::new();
    support.remove(usual);
    found(&support, &[], ("CA ACL", "no enabled CA ACL lets"), &run);
}

#[test]
fn a_sub_ca_that_is_not_there() {
    let support = Desk::new();
    support.acl(
        "all",
        "  CA category: all\n  Profile category: all\n  Host category: all\n  Service category: all\n",
    );
    let run = ["kinit admin", "ipa ca-add gateways --subject=CN=gateways,O=EXAMPLE.COM"];
    found(&support, &["-X", "gateways"], ("issuing CA", "no CA 'gateways'"), &run);
}

#[test]
fn the_keytab_advice_mends_every_case_that_was_measured() {
    let (remove, fetch) = (
        "ipa-rmkeytab -p host/certs.example.com -k /etc/krb5.keytab",
        "ipa-getkeytab -p host/certs.example.com -k /etc/krb5.keytab",
    );
    let anew = ["kinit admin", remove, fetch];
    let added = ["kinit admin", "ipa host-add certs.example.com --force", remove, fetch];
    let admin = |support: &Desk, command: &str| {
        support.type_in("kinit admin");
        support.type_in(command);
    };
    // What was printed before did not help here: the new key has number 1 again, and stands behind the old one.
    let support = Desk::new();
    admin(&support, "ipa host-disable certs.example.com");
    found(&support, &[], ("keytab", "Generic preauthentication failure"), &anew);
    let support = Desk::new();
    admin(&support, "ipa host-del certs.example.com");
    found(&support, &[], ("keytab", "not found in Kerberos database"), &added);
    let support = Desk::new();
    admin(&support, "ipa host-del certs.example.com");
    support.host(HOST, &[HOST]);
    // Somebody has made a key for it elsewhere: number 1, as the old one.
    support.write("run/state/hostkey", "1 elsewhere\n", 0o600);
    found(&support, &[], ("keytab", "Preauthentication failed"), &anew);
    let support = Desk::new();
    support.remove("etc/krb5.keytab");
    found(&support, &[], ("keytab", "Key table file '/etc/krb5.keytab' not found"), &[anew[0], fetch]);
    // An outage is none of the keytab's.
    for (flag, words) in
        [("kdc-down", "Cannot contact any KDC"), ("directory-down", "Generic error (see e-text)")]
    {
        let support = Desk::new();
        support.write(&format!("run/state/{flag}"), "", 0o644);
        let target = support.target();
        let expected = Expected {
            code: 5,
            trouble: "failed keytab: ",
            about: words,
            run: &[],
            advice: "that it and its directory server run",
        };
        is_found(&support, &["-p", PORTAL, &target], &expected);
    }
}

#[test]
fn where_the_server_can_not_be_asked_that_is_said_once_and_nothing_is_called_wrong() {
    let support = Desk::new();
    support.write("run/state/down", "", 0o644);
    let found = support.check(&["-T", "gpServer", "--san", NAME, "-p", PORTAL, &support.target()]);
    let troubles = found.troubles();
    assert_eq!((troubles.len(), found.code), (1, 0), "{found:#?}");
    assert!(troubles[0].starts_with("warning service principal: whether"), "{troubles:?}");
    // What Kerberos does not find is nothing that FreeIPA lacks.
    let words = "Kerberos error: Server HTTP/ipa.example.com not found in Kerberos database";
    support.write("run/state/down", words, 0o644);
    let found = support.check(&["-T", "gpServer", "-p", PORTAL, &support.target()]);
    assert_eq!((found.troubles().len(), found.code), (1, 0), "{found:#?}");
    support.remove("run/state/down");
    // Nor is anything lacking where the command itself fails: only a search that finds nothing has no words.
    support.write("run/state/silent", "", 0o644);
    let found = support.check(&["-p", PORTAL, &support.target()]);
    assert_eq!((found.troubles().len(), found.code), (1, 0), "{found:#?}");
    assert!(found.troubles()[0].contains("without a word"), "{found:#?}");
    support.remove("run/state/silent");
    // Asked with the host's ticket, in a cache of its own.
    support.type_in("kinit admin");
    well(&support, &[]);
    assert!(
        support.asked().iter().rev().take(2).all(|line| line.starts_with("host ")),
        "{:#?}",
        support.asked()
    );
    assert_eq!(std::fs::read_to_string(support.path("run/state/admin")).unwrap(), "admin\n");
}
