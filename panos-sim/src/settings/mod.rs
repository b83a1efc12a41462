//! What a simulated device is like when it starts.

mod behaviour;
mod objects;
mod optional_seconds;
mod panorama;
mod people;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, seconds};
pub use behaviour::{
    Encoding, ImportAnswer, ImportJournal, ImportRefusal, JournalShape, NothingToRevert, Pushed, WhenBooting,
    WhenBusy,
};
pub use objects::{ManagementCertificate, PreloadedCertificate, Profile};
pub use panorama::{DeviceGroup, DisconnectedInPush, SelectivePush, Stack};
pub use people::{Administrator, ApiKey, Rights, Role};

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
    /// Template stacks, on a Panorama.
    pub stacks: Vec<Stack>,
    /// Device groups, on a Panorama.
    pub device_groups: Vec<DeviceGroup>,
    /// Whether a push of only some administrators' changes works.
    pub selective_push: SelectivePush,
    /// How a push job tells of a firewall that is not connected.
    pub disconnected_in_push: DisconnectedInPush,
    /// Serial numbers of managed firewalls on which each push fails, on a Panorama.
    pub failing_pushes: Vec<String>,
    /// Serial numbers of managed firewalls that are not connected at the start, on a Panorama.
    pub not_connected: Vec<String>,
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
    /// Whether the name of an uploaded object may begin with an underscore. Authors of clients have seen it refused.
    pub takes_leading_underscore: bool,
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
    /// What a commit gets while the automatic commit after a start runs.
    pub when_booting: WhenBooting,
    /// What a revert gets that has nothing to revert.
    pub nothing_to_revert: NothingToRevert,
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
    /// Whether only the first certificate of a PEM file is kept.
    pub keeps_leaf_only: bool,
    /// Whether what is shown is completed by those certificate objects that have issued it, roots excepted.
    pub sends_issuer_objects: bool,
    /// How far the device's clock, as it tells it, is ahead of the true time, in seconds; negative where it is behind.
    pub clock_ahead: i64,
    /// Names of the SSL/TLS service profiles below `/config/predefined`; `None` is what the model and release have.
    pub predefined_profiles: Option<Vec<String>>,
    /// What a Panorama has pushed to this firewall.
    pub pushed: Option<Pushed>,
    /// How deep the paths in the list of pending changes lead.
    pub journal: JournalShape,
    /// Whether uploads stand in the list of pending changes.
    pub import_journal: ImportJournal,
    /// Whether an object that was changed and changed back by hand is still a pending change (measured on 11.x).
    pub keeps_settled_changes: bool,
    /// Whether `action=multi-config` is enabled.
    pub multi_config: bool,
    /// Uploads that are refused whatever is in them.
    pub import_refusals: Vec<ImportRefusal>,
    /// In which bytes replies are written.
    pub encoding: Encoding,
    /// `system-mode` in the system information; `None` is `panorama` on a Panorama and absent on a firewall.
    pub system_mode: Option<String>,
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
            stacks: Vec::new(),
            device_groups: Vec::new(),
            selective_push: SelectivePush::default(),
            disconnected_in_push: DisconnectedInPush::default(),
            failing_pushes: Vec::new(),
            not_connected: Vec::new(),
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
            takes_leading_underscore: false,
            commit_duration: Duration::from_millis(200),
            commit_warnings: Vec::new(),
            queue_delay: Duration::ZERO,
            when_busy: WhenBusy::Queue,
            when_booting: WhenBooting::default(),
            nothing_to_revert: NothingToRevert::default(),
            restart_outage: Duration::from_millis(200),
            ha_sync_delay: Duration::from_millis(200),
            ha_automatic_sync: true,
            keep_alive: true,
            marks_own_session: true,
            accepts_header_key: true,
            drops_extra_certificates: true,
            keeps_leaf_only: false,
            sends_issuer_objects: false,
            clock_ahead: 0,
            predefined_profiles: None,
            pushed: None,
            journal: JournalShape::Container,
            import_journal: ImportJournal::default(),
            keeps_settled_changes: false,
            multi_config: true,
            import_refusals: Vec::new(),
            encoding: Encoding::default(),
            system_mode: None,
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

    /// The names of the predefined SSL/TLS service profiles.
    pub(crate) fn predefined(&self) -> Vec<String> {
        let has = !self.is_panorama() && self.model != "PA-VM" && self.is_at_least(11, 1);
        let usual = || has.then(|| "TLSv1.3_Default".to_owned()).into_iter().collect();
        self.predefined_profiles.clone().unwrap_or_else(usual)
    }

    /// Whether the release is this one or a later one; so is one that is no number.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.sw_version.split('.').map(|part| part.parse::<u32>().unwrap_or(u32::MAX));
        let mut next = || numbers.next().unwrap_or(u32::MAX);
        (next(), next()) >= (major, minor)
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
        for template in self.stacks.iter().flat_map(|stack| &stack.templates) {
            if !self.templates.contains(template) {
                return wrong(format!("unknown template {template:?}"));
            }
        }
        let pushed = self.pushed.as_ref();
        let profiles = || self.profiles.iter().chain(pushed.iter().flat_map(|pushed| &pushed.profiles));
        for name in [&self.management_profile, &self.served_profile].into_iter().flatten() {
            let predefined = || self.predefined().contains(name);
            if !profiles().any(|profile| &profile.name == name) && !predefined() {
                return wrong(format!("unknown profile {name:?}"));
            }
        }
        Ok(())
    }
}
