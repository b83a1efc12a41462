//! A device that is locked or busy: waited for, and told why.

use std::time::Duration;

use panos_xmlapi::{Error, Job, JobState, Lock, Reason, Session};
use tokio::time::Instant;

use super::events::{Event, Events, Wait};

/// The first pause between two attempts, and the longest one.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(10);
/// How long it may take to learn what is in the way; without that it is waited all the same.
const ASKING: Duration = Duration::from_secs(10);

/// Repeats a request for as long as the device refuses it because it is locked or busy.
///
/// Such a refusal means that nothing was done, so repeating is safe. Who or what is in the way is told once
/// for each change.
///
/// # Errors
/// Any other error at once; the last refusal when the time is over.
pub async fn retry_while_locked<T>(
    session: &Session,
    events: &Events,
    deadline: Instant,
    mut request: impl AsyncFnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let (mut pause, mut told) = (FIRST, None);
    loop {
        let error = match request().await {
            Err(error) if is_blocked(&error) => error,
            outcome => {
                if told.is_some() {
                    events.tell(Event::WaitOver);
                }
                return outcome;
            }
        };
        let by = tokio::time::timeout(ASKING, who(session)).await.ok().flatten();
        if Instant::now() >= deadline {
            return Err(named(error, by));
        }
        if told.as_ref() != Some(&by) {
            events.tell(Event::Waiting(Wait::Device { refusal: error.to_string(), by: by.clone() }));
            told = Some(by);
        }
        tokio::time::sleep_until((Instant::now() + pause).min(deadline)).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Whether a device only has no time now, or is locked: nothing was done.
pub(super) fn is_blocked(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => matches!(refusal.reason, Reason::Busy | Reason::Locked(_)),
        // Too many requests: this one was not looked at.
        Error::Status { status, .. } => *status == 429,
        _ => false,
    }
}

/// The refusal with the holder's name in it, where the device told it only when asked.
fn named(error: Error, by: Option<String>) -> Error {
    match error {
        Error::Refused(mut refusal) => {
            refusal.lines.extend(by);
            Error::Refused(refusal)
        }
        other => other,
    }
}

/// Who holds a lock, or which job runs; nothing where the device does not tell.
async fn who(session: &Session) -> Option<String> {
    let locks =
        [("configuration lock", session.config_locks().await), ("commit lock", session.commit_locks().await)];
    let held = locks.into_iter().flat_map(|(kind, locks)| {
        locks.unwrap_or_default().into_iter().map(move |lock| lock_in_words(kind, &lock))
    });
    let jobs = session.jobs().await.unwrap_or_default();
    let running = jobs.iter().filter(|job| job.status.is_some() && job.state() == JobState::Running);
    let all: Vec<String> = held.chain(running.map(job_in_words)).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn lock_in_words(kind: &str, lock: &Lock) -> String {
    let since = lock.created.as_ref().map(|created| format!(" since {created}")).unwrap_or_default();
    let comment = lock.comment.as_ref().map(|comment| format!(", '{comment}'")).unwrap_or_default();
    let scope = lock.name.as_deref().filter(|scope| *scope != "shared");
    let scope = scope.map(|scope| format!(" on {scope}")).unwrap_or_default();
    format!("{} holds a {kind}{scope}{since}{comment}", lock.owner)
}

fn job_in_words(job: &Job) -> String {
    let id = job.id.as_deref().unwrap_or("?");
    match job.kind.as_deref() {
        Some("AutoCom") => format!("the auto-commit after boot (job {id}) is still running"),
        kind => {
            let user = job.user.as_ref().map(|user| format!(" of {user}")).unwrap_or_default();
            format!("job {id} ({}{user}) is still running", kind.unwrap_or("unknown"))
        }
    }
}
