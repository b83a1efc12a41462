//! What a transaction does, as it happens: one stream of typed events.
//!
//! Whoever starts a transaction hands in one sink, and gets every event. The log, the live screen and the times of the
//! phases are made of nothing else; a transaction knows of none of them, and nothing comes back from there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use panos_xmlapi::Address;

use super::names::ObjectName;
use super::phases::Phase;

/// A run that did not come to its end, as it is found in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierRun {
    /// Its id; empty where it is not known.
    pub id: String,
    /// When it began.
    pub begun: Option<DateTime<Utc>>,
}

/// Something that happens in a transaction.
#[derive(Debug, Clone)]
pub enum Event {
    /// A phase has begun.
    PhaseBegun(Phase),
    /// A phase is over; it may begin again, as for another member of a pair.
    PhaseEnded {
        /// Which.
        phase: Phase,
        /// How long it took.
        took: Duration,
    },
    /// Nothing goes on until something else has happened.
    Waiting(Wait),
    /// What was waited for has happened.
    WaitOver,
    /// The device runs this certificate already, and nothing is to be done.
    AlreadyInstalled,
    /// Panorama runs this certificate already: only its firewalls are looked at.
    AlreadyCommitted,
    /// No PKCS#12 can be made on this machine.
    FipsMode,
    /// An upload can't be made in one form on this machine: another one is tried.
    FormNotMade {
        /// Why.
        why: String,
        /// The next form, in words.
        next: &'static str,
    },
    /// The device has refused an upload in one form: another one is tried.
    FormRefused {
        /// The device's words.
        why: String,
        /// The next form, in words.
        next: &'static str,
    },
    /// The device has taken the upload; its reply.
    Uploaded(String),
    /// The device was seen to have the certificate in its candidate configuration.
    Imported(ObjectName),
    /// The same of an intermediate certificate that has become an object of its own.
    IssuerImported {
        /// The object.
        object: ObjectName,
        /// Whose certificate it is.
        subject: String,
    },
    /// The object of an intermediate certificate was deleted.
    IssuerDeleted(ObjectName),
    /// It stays, because something refers to it.
    IssuerKept {
        /// The object.
        object: ObjectName,
        /// What refers to it.
        by: String,
    },
    /// An SSL/TLS service profile is bound to the certificate, in the candidate configuration.
    ProfileUpdated(String),
    /// Another place that used the previous certificate is, too.
    PlaceUpdated(String),
    /// An older object was deleted.
    OlderDeleted(ObjectName),
    /// An older object stays, because something refers to it.
    OlderKept {
        /// The object.
        object: ObjectName,
        /// What refers to it.
        by: String,
    },
    /// The commit is asked for.
    CommitBegun,
    /// The device has a job for the commit.
    CommitJob(String),
    /// How long such a job of this device usually takes, a commit or a push.
    CommitUsual(Duration),
    /// How far the commit job has come, by the device's own account.
    CommitProgress {
        /// The job.
        job: String,
        /// Per cent, where the device says so; an old release says something else at the end.
        percent: Option<u8>,
    },
    /// The device has nothing to commit; its words.
    NothingToCommit(String),
    /// The answer to the request for a commit was lost: it is looked up whether the commit began.
    CommitAnswerLost(String),
    /// The device refuses a commit with a description, in these words: it is asked for without one.
    DescriptionRefused(String),
    /// The device does not know the commit job any more: the running configuration decides.
    CommitJobGone(String),
    /// The commit job has succeeded.
    CommitSucceeded {
        /// The device's words.
        words: String,
        /// What it warns of.
        warnings: Vec<String>,
    },
    /// The commit job has failed, with these words.
    CommitFailed(Vec<String>),
    /// The commit is over, and the running configuration has what was wanted.
    Committed {
        /// From asking for it until its end.
        took: Duration,
    },
    /// Nothing was committed, as it was asked for.
    LeftToCommit,
    /// Nothing is pushed, as it was asked for.
    LeftToPush {
        /// The option that asks for it.
        by: &'static str,
        /// To how many firewalls a person has to push.
        firewalls: usize,
    },
    /// A push from Panorama is asked for.
    PushBegun {
        /// The template stack.
        stack: String,
        /// To how many firewalls.
        firewalls: usize,
        /// Whether everybody's changes go along.
        everybody: bool,
    },
    /// Panorama has a job for the push.
    PushJob {
        /// The template stack.
        stack: String,
        /// The job.
        job: String,
    },
    /// How far a push job has come.
    PushProgress {
        /// The job.
        job: String,
        /// Per cent of the job itself.
        percent: Option<u8>,
        /// On how many firewalls it has succeeded by their own word.
        done: usize,
        /// On how many it has failed.
        failed: usize,
        /// How many have said neither.
        pending: usize,
    },
    /// A push job is over.
    PushEnded {
        /// The job.
        job: String,
        /// From asking for it until its end.
        took: Duration,
    },
    /// Firewalls are looked at themselves, whether they have the certificate.
    PushLooked {
        /// How many were.
        seen: usize,
        /// Of how many.
        total: usize,
    },
    /// How it stands on the firewalls after all pushes.
    PushStands {
        /// In a few words.
        summary: String,
        /// Each firewall that does not have the certificate, and why.
        open: Vec<String>,
    },
    /// The commit may still end by itself, so the candidate configuration was not touched.
    CommitMayFinish,
    /// The candidate configuration is being put back.
    PuttingBack,
    /// The candidate configuration is as it was found.
    PutBack {
        /// Where somebody else has changed something meanwhile.
        left: Vec<String>,
    },
    /// It could not be put back.
    NotPutBack {
        /// Why.
        why: String,
        /// What may remain uncommitted.
        left: Vec<String>,
        /// Whose changes it is among.
        administrator: Option<String>,
    },
    /// What a run that died had left pending was taken back.
    LeftoverTakenBack {
        /// In how many places.
        count: usize,
        /// Each for itself, as a revert would have taken other changes too.
        one_by_one: bool,
        /// That run.
        run: EarlierRun,
    },
    /// What became of the commit job of a run that died.
    EarlierCommit {
        /// The job.
        job: String,
        /// That run.
        run: EarlierRun,
        /// In words.
        ended: String,
    },
    /// How the synchronisation to the HA peer ended, in words.
    PeerSync(String),
    /// The other member of the pair has a management interface that presents the certificate: it is looked at too.
    PeerBegun(Address),
    /// One of the certificates runs on the device; which one, by its place among those of the transaction.
    Verified {
        /// Which.
        item: usize,
    },
    /// An endpoint shows the new certificate.
    Served(Address),
    /// An endpoint that answered before does not show the new certificate: the profiles get back what they had.
    GivingBack,
    /// The profiles have again what they had, and that is committed.
    GivenBack,
    /// Something else that a reader should know.
    Note(String),
    /// Something that may do harm, or that was meant otherwise.
    Warning(String),
    /// Something went wrong, and the run goes on.
    Trouble(String),
}

