//! The firewalls: simulated, with certificates of the IPA authority and an administrator with no right too many.

use std::net::TcpStream;
use std::time::Duration;

use openssl::ssl::{Ssl, SslContext, SslMethod};
use panos_sim::{
    Administrator, ManagementCertificate, PreloadedCertificate, Profile, Rights, Settings, Simulator,
};

use crate::pki::Issued;

pub const KEY: &str = "LUFRPT1-the-key-of-the-system-test==";
pub const PORTAL: &str = "GP portal";
pub const GATEWAY: &str = "GP gateway";
pub const THIRD: &str = "clientless";
/// As long as nothing else is said. Not at once, so that there is a time in which a commit runs.
const COMMIT: Duration = Duration::from_secs(1);

pub struct Firewall {
    pub name: &'static str,
    pub device: Simulator,
}

impl Firewall {
    pub fn start(name: &'static str, address: &str, authority: &Issued) -> Self {
        let administrator = Administrator::with_rights("cert-deploy", "secret", Rights::DEPLOYMENT);
        let mut settings = Settings::default().with_key(administrator, KEY);
        settings.hostname = name.to_owned();
        settings.listen = format!("{address}:443").parse().unwrap();
        settings.service_listen = format!("{address}:8443").parse().unwrap();
        settings.profiles = [PORTAL, GATEWAY, THIRD].map(Profile::unbound).to_vec();
        settings.certificates = vec![PreloadedCertificate {
            name: "ipa-root".to_owned(),
            certificate: authority.certificate_pem(),
            key: None,
            vsys: None,
        }];
        settings.served_profile = Some(PORTAL.to_owned());
        settings.commit_duration = COMMIT;
        settings.management_certificate = ManagementCertificate::Issued {
            name: name.to_owned(),
            ca_certificate: authority.certificate_pem(),
            ca_key: authority.key_pem(),
        };
        Self { name, device: Simulator::start(settings).unwrap() }
    }

    /// The SHA-256 of what a client of the service is shown, or nothing.
    pub fn served(&self) -> Option<String> {
        let context = SslContext::builder(SslMethod::tls_client()).unwrap().build();
        let stream = TcpStream::connect(self.device.service_address()).unwrap();
        let tls = Ssl::new(&context).unwrap().connect(stream).ok()?;
        tls.ssl().peer_certificate().map(|leaf| fingerprint(&leaf))
    }

    /// The object that a profile is bound to in the running configuration.
    pub fn bound(&self, profile: &str) -> Option<String> {
        let running = self.device.running_xml();
        let (_, entry) =
            running.split_once("<ssl-tls-service-profile>")?.1.split_once(&format!("\"{profile}\""))?;
        let entry = entry.split_once("</entry>").map_or(entry, |(entry, _)| entry);
        let (_, object) = entry.split_once("<certificate>")?;
        object.split_once('<').map(|(object, _)| object.to_owned())
    }

    /// Whether a commit was asked for that is not over.
    pub fn is_committing(&self) -> bool {
        !self.device.wait_idle(Duration::ZERO)
    }

    /// How long commits take from now on; as at the beginning where nothing is said.
    pub fn commit_takes(&self, seconds: Option<u64>) {
        self.device.set_commit_duration(seconds.map_or(COMMIT, Duration::from_secs));
    }

    /// What it was asked, a line a request.
    pub fn record(&self) -> String {
        let lines = self.device.requests().into_iter().map(|request| format!("{request:?}\n"));
        lines.collect::<String>() + &self.device.running_xml()
    }
}

pub fn fingerprint(certificate: &openssl::x509::X509Ref) -> String {
    let digest = certificate.digest(openssl::hash::MessageDigest::sha256()).unwrap();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of the first certificate in a PEM text.
pub fn fingerprint_of_pem(pem: &str) -> Option<String> {
    openssl::x509::X509::from_pem(pem.as_bytes()).ok().map(|certificate| fingerprint(&certificate))
}
