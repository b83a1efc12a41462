//! All that a device knows.

use std::time::{Duration, Instant};

use openssl::x509::{X509, X509VerifyResult};

use super::{accounts::Accounts, fleet::Fleet, ha::HaSide, initial, jobs::Jobs, locks::Locks};
use crate::{
    Result, Serving, Settings, UploadRecord,
    certificate::{Identity, Keyring, certificates_in, management_identity},
    config::{Configuration, MANAGEMENT_PROFILE, base, device_entry},
    xml::{Element, Path, Step},
};

/// All state of one device.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) settings: Settings,
    pub(crate) config: Configuration,
    pub(crate) keyring: Keyring,
    pub(crate) accounts: Accounts,
    pub(crate) locks: Locks,
    pub(crate) jobs: Jobs,
    pub(crate) ha: Option<HaSide>,
    /// The firewalls a Panorama manages.
    pub(crate) fleet: Fleet,
    /// Lines with which the next commit is to fail.
    pub(crate) next_commit_fails: Option<Vec<String>>,
    /// How many commits were ever enqueued; a restart does not forget it.
    pub(crate) commits: u64,
    /// Every file that was uploaded with a key, whatever became of it.
    pub(crate) uploads: Vec<UploadRecord>,
    /// When it was switched on.
    pub(crate) booted: Instant,
    /// When it is to restart, where somebody has asked for that.
    pub(crate) restart_due: Option<Instant>,
    /// The certificate of the management interface itself.
    own_identity: Identity,
    /// What the running configuration makes the management port show.
    configured: Option<Identity>,
    /// What it shows instead, without any reason in the configuration.
    swapped: Option<Identity>,
    /// What the management port is to go through, until the port's keeper asks.
    interruption: Option<Interruption>,
    /// What the service port does.
    serving: Serving,
    /// What it shows where it is stuck.
    stuck: Option<Identity>,
}

/// Something that takes the management port away for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interruption {
    /// How long connections are refused.
    pub(crate) outage: Duration,
}

impl Device {
    /// A device that has just been switched on.
    pub(crate) fn new(settings: Settings, now: Instant) -> Result<Self> {
        let own_identity = management_identity(&settings.management_certificate, &settings.hostname)?;
        let mut keyring = Keyring::default();
        let running = initial::configuration(&settings, &mut keyring)?;
        let pushed = initial::pushed(&settings, &mut keyring)?;
        let predefined = initial::predefined(&settings);
        let config = Configuration::new(running).with(pushed, predefined, settings.keeps_settled_changes);
        let mut jobs = Jobs::default();
        jobs.begin();
        let mut device = Self {
            accounts: Accounts::new(&settings),
            config,
            keyring,
            locks: Locks::default(),
            jobs,
            ha: None,
            fleet: Fleet::default(),
            next_commit_fails: None,
            commits: 0,
            uploads: Vec::new(),
            booted: now,
            restart_due: None,
            configured: None,
            swapped: None,
            own_identity,
            interruption: None,
            serving: Serving::Normal,
            stuck: None,
            settings,
        };
        device.configured = device.management_identity();
        Ok(device)
    }

    /// Lets everything happen that is due.
    pub(crate) fn advance(&mut self, now: Instant) {
        if self.restart_due.is_some_and(|due| due <= now) {
            self.restart_due = None;
            self.reboot(now, self.settings.restart_outage, false);
        }
        self.receive_sync(now);
        self.run_jobs(now);
        self.late_pushes(now);
    }

    /// When something is due next.
    pub(crate) fn next_event(&self) -> Option<Instant> {
        let sync = self.ha.as_ref().and_then(HaSide::next_sync);
        let late = self.fleet.late.iter().map(|late| late.0).min();
        self.jobs.next_event().into_iter().chain(sync).chain(self.restart_due).chain(late).min()
    }

    /// A copy to try things on.
    pub(crate) fn without_effect(&self) -> Self {
        let mut copy = self.clone();
        copy.ha = self.ha.as_ref().map(HaSide::detached);
        copy.fleet.rehearsal = true;
        copy
    }

    /// Where certificates and profiles are.
    pub(crate) fn base(&self, vsys: Option<&str>) -> Path {
        base(self.settings.is_panorama(), vsys)
    }

    /// What the management port shows; `None` when nothing is there to be shown.
    pub(crate) fn shown_identity(&self) -> Option<&Identity> {
        self.swapped.as_ref().or(self.configured.as_ref())
    }

    /// Shows another certificate until a commit changes the configured one.
    pub(crate) fn swap_identity(&mut self, identity: Identity) {
        self.swapped = Some(identity);
    }

    /// What the second port shows: the served profile of the running configuration, unless a test wants it otherwise.
    pub(crate) fn served_identity(&self) -> Option<Identity> {
        match &self.serving {
            Serving::Normal => self.bound_identity(),
            Serving::Stuck => self.stuck.clone(),
            Serving::Without(bad) => self.bound_identity().filter(|identity| identity.fingerprint() != *bad),
        }
    }

    /// What the service port does from now on.
    pub(crate) fn set_serving(&mut self, serving: Serving) {
        self.stuck = self.served_identity();
        self.serving = serving;
    }