/// What a transaction waits for, and for whom.
#[derive(Debug, Clone)]
pub enum Wait {
    /// The device is busy or locked.
    Device {
        /// The device's words.
        refusal: String,
        /// Who or what is in the way, where the device tells.
        by: Option<String>,
    },
    /// Somebody has a pending change in a place of the installation; which, and whose.
    PendingChange(String),
    /// A commit job that was there before.
    EarlierJob(String),
    /// A push job that was there before.
    EarlierPush(String),
    /// The HA peer gets the configuration.
    PeerSync,
    /// Endpoints that are to show the new certificate.
    Endpoints(Vec<Address>),
    /// As many other devices are being changed as may be at the same time.
    OtherDevices,
}

/// Gets all events of a transaction, in their order.
pub trait EventSink: Send + Sync {
    /// Takes one. It must not block.
    fn take(&self, event: &Event);
}

struct Unheard;

impl EventSink for Unheard {
    fn take(&self, _event: &Event) {}
}

/// Where a transaction tells its events, with the phase that it is in.
#[derive(Clone)]
pub struct Events {
    sink: Arc<dyn EventSink>,
    current: Arc<Mutex<Option<(Phase, Instant)>>>,
}

impl Events {
    /// A stream into this sink.
    #[must_use]
    pub fn into_sink(sink: Arc<dyn EventSink>) -> Self {
        Self { sink, current: Arc::default() }
    }

    /// A stream that nobody reads.
    #[must_use]
    pub fn unheard() -> Self {
        Self::into_sink(Arc::new(Unheard))
    }

    /// Tells an event.
    pub fn tell(&self, event: Event) {
        self.sink.take(&event);
    }

    /// Tells something that a reader should know.
    pub fn note(&self, text: impl Into<String>) {
        self.tell(Event::Note(text.into()));
    }

    /// The same for a text that says itself whether it is a warning, as it is shown of a plan.
    pub fn remark(&self, text: &str) {
        match text.strip_prefix("WARNING: ") {
            Some(warning) => self.warn(warning),
            None => self.note(text),
        }
    }

    /// Tells of something that may do harm.
    pub fn warn(&self, text: impl Into<String>) {
        self.tell(Event::Warning(text.into()));
    }

    /// Tells of something that went wrong, after which the run goes on.
    pub fn trouble(&self, text: impl Into<String>) {
        self.tell(Event::Trouble(text.into()));
    }

    /// Ends the current phase and begins another.
    pub fn begin(&self, phase: Phase) {
        self.end_phase();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((phase, Instant::now()));
        self.tell(Event::PhaseBegun(phase));
    }

    /// Ends the current phase.
    pub fn end_phase(&self) {
        let ended = self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((phase, since)) = ended {
            self.tell(Event::PhaseEnded { phase, took: since.elapsed() });
        }
    }
}
