//! The fake device: candidate and running configuration, the journal of changes, and commit jobs. What it does is what
//! docs/simulator.md says of PAN-OS: a commit of one administrator's changes takes what was pending when it was
//! asked for, and its changes stay in the journal until its job is over.

use std::sync::LazyLock;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::X509;
use pancert::certificate::fingerprint_of_pem;
use pancert::install::state::{ConfigView, CurrentInstall, DeviceState};
use panos_xmlapi::{CertificateEntry, Element, Fingerprint, Location, PendingChange, ServiceProfile};

/// The administrator that we are.
pub const US: u8 = 1;
/// A colleague.
pub const JANE: u8 = 2;
pub const NAMES: [&str; 2] = ["gp", "vpn"];
pub const PROFILES: [&str; 2] = ["portal", "gateway"];
/// What Jane changes.
pub const FOREIGN: usize = 8;
const PATHS: usize = 9;

pub type Values = [u8; PATHS];

/// The path of an object, at a place.
pub fn object_at(vsys: bool, name: usize) -> usize {
    usize::from(vsys) * 4 + name
}

/// The path of a profile, at a place.
pub fn profile_at(vsys: bool, profile: usize) -> usize {
    usize::from(vsys) * 4 + 2 + profile
}

pub fn place(vsys: bool) -> Location {
    if vsys { Location::Vsys("vsys2".parse().unwrap()) } else { Location::Shared }
}

/// The paths as they stand in the journal.
pub static XPATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let of = |vsys: bool| {
        let objects = NAMES.map(|name| place(vsys).certificate(name).unwrap().to_string());
        let profiles = PROFILES.map(|name| place(vsys).profile(name).unwrap().to_string());
        objects.into_iter().chain(profiles)
    };
    of(false).chain(of(true)).chain(["/config/shared/address/entry[@name='printer']".to_owned()]).collect()
});

/// Two certificates of the same name; the second is a renewal of the first.
pub static CERTIFICATES: LazyLock<[(String, Fingerprint); 2]> = LazyLock::new(|| {
    [1, 2].map(|_| {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(9).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let pem = String::from_utf8(builder.build().to_pem().unwrap()).unwrap();
        let fingerprint = fingerprint_of_pem(&pem).unwrap();
        (pem, fingerprint)
    })
});

/// A commit job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The plan that it belongs to.
    pub plan: u64,
    pub state: JobState,
    changes: Values,
    changed: [bool; PATHS],
    valid: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    Running,
    Done,
    Failed,
}

impl std::hash::Hash for Job {
    /// Without the plan's number: what matters is whether it is that of a process.
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        (self.state, self.changes, self.changed, self.valid).hash(hasher);
    }
}

/// Objects hold the number of their certificate, profiles that of their object's name, both from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Device {
    pub candidate: Values,
    pub running: Values,
    /// Who has changed it.
    pub journal: Values,
    /// The last one; one after the other, as on a device.
    pub job: Option<Job>,
}

impl Device {
    /// With a colleague's change that is pending.
    pub fn new() -> Self {
        let mut new = Self { candidate: [0; PATHS], running: [0; PATHS], journal: [0; PATHS], job: None };
        (new.candidate[FOREIGN], new.journal[FOREIGN]) = (1, JANE);
        new
    }

    pub fn set(&mut self, changes: &[(usize, u8)]) {
        for (path, value) in changes {
            self.candidate[*path] = *value;
            self.journal[*path] = if self.running[*path] == *value { 0 } else { US };
        }
    }

    pub fn is_committing(&self) -> bool {
        self.job.is_some_and(|job| job.state == JobState::Running)
    }

    fn changed_by(&self, who: impl Fn(u8) -> bool) -> [bool; PATHS] {
        self.journal.map(who)
    }

    /// A commit of our own changes, or of everybody's; whether there is anything to commit.
    pub fn commit(&mut self, plan: u64, everybody: bool) -> bool {
        let changed = self.changed_by(|owner| owner == US || (everybody && owner == JANE));
        if !changed.contains(&true) {
            return false;
        }
        let refers = |vsys: bool, profile| match self.candidate[profile_at(vsys, profile)] {
            0 => true,
            object => self.candidate[object_at(vsys, usize::from(object) - 1)] != 0,
        };
        let valid = [false, true].iter().all(|vsys| (0..2).all(|profile| refers(*vsys, profile)));
        self.job = Some(Job { plan, state: JobState::Running, changes: self.candidate, changed, valid });
        true
    }

