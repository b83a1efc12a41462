//! An authority for certmonger that signs what it is asked for, or answers as FreeIPA does: what was measured of
//! FreeIPA 4.9.11 and its helper `ipa-submit`, row by row.

use std::path::PathBuf;
use std::process::Command;

use super::bus::Bus;
use super::pki;

/// Its name in certmonger.
pub const NAME: &str = "stand-in";

/// One answer of FreeIPA's to a request.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The number, and the text in brackets after it; nothing where the helper has words of its own.
    pub code: Option<u32>,
    pub text: &'static str,
    /// As `ipa-submit` ends: 2 for a refusal, 3 where it calls the server unreachable.
    pub exit: u8,
    /// A command that fixes it, as `pan_getcert` has to name it; nothing where it is an outage.
    pub fix: Option<&'static str>,
}

const fn refusal(code: u32, text: &'static str, exit: u8, fix: &'static str) -> Answer {
    Answer { code: Some(code), text, exit, fix: Some(fix) }
}

/// The host entry is missing.
pub const NO_HOST: Answer = refusal(
    4001,
    "The host 'gp.example.com' does not exist to add a service to.",
    3,
    "ipa host-add gp.example.com --force",
);
/// The service belongs to somebody else.
pub const NOT_MANAGED: Answer = refusal(
    2100,
    "Insufficient access: Insufficient 'write' privilege to the 'userCertificate' attribute of entry 'krbprincipalname=HTTP/gp.example.com@EXAMPLE.COM,cn=services,cn=accounts,dc=example,dc=com'.",
    2,
    "ipa service-add-host HTTP/gp.example.com --hosts=",
);
/// Dogtag is starting.
pub const STARTING: Answer =
    Answer { code: Some(4016), text: "Failed to authenticate to CA REST API", exit: 3, fix: None };
/// The web server is away: no text at all.
pub const AWAY: Answer = Answer { code: None, text: "", exit: 3, fix: None };

/// All that were measured through certmonger.
pub const ALL: [Answer; 12] = [
    NO_HOST,
    refusal(
        4001,
        "The service principal for subject alt name vpn.example.com in certificate request does not exist",
        3,
        "ipa service-add HTTP/vpn.example.com --force",
    ),
    refusal(
        2100,
        "Insufficient access: Insufficient 'add' privilege to add the entry 'krbprincipalname=HTTP/gp.example.com@EXAMPLE.COM,cn=services,cn=accounts,dc=example,dc=com'.",
        2,
        "ipa service-add HTTP/gp.example.com --force",
    ),
    NOT_MANAGED,
    refusal(
        2100,
        "Insufficient access: Insufficient privilege to create a certificate with subject alt name 'vpn.example.com'.",
        2,
        "ipa service-add-host HTTP/vpn.example.com --hosts=",
    ),
    refusal(
        2100,
        "Insufficient access: Principal 'HTTP/gp.example.com@EXAMPLE.COM' is not permitted to use CA 'ipa' with profile 'gpServer' for certificate issuance.",
        2,
        "ipa certprofile-show gpServer",
    ),
    refusal(
        3009,
        "invalid 'csr': IP address in subjectAltName (192.0.2.7) unreachable from DNS names",
        2,
        "leave --ip out",
    ),
    refusal(
        4301,
        "Certificate operation cannot be completed: Key Type RSA Not Matched",
        3,
        "use -G RSA with --rekey",
    ),
    refusal(
        4301,
        "Certificate operation cannot be completed: CA 'gateways' is disabled",
        3,
        "ipa ca-enable gateways",
    ),
    STARTING,
    AWAY,
    Answer {
        code: None,
        text: "Error setting up ccache for \"host\" service on client using default keytab: Cannot contact any KDC for requested realm.",
        exit: 3,
        fix: None,
    },
];

impl Answer {
    /// As certmonger shows it.
    pub fn ca_error(&self) -> String {
        let Self { code, text, .. } = self;
        match (code, self.exit) {
            (None, _) => (*text).to_owned(),
            (Some(code), 2) => {
                format!(
                    "Server at https://ipa.example.com/ipa/json denied our request, giving up: {code} ({text})."
                )
            }
            (Some(code), _) => {
                format!(
                    "Server at https://ipa.example.com/ipa/json failed request, will retry: {code} ({text})."
                )
            }
        }
    }
}

/// The authority, known to the certmonger on a bus.
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    pub fn add_to(bus: &Bus) -> Self {
        Self::add_as(bus, NAME)
    }

    /// By the name of a CA that certmonger has already: in its place.
    pub fn add_as(bus: &Bus, name: &str) -> Self {
        let folder = bus.path("authority");
        std::fs::create_dir(&folder).unwrap();
        let root = pki::root("Stand-in CA", pki::KeyKind::P256);
        root.write(&folder, "root");
        let here = folder.display();
        // What certmonger says of the request comes in the environment, the certificate goes to standard output.
        let script = format!(
            "#!/bin/sh\n[ \"$CERTMONGER_OPERATION\" = SUBMIT ] || exit 6\n\
             echo \"$CERTMONGER_CA_PROFILE|$CERTMONGER_REQ_PRINCIPAL|\"$CERTMONGER_REQ_HOSTNAME >> {here}/submitted\n\
             [ -e {here}/takes ] && sleep $(cat {here}/takes)\n\
             exit=$(cat {here}/exit 2> /dev/null) && {{ cat {here}/answer; exit $exit; }}\n\
             echo \"$CERTMONGER_CSR\" > {here}/csr\n\
             openssl x509 -req -in {here}/csr -CA {here}/root.crt -CAkey {here}/root.key -days 30 -copy_extensions copy 2>> {here}/complaints\n"
        );
        let helper = folder.join("helper");
        super::programs::write(&helper, &script);
        let getcert = |words: &[&str]| {
            let mut command = Command::new("getcert");
            command.args(words).env("DBUS_SESSION_BUS_ADDRESS", bus.address()).output().unwrap()
        };
        getcert(&["remove-ca", "-s", "-c", name]);
        let added = getcert(&["add-ca", "-s", "-c", name, "-e", helper.to_str().unwrap()]);
        assert!(added.status.success(), "{added:?}");
        Self { folder }
    }

    /// Answers so from now on.
    pub fn answers(&self, answer: Answer) {
        let line = if answer.text.is_empty() { String::new() } else { format!("{}\n", answer.ca_error()) };
        pki::write(&self.folder.join("answer"), line.as_bytes(), 0o600);
        pki::write(&self.folder.join("exit"), answer.exit.to_string().as_bytes(), 0o600);
    }

    /// Signs from now on.
    pub fn grants(&self) {
        std::fs::remove_file(self.folder.join("exit")).ok();
    }

    /// Needs so many seconds for each answer.
    pub fn takes(&self, seconds: u32) {
        pki::write(&self.folder.join("takes"), seconds.to_string().as_bytes(), 0o600);
    }

    /// What was asked of it, one line each: profile, principal, host names.
    pub fn submitted(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("submitted")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
