//! What devices run and show, compared with the records and the files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};
use panos_xmlapi::Address;

use super::conflicts::{self, DeviceLists};
use super::engine::{again, run_id};
use super::failure::DeliveryError;
use super::installation::Installation;
use super::lock::DeviceLock;
use super::progress::{Progress, Watcher};
use super::queue::Queue;
use super::state::{DriftFound, Presented, State};
use super::store::InstallationStore;
use crate::certificate::Bundle;
use crate::host::log::{Log, RunLog};
use crate::install::InstallError;
use crate::install::after_commit::{self, OnFirewalls};
use crate::install::connect::reach;
use crate::install::names::ObjectName;
use crate::install::probe::{self, served};
use crate::install::problem::Problem;
use crate::install::push::PushState;
use crate::install::request::InstallRequest;
use crate::install::result::CertificateFacts;
use crate::install::state::{place_of, presented_until};
use crate::install::verify::ExpectedState;
use crate::settings::config::Drift;
use crate::settings::resolve::Prepared;

/// How long an endpoint may take to show its certificate.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was found of one record.
#[derive(Debug)]
pub enum Verdict {
    /// All is as it should be.
    Good,
    /// Pending: nothing new.
    Pending,
    /// The device runs or shows something else, or the file holds a certificate that nobody has ordered.
    Drift {
        /// What.
        what: String,
        /// What is presented there instead, where that is not what was installed.
        presents: Option<Presented>,
        /// Whether it is pending again.
        delivered: bool,
    },
    /// Another certificate was given its profile later.
    Superseded {
        /// The profile.
        profile: String,
        /// The other one's name.
        by: String,
    },
    /// The list of devices that was stated last leaves it out, and it differs.
    LeftOut {
        /// What differs.
        what: String,
    },
    /// Nobody can tell.
    Unknown(Problem),
}

/// A record, and what was found of it.
pub struct Finding {
    /// The record.
    pub record: Installation,
    /// What was found.
    pub verdict: Verdict,
    /// How long it took to look.
    pub took: Duration,
}

/// Somebody who compares.
pub struct DriftChecker {
    /// The records.
    pub records: InstallationStore,
    /// What becomes of a device that differs.
    pub drift: Drift,
    /// The log.
    pub log: Log,
    /// How long another process that works on the same device is waited for.
    pub lock_wait: Duration,
    /// Which devices the certificates are meant for.
    pub lists: DeviceLists,
    /// Who watches.
    pub watcher: Arc<dyn Watcher>,
}

impl DriftChecker {
    /// Looks at one device, while nobody works on it.
    ///
    /// # Errors
    /// A state directory that can't be used.
    pub async fn examine(&self, device: &Address) -> Result<Vec<Finding>, DeliveryError> {
        let state_dir = self.records.state_dir();
        let devices = std::slice::from_ref(device);
        let lock = DeviceLock::acquire_telling(state_dir, devices, self.lock_wait, |holder| {
            self.watcher.see(device, Progress::Reserving(holder));
        });
        let lock = lock.await?;
        let log = self.log.run(&run_id(), true);
        let mut findings = Vec::new();
        let all = self.records.of_device(device)?.records;
        for mut record in all.clone() {
            let (begun, before) = (Instant::now(), record.spec.certificate.clone());
            let verdict = match &record.state {
                _ if record.is_pending() => Verdict::Pending,
                State::AwaitingCommit { .. } | State::AwaitingPush { .. } => {
                    self.ask_for_end(&mut record).await?
                }
                _ if record.is_unseen() => self.look_at_adopted(&mut record).await?,
                // It was a mistake, and never installed.
                _ if record.verified.is_none() => continue,
                _ => self.compare(&mut record).await?,
            };
            let verdict = match verdict {
                Verdict::Drift { what, .. } if self.lists.leave_out(&record.spec) => {
                    Verdict::LeftOut { what }
                }
                Verdict::Drift { .. } => overtaken(&record, &all).unwrap_or(verdict),
                _ => verdict,
            };
            if !matches!(verdict, Verdict::Drift { delivered: true, .. }) {
                // What nobody delivers is not what the record is about.
                record.spec.certificate = before;
            }
            match &verdict {
                Verdict::Drift { what, presents, delivered } => {
                    self.note(&mut record, (what, *presents), *delivered, &log).await?;
                }
                Verdict::Good | Verdict::Superseded { .. } | Verdict::LeftOut { .. } => {
                    self.forget_drift(&mut record).await?;
                }
                Verdict::Pending | Verdict::Unknown(_) => {}
            }
            findings.push(Finding { record, verdict, took: begun.elapsed() });
        }
        drop(lock);
        Ok(findings)
    }