    /// The commit job comes to its end.
    pub fn end_job(&mut self, succeeds: bool) {
        let Some(job) = &mut self.job else { return };
        job.state = if succeeds && job.valid { JobState::Done } else { JobState::Failed };
        let job = *job;
        if job.state == JobState::Done {
            for path in (0..PATHS).filter(|path| job.changed[*path]) {
                self.running[path] = job.changes[path];
                if self.candidate[path] == self.running[path] {
                    self.journal[path] = 0;
                }
            }
        }
    }

    /// All changes of ours are taken back.
    pub fn revert(&mut self) {
        self.roll_back(|owner| owner == US);
    }

    fn roll_back(&mut self, of: impl Fn(u8) -> bool) {
        for path in 0..PATHS {
            if !of(self.journal[path]) {
                continue;
            }
            (self.candidate[path], self.journal[path]) = (self.running[path], 0);
        }
    }

    /// Jane commits all that is pending, ours as well.
    pub fn jane_commits(&mut self) {
        (self.running, self.journal) = (self.candidate, [0; PATHS]);
    }

    /// Jane takes back all that is pending, ours as well.
    pub fn jane_reverts(&mut self) {
        self.roll_back(|owner| owner != 0);
    }

    /// Whether Jane's change is as pending as it was.
    pub fn keeps_janes_change(&self) -> bool {
        let at = FOREIGN;
        (self.candidate[at], self.running[at], self.journal[at]) == (1, 0, JANE)
    }

    pub fn has_own_changes(&self) -> bool {
        self.journal.contains(&US)
    }

    /// Whether a configuration holds the certificate or a later one, in all these profiles.
    pub fn holds(values: &Values, vsys: bool, name: usize, profiles: &[usize], certificate: u8) -> bool {
        let object = values[object_at(vsys, name)];
        let bound = |profile: &usize| usize::from(values[profile_at(vsys, *profile)]) == name + 1;
        object > 0 && object >= certificate && profiles.iter().all(bound)
    }

    /// What a client sees of the device as a whole.
    pub fn state(&self) -> DeviceState {
        let changed = self.journal.iter().enumerate().filter(|(_, owner)| **owner != 0);
        let changes = changed.map(|(path, owner)| PendingChange {
            xpath: XPATHS[path].clone(),
            owner: if *owner == US { "us" } else { "jane" }.to_owned(),
            action: None,
            component_type: None,
        });
        let changes = Some(changes.collect());
        DeviceState {
            administrator: Some("us".to_owned()),
            asked: true,
            user: None,
            changes,
            own_lists: Vec::new(),
        }
    }

    /// What a client sees of one object.
    pub fn observed(&self, vsys: bool, name: usize) -> CurrentInstall {
        CurrentInstall {
            place: place(vsys),
            candidate: holdings(&self.candidate, vsys, name),
            running: Some(holdings(&self.running, vsys, name)),
            uses: pancert::install::references::References::default(),
            notes: Vec::new(),
            stacks: Vec::new(),
            issuers: pancert::install::issuers::Issuers::default(),
        }
    }
}

fn holdings(values: &Values, vsys: bool, name: usize) -> ConfigView {
    let object = match values[object_at(vsys, name)] {
        0 => None,
        certificate => {
            let pem = &CERTIFICATES[usize::from(certificate) - 1].0;
            let mut entry = Element::new("entry").with(Element::new("public-key").with_text(pem));
            entry.attributes.push(("name".to_owned(), NAMES[name].to_owned()));
            Some(CertificateEntry::read(&entry))
        }
    };
    let profile = |profile: usize| ServiceProfile {
        name: PROFILES[profile].to_owned(),
        certificate: match values[profile_at(vsys, profile)] {
            0 => None,
            object => Some(NAMES[usize::from(object) - 1].to_owned()),
        },
        template: None,
    };
    ConfigView { object, profiles: (0..2).map(profile).collect(), sights: std::collections::BTreeMap::new() }
}
