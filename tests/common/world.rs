//! A device, a certificate and an administrator's folder: what one deployment needs.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use panos_sim::{Administrator, PreloadedCertificate, Profile, Settings, Simulator};
use tempfile::TempDir;

use super::pki::{self, CertificateSpec, Issued, KeyKind};

pub const NAME: &str = "gp.example.com";
pub const KEY: &str = "LUFRPT1-test-key-of-the-simulator==";
pub const ADMINISTRATOR: &str = "cert-deploy";
pub const PORTAL: &str = "GP portal";
pub const GATEWAY: &str = "GP gateway";
/// Where nobody listens. The system gives out no port so low, so no simulator of another test gets it meanwhile.
pub const NOBODY: &str = "127.0.0.1:1";

/// What one deployment needs.
pub struct World {
    pub device: Simulator,
    /// The other member, where the device is one of a pair.
    pub peer: Option<Simulator>,
    /// The firewall that gets what is installed, where the device is a Panorama.
    pub firewall: Option<Simulator>,
    pub folder: TempDir,
    pub ca: Issued,
}

/// A test with hundreds of simulators has more files open than the usual 1,024.
pub fn open_many_files() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
}

/// A firewall with two unbound profiles, one administrator's key, and commits of a twentieth of a second.
pub fn settings() -> Settings {
    let mut settings = Settings::default().with_key(Administrator::superuser(ADMINISTRATOR, "secret"), KEY);
    settings.profiles = vec![Profile::unbound(PORTAL), Profile::unbound(GATEWAY)];
    settings.served_profile = Some(PORTAL.into());
    settings.commit_duration = Duration::from_millis(50);
    settings
}

/// The same with a certificate `other` of another origin, which can be bound in place of ours.
pub fn settings_with_other() -> Settings {
    settings_with(&CertificateSpec::named("other.example.com"))
}

/// The same with this one as `other`.
pub fn settings_with(other: &CertificateSpec) -> Settings {
    let other = pki::self_signed(other);
    let certificates = vec![PreloadedCertificate {
        name: "other".to_owned(),
        certificate: other.certificate_pem(),
        key: Some(other.key_pem()),
        vsys: None,
    }];
    Settings { certificates, ..settings() }
}

impl World {
    pub fn new() -> Self {
        Self::with(settings())
    }

    /// With a certificate for [`NAME`] issued already.
    pub fn with(settings: Settings) -> Self {
        let world = Self::of(Simulator::start(settings).unwrap(), pki::root("Example CA", KeyKind::P256));
        world.renew();
        world
    }

    /// Around a device and an authority, with an API key and no certificate yet.
    pub fn of(device: Simulator, ca: Issued) -> Self {
        let world = Self { device, peer: None, firewall: None, folder: TempDir::new().unwrap(), ca };
        world.write_key_file(&format!("api_key={KEY}\n"));
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Issues a certificate for [`NAME`] with a new key, as certmonger does at a renewal.
    pub fn renew(&self) -> Issued {
        self.issue(&CertificateSpec::named(NAME).san(NAME))
    }

    pub fn issue(&self, spec: &CertificateSpec) -> Issued {
        let issued = self.ca.issue(spec);
        issued.write(self.folder.path(), NAME);
        issued
    }

    pub fn write_key_file(&self, text: &str) {
        let path = self.path(".panrc");
        std::fs::remove_file(&path).ok();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create_new(true).write(true).mode(0o600).open(path).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    pub fn target(&self) -> String {
        self.device.address().to_string()
    }

    /// `pan_instcert` with the usual folders and without certmonger, trusting just this device.
    pub fn command(&self) -> Command {
        let mut command = self.bare_command();
        command.args(["-k", self.path(".panrc").to_str().unwrap()]);
        command.args(["--pin", &self.device.certificate_fingerprint()]);
        command
    }

    /// The same without an API key and without trust.
    pub fn bare_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
        command.args(["-b", "-c", NAME]);
        for option in ["-C", "-K"] {
            command.arg(option).arg(self.folder.path());
        }
        command.arg("--log-file").arg(self.path("log"));
        command.arg("--state-dir").arg(self.path("state"));
        command.env_clear().env("TZ", "UTC");
        command
    }

    /// Installs with these further arguments.
    pub fn install(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command().args(arguments).arg(self.target()))
    }

