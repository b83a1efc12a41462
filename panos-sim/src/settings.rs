//! What a simulated device is like when it starts.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, seconds};

/// A device before it is switched on. `Settings::default()` is a firewall `fw-sim-1` on PAN-OS
/// 11.1.4 with the superuser `admin`/`admin`, no profiles, listening on free ports of 127.0.0.1.
///
/// Every field can stand in the binary's TOML file under the same name; durations are seconds
/// there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Host name, also the common name of a self-made management certificate.
    pub hostname: String,
    /// Serial number.
    pub serial: String,
    /// Model: `PA-…`, or `Panorama` / `M-…`, which moves the base to `/config/panorama`.
    pub model: String,
    /// PAN-OS version, such as `11.1.4-h7`.
    pub sw_version: String,
    /// Whether several virtual systems are enabled; lock listings then demand `<vsys>all</vsys>`.
    pub multi_vsys: bool,
    /// Names of the virtual systems.
    pub vsys: Vec<String>,
    /// Names of templates, where the model is a Panorama.
    pub templates: Vec<String>,
    /// Who may log in.
    pub administrators: Vec<Administrator>,
    /// Keys that are valid from the start, so that a test needs no `type=keygen`.
    pub api_keys: Vec<ApiKey>,
    /// Life of generated keys; `None` means that they never expire and that the same account gets
    /// the same key again. Given keys (`api_keys`) never expire. Seconds in TOML.
    #[serde(with = "optional_seconds")]
    pub api_key_lifetime: Option<Duration>,
    /// Address of the API and management port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address of the second TLS port; port 0 takes a free one.
    pub service_listen: SocketAddr,
    /// The certificate shown while the management interface is bound to no profile.
    pub management_certificate: ManagementCertificate,
    /// Certificates that are there, committed, when the device starts.
    pub certificates: Vec<PreloadedCertificate>,
    /// SSL/TLS service profiles that are there, committed, when the device starts.
    pub profiles: Vec<Profile>,
    /// Profile the management interface is bound to; `None` leaves it with its own certificate.
    pub management_profile: Option<String>,
    /// Profile served on the second port; `None` takes the first of `profiles`.
    pub served_profile: Option<String>,
    /// Whether PKCS#12 containers other than the PKCS#12 v1 ciphers (3DES, RC2) with a SHA-1 MAC
    /// are refused.
    pub legacy_only: bool,
    /// Longest certificate name; `None` means 63, or 31 on Panorama.
    pub name_limit: Option<usize>,
    /// How long a commit job runs. A real one takes seconds to minutes.
    #[serde(with = "seconds")]
    pub commit_duration: Duration,
    /// Warnings that every successful commit job ends with.
    pub commit_warnings: Vec<String>,
    /// How long every job waits in the queue before it starts.
    #[serde(with = "seconds")]
    pub queue_delay: Duration,
    /// What a commit gets while another runs.
    pub when_busy: WhenBusy,
    /// How long the management port refuses connections after a commit gave it a new certificate.
    #[serde(with = "seconds")]
    pub restart_outage: Duration,
    /// How long after a commit on the active device of a pair its peer has the configuration.
    #[serde(with = "seconds")]
    pub ha_sync_delay: Duration,
    /// Whether a commit on the active device synchronises its peer without being asked.
    pub ha_automatic_sync: bool,
    /// Whether connections stay open after a reply.
    pub keep_alive: bool,
    /// Whether `show admins` marks the caller's session with `<self/>` (PAN-OS 10.0 and later).
    pub marks_own_session: bool,
    /// Whether the key may come in the `X-PAN-KEY` header (PAN-OS 9.0 and later).
    pub accepts_header_key: bool,
    /// Whether certificates of a PKCS#12 beyond the leaf are thrown away.
    pub drops_extra_certificates: bool,
    /// How far the device's clock, as it tells it, is ahead of the true time, in seconds; negative where it is behind.
    pub clock_ahead: i64,
    /// Where each request is appended as one line of JSON; `-` is standard output.
    pub request_log: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            hostname: "fw-sim-1".into(),
            serial: "001900000000001".into(),
            model: "PA-440".into(),
            sw_version: "11.1.4".into(),
            multi_vsys: false,
            vsys: vec!["vsys1".into()],
            templates: Vec::new(),
            administrators: vec![Administrator::superuser("admin", "admin")],
            api_keys: Vec::new(),
            api_key_lifetime: None,
            listen: loopback,
            service_listen: loopback,
            management_certificate: ManagementCertificate::default(),
            certificates: Vec::new(),
            profiles: Vec::new(),
            management_profile: None,
            served_profile: None,
            legacy_only: false,
            name_limit: None,
            commit_duration: Duration::from_millis(200),
            commit_warnings: Vec::new(),
            queue_delay: Duration::ZERO,
            when_busy: WhenBusy::Queue,
            restart_outage: Duration::from_millis(200),
            ha_sync_delay: Duration::from_millis(200),
            ha_automatic_sync: true,
            keep_alive: true,
            marks_own_session: true,
            accepts_header_key: true,
            drops_extra_certificates: true,
            clock_ahead: 0,
            request_log: None,
        }
    }
}

impl Settings {
    /// Reads settings from the text of a TOML file.
    pub fn from_toml(text: &str) -> Result<Self> {
        let settings: Self = toml::from_str(text)?;
        settings.check()?;
        Ok(settings)
    }

