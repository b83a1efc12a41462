//! The lines of the log that stand for the events of a transaction. Whoever greps for them relies on each word.

use chrono::Local;

use crate::install::events::{EarlierRun, Event, Wait};

/// The lines of an event, in their order; none for what only a person who watches wants to know.
pub(super) fn lines(event: &Event) -> Vec<String> {
    let line = match event {
        Event::PhaseBegun(_) | Event::PhaseEnded { .. } | Event::WaitOver => return Vec::new(),
        Event::PuttingBack => return Vec::new(),
        Event::CommitJob(_) | Event::CommitUsual(_) | Event::CommitProgress { .. } => return Vec::new(),
        Event::Verified { .. } => return Vec::new(),
        Event::Waiting(wait) => return waiting(wait).into_iter().collect(),
        Event::AlreadyInstalled => "This certificate is already installed; nothing to do.".to_owned(),
        Event::AlreadyCommitted => {
            "This certificate is already committed on Panorama; looking at its firewalls.".to_owned()
        }
        Event::FipsMode => {
            "This machine is in FIPS mode, in which no PKCS#12 is made: the upload is PEM.".to_owned()
        }
        Event::FormNotMade { why, next } => format!("{why}, as on machines in FIPS mode; trying {next}."),
        Event::FormRefused { why, next } => format!("{why}; trying once more {next}."),
        Event::Uploaded(reply) => format!("XML API output for keypair: {reply}"),
        Event::Imported(object) => format!("Finished uploading certificate: {object}"),
        Event::IssuerImported { object, subject } => {
            format!("Finished uploading intermediate certificate: {object} ({subject})")
        }
        Event::IssuerDeleted(object) => format!("Deleted the intermediate certificate: {object}"),
        Event::IssuerKept { object, by } => {
            format!("Kept the intermediate certificate {object}: still referenced by {by}")
        }
        Event::ProfileUpdated(profile) => format!("Successfully updated SSL/TLS Profile {profile}"),
        Event::PlaceUpdated(place) => format!("Successfully updated {place}"),
        Event::OlderDeleted(object) => format!("Deleted the older certificate: {object}"),
        Event::OlderKept { object, by } => {
            format!("Kept the older certificate {object}: still referenced by {by}")
        }
        Event::CommitBegun => "Starting commit, please be patient.".to_owned(),
        Event::NothingToCommit(words) => format!("commit: nothing to commit: \"{words}\""),
        Event::CommitAnswerLost(error) => format!("{error}; checking whether the commit started."),
        Event::DescriptionRefused(error) => format!("{error}; committing without a description."),
        Event::CommitJobGone(job) => {
            format!("Job {job} is no longer known to the device; checking the running configuration.")
        }
        Event::CommitSucceeded { words, warnings } => {
            let warnings = warnings.iter().map(|warning| format!("commit: warning: \"{warning}\""));
            return std::iter::once(format!("commit: success: \"{words}\"")).chain(warnings).collect();
        }
        Event::CommitFailed(words) => format!("commit: failure: \"{}\"", words.join("; ")),
        Event::Committed { took } => format!("The commit took {} seconds to complete.", took.as_secs()),
        Event::LeftToCommit => {
            "Not committed (--commit none): a person has to commit on the device.".to_owned()
        }
        Event::LeftToPush { by, firewalls } => format!(
            "Not pushed ({}): a person has to push to {firewalls} firewall{} in Panorama.",
            by,
            if *firewalls == 1 { "" } else { "s" }
        ),
        Event::PushBegun { stack, firewalls, everybody } => {
            let whose = if *everybody { "everybody's changes" } else { "only our own changes" };
            let plural = if *firewalls == 1 { "" } else { "s" };
            format!("Starting push of the template stack {stack} to {firewalls} firewall{plural} ({whose}).")
        }
        Event::PushJob { stack, job } => format!("push: job {job} for the template stack {stack}"),
        Event::PushProgress { .. } | Event::PushLooked { .. } => return Vec::new(),
        Event::PushEnded { job, took } => format!("push: job {job} took {} seconds.", took.as_secs()),
        Event::PushStands { summary, open } => return push_stands(summary, open),
        Event::CommitMayFinish => {
            error("the commit may still finish, so nothing was rolled back; see Tasks on the device")
        }
        Event::PutBack { left } => {
            let left = left.iter().map(|at| format!("Left as it is: what was changed meanwhile at {at}."));
            let restored = "The candidate configuration was restored.".to_owned();
            return std::iter::once(restored).chain(left).collect();
        }
        Event::NotPutBack { why, left, administrator } => {
            return not_put_back(why, left, administrator.as_deref());
        }
        Event::LeftoverTakenBack { count, one_by_one, run } => {
            let taken = match one_by_one {
                true => "taken back one by one, because a revert would take other changes as well",
                false => "taken back",
            };
            let run = earlier(run);
            format!(
                "An earlier run{run} did not come to its end: its {count} uncommitted changes were {taken}."
            )
        }
        Event::EarlierCommit { job, run, ended } => {
            format!("Commit job {job} of an interrupted run{} {ended}.", earlier(run))
        }
        Event::PeerSync(ended) => format!("HA: {ended}."),
        Event::PeerBegun(peer) => {
            format!("The management interface uses this certificate; also checking the HA peer {peer}.")
        }
        Event::Served(endpoint) => format!("Served: {endpoint} shows the new certificate."),
        Event::GivingBack => "The new certificate is not presented; restoring the previous one.".to_owned(),
        Event::GivenBack => {
            "The profiles were restored to the previous certificate and committed.".to_owned()
        }
        Event::Note(text) => text.clone(),
        Event::Warning(text) => format!("WARNING: {text}"),
        Event::Trouble(text) => error(text),
    };
    vec![line]
}