    /// The log's lines without their time.
    pub fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(|line| line.split_once("]: ").unwrap_or(("", line)).1.to_owned()).collect()
    }

    /// The record of [`NAME`] on the device.
    pub fn record(&self) -> serde_json::Value {
        let place = if self.firewall.is_some() { "template:branch" } else { "shared" };
        let path = self
            .path("state")
            .join("installations")
            .join(self.target())
            .join(place)
            .join(format!("{NAME}.json"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// What the device's service port shows: the SHA-256 of the leaf, or nothing.
    pub fn served(&self) -> Option<String> {
        served(&self.device)
    }
}

/// The SHA-256 of what a device's service port shows, or nothing.
pub fn served(device: &Simulator) -> Option<String> {
    shake_hands(device.service_address())?.ssl().peer_certificate().map(|leaf| print(&leaf))
}

/// The fingerprint that a device's management interface shows to whoever connects; nothing while it restarts.
pub fn shown(device: &Simulator) -> Option<String> {
    shake_hands(device.address())?.ssl().peer_certificate().map(|leaf| print(&leaf))
}

/// How many certificates a device's service port sends.
pub fn served_chain(device: &Simulator) -> usize {
    shake_hands(device.service_address()).unwrap().ssl().peer_cert_chain().unwrap().len()
}

fn shake_hands(port: std::net::SocketAddr) -> Option<openssl::ssl::SslStream<std::net::TcpStream>> {
    use openssl::ssl::{Ssl, SslContext, SslMethod};
    // A bare context: a connector would read all of the system's authorities, each time.
    let context = SslContext::builder(SslMethod::tls_client()).unwrap().build();
    let mut tls = Ssl::new(&context).unwrap();
    tls.set_hostname(NAME).unwrap();
    let stream = std::net::TcpStream::connect(port).ok()?;
    tls.connect(stream).ok()
}

/// A certificate's SHA-256 in hexadecimal digits.
pub fn print(certificate: &openssl::x509::X509Ref) -> String {
    certificate
        .digest(openssl::hash::MessageDigest::sha256())
        .unwrap()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ended = Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
        let program = Path::new(command.get_program()).file_name().unwrap().to_string_lossy();
        if program.starts_with("pan_") {
            ended.has_one_voice(&program);
        }
        ended
    }

    /// On standard error a line begins with the program's name, and goes on as in the middle of a sentence; or it
    /// belongs to the one before, or is one of the log's or the journal's.
    fn has_one_voice(&self, program: &str) {
        for line in self.stderr.lines().filter(|line| !line.starts_with(['[', '<'])) {
            // What the dynamic loader says before there is a program.
            if line.starts_with("ERROR: ld.so: ") {
                continue;
            }
            let line = line.rsplit("[y/N] ").next().unwrap();
            let is_more =
                line.is_empty() || line.starts_with("  ") || line.starts_with("Compare the fingerprint");
            // `pan_certctl renew` is pan_getcert's work, which says so itself.
            let renewing = line.strip_prefix("pan_getcert: ").filter(|_| program == "pan_certctl");
            let Some(said) = line.strip_prefix(&format!("{program}: ")).or(renewing) else {
                assert!(is_more, "'{line}' has no name before it: {self:#?}");
                continue;
            };
            let first = said.split([' ', ':']).next().unwrap();
            let begins = first.len() > 1
                && first.starts_with(|c: char| c.is_ascii_uppercase())
                && first[1..].bytes().all(|c| c.is_ascii_lowercase());
            assert!(!begins || first == "Panorama", "'{line}' begins with a capital: {self:#?}");
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text) || self.stdout.contains(text), "no '{text}' in {self:#?}");
        self
    }
}

/// All texts below a folder: the place to look for secrets that should not be there.
pub fn everything_below(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&everything_below(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    all
}
