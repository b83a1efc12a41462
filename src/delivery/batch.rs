//! Delivering: all certificates that are pending for one device, in one plan and one commit, from looking to proof,
//! with the records kept on the way.

use std::collections::{BTreeMap, VecDeque};

use chrono::Local;

use super::estimate::{usual_commit, usual_push};
use super::failure::DeliveryError;
use super::installation::Installation;
use super::journal::RecordJournal;
use super::leaving::{Leaving, write_and_release};
use super::run::Run;
use super::store::InstallationStore;
use crate::certificate::Bundle;
use crate::host::log::RunLog;
use crate::install::assess::Item;
use crate::install::change::Change;
use crate::install::error::{BatchError, InstallError};
use crate::install::names::ProfileName;
use crate::install::problem::Problem;
use crate::install::prove::{Leftover, LeftoverFile};
use crate::install::push::LeftToPush;
use crate::install::recover::InterruptedRun;
use crate::install::request::InstallRequest;
use crate::install::result::{Outcome, RunResult};
use crate::install::transact::transact;
use crate::install::transaction::TransactionInput;

/// After so many failures in a row only what is new is told.
const REPEATED: u32 = 3;

/// One certificate that is to be delivered.
pub(super) struct BatchItem {
    /// What is wanted.
    pub(super) request: InstallRequest,
    /// The certificate, or why it can't be used: that is recorded like any other failure.
    pub(super) bundle: Result<Bundle, InstallError>,
    /// Its record.
    pub(super) record: Installation,
    /// The requests that are in the record, and leave the queue when it is on the disk.
    pub(super) leaving: Leaving,
}

/// Delivers to one device, and keeps the records true. All install requests go with each other, see [`InstallRequest::can_share_commit`]. One
/// bad certificate among them fails alone.
///
/// Returns how each ended, in the same order.
/// `sequence` is the number of the run.
pub(super) async fn deliver(
    deliveries: &mut [BatchItem],
    records: &InstallationStore,
    sequence: u64,
    current: &Run,
) -> Vec<RunResult> {
    let log = &current.log;
    let before: Vec<Installation> = deliveries.iter().map(|delivery| delivery.record.clone()).collect();
    if deliveries.iter().all(|delivery| delivery.record.failures >= REPEATED) {
        log.hold();
    }
    log.say("START of pan_instcert.");
    for delivery in deliveries.iter_mut() {
        log.say(&format!("Certificate Common Name: {}", delivery.request.common_name));
        if let Some(target) = &delivery.record.spec.options.target {
            log.say(&format!("Target: {target}"));
        }
        delivery.record.begin(log.id(), records.now());
    }
    // Told at its beginning, it is known also of a run that is killed.
    if let Some(first) = deliveries.first() {
        log.say(&format!("PAN_FQDN: {}", first.request.target.device));
    }
    let mut ends: Vec<Option<Outcome>> = deliveries.iter().map(without_a_bundle).collect();
    let usable = (0..deliveries.len()).filter(|at| ends[*at].is_none()).collect();
    let mut missing: Vec<Vec<ProfileName>> = vec![Vec::new(); deliveries.len()];
    let mut groups: VecDeque<Vec<usize>> = VecDeque::from([usable]);
    while let Some(mut group) = groups.pop_front() {
        if group.is_empty() {
            continue;
        }
        let before: Vec<&Installation> = group.iter().map(|at| &before[*at]).collect();
        let chosen = deliveries.iter_mut().enumerate().filter(|(at, _)| group.contains(at));
        let members = chosen.map(|(_, delivery)| delivery).collect();
        match run(members, &before, records, current).await {
            Ok(each) => {
                for (at, end) in group.into_iter().zip(each) {
                    ends[at] = Some(end.unwrap_or_else(|failure| Outcome::Failed((&failure).into())));
                }
            }
            Err(BatchError { failure, at: Some(bad) }) if group.len() > 1 => {
                let at = group.remove(bad);
                log_left_out(&deliveries[at].request, &failure, log);
                missing[at] = missing_profiles(&failure);
                ends[at] = Some(Outcome::Failed((&failure).into()));
                groups.push_front(group);
            }
            Err(BatchError { failure, .. }) => match part(&group, deliveries, &failure) {
                Some(parts) => {
                    log.say("The commit failed for the whole batch; retrying in smaller batches.");
                    parts.into_iter().rev().for_each(|part| groups.push_front(part));
                }
                None => {
                    let problem = Problem::from(&failure);
                    if let [only] = group.as_slice() {
                        missing[*only] = missing_profiles(&failure);
                    }
                    group.into_iter().for_each(|at| ends[at] = Some(Outcome::Failed(problem.clone())));
                }
            },
        }
    }
    let ends = ends
        .into_iter()
        .map(|end| end.unwrap_or_else(|| Outcome::Failed((&InstallError::OutcomeUnknown).into())));
    let ends = ends.collect();
    let mut results = conclude(deliveries, ends, (records, sequence), current).await;
    for (result, missing) in results.iter_mut().zip(missing) {
        result.missing_profiles = missing;
    }
    results
}