/// How an earlier run is found in the log.
fn earlier(run: &EarlierRun) -> String {
    let begun =
        run.begun.map(|begun| begun.with_timezone(&Local).format("begun %Y-%m-%d %H:%M:%S%:z").to_string());
    let known: Vec<String> =
        Some(run.id.clone()).filter(|id| !id.is_empty()).into_iter().chain(begun).collect();
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
}

/// Of how many firewalls each one has a line: the record has all.
const FIREWALLS: usize = 100;

fn push_stands(summary: &str, open: &[String]) -> Vec<String> {
    let each = open.iter().take(FIREWALLS).map(|firewall| error(&format!("push: {firewall}")));
    let more = open.len().saturating_sub(FIREWALLS);
    let more =
        (more > 0).then(|| error(&format!("push: and {more} more firewalls; see pan_certctl status --json")));
    std::iter::once(format!("push: {summary}")).chain(each).chain(more).collect()
}

/// A line that begins with `ERROR: `.
pub(super) fn error(text: &str) -> String {
    format!("ERROR: {text}")
}

fn waiting(wait: &Wait) -> Option<String> {
    match wait {
        Wait::Device { refusal, by } => {
            let by = by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
            Some(format!("Waiting: {refusal}{by}"))
        }
        Wait::PendingChange(found) => {
            Some(format!("Waiting: {found}; nothing is begun before it is committed or reverted."))
        }
        Wait::EarlierJob(_)
        | Wait::EarlierPush(_)
        | Wait::PeerSync
        | Wait::Endpoints(_)
        | Wait::OtherDevices => None,
    }
}

fn not_put_back(why: &str, left: &[String], administrator: Option<&str>) -> Vec<String> {
    let who = administrator.unwrap_or("the API administrator");
    let first = format!("the candidate configuration could not be restored: {why}");
    let left = left.iter().map(|left| format!("may remain uncommitted on the device: {left}"));
    let way = format!(
        "to clean up: in the device's web interface choose Config > Revert Changes, for the changes of '{who}'"
    );
    std::iter::once(first).chain(left).chain([way]).map(|text| error(&text)).collect()
}