    async fn note(
        &self,
        record: &mut Installation,
        (what, presents): (&str, Option<Presented>),
        delivered: bool,
        log: &RunLog,
    ) -> Result<(), DeliveryError> {
        let consequence = if delivered { "it is pending again" } else { "it is left as it is" };
        log.error(&format!("{}: {}: {what}; {consequence}", record.spec.device, record.common_name()));
        let now = self.records.now();
        // What is left to a person tells by its state what it waits for.
        let is_left = is_left(record);
        let before = record.drift.as_ref().filter(|known| known.what == what);
        let is_known = before.is_some_and(|known| known.presents == presents);
        let at = before.map_or(now, |known| known.at);
        if delivered {
            record.mark_pending(now);
        }
        if !is_left && !is_known {
            record.drift = Some(DriftFound { at, what: what.to_owned(), presents });
        }
        if delivered || !(is_left || is_known) {
            self.records.write_in_background(vec![record.clone()]).await?;
        }
        Ok(())
    }

    /// What was found before is so no more, or is nobody's business.
    async fn forget_drift(&self, record: &mut Installation) -> Result<(), DeliveryError> {
        if record.drift.take().is_some() {
            self.records.write_in_background(vec![record.clone()]).await?;
        }
        Ok(())
    }

    /// Whether somebody has committed or pushed by now what was left to a person.
    async fn ask_for_end(&self, record: &mut Installation) -> Result<Verdict, DeliveryError> {
        let (request, bundle) = match again(record, self.records.state_dir()) {
            Ok(Prepared { request, bundle: Ok(bundle), .. }) => (request, bundle),
            Ok(Prepared { bundle: Err(failure), .. }) => return Ok(Verdict::Unknown((&failure).into())),
            Err(problem) => return Ok(Verdict::Unknown(problem)),
        };
        let object = record.left_to_a_person().unwrap_or(&request.object).clone();
        match self.look(record, request, &bundle).await {
            Ok(Seen { lack: None, state, .. }) => {
                note_firewalls(record, state);
                let sequence = Queue::below(self.records.state_dir()).next_number()?;
                record.mark_verified(&object, sequence, self.records.now());
                self.records.write_in_background(vec![record.clone()]).await?;
                Ok(Verdict::Good)
            }
            Ok(Seen { lack: Some((lack, presents)), is_running, state }) => {
                let mut is_new = note_firewalls(record, state);
                let is_awaiting_commit = matches!(record.state, State::AwaitingCommit { .. });
                if is_running && is_awaiting_commit && record.spec.location.template_entry().is_some() {
                    // A person has committed it, and nobody has pushed it yet.
                    let (at, object) = (self.records.now(), Some(object));
                    record.state = State::AwaitingPush { at, object };
                    is_new = true;
                }
                if is_new {
                    self.records.write_in_background(vec![record.clone()]).await?;
                }
                let what = match record.state {
                    State::AwaitingPush { .. } => format!("is waiting for a manual push: {lack}"),
                    _ => format!("is waiting for a manual commit: {lack}"),
                };
                Ok(Verdict::Drift { what, presents, delivered: false })
            }
            Err(failure) => Ok(Verdict::Unknown((&failure).into())),
        }
    }

    /// The first look at what somebody else has installed: it is as it was adopted, or is brought there.
    async fn look_at_adopted(&self, record: &mut Installation) -> Result<Verdict, DeliveryError> {
        let verdict = self.compare(record).await?;
        if let Verdict::Good = verdict {
            let object = match again(record, self.records.state_dir()) {
                Ok(prepared) => adopted_object(record, prepared.request.object),
                Err(problem) => return Ok(Verdict::Unknown(problem)),
            };
            let sequence = Queue::below(self.records.state_dir()).next_number()?;
            record.mark_verified(&object, sequence, self.records.now());
            self.records.write_in_background(vec![record.clone()]).await?;
        }
        Ok(verdict)
    }

    async fn compare(&self, record: &mut Installation) -> Result<Verdict, DeliveryError> {
        let prepared = match again(record, self.records.state_dir()) {
            Ok(prepared) => prepared,
            Err(problem) => return Ok(Verdict::Unknown(problem)),
        };
        let bundle = match prepared.bundle {
            Ok(bundle) => bundle,
            Err(failure) => return Ok(Verdict::Unknown((&failure).into())),
        };
        let now = match CertificateFacts::of(&bundle).map_err(InstallError::from) {
            Ok(facts) => facts,
            Err(failure) => return Ok(Verdict::Unknown((&failure).into())),
        };
        // Records of 0.1.0 know less of the same certificate.
        if record.spec.certificate.as_ref().map(|known| known.fingerprint) != Some(now.fingerprint) {
            let what = renewed(&now);
            record.spec.certificate = Some(now);
            // That says nothing of the device, which was not looked at.
            return Ok(self.drifted(what, None));
        }
        let Seen { lack, state, .. } = match self.look(record, prepared.request, &bundle).await {
            Ok(seen) => seen,
            Err(failure) => return Ok(Verdict::Unknown((&failure).into())),
        };
        if note_firewalls(record, state) {
            self.records.write_in_background(vec![record.clone()]).await?;
        }
        Ok(lack.map_or(Verdict::Good, |(what, presents)| self.drifted(what, presents)))
    }

