//! A machine that is enrolled, and a device that is ready, made so that each part can be broken.
//!
//! The programs see `/etc`, `/run` and `/var/lib` of the test's own, in a mount namespace of their own. What FreeIPA
//! would answer is played by scripts that keep their answers in files, in the words of the real programs; the real
//! ones are used on the booted machine (`make system-test`).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use panos_sim::{Administrator, PreloadedCertificate, Profile, Rights, Settings, Simulator};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::pki::{self, Issued, KeyKind};
use crate::common::programs;
use crate::common::world::Ended;

pub const NAME: &str = "gp.example.com";
pub const KEY: &str = "LUFRPT1-test-key-of-the-simulator==";
pub const USER: &str = "cert-deploy";
pub const PASSWORD: &str = "secret";
pub const PORTAL: &str = "GP portal";
pub const HOST: &str = "certs.example.com";
const FOLDERS: [(&str, &str); 3] = [("etc", "/etc"), ("run", "/run"), ("lib", "/var/lib")];

/// The words of the real programs, as far as they are read here.
const SCRIPTS: [(&str, &str); 8] = [
    (
        "systemctl",
        r#"case "$1 $2" in
"is-active --quiet") test -e /run/state/certmonger ;;
"enable --now") case "$3" in
    certmonger) touch /run/state/certmonger ;;
    *) mkdir -p /etc/systemd/system/paths.target.wants
       touch /etc/systemd/system/paths.target.wants/pan_certctl-retry.path ;;
    esac ;;
*) exit 1 ;;
esac"#,
    ),
    (
        "getcert",
        r#"case "$1" in
list-cas) printf "CA 'SelfSign':\n\tis-default: no\nCA 'IPA':\n\tis-default: no\n" ;;
list) echo "Number of certificates and requests being tracked: 0." ;;
esac"#,
    ),
    ("kinit", include_str!("../common/freeipa/kinit")),
    ("klist", include_str!("../common/freeipa/klist")),
    ("ipa-getkeytab", include_str!("../common/freeipa/ipa-getkeytab")),
    ("ipa-rmkeytab", include_str!("../common/freeipa/ipa-rmkeytab")),
    ("ipa", include_str!("../common/freeipa/ipa")),
    (
        "ipa-client-install",
        r#"mkdir -p /etc/ipa
cp /run/state/default.conf /etc/ipa/default.conf
cp /run/state/ca.crt /etc/ipa/ca.crt"#,
    ),
];

/// The machine and the device.
pub struct Desk {
    pub device: Simulator,
    pub ca: Issued,
    folder: TempDir,
}

/// A firewall with one profile, an administrator with the four rights, and the authority.
pub fn settings(ca: &Issued) -> Settings {
    let administrator = Administrator::with_rights(USER, PASSWORD, Rights::DEPLOYMENT);
    let mut settings = Settings::default().with_key(administrator, KEY);
    settings.profiles = vec![Profile::unbound(PORTAL)];
    settings.certificates = vec![PreloadedCertificate {
        name: "ipa-root".to_owned(),
        certificate: ca.certificate_pem(),
        key: None,
        vsys: None,
    }];
    settings
}

