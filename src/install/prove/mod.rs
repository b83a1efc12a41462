//! `pan_certctl prove`: what a real device makes of our requests, tried on it and taken back within a minute.
//!
//! A throw-away certificate is uploaded in each form, an SSL/TLS service profile that nothing uses is bound to it, both
//! are read back, and the device is asked whether it would commit that. Nothing is committed. Meanwhile the
//! configuration and the commits are locked: without the commit lock somebody's full commit would publish what is being
//! tried. What is there is on the disk before it is on the device, so whoever comes after a process that died takes it
//! back.

mod before;
mod error;
mod leftover;
mod material;
pub mod redact;
mod report;
mod restore;
mod steps;

use std::cell::RefCell;
use std::path::Path;

use panos_xmlapi::{Location, LockKind, Session, Transcript};
use tokio::time::Instant;

pub use before::Readiness;
use before::{Places, readiness};
pub use error::ProveError;
pub use leftover::{Leftover, LeftoverFile};
pub use report::{FormReport, JournalEntry, Proof};
use restore::restore;
use steps::{Steps, TIME};

use super::accepted_forms::AcceptedForms;
use super::connect::connect_single;
use super::error::{Activity, InstallError};
use super::request::Target;
use super::retry::RetryPolicy;

/// What is wanted.
pub struct ProveInput<'a> {
    /// The device.
    pub target: &'a Target,
    /// The directory with what is remembered.
    pub state_dir: &'a Path,
    /// How long a device may be silent.
    pub retry_policy: &'a RetryPolicy,
    /// All that is asked and answered.
    pub transcript: &'a Transcript,
    /// Where progress is told.
    pub tell: &'a dyn Fn(&str),
    /// Whether somebody agrees to what is about to be done there.
    pub agreed: &'a dyn Fn(&Readiness) -> bool,
}

/// Proves, and takes all of it back, also where a step fails or a signal comes.
///
/// # Errors
/// A device that can't be reached, or on which this must not be done; what failed on the way, and what could not be
/// taken back.
pub async fn prove(input: &ProveInput<'_>) -> Result<Proof, ProveError> {
    let ProveInput { target, retry_policy, tell, .. } = input;
    let plain = connect_single(target, retry_policy, &[]).await?;
    let file = LeftoverFile::of(input.state_dir, &target.device);
    let read = file.read().map_err(|cause| ProveError::File { path: file.path().to_owned(), cause })?;
    let session = plain.session.noting(input.transcript);
    if let Some(left) = read {
        tell("an earlier proof did not come to its end: what it has left is taken back");
        take_back(&session, &left, input, &file, None).await?;
    }
    let ready = readiness(&session, &plain).await?;
    if !(input.agreed)(&ready) {
        return Err(ProveError::NotAgreed);
    }
    let mut left = Leftover::new(&ready.administrator).map_err(ProveError::Randomness)?;
    tell("making throw-away certificates");
    let pairs = material::make()?;
    for (form, pair) in &pairs {
        if let Ok(pair) = pair {
            left.will_hold(&ready.place, *form, pair.fingerprint).map_err(InstallError::from)?;
        }
    }
    left.will_bind(&ready.place).map_err(InstallError::from)?;
    file.write(&left).map_err(|cause| ProveError::File { path: file.path().to_owned(), cause })?;
    let begun = Instant::now();
    let before = RefCell::new(None);
    let (ready, left, tell) = (&ready, &left, *tell);
    let steps = Steps { session: &session, ready, left, tell, until: begun + TIME, before: &before };
    let worked = tokio::select! {
        worked = steps.work(pairs) => worked,
        () = ended() => Err(ProveError::Interrupted),
    };
    // Whatever came of it. Signals wait: a second one ends the process, and the next proof takes it back.
    let before = before.into_inner();
    let compared = before.as_ref().map(|places| (&ready.place, places));
    let back = take_back(&session, left, input, &file, compared).await;
    let (mut proof, reverted) = match (worked, back) {
        (Ok(proof), Ok(reverted)) => (proof, reverted),
        (Err(failure), Ok(_)) => return Err(failure),
        (Ok(_), Err(stuck)) => return Err(stuck),
        (Err(failure), Err(stuck)) => return Err(ProveError::Both(Box::new(failure), Box::new(stuck))),
    };
    proof.revert_took_certificates = reverted;
    proof.seconds = begun.elapsed().as_secs_f64();
    if let Some(form) = proof.forms.iter().find(|form| form.taken).map(|form| form.form) {
        let forms = AcceptedForms::below(input.state_dir);
        if let Err(error) = forms.remember(&target.device, form) {
            tell(&format!("WARNING: which form the device takes is not remembered: {error}"));
        }
    }
    Ok(proof)
}

/// Takes back what a proof has left, gives the locks back, and only then forgets it.
async fn take_back(
    session: &Session,
    left: &Leftover,
    input: &ProveInput<'_>,
    file: &LeftoverFile,
    before: Option<(&Location, &Places)>,
) -> Result<bool, ProveError> {
    (input.tell)("taking all of it back");
    // Nobody can work there before that is done, so it is worth some waiting.
    let attempt = async || {
        let reverted = restore(session, left).await?;
        match before {
            Some((place, before)) => Places::look(session, place).await?.compare(before).map(|()| reverted),
            None => Ok(reverted),
        }
    };
    let reverted: Result<bool, InstallError> = input.retry_policy.retry(attempt).await;
    let reverted = reverted.map_err(|failure| ProveError::NotRestored {
        failure,
        administrator: left.administrator.clone(),
        device: input.target.device.to_string(),
    })?;
    for kind in [LockKind::Config, LockKind::Commit] {
        let release = async || release(session, left, kind).await;
        input.retry_policy.retry(release).await.map_err(ProveError::StillLocked)?;
    }
    file.remove().map_err(|cause| ProveError::File { path: file.path().to_owned(), cause })?;
    Ok(reverted)
}

/// Gives back a lock that bears our comment. One that is not there, or is somebody else's, is left.
async fn release(session: &Session, left: &Leftover, kind: LockKind) -> Result<(), InstallError> {
    let looking = InstallError::during(Activity::Looking);
    let held = async || {
        let locks = match kind {
            LockKind::Config => session.config_locks().await,
            LockKind::Commit => session.commit_locks().await,
        };
        let is_ours = |lock: &panos_xmlapi::Lock| {
            lock.owner == left.administrator
                && lock.comment.as_deref().is_some_and(|comment| comment.contains(&left.comment()))
        };
        Ok::<bool, InstallError>(locks.map_err(looking)?.iter().any(is_ours))
    };
    if !held().await? {
        return Ok(());
    }
    let released = session.release_lock(kind).await.map_err(looking);
    if held().await? { released } else { Ok(()) }
}

/// SIGINT or SIGTERM. Where they can't be waited for they end the process, as ever.
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
