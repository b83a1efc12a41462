//! One object on one device, and what is to be thought of it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use panos_xmlapi::Fingerprint;

use super::Span;
use super::certmonger::{CertificateFiles, Standing};
use crate::cli::certctl::terminal::Severity;
use crate::delivery::hold::{Hold, Reason};
use crate::delivery::{Attempt, DriftFound, InstallSpec, Installation, State};
use crate::error::Exit;
use crate::install::names::ProfileName;
use crate::install::problem::Problem;
use crate::install::push::PushState;
use crate::install::result::LastRun;

/// By what installations are judged.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) now: DateTime<Utc>,
    pub(super) pending_for: Span,
    pub(super) expires_in: Span,
}

/// One object on one device: what is shown of it, and no more, for there may be very many. What many have in common
/// they share.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) common_name: Arc<str>,
    /// The object's name as it was asked for.
    pub(super) name: Arc<str>,
    /// The name on the device, as far as it is known.
    pub(super) object: Arc<str>,
    pub(super) device: Box<str>,
    pub(super) location: Arc<str>,
    /// The device, and where on it; nothing where that is the device as a whole.
    pub(super) place: Option<Box<str>>,
    pub(super) target: Option<Arc<str>>,
    pub(super) peer: Option<Box<str>>,
    pub(super) profiles: Arc<[ProfileName]>,
    pub(super) how: InstallState,
    pub(super) is_pending: bool,
    /// Since when a run is at it, or was when its process was ended.
    pub(super) under_way: Option<DateTime<Utc>>,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) ordered: Option<Fingerprint>,
    pub(super) proven: Option<Proven>,
    pub(super) pending_since: Option<DateTime<Utc>>,
    pub(super) next_attempt: Option<DateTime<Utc>>,
    pub(super) failures: u32,
    /// What went wrong last, unless it is over.
    pub(super) problem: Option<Box<Problem>>,
    /// What `verify` found that is not as it was installed.
    pub(super) drift: Option<Box<DriftFound>>,
    /// The commit job of the last attempt; in no table.
    pub(super) job: Option<Box<str>>,
    /// In no table.
    pub(super) last_attempt: Option<Box<LastAttempt>>,
    /// Whether endpoints have to show it.
    pub(super) is_served: bool,
    /// Which firewalls have it, where it was committed on Panorama.
    pub(super) push: Option<Box<PushState>>,
    /// Where its files are.
    pub(super) files: Arc<CertificateFiles>,
    /// Whether its order is still in the queue.
    pub(super) queued: bool,
    /// Whether its profiles are those that use the object already.
    pub(super) is_where_used: bool,
    /// What certmonger says, if it was asked.
    pub(super) certmonger: Option<Arc<Standing>>,
    /// What is wrong with it beside that.
    pub(super) faults: Vec<Fault>,
    /// What it waits for, if it is not to be delivered now.
    pub(super) hold: Option<Box<Hold>>,
    /// How soon somebody should look at it; known once all are judged.
    pub(super) rank: u8,
}

/// What the device was seen to run at last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proven {
    pub(super) fingerprint: Fingerprint,
    pub(super) at: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

/// The last attempt that is over.
#[derive(Debug, Clone)]
pub(super) struct LastAttempt {
    pub(super) run: Box<str>,
    pub(super) begun: DateTime<Utc>,
    phases: Arc<[String]>,
    milliseconds: Box<[u64]>,
}

/// What many rows have in common, once.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Whether what is in no table is wanted as well.
    is_whole: bool,
    texts: HashSet<Arc<str>>,
    profiles: HashSet<Arc<[ProfileName]>>,
    phases: HashSet<Arc<[String]>>,
    files: HashSet<Arc<CertificateFiles>>,
}

impl Shared {
    pub(super) fn new(is_whole: bool) -> Self {
        Self { is_whole, ..Self::default() }
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        once(&mut self.texts, text)
    }

    fn files(&mut self, spec: &InstallSpec) -> Arc<CertificateFiles> {
        let files = CertificateFiles {
            recorded: spec.files.as_ref().map(|files| files.certificate.clone()),
            possible: spec.options.certificate_files(&spec.common_name),
            is_blind: spec.options.blind,
        };
        once(&mut self.files, files)
    }
}

/// The one that is known already, or this one, known from now on.
fn once<T: ?Sized + Hash + Eq>(known: &mut HashSet<Arc<T>>, new: impl Borrow<T> + Into<Arc<T>>) -> Arc<T> {
    if let Some(known) = known.get(new.borrow()) {
        return Arc::clone(known);
    }
    let new = new.into();
    known.insert(Arc::clone(&new));
    new
}

/// Something that nobody mends by trying again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Another installation has the same profile.
    ProfileClaimedTwice {
        /// The profile.
        profile: ProfileName,
        /// The other's object.
        by: Arc<str>,
    },
    /// No profile presents it.
    NoProfile,
    /// `verify` found something else on the device, and it is left as it is.
    Drift,
}