/// One transaction for these, with their records as its journal.
async fn run(
    members: Vec<&mut BatchItem>,
    before: &[&Installation],
    records: &InstallationStore,
    current: &Run,
) -> Result<Vec<Result<Outcome, InstallError>>, BatchError> {
    let (mut items, mut entries, mut leaving) = (Vec::new(), Vec::new(), Leaving::new());
    for BatchItem { request, bundle, record, leaving: its } in members {
        // What has no certificate has failed before.
        if let Ok(bundle) = bundle {
            let (made, issuers) = (record.created_objects.clone(), record.created_issuers.clone());
            let (push, back) = (record.push.clone(), record.way_back.clone());
            items.push(Item { request, bundle, made, issuers, push, back });
            entries.push(record);
            leaving.append(its);
        }
    }
    let device = items.first().map(|item| &item.request.target.device);
    let known = device.and_then(|device| records.of_device(device).ok());
    let others = known.iter().flat_map(|known| &known.records);
    let others = others.filter(|other| !before.iter().any(|own| own.key() == other.key()));
    let left: Vec<LeftToPush> = others.filter_map(Installation::left_to_push).collect();
    let usual_push = known.as_ref().and_then(|known| usual_push(&known.records));
    let usual_commit = known.and_then(|known| usual_commit(&known.records));
    let proof = device.map(|device| LeftoverFile::of(records.state_dir(), device).read()).transpose();
    let proof = proof.unwrap_or_else(|error| {
        current.log.error(&format!("what a proof has left on the device can't be read: {error}"));
        None
    });
    let interrupted = with_proof(interrupted(before), proof.flatten());
    let input = TransactionInput {
        items,
        last_runs: before.iter().map(|record| record.last_run()).collect(),
        interrupted,
        usual_commit,
        usual_push,
        left: &left,
        state_dir: records.state_dir(),
        run: current.log.id(),
        asked_by: before.first().map(|record| record.spec.requested_by.to_string()).unwrap_or_default(),
    };
    let journal = RecordJournal::new(records, entries, current.turn());
    let mut journal = journal.releasing(leaving).within(current.slots.clone());
    transact(input, &mut journal, &current.events).await
}

/// What runs that did not come to their end may have left on the device.
fn interrupted(before: &[&Installation]) -> Option<InterruptedRun> {
    let mut left = before.iter().filter(|record| !record.uncommitted_paths.is_empty()).peekable();
    let first = left.peek()?;
    let (job, run, begun) = (first.job.clone(), first.run_id.clone(), first.started_at);
    let (mut touches, mut changes) = (Vec::new(), BTreeMap::new());
    for record in left {
        touches.extend(record.uncommitted_paths.clone());
        changes.extend(record.uncommitted_changes.clone());
    }
    Some(InterruptedRun { touches, changes, job, run, begun })
}

/// A proof that died has left something pending too, which must not be committed.
fn with_proof(interrupted: Option<InterruptedRun>, proof: Option<Leftover>) -> Option<InterruptedRun> {
    let Some(proof) = proof else { return interrupted };
    let (touches, changes) = (Vec::new(), BTreeMap::new());
    let nothing = InterruptedRun { touches, changes, job: None, run: String::new(), begun: None };
    let mut whole = interrupted.unwrap_or(nothing);
    whole.touches.extend(proof.changes.keys().cloned());
    // Which object its profile names was open when the note was made.
    whole.changes.extend(proof.changes.into_iter().filter(|(_, change)| matches!(change, Change::Holds(_))));
    Some(whole)
}

fn missing_profiles(failure: &InstallError) -> Vec<ProfileName> {
    match failure {
        InstallError::ProfilesMissing { missing, .. } => missing.clone(),
        _ => Vec::new(),
    }
}

fn without_a_bundle(delivery: &BatchItem) -> Option<Outcome> {
    delivery.bundle.as_ref().err().map(|failure| Outcome::Failed(failure.into()))
}

/// A commit that fails for several certificates is tried for fewer: those that the device names for themselves,
/// and otherwise one half after the other.
fn part(group: &[usize], deliveries: &[BatchItem], failure: &InstallError) -> Option<Vec<Vec<usize>>> {
    let InstallError::CommitFailed { lines, .. } = failure else { return None };
    if group.len() < 2 {
        return None;
    }
    let is_named = |at: &&usize| {
        let request = &deliveries[**at].request;
        let profiles = request.profiles.iter().map(|profile| profile.as_str());
        let mut names = std::iter::once(request.object.as_str()).chain(profiles);
        names.any(|name| lines.iter().any(|line| line.contains(name)))
    };
    let (named, others): (Vec<usize>, Vec<usize>) = group.iter().partition(is_named);
    Some(match (named.is_empty(), others.is_empty()) {
        (false, false) => vec![others, named],
        _ => group.chunks(group.len().div_ceil(2)).map(<[usize]>::to_vec).collect(),
    })
}

