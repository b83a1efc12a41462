//! One wish, from looking to proof, with the record kept on the way.

use chrono::Utc;
use futures_util::future::join_all;

use super::apply::Application;
use super::connect::connect;
use super::failure::Failure;
use super::fate;
use super::known_devices::KnownDevices;
use super::names::ObjectName;
use super::observe::{self, Observed};
use super::plan::{self, Offer, Plan, Step};
use super::record::{CertificateFacts, Made, Record, Records, State, VERSION};
use super::request::{CommitScope, Pin, Upload, Wish};
use super::served::served;
use super::settle;
use super::stopwatch::{Phase, Stopwatch};
use super::undo::{self, Aftermath};
use super::verify;
use crate::certificate::Bundle;
use crate::fingerprint::Fingerprint;
use crate::host::log::RunLog;
use crate::panos::Trust;
use crate::panos::session::Session;
use crate::panos::system::SystemInfo;
use crate::panos::xpath::XPath;

/// How a run for one device ended.
#[derive(Debug)]
pub struct Outcome {
    /// Success, or why not.
    pub result: Result<Success, Failure>,
    /// Seconds of each phase.
    pub phases: Vec<(&'static str, f64)>,
}

/// A run that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Success {
    /// The device runs the certificate now.
    Installed(ObjectName),
    /// It did so before.
    AlreadyThere(ObjectName),
    /// Uploaded and bound; a person has to commit.
    LeftToCommit(ObjectName),
}

/// The record of a run that begins.
#[must_use]
pub fn begun(wish: &Wish, run: &str) -> Record {
    Record {
        version: VERSION,
        common_name: wish.common_name.clone(),
        name: wish.base_name.clone(),
        device: wish.device.to_string(),
        profiles: wish.profiles.clone(),
        certificate: None,
        run: run.to_owned(),
        begun: Utc::now(),
        job: None,
        made: Vec::new(),
        touches: Vec::new(),
        state: State::Owed,
    }
}

/// How the last run left the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// It came to its end.
    Settled,
    /// It did not: what it changed may be pending, and its commit running.
    InTheMiddle,
    /// With changes that a person is to commit.
    ForAPerson,
}

impl Left {
    fn by(record: Option<&Record>) -> Self {
        match record {
            // A run that has begun knows its certificate.
            Some(Record { state: State::Owed, certificate: Some(_), .. }) => Self::InTheMiddle,
            Some(Record { state: State::LeftToCommit { .. }, .. }) => Self::ForAPerson,
            _ => Self::Settled,
        }
    }
}

/// Delivers one certificate to one device and keeps the record true.
///
/// `bundle` is what became of reading the files: its failure is recorded like any other.
pub async fn deliver(
    wish: &Wish,
    bundle: Result<Bundle, Failure>,
    records: &Records,
    log: &RunLog,
) -> Outcome {
    let mut watch = Stopwatch::new();
    let mut record = begun(wish, log.id());
    let before = record_before(wish, records, log);
    let left = Left::by(before.as_ref());
    (record.made, record.touches) = before.map(|before| (before.made, before.touches)).unwrap_or_default();
    log.say("START of pan_instcert.");
    log.say(&format!("Certificate Common Name: {}", wish.common_name));
    let result = match bundle {
        Ok(bundle) => match facts(&bundle) {
            Ok(facts) => {
                record.certificate = Some(facts);
                transact(wish, &bundle, &mut record, left, records, log, &mut watch).await
            }
            Err(error) => Err(error),
        },
        Err(failure) => Err(failure),
    };
    watch.stop();
    if result.is_ok() {
        record.touches.clear();
    }
    record.state = state_after(&result);
    let result = match records.write_aside(&wish.device, &record).await {
        Ok(()) => result,
        Err(error) => result.and(Err(error.into())),
    };
    tell_end(wish, &result, log);
    let phases = watch.phases();
    let times: Vec<String> = phases.iter().map(|(name, seconds)| format!("{name} {seconds:.3} s")).collect();
    log.say(&format!("Phase times: {}", times.join(", ")));
    Outcome { result, phases }
}