impl Fault {
    /// In one word, for other programs.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::ProfileClaimedTwice { .. } => "profile-claimed-twice",
            Self::NoProfile => "no-profile",
            Self::Drift => "drift",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProfileClaimedTwice { profile, by } => write!(
                f,
                "the SSL/TLS profile '{profile}' is claimed by '{by}' as well: forget one of the two (pan_certctl forget)"
            ),
            Self::NoProfile => f.write_str("no SSL/TLS profile presents it"),
            Self::Drift => f.write_str("left as it is; 'pan_instcert' installs it again"),
        }
    }
}

/// How an installation stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InstallState {
    Installed,
    Pending,
    Failed,
    LeftToCommit,
    LeftToPush,
    /// Taken over from the scripts, and not seen on the device yet.
    Adopted,
}

/// How the certificate on the device's end is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    Long,
    NotLong,
    Expired,
}

impl Row {
    /// What is shown of a record.
    pub(super) fn of(record: &Installation, queued: bool, shared: &mut Shared) -> Self {
        let spec = &record.spec;
        let (device, place) = (spec.device.to_string(), spec.place());
        let last = record.history.last();
        let object = match (&record.state, &record.verified) {
            (State::Installed { object, .. }, _) => object,
            (_, Some(proven)) => &proven.object,
            _ => &spec.name,
        };
        let problem = match &record.state {
            State::Failed { problem, .. } => Some(problem),
            State::Pending => last.and_then(|attempt| attempt.problem.as_ref()),
            State::Installed { .. } | State::AwaitingCommit { .. } | State::AwaitingPush { .. } => None,
        };
        let job = record.job.as_deref().or_else(|| last?.job.as_deref());
        let is_interrupted = record.last_run() == LastRun::Interrupted;
        Self {
            common_name: shared.text(spec.common_name.as_str()),
            name: shared.text(spec.name.as_str()),
            object: shared.text(object.as_str()),
            place: (place != device).then(|| place.into()),
            device: device.into(),
            location: shared.text(&spec.location.to_string()),
            target: spec.options.target.as_deref().map(|target| shared.text(target)),
            peer: spec.peer.as_ref().map(|peer| peer.to_string().into()),
            profiles: once(&mut shared.profiles, record.profiles()),
            how: how(record),
            is_pending: record.is_pending(),
            under_way: record.started_at.filter(|_| is_interrupted),
            requested_at: spec.requested_at,
            ordered: spec.certificate.as_ref().map(|certificate| certificate.fingerprint),
            proven: record.verified.as_ref().map(|proven| Proven {
                fingerprint: proven.certificate.fingerprint,
                at: proven.at,
                until: proven.certificate.not_after,
            }),
            pending_since: record.pending_since,
            next_attempt: record.next_attempt,
            failures: record.failures,
            problem: problem.cloned().map(Box::new),
            drift: record.drift.clone().map(Box::new),
            job: job.filter(|_| shared.is_whole).map(Into::into),
            last_attempt: last
                .filter(|_| shared.is_whole)
                .map(|attempt| Box::new(LastAttempt::of(attempt, shared))),
            is_served: !spec.served.is_empty(),
            push: record.push.clone().map(Box::new),
            files: shared.files(spec),
            queued,
            is_where_used: false,
            certmonger: None,
            faults: Vec::new(),
            hold: None,
            rank: 0,
        }
    }

    /// The device, and where on it.
    pub(super) fn place(&self) -> &str {
        self.place.as_deref().unwrap_or(&self.device)
    }

    pub(super) fn installed_until(&self) -> Option<DateTime<Utc>> {
        self.proven.map(|proven| proven.until)
    }

    /// Whether `verify` has found that something else is presented there than was installed.
    pub(super) fn presents_another(&self) -> bool {
        self.drift.as_ref().is_some_and(|drift| drift.presents.is_some())
    }

    /// Whether the device was last seen to run what is ordered; nothing where one of the two is not known.
    pub(super) fn runs_what_is_ordered(&self) -> Option<bool> {
        if self.presents_another() {
            return Some(false);
        }
        Some(self.ordered? == self.proven?.fingerprint)
    }

    pub(super) fn is_overdue(&self, limits: &Limits) -> bool {
        // What it waits for has an end, or a row of its own.
        let waits = |hold: &Hold| hold.until.is_some() || matches!(hold.reason, Reason::Canary { .. });
        !self.hold.as_deref().is_some_and(waits)
            && self.pending_since.is_some_and(|since| limits.now - since > limits.pending_for.length)
    }

    pub(super) fn lasts(&self, limits: &Limits) -> Expiry {
        match self.installed_until().map(|until| until - limits.now) {
            Some(left) if left.num_seconds() <= 0 => Expiry::Expired,
            Some(left) if left <= limits.expires_in.length => Expiry::NotLong,
            _ => Expiry::Long,
        }
    }