fn log_left_out(request: &InstallRequest, failure: &InstallError, log: &RunLog) {
    log.error(&format!("{}: {failure}; continuing with the others.", request.common_name));
}

/// Writes the records, and tells the end.
async fn conclude(
    deliveries: &mut [BatchItem],
    ends: Vec<Outcome>,
    (records, sequence): (&InstallationStore, u64),
    current: &Run,
) -> Vec<RunResult> {
    let (log, phases) = (&current.log, current.phases());
    let nothing_new = is_repeat(deliveries, &ends);
    let unfinished: Vec<Installation> = deliveries.iter().map(|delivery| delivery.record.clone()).collect();
    for (delivery, end) in deliveries.iter_mut().zip(&ends) {
        delivery.record.finish(end, &delivery.request.profiles, &phases, sequence, records.now());
        current.commit_time().into_iter().for_each(|took| delivery.record.note_commit_time(took));
        current.push_time().into_iter().for_each(|took| delivery.record.note_push_time(took));
    }
    let texts = deliveries.iter().map(|delivery| delivery.record.clone()).collect();
    let leaving = deliveries.iter_mut().flat_map(|delivery| std::mem::take(&mut delivery.leaving)).collect();
    let written = write_and_release(records, texts, leaving).await.map_err(DeliveryError::from);
    let mut ends = ends;
    if let Err(failure) = &written {
        // Nobody could find out later that it is done: it is not, for whoever asked.
        for ((delivery, before), end) in deliveries.iter_mut().zip(unfinished).zip(&mut ends) {
            if !matches!(end, Outcome::Failed(_)) {
                *end = Outcome::Failed(failure.into());
                delivery.record = before;
                delivery.record.finish(end, &delivery.request.profiles, &phases, sequence, records.now());
            }
        }
    }
    let outcomes: Vec<RunResult> = ends
        .into_iter()
        .map(|outcome| RunResult { outcome, phases: phases.clone(), missing_profiles: Vec::new() })
        .collect();
    if nothing_new && written.is_ok() && log.discard() {
        deliveries.iter().for_each(|delivery| log_repeat(&delivery.record, log));
        return outcomes;
    }
    log.release();
    tell_end(deliveries, &outcomes, log);
    let times: Vec<String> = phases.iter().map(|(name, seconds)| format!("{name} {seconds:.3} s")).collect();
    log.say(&format!("Phase times: {}", times.join(", ")));
    outcomes
}

/// Whether all has failed, and for the very reasons of the last time.
fn is_repeat(deliveries: &[BatchItem], ends: &[Outcome]) -> bool {
    deliveries.iter().zip(ends).all(|(delivery, end)| match end {
        Outcome::Failed(problem) => {
            let before = delivery.record.last_problem();
            before.is_some_and(|before| {
                before.exit == problem.exit && same_except_numbers(&before.what, &problem.what)
            })
        }
        Outcome::Installed { .. } | Outcome::AwaitingCommit { .. } | Outcome::AwaitingPush { .. } => false,
    })
}

/// Whether two texts differ in numbers only, such as those of jobs.
fn same_except_numbers(one: &str, other: &str) -> bool {
    let words = |text: &str| text.chars().filter(|character| !character.is_ascii_digit()).collect::<String>();
    words(one) == words(other)
}

/// One line instead of many; and fewer and fewer of them, so that the log can't fill a disk.
fn log_repeat(record: &Installation, log: &RunLog) {
    if let (true, Some(problem)) = (record.failures.is_power_of_two(), record.last_problem()) {
        let since = record.pending_since.unwrap_or_default().with_timezone(&Local);
        let (device, times) = (&record.spec.device, record.failures);
        log.error(&format!(
            "{device}: the same failure for the {times}th time since {}: {problem}",
            since.format("%Y-%m-%d %H:%M:%S%:z")
        ));
    }
}

fn tell_end(deliveries: &[BatchItem], outcomes: &[RunResult], log: &RunLog) {
    let Some(first) = deliveries.first() else { return };
    let device = &first.request.target.device;
    let several = deliveries.len() > 1;
    for (delivery, outcome) in deliveries.iter().zip(outcomes) {
        let which = if several { format!("{}: ", delivery.request.common_name) } else { String::new() };
        if let Outcome::Failed(problem) = &outcome.outcome {
            log.error(&format!("{device}: {which}{problem}"));
            if let Some(advice) = &problem.advice {
                log.error(&format!("{device}: {which}{advice}"));
            }
        }
    }
    if outcomes.iter().all(|outcome| !matches!(outcome.outcome, Outcome::Failed(_))) {
        log.say(&format!("END - Finished certificate installation to: {device}"));
    }
}