impl Desk {
    /// All as it should be.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same with another device.
    pub fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let ca = pki::root("Example CA", KeyKind::P256);
        let mut settings = settings(&ca);
        adjust(&mut settings);
        Self::of(Simulator::start(settings).unwrap(), ca)
    }

    pub fn of(device: Simulator, ca: Issued) -> Self {
        let support = Self { device, ca, folder: TempDir::new().unwrap() };
        for part in [
            "etc/ipa",
            "etc/ssl/certs",
            "etc/ssl/private",
            "run/systemd/system",
            "run/state/hosts",
            "run/state/services",
            "run/state/acls",
            "run/state/profiles",
            "run/state/cas",
            "run/mount",
            "bin",
        ] {
            fs::create_dir_all(support.path(part)).unwrap();
        }
        for part in ["lib/pan_getcert", "log"] {
            fs::create_dir_all(support.path(part)).unwrap();
        }
        for (name, text) in SCRIPTS {
            let text = if text.starts_with("#!") { text.to_owned() } else { format!("#!/bin/sh\n{text}\n") };
            programs::write(&support.path(&format!("bin/{name}")), &text);
        }
        let conf = format!(
            "[global]\nbasedn = dc=example,dc=com\nrealm = EXAMPLE.COM\nserver = ipa.example.com\nhost = {HOST}\n"
        );
        for file in ["etc/ipa/default.conf", "run/state/default.conf"] {
            support.write(file, &conf, 0o644);
        }
        for file in ["etc/ipa/ca.crt", "run/state/ca.crt"] {
            support.write(file, &support.ca.certificate_pem(), 0o644);
        }
        for file in ["passwd", "group"] {
            fs::copy(format!("/etc/{file}"), support.path(&format!("etc/{file}"))).unwrap();
        }
        // Names are looked up in the file only, so that one that is not there is not waited for.
        support.write("etc/nsswitch.conf", "hosts: files\n", 0o644);
        support.write("etc/hosts", "127.0.0.1 localhost fw1.example.com\n", 0o644);
        support.write("etc/krb5.keytab", "1 first\n", 0o600);
        support.write("run/state/hostkey", "1 first\n", 0o600);
        support.write("run/state/certmonger", "", 0o644);
        support.host(HOST, &[HOST]);
        support.host(NAME, &[NAME]);
        support.service(NAME, &[NAME], &[NAME, HOST]);
        let profile = include_str!("../common/freeipa/caIPAserviceCert");
        support.write("run/state/profiles/caIPAserviceCert", profile, 0o644);
        support.write("run/state/cas/ipa", "  Name: ipa\n", 0o644);
        // What every server has.
        let usual = "hosts_services_caIPAserviceCert";
        let scope = "  Host category: all\n  Service category: all\n  Profiles: caIPAserviceCert\n";
        support.acl(usual, scope);
        let wants = "etc/systemd/system/paths.target.wants";
        fs::create_dir_all(support.path(wants)).unwrap();
        support.write(&format!("{wants}/pan_certctl-retry.path"), "", 0o644);
        support.key_file(KEY);
        support.pin(&support.device.certificate_fingerprint());
        support
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// A host entry, and who manages it.
    pub fn host(&self, name: &str, managers: &[&str]) {
        self.write(&format!("run/state/hosts/{name}"), &managed_by(managers), 0o644);
    }

    /// The service HTTP by its names, the first of which is the entry's own, and who manages it.
    pub fn service(&self, name: &str, names: &[&str], managers: &[&str]) {
        let mut entry = format!("  krbcanonicalname: HTTP/{name}@EXAMPLE.COM\n");
        for name in names {
            entry.push_str(&format!("  krbprincipalname: HTTP/{name}@EXAMPLE.COM\n"));
        }
        self.write(&format!("run/state/services/HTTP_{name}"), &(entry + &managed_by(managers)), 0o644);
    }

    /// An enabled CA ACL.
    pub fn acl(&self, name: &str, scope: &str) {
        let text = format!("  ACL name: {name}\n  Enabled: True\n{scope}");
        self.write(&format!("run/state/acls/{name}"), &text, 0o644);
    }

    /// A certificate profile that takes keys of one type.
    pub fn profile(&self, name: &str, key_type: &str) {
        let text = include_str!("../common/freeipa/caIPAserviceCert");
        let text = text.replace("keyType=RSA", &format!("keyType={key_type}"));
        self.write(&format!("run/state/profiles/{name}"), &text, 0o644);
    }

    /// What the server was asked, and by whom.
    pub fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("run/state/asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A key file with the administrator's name.
    pub fn key_file(&self, key: &str) {
        let text = format!("api_key={key}\nhostname=fw1.example.com\napi_username={USER}\n");
        self.write("etc/ipa/.panrc", &text, 0o600);
    }

    /// What the device was known by.
    pub fn pin(&self, sha256: &str) {
        self.write("lib/pan_getcert/known_devices", &format!("{} {sha256}\n", self.target()), 0o600);
    }

    pub fn target(&self) -> String {
        format!("fw1.example.com:{}", self.device.address().port())
    }

    /// A command of this machine.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut script = "mount --make-rprivate /".to_owned();
        for (own, real) in FOLDERS {
            script.push_str(&format!(" && mount --bind '{}' {real}", self.path(own).display()));
        }
        script.push_str(" && exec \"$@\"");
        let mut command = Command::new("timeout");
        command.args(["60", "unshare", "--mount"]);
        if !rustix_is_root() {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-c", &script, "sh"]).args(words);
        let programs = Path::new(env!("CARGO_BIN_EXE_pan_certctl")).parent().unwrap();
        let path =
            format!("{}:{}:/usr/bin:/bin:/usr/sbin:/sbin", programs.display(), self.path("bin").display());
        command.env_clear().env("PATH", path).env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// `pan_certctl check` of all there is for one certificate.
    pub fn check(&self, arguments: &[&str]) -> Found {
        let log = self.path("log/log");
        let mut words = vec!["pan_certctl", "check", "--json", "--log-file", log.to_str().unwrap()];
        words.extend(["-c", NAME]);
        words.extend_from_slice(arguments);
        let ended = Ended::of(&mut self.command(&words));
        let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"));
        assert_eq!(told["exit"].as_i64().map(|code| code as i32), ended.code, "{ended:#?}");
        Found { told, code: ended.code.unwrap() }
    }

    /// The usual one.
    pub fn usual(&self) -> Found {
        self.check(&["-p", PORTAL, &self.target()])
    }

    /// Types a command as it was printed; the password, or a yes, where it is asked for.
    pub fn type_in(&self, command: &str) -> Ended {
        let answer = if command.contains(" pin ") { "yes" } else { PASSWORD };
        let ended = Ended::of(&mut self.command(&["sh", "-c", &format!("echo {answer} | {command}")]));
        assert_eq!(ended.code, Some(0), "{command}: {ended:#?}");
        ended
    }

    /// A picture of all that could be changed.
    pub fn picture(&self) -> BTreeSet<String> {
        let mut find = Command::new("find");
        find.arg(self.folder.path()).args(["-printf", "%p %m %s %T@ %l\n"]);
        let listed = String::from_utf8(find.output().unwrap().stdout).unwrap();
        // The stand-in's own record of what it was asked.
        listed.lines().filter(|line| !line.contains("/run/state")).map(str::to_owned).collect()
    }

    #[track_caller]
    pub fn looks_like(&self, before: &BTreeSet<String>) {
        let changed: Vec<String> = self.picture().symmetric_difference(before).cloned().collect();
        assert_eq!(changed, Vec::<String>::new(), "looking has changed something");
    }
}

fn managed_by(managers: &[&str]) -> String {
    let line = |host: &&str| format!("  managedby: fqdn={host},cn=computers,cn=accounts,dc=example,dc=com\n");
    managers.iter().map(line).collect()
}

fn rustix_is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// What a check told.
#[derive(Debug)]
pub struct Found {
    pub told: Value,
    pub code: i32,
}

impl Found {
    fn findings(&self) -> Vec<&Value> {
        let sections = self.told["checked"].as_array().unwrap();
        sections.iter().flat_map(|section| section["findings"].as_array().unwrap()).collect()
    }

    /// The findings that are not ok, as `verdict check: text`.
    pub fn troubles(&self) -> Vec<String> {
        let odd = self.findings().into_iter().filter(|finding| finding["verdict"] != "ok");
        odd.map(|finding| {
            let word = |name: &str| finding[name].as_str().unwrap().to_owned();
            format!("{} {}: {}", word("verdict"), word("check"), word("text"))
        })
        .collect()
    }

    /// What is to be typed or done, of one kind: `run`, `do`, `template`.
    pub fn fixes(&self, kind: &str) -> Vec<String> {
        let all = self.findings().into_iter().flat_map(|finding| finding["fixes"].as_array().unwrap());
        all.filter_map(|fix| fix[kind].as_str().map(str::to_owned)).collect()
    }
}
