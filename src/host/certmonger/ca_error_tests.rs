//! Each row of what a real FreeIPA 4.9.11 answered, with invented names.

use super::*;

const DENIED: &str = "Server at https://ipa.example.com/ipa/json denied our request, giving up: ";
const FAILED: &str = "Server at https://ipa.example.com/ipa/json failed request, will retry: ";

fn read(beginning: &str, rest: &str) -> CaError {
    CaError::read(&format!("{beginning}{rest}"))
}

fn name(text: &str) -> String {
    text.to_owned()
}

#[test]
fn what_can_never_be_granted_as_it_is_is_permanent_whatever_certmonger_calls_it() {
    let rows = [
        (
            read(FAILED, "4001 (The host 'gp.example.com' does not exist to add a service to.)."),
            Refusal::NoHost { host: name("gp.example.com") },
        ),
        (
            read(
                FAILED,
                "4001 (The service principal for subject alt name www.example.com in certificate request does not exist).",
            ),
            Refusal::NoPrincipalForName { name: name("www.example.com") },
        ),
        (
            read(
                DENIED,
                "2100 (Insufficient access: Insufficient 'add' privilege to add the entry 'krbprincipalname=HTTP/gp.example.com@EXAMPLE.COM,cn=services,cn=accounts,dc=example,dc=com'.).",
            ),
            Refusal::NoService { principal: name("HTTP/gp.example.com") },
        ),
        (
            read(
                DENIED,
                "2100 (Insufficient access: Insufficient 'write' privilege to the 'userCertificate' attribute of entry 'krbprincipalname=HTTP/gp.example.com@EXAMPLE.COM,cn=services,cn=accounts,dc=example,dc=com'.).",
            ),
            Refusal::NotManaged { principal: name("HTTP/gp.example.com") },
        ),
        (
            read(
                DENIED,
                "2100 (Insufficient access: Insufficient privilege to create a certificate with subject alt name 'www.example.com'.).",
            ),
            Refusal::NameNotManaged { name: name("www.example.com") },
        ),
        (
            read(
                DENIED,
                "2100 (Insufficient access: Principal 'HTTP/gp.example.com@EXAMPLE.COM' is not permitted to use CA 'ipa' with profile 'gpServer' for certificate issuance.).",
            ),
            Refusal::NotPermitted {
                principal: name("HTTP/gp.example.com"),
                ca: name("ipa"),
                profile: name("gpServer"),
            },
        ),
        (
            read(
                DENIED,
                "3009 (invalid 'csr': IP address in subjectAltName (192.0.2.7) unreachable from DNS names).",
            ),
            Refusal::AddressNotInDns { address: name("192.0.2.7") },
        ),
        (
            read(FAILED, "4301 (Certificate operation cannot be completed: Key Type RSA Not Matched)."),
            Refusal::KeyType { demanded: name("RSA") },
        ),
        (
            read(FAILED, "4301 (Certificate operation cannot be completed: CA 'gateways' is disabled)."),
            Refusal::CaDisabled { ca: name("gateways") },
        ),
        (
            read(FAILED, "4301 (Certificate operation cannot be completed: FAILURE (Something new))."),
            Refusal::Other,
        ),
        (read(DENIED, "4005 (The realm for the principal does not match)."), Refusal::Other),
    ];
    for (read, refusal) in rows {
        assert!(read.is_permanent(), "{refusal:?}");
        assert_eq!(read, CaError::Refused(refusal));
    }
}

#[test]
fn what_is_down_passes() {
    for text in [
        format!("{FAILED}4016 (Failed to authenticate to CA REST API)."),
        format!(
            "{FAILED}4301 (Certificate operation cannot be completed: Unable to communicate with CMS (503))."
        ),
        format!("{FAILED}907 (cannot connect to 'https://ipa.example.com/ipa/json': ...)."),
        format!(
            "{FAILED}-504 (libcurl failed to execute the HTTP POST transaction.  Couldn't connect to server)."
        ),
        name(
            "Error setting up ccache for \"host\" service on client using default keytab: Cannot contact any KDC for requested realm.",
        ),
        name(
            "Error setting up ccache for \"host\" service on client using default keytab: Generic error (see e-text).",
        ),
        name("Unable to contact an IPA LDAP server."),
    ] {
        assert_eq!(CaError::read(&text), CaError::Outage, "{text}");
    }
}

#[test]
fn a_keytab_that_is_not_good_is_no_outage() {
    let read = |why: &str| {
        CaError::read(&format!(
            "Error setting up ccache for \"host\" service on client using default keytab: {why}"
        ))
    };
    assert_eq!(read("Key table entry not found."), CaError::Identity(Keytab::NoKey));
    for refused in ["Preauthentication failed.", "Decrypt integrity check failed."] {
        assert_eq!(read(refused), CaError::Identity(Keytab::OldKey), "{refused}");
    }
    assert_eq!(
        read("Client 'host/a.example.com@EXAMPLE.COM' not found in Kerberos database."),
        CaError::Identity(Keytab::NoHostEntry)
    );
    // A key that was made anew is number 1 again: beside the old one it would never be used.
    let remove = "ipa-rmkeytab -p host/a.example.com -k /etc/krb5.keytab".to_owned();
    assert!(Keytab::OldKey.commands_where("a.example.com", true).contains(&remove));
    // There is nothing to remove from a file that is gone.
    assert!(!Keytab::OldKey.commands_where("a.example.com", false).contains(&remove));
}

#[test]
fn the_commands_name_this_machine_and_the_service() {
    let missing = read(FAILED, "4001 (The host 'gp.example.com' does not exist to add a service to.).");
    assert_eq!(
        missing.commands("admin.example.com", "HTTP"),
        [
            "kinit admin",
            "ipa host-add gp.example.com --force",
            "ipa service-add HTTP/gp.example.com --force",
            "ipa service-add-host HTTP/gp.example.com --hosts=admin.example.com",
        ]
    );
}

#[test]
fn nothing_but_names_gets_into_a_command() {
    let odd = read(FAILED, "4001 (The host 'x; rm -rf /' does not exist to add a service to.).");
    assert_eq!(odd, CaError::Refused(Refusal::Other));
    assert!(odd.commands("admin.example.com", "HTTP").is_empty() || odd.is_permanent());
    for text in ["", "giving up: ", "will retry: (", "giving up: 99999999999999 (x)", "\u{0}"] {
        assert_eq!(CaError::read(text), CaError::Unknown, "{text:?}");
    }
}