    /// Adds an administrator together with a key that is valid from the start.
    pub fn with_key(mut self, administrator: Administrator, key: &str) -> Self {
        self.api_keys.push(ApiKey { administrator: administrator.name.clone(), key: key.to_owned() });
        self.administrators.retain(|known| known.name != administrator.name);
        self.administrators.push(administrator);
        self
    }

    /// Whether the model is a Panorama.
    pub fn is_panorama(&self) -> bool {
        self.model == "Panorama" || self.model.starts_with("M-")
    }

    /// The longest certificate name accepted, in characters.
    pub fn longest_name(&self) -> usize {
        self.name_limit.unwrap_or(if self.is_panorama() { 31 } else { 63 })
    }

    /// Refuses settings that name what is not there.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::Settings(text));
        for key in &self.api_keys {
            if !self.administrators.iter().any(|admin| admin.name == key.administrator) {
                return wrong(format!("api key of unknown {:?}", key.administrator));
            }
        }
        let places = (self.profiles.iter().map(|profile| &profile.vsys))
            .chain(self.certificates.iter().map(|cert| &cert.vsys));
        for vsys in places.flatten() {
            if !self.vsys.contains(vsys) {
                return wrong(format!("unknown virtual system {vsys:?}"));
            }
        }
        for name in [&self.management_profile, &self.served_profile].into_iter().flatten() {
            if !self.profiles.iter().any(|profile| &profile.name == name) {
                return wrong(format!("unknown profile {name:?}"));
            }
        }
        Ok(())
    }
}

/// Somebody who may log in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Administrator {
    /// Login name.
    pub name: String,
    /// Password, for `type=keygen` and HTTP Basic.
    pub password: String,
    /// What the account may do.
    #[serde(default)]
    pub role: Role,
}

impl Administrator {
    /// An account that may do everything.
    pub fn superuser(name: &str, password: &str) -> Self {
        Self { name: name.into(), password: password.into(), role: Role::Superuser }
    }

    /// An account with a custom admin role of its own name.
    pub fn with_rights(name: &str, password: &str, rights: Rights) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            role: Role::Custom { name: name.into(), rights },
        }
    }
}

/// What an account may do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Role {
    /// Everything, other administrators' locks included.
    #[default]
    Superuser,
    /// An admin role profile with some features of the XML API enabled.
    Custom {
        /// Name of the role, which shows in refusals.
        name: String,
        /// The features enabled.
        rights: Rights,
    },
}

/// Features of the XML API that a custom role can have; the default is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rights {
    /// `type=config`.
    pub config: bool,
    /// `type=op`.
    pub op: bool,
    /// `type=commit`.
    pub commit: bool,
    /// `type=import`.
    pub import: bool,
    /// `type=export`.
    pub export: bool,
}

impl Rights {
    /// The four that a deployment needs: configuration, operational requests, commit, import.
    pub const DEPLOYMENT: Self = Self { config: true, op: true, commit: true, import: true, export: false };
}

/// A key that is valid from the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Whose it is.
    pub administrator: String,
    /// The key itself.
    pub key: String,
}

/// The certificate the management interface shows by itself. PEM text can be given inline or as
/// the path of a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
#[non_exhaustive]
pub enum ManagementCertificate {
    /// Self-signed, X.509 v3, marked as a CA.
    #[default]
    SelfSigned,
    /// Self-signed, X.509 v3, `CA:FALSE`.
    SelfSignedLeaf,
    /// Self-signed, X.509 v1, which has no extensions at all.
    SelfSignedV1,
    /// Made at start and issued by this CA.
    Issued {
        /// DNS name or IP address it is for (subject and SAN).
        name: String,
        /// The CA's certificate.
        ca_certificate: String,
        /// The CA's private key.
        ca_key: String,
    },
    /// Exactly this one.
    Given {
        /// Leaf, then intermediates.
        certificate: String,
        /// The leaf's private key, unencrypted.
        key: String,
    },
}

/// An SSL/TLS service profile.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Name of the certificate it is bound to; a profile without one serves nothing.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Virtual system it belongs to; `None` is shared.
    #[serde(default)]
    pub vsys: Option<String>,
}

impl Profile {
    /// A shared profile bound to nothing.
    pub fn unbound(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// A shared profile bound to a certificate.
    pub fn bound(name: &str, certificate: &str) -> Self {
        Self { name: name.into(), certificate: Some(certificate.into()), vsys: None }
    }
}

/// A certificate that is there when the device starts. PEM text inline or the path of a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreloadedCertificate {
    /// Name of the object.
    pub name: String,
    /// Leaf, then intermediates.
    pub certificate: String,
    /// The private key; `None` for a certificate without one.
    #[serde(default)]
    pub key: Option<String>,
    /// Virtual system it belongs to; `None` is shared.
    #[serde(default)]
    pub vsys: Option<String>,
}

/// What a commit gets while another runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenBusy {
    /// It is queued (newer releases).
    #[default]
    Queue,
    /// It is refused with `Another commit/validate is in progress` (older releases).
    Refuse,
}

mod optional_seconds {
    //! As `seconds`, for a value that can be absent.
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Seconds(#[serde(with = "crate::seconds")] Duration);

    pub(super) fn serialize<S: Serializer>(v: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
        v.map(Seconds).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Seconds>::deserialize(input)?.map(|seconds| seconds.0))
    }
}