    /// What certmonger has to say that somebody should know.
    pub(super) fn certmongers_trouble(&self) -> Option<String> {
        self.certmonger.as_ref()?.trouble()
    }

    fn problem_exit(&self) -> Exit {
        self.problem.as_ref().map_or(Exit::Certificate, |problem| problem.exit)
    }

    /// The exit codes that this calls for.
    pub(super) fn exits(&self, limits: &Limits) -> impl Iterator<Item = Exit> {
        let pending = self.is_overdue(limits).then(|| self.problem_exit());
        let expires = (self.lasts(limits) != Expiry::Long).then_some(Exit::Certificate);
        let not_renewed = self.certmonger.as_deref().is_some_and(Standing::needs_somebody);
        // Nobody tries it again: it is not a matter of time.
        let failed = (self.how == InstallState::Failed).then(|| self.problem_exit());
        let faulty = self.faults.iter().map(|fault| match fault {
            Fault::Drift => Exit::Unproven,
            Fault::NoProfile | Fault::ProfileClaimedTwice { .. } => Exit::Rebind,
        });
        let not_renewed = not_renewed.then_some(Exit::Certmonger);
        pending.into_iter().chain(failed).chain(expires).chain(not_renewed).chain(faulty)
    }

    pub(super) fn mood(&self, limits: &Limits) -> Severity {
        if self.is_overdue(limits) || self.lasts(limits) == Expiry::Expired {
            Severity::Bad
        } else if self.how != InstallState::Installed
            || self.lasts(limits) == Expiry::NotLong
            || self.certmongers_trouble().is_some()
            || !self.faults.is_empty()
        {
            Severity::Odd
        } else {
            Severity::Plain
        }
    }

    fn rank(&self, limits: &Limits) -> u8 {
        match self.mood(limits) {
            Severity::Bad => 0,
            Severity::Odd => 1,
            Severity::Plain | Severity::Heading => 2,
        }
    }
}

/// Puts first what needs attention: what is pending for longest, then what ends soonest. In place: there may be very
/// many.
pub(super) fn sort_by_attention(all: &mut [Row], limits: &Limits) {
    all.iter_mut().for_each(|row| row.rank = row.rank(limits));
    let never = DateTime::<Utc>::MAX_UTC;
    let times = |row: &Row| (row.pending_since.unwrap_or(never), row.installed_until().unwrap_or(never));
    all.sort_unstable_by(|one, other| {
        let by_time = (one.rank, times(one)).cmp(&(other.rank, times(other)));
        by_time
            .then_with(|| (&one.common_name, &one.device).cmp(&(&other.common_name, &other.device)))
            .then_with(|| (&one.name, &one.location).cmp(&(&other.name, &other.location)))
    });
}

fn how(record: &Installation) -> InstallState {
    match &record.state {
        _ if record.is_pending() => InstallState::Pending,
        _ if record.is_unseen() => InstallState::Adopted,
        State::Pending => InstallState::Pending,
        State::Installed { .. } => InstallState::Installed,
        State::Failed { .. } => InstallState::Failed,
        State::AwaitingCommit { .. } => InstallState::LeftToCommit,
        State::AwaitingPush { .. } => InstallState::LeftToPush,
    }
}

impl LastAttempt {
    fn of(attempt: &Attempt, shared: &mut Shared) -> Self {
        Self {
            run: attempt.run_id.as_str().into(),
            begun: attempt.started_at,
            phases: once(&mut shared.phases, attempt.milliseconds.keys().cloned().collect::<Vec<_>>()),
            milliseconds: attempt.milliseconds.values().copied().collect(),
        }
    }

    /// How long each phase took.
    pub(super) fn milliseconds(&self) -> impl Iterator<Item = (&str, u64)> {
        self.phases.iter().map(String::as_str).zip(self.milliseconds.iter().copied())
    }
}

/// Notes what contradicts itself, among all installations on one device.
pub(super) fn find_faults(all: &mut [Row]) {
    let mut claimed: BTreeMap<(Arc<str>, ProfileName), Vec<usize>> = BTreeMap::new();
    for (index, row) in all.iter().enumerate() {
        for profile in row.profiles.iter() {
            claimed.entry((Arc::clone(&row.location), profile.clone())).or_default().push(index);
        }
    }
    for ((_, profile), indexes) in claimed {
        for (at, index) in indexes.iter().enumerate() {
            let other = indexes.get(usize::from(at == 0)).and_then(|other| all.get(*other));
            let Some(by) = other.map(|other| Arc::clone(&other.name)) else { continue };
            let fault = Fault::ProfileClaimedTwice { profile: profile.clone(), by };
            all.get_mut(*index).into_iter().for_each(|row| row.faults.push(fault.clone()));
        }
    }
    for row in all.iter_mut() {
        if row.drift.is_some() && !row.is_pending {
            row.faults.push(Fault::Drift);
        }
        if row.profiles.is_empty() && !row.is_pending && !row.is_where_used {
            row.faults.push(Fault::NoProfile);
        }
    }
}