/// The last record. One that can't be read is set aside, so that it is there to look at.
fn record_before(wish: &Wish, records: &Records, log: &RunLog) -> Option<Record> {
    match records.read(&wish.device, &wish.base_name) {
        Ok(before) => before,
        Err(error) => {
            log.error(&format!("{error}; it is set aside"));
            if let Err(error) = records.set_aside(&wish.device, &wish.base_name) {
                log.error(&error.to_string());
            }
            None
        }
    }
}

fn facts(bundle: &Bundle) -> Result<CertificateFacts, Failure> {
    Ok(CertificateFacts {
        fingerprint: bundle.fingerprint(),
        serial: bundle.serial_hex()?,
        not_after: bundle.not_after(),
    })
}

/// A device that was looked at, and what is to be done there.
pub struct Looked {
    /// The open session.
    pub session: Session,
    /// What was seen.
    pub observed: Observed,
    /// What was decided.
    pub plan: Plan,
}

/// Looks at the device and decides; changes nothing.
///
/// # Errors
/// No key, no device, no trust; a plan that can't be made.
pub async fn look(
    wish: &Wish,
    bundle: &Bundle,
    made: &[Made],
    watch: &mut Stopwatch,
) -> Result<Looked, Failure> {
    watch.begin(Phase::Connect);
    let (session, user) = connect(wish, bundle.fingerprint())?;
    let system = observe::greet(&session, wish).await?;
    watch.begin(Phase::Check);
    let offer = Offer { fingerprint: bundle.fingerprint(), algorithm: bundle.key_algorithm() };
    let observe = async |system: SystemInfo| {
        observe::observe(&session, wish, system, offer.fingerprint, user.as_deref(), made).await
    };
    let mut observed = observe(system).await?;
    if fate::await_own_commits(&session, wish, &observed).await? {
        observed = observe(observed.system).await?;
    }
    let plan = plan::plan(wish, offer, &observed, made)?;
    Ok(Looked { session, observed, plan })
}

async fn transact(
    wish: &Wish,
    bundle: &Bundle,
    record: &mut Record,
    left: Left,
    records: &Records,
    log: &RunLog,
    watch: &mut Stopwatch,
) -> Result<Success, Failure> {
    let wanted = bundle.fingerprint();
    if wish.trust == Trust::AnyCertificate {
        log.say("WARNING: the device's identity is NOT verified (--insecure): whoever answers gets the API key and the private key.");
    }
    // On the disk before anybody is talked to.
    records.write_aside(&wish.device, record).await?;
    let made = record.made.clone();
    if !record.touches.is_empty() {
        wish.patience.insist(async || settle::settle(wish, wanted, &record.touches, log).await).await?;
    }
    let Looked { session, mut observed, plan } = match left {
        // Its commit may be restarting the management port just now.
        Left::InTheMiddle => wish.patience.insist(async || look(wish, bundle, &made, watch).await).await?,
        Left::Settled | Left::ForAPerson => look(wish, bundle, &made, watch).await?,
    };
    for note in &plan.notes {
        log.say(note);
    }
    if plan.steps.is_empty() {
        log.say("The device runs this very certificate already, nothing to do.");
        return Ok(Success::AlreadyThere(wish.object.clone()));
    }
    // And before anything is changed: should this process die, the next one knows what may be left.
    record.touches.extend(plan.touches(&observed.place)?);
    record.touches.sort();
    record.touches.dedup();
    records.write_aside(&wish.device, record).await?;
    let mut application = Application {
        session: &session,
        wish,
        bundle,
        observed: &observed,
        log,
        undo: undo::inherited(wish, &observed).filter(|_| left != Left::ForAPerson).into_iter().collect(),
        deleted: Vec::new(),
        record,
        records,
        administrator: observed.administrator.clone(),
    };
    let walked = application.walk(&plan, watch).await;
    if let Err((failure, aftermath)) = walked {
        match aftermath {
            Aftermath::PutBack => {
                let (undo, administrator) = (application.undo, application.administrator);
                observed.administrator = administrator;
                if undo::put_back(&session, wish, &observed, &undo, log).await {
                    record.touches.clear();
                }
            }
            Aftermath::LeaveAlone => log.error(
                "the commit may still come to its end, so nothing was put back: see the device's task manager",
            ),
        }
        return Err(failure);
    }
    if !plan.steps.iter().any(|step| matches!(step, Step::Commit(_))) {
        debug_assert!(wish.commit == CommitScope::Nothing);
        log.say("Not committed (--commit none): a person has to commit on the device.");
        return Ok(Success::LeftToCommit(wish.object.clone()));
    }
    let deleted = std::mem::take(&mut application.deleted);
    watch.begin(Phase::Verify);
    verify::verify(&session, wish, &observed, wanted).await?;
    remember(wish, &session, wanted, records, log).await;
    prove_served(wish, bundle, log).await?;
    record.made.retain(|made| !deleted.contains(&made.object));
    record.note_made(Made { object: wish.object.clone(), fingerprint: wanted, at: Utc::now() });
    Ok(Success::Installed(wish.object.clone()))
}