    fn drifted(&self, what: String, presents: Option<Presented>) -> Verdict {
        Verdict::Drift { what, presents, delivered: self.drift == Drift::Deliver }
    }

    /// What the device runs, and what its endpoints show, where that is something else.
    async fn look(
        &self,
        record: &Installation,
        mut request: InstallRequest,
        bundle: &Bundle,
    ) -> Result<Seen, InstallError> {
        let wanted = bundle.fingerprint();
        if let Some(left) = record.left_to_a_person() {
            // What was verified before is the certificate before.
            request.object = left.clone();
        } else if let (Some(verified), false) = (&record.verified, is_left(record)) {
            request.object = verified.object.clone();
        } else if record.is_unseen() {
            request.object = adopted_object(record, request.object);
        }
        let connection = reach(&request, &record.next_identities).await?;
        let place = place_of(&request, &connection.system);
        let goal = ExpectedState::Runs {
            request: Box::new(request.clone()),
            place: place.clone(),
            wanted,
            issuers: Vec::new(),
        };
        if let Some(lack) = goal.lack(&connection.session).await? {
            let until = presented_until(&connection.session, &place, &request, wanted).await?;
            // Its firewalls were not looked at.
            return Ok(Seen {
                lack: Some((lack, Some(Presented { until }))),
                is_running: false,
                state: None,
            });
        }
        let on = after_commit::examine(&connection, &request, wanted, record.push.as_ref()).await?;
        let OnFirewalls { lack, state } = on;
        // What firewalls present was not seen.
        let lack = lack.map(|lack| (lack, Some(Presented { until: None })));
        let seen = Seen { lack, is_running: true, state };
        if seen.lack.is_some() {
            return Ok(seen);
        }
        for endpoint in &request.served {
            if let Err(problem) = served(endpoint, &request.common_name, wanted, &[], TIMEOUT).await {
                return Ok(Seen { lack: Some((problem.to_string(), presented(&problem.seen))), ..seen });
            }
        }
        Ok(seen)
    }
}

/// What was seen of one installation.
struct Seen {
    /// What is missing of what was installed, in words, and what is presented instead, if anything else.
    lack: Option<(String, Option<Presented>)>,
    /// Whether the device itself runs it, whatever its firewalls and endpoints do.
    is_running: bool,
    /// How it stands with the firewalls, where they were asked.
    state: Option<PushState>,
}

/// What an endpoint presents instead. One that does not answer presents nothing: what the device runs was seen before.
fn presented(seen: &probe::Seen) -> Option<Presented> {
    let probe::Seen::Other(shown) = seen else { return None };
    let end = NaiveDateTime::parse_from_str(&shown.not_after, "%b %e %H:%M:%S %Y GMT");
    Some(Presented { until: end.ok().map(|end| end.and_utc()) })
}

/// Whether a person has yet to commit or push it.
fn is_left(record: &Installation) -> bool {
    matches!(record.state, State::AwaitingCommit { .. } | State::AwaitingPush { .. })
}

/// Keeps how it stands with each firewall; whether that is something new. `status` and the worker go by it.
fn note_firewalls(record: &mut Installation, state: Option<PushState>) -> bool {
    let is_new = state.is_some() && record.push != state;
    if is_new {
        record.push = state;
    }
    is_new
}

/// The scripts named an object after the year in which they installed it: that of the issue, not today's.
fn adopted_object(record: &Installation, today: ObjectName) -> ObjectName {
    let issued =
        record.spec.certificate.as_ref().and_then(|certificate| Some(certificate.not_before?.year()));
    let of_then = issued.filter(|_| record.spec.options.year);
    of_then.and_then(|year| record.spec.name.with_year(year).ok()).unwrap_or(today)
}

/// Delivering it would take the profile away from the other one, which would take it back, day after day.
fn overtaken(record: &Installation, all: &[Installation]) -> Option<Verdict> {
    let (other, profile) = conflicts::superseded_by(record, all)?;
    Some(Verdict::Superseded { profile: profile.to_string(), by: other.spec.name.to_string() })
}

fn renewed(now: &CertificateFacts) -> String {
    let until: DateTime<Utc> = now.not_after;
    format!(
        "the certificate file holds a different certificate, valid until {}, with no recorded installation",
        until.format("%Y-%m-%d")
    )
}