    /// Of a firewall without a profile of its own, the first one that a Panorama has pushed is served.
    fn bound_identity(&self) -> Option<Identity> {
        let first = self.settings.profiles.first().map(|profile| &profile.name);
        if let Some(name) = self.settings.served_profile.as_ref().or(first) {
            return self.profile_identity(name);
        }
        let effective = self.config.effective(self.config.running());
        let list = self.base(None).then(Step::Named("ssl-tls-service-profile".into()));
        let name = list.first(&effective)?.children.first()?.get("name")?.to_owned();
        self.profile_identity(&name)
    }

    /// Takes what the management port has to go through.
    pub(crate) fn take_interruption(&mut self) -> Option<Interruption> {
        self.interruption.take()
    }

    /// To be called when the running configuration has changed: the web server restarts if its
    /// certificate is another one.
    pub(crate) fn reload_management(&mut self) {
        let wanted = self.management_identity();
        let same = match (&wanted, &self.configured) {
            (Some(wanted), Some(before)) => wanted.is_same_as(before),
            (wanted, before) => wanted.is_none() && before.is_none(),
        };
        if !same {
            self.configured = wanted;
            self.swapped = None;
            self.interrupt(self.settings.restart_outage);
        }
    }

    /// Takes the management port away for this long; open connections drop.
    pub(crate) fn interrupt(&mut self, outage: Duration) {
        self.interruption = Some(Interruption { outage });
    }

    /// The certificate that API keys depend on: its name and what is in it.
    pub(super) fn api_key_certificate(&self) -> Option<Element> {
        let leaf = ["deviceconfig", "setting", "management", "api", "key", "certificate"]
            .iter()
            .fold(device_entry(), |path, name| path.then(Step::Named((*name).into())));
        let running = self.config.running();
        let name = leaf.first(running)?.text.trim().to_owned();
        let entry =
            self.base(None).then(Step::Named("certificate".into())).then(Step::Entry("entry".into(), name));
        entry.first(running).cloned()
    }

    /// What the running configuration says the management port shows. A predefined profile names no certificate; one
    /// of the same name that somebody made counts for nothing, nor does one in a virtual system.
    fn management_identity(&self) -> Option<Identity> {
        let bound = MANAGEMENT_PROFILE
            .iter()
            .fold(device_entry(), |path, name| path.then(Step::Named((*name).into())));
        let effective = self.config.effective(self.config.running());
        let name = bound.first(&effective).map(|leaf| leaf.text.trim()).filter(|name| !name.is_empty());
        match name {
            Some(name) if !self.is_predefined(name) => self.identity_in(&effective, name, &[self.base(None)]),
            _ => Some(self.own_identity.clone()),
        }
    }

    fn is_predefined(&self, name: &str) -> bool {
        self.settings.predefined().iter().any(|known| known == name)
    }

    /// Certificate, chain and key of a profile that runs; one of this name in a virtual system counts when there is
    /// no shared one.
    fn profile_identity(&self, name: &str) -> Option<Identity> {
        if self.is_predefined(name) {
            return None;
        }
        let vsys = self.settings.vsys.iter().map(|name| Some(name.as_str()));
        let places: Vec<Path> = [None].into_iter().chain(vsys).map(|v| self.base(v)).collect();
        self.identity_in(&self.config.effective(self.config.running()), name, &places)
    }

    /// The same, in these places of a tree; the first is the shared one.
    fn identity_in(&self, running: &Element, name: &str, places: &[Path]) -> Option<Identity> {
        let at = |base: &Path, list: &str, name: &str| -> Option<&Element> {
            base.then(Step::Named(list.into())).then(Step::Entry("entry".into(), name.into())).first(running)
        };
        let (base, profile) =
            places.iter().find_map(|base| Some((base, at(base, "ssl-tls-service-profile", name)?)))?;
        let certificate = profile.text_of("certificate")?;
        let entry =
            at(base, "certificate", certificate).or_else(|| at(&places[0], "certificate", certificate))?;
        let key = self.keyring.find(entry.text_of("private-key")?)?;
        let mut chain = certificates_in(entry).to_vec();
        if self.settings.sends_issuer_objects {
            let lists = [base, &places[0]].map(|base| base.then(Step::Named("certificate".into())));
            let held: Vec<X509> = lists
                .iter()
                .filter_map(|list| list.first(running))
                .flat_map(|list| &list.children)
                .filter_map(|entry| certificates_in(entry).first().cloned())
                .collect();
            complete(&mut chain, &held);
        }
        Identity::new(&chain, key.clone())
    }
}

/// Adds the issuers, one above the other, but no root.
fn complete(chain: &mut Vec<X509>, held: &[X509]) {
    let issued = |issuer: &X509, subject: &X509| {
        let key = issuer.public_key();
        issuer.issued(subject) == X509VerifyResult::OK
            && key.is_ok_and(|key| subject.verify(&key).unwrap_or(false))
    };
    while let Some(top) = chain.last() {
        let next = held.iter().find(|one| {
            issued(one, top)
                && !issued(one, one)
                && !chain.iter().any(|other| other.to_der().ok() == one.to_der().ok())
        });
        match next.cloned() {
            Some(next) => chain.push(next),
            None => return,
        }
    }
}