/// Where the management interface is bound to one of our profiles, it shows the new certificate from now on:
/// once that was seen, the next run has to know.
async fn remember(wish: &Wish, session: &Session, wanted: Fingerprint, records: &Records, log: &RunLog) {
    if wish.pin != Pin::Remembered {
        return;
    }
    match session.show(&XPath::management_profile()).await {
        Ok(Some(result)) => {
            let name = result.text_of("ssl-tls-service-profile").unwrap_or_else(|| result.text());
            if wish.profiles.iter().all(|profile| profile.as_str() != name) {
                return;
            }
        }
        Ok(None) => return,
        Err(error) => {
            log.error(&format!("which profile the management interface uses can't be read: {error}"));
            return;
        }
    }
    let seen = served(&wish.device, &wish.common_name, wanted, &[], wish.patience.served).await;
    let remembered = match seen {
        Ok(()) => KnownDevices::load(records.state_dir())
            .and_then(|mut known| known.remember(&wish.device, wanted))
            .map_err(|error| error.to_string()),
        Err(problem) => Err(problem.to_string()),
    };
    match remembered {
        Ok(()) => log.say(&format!(
            "The management interface shows the new certificate; it is remembered as {wanted}."
        )),
        Err(problem) => {
            log.error(&format!("the device's new fingerprint {wanted} is not remembered: {problem}"))
        }
    }
}

/// Looks at every endpoint at once until each shows the certificate.
async fn prove_served(wish: &Wish, bundle: &Bundle, log: &RunLog) -> Result<(), Failure> {
    let chain: Vec<Fingerprint> = match wish.upload {
        Upload::Pem => bundle
            .chain()
            .iter()
            .map(|link| link.to_der().map(|der| Fingerprint::of_der(&der)))
            .collect::<Result<_, _>>()?,
        // PAN-OS may drop what a container holds besides the leaf.
        Upload::Pkcs12(_) => Vec::new(),
    };
    let wanted = bundle.fingerprint();
    let looks = wish
        .served
        .iter()
        .map(|endpoint| served(endpoint, &wish.common_name, wanted, &chain, wish.patience.served));
    for (endpoint, seen) in wish.served.iter().zip(join_all(looks).await) {
        seen.map_err(|problem| Failure::NotServed(Box::new(problem)))?;
        log.say(&format!("Served: {endpoint} shows the new certificate."));
    }
    Ok(())
}

fn state_after(result: &Result<Success, Failure>) -> State {
    let at = Utc::now();
    match result {
        Ok(Success::Installed(object)) => State::Installed { at, object: object.clone(), unchanged: false },
        Ok(Success::AlreadyThere(object)) => State::Installed { at, object: object.clone(), unchanged: true },
        Ok(Success::LeftToCommit(_)) => State::LeftToCommit { at },
        Err(failure) => {
            State::Failed { at, exit: failure.exit(), what: failure.to_string(), advice: failure.advice() }
        }
    }
}

fn tell_end(wish: &Wish, result: &Result<Success, Failure>, log: &RunLog) {
    match result {
        Ok(_) => log.say(&format!("END - Finished certificate installation to: {}", wish.device)),
        Err(failure) => {
            log.error(&format!("{}: {failure}", wish.device));
            if let Some(advice) = failure.advice() {
                log.error(&format!("{}: {advice}", wish.device));
            }
        }
    }
}
