//! The rules that are checked, each the product's own; and four bugs that it had, to be put back in their place.

use chrono::{DateTime, Utc};
use pancert::delivery::engine::Selection;
use pancert::delivery::ingest::{Effect, Known, ingest};
use pancert::delivery::{InstallSpec, Installation, InstallationKey, State, not_over};
use pancert::install::names::ProfileName;
use pancert::install::problem::RetryClass;
use pancert::install::result::Outcome;

/// Finds a record by its key's text.
pub type Find<'a> = &'a dyn Fn(&str) -> Option<Installation>;

/// What decides.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Under which key the record of a request is kept.
    pub key: fn(&InstallSpec) -> String,
    /// How requests become records.
    pub ingest: fn(&[InstallSpec], Find<'_>, DateTime<Utc>) -> Vec<Effect>,
    /// How a run ends for a record.
    pub finish: fn(&mut Installation, &Outcome, &[ProfileName], u64, DateTime<Utc>),
    /// What is told to whoever has given a request, by the record.
    pub answer: fn(&Installation, &str) -> Option<Outcome>,
    /// Whether a record is delivered now.
    pub is_chosen: fn(Selection, &Installation, DateTime<Utc>) -> bool,
    /// Whether it is looked up what became of a commit before it is asked for again.
    pub looks_up: bool,
}

/// The product's rules.
pub const RULES: Rules = Rules {
    key: |spec| of_key(&spec.key()),
    ingest: |queued, find, now| ingest(queued, |key| known(find(&of_key(key))), now),
    finish: |record, outcome, profiles, sequence, now| record.finish(outcome, profiles, &[], sequence, now),
    answer: |record, id| record.request(id).map(|request| request.outcome()),
    is_chosen: |which, record, now| which.includes(record, now),
    looks_up: true,
};

fn of_key(key: &InstallationKey) -> String {
    key.path().display().to_string()
}

fn known(record: Option<Installation>) -> Known {
    record.map_or(Known::Nothing, |record| Known::Record(Box::new(record)))
}

/// The bug: a request that seems to be older than what is known, by the clock, is taken as out of date.
pub const COMPARE_BY_TIME: Rules = Rules {
    ingest: |queued, find, now| {
        let mut effects = Vec::new();
        for spec in queued {
            match find(&of_key(&spec.key())) {
                Some(record) if spec.requested_at < record.spec.requested_at => {
                    effects.push(Effect::Remove(spec.id.clone()));
                }
                _ => {
                    effects.extend((RULES.ingest)(std::slice::from_ref(spec), find, now));
                    return effects;
                }
            }
        }
        effects
    },
    ..RULES
};

/// The bug: whoever waits is told how the object of that name stands.
pub const ANSWER_BY_NAME: Rules = Rules {
    answer: |record, _| {
        Some(match &record.state {
            State::Installed { object, unchanged, .. } => {
                Outcome::Installed { object: object.clone(), unchanged: *unchanged }
            }
            State::Failed { problem, .. } => Outcome::Failed(problem.clone()),
            _ => Outcome::Failed(not_over()),
        })
    },
    ..RULES
};

/// The bug: a record is known by its device and the object's name.
pub const KEY_WITHOUT_PLACE: Rules = Rules {
    key: device_and_name,
    ingest: |queued, find, now| {
        let mut changed: Option<Installation> = None;
        let mut effects = Vec::new();
        for spec in queued {
            let is_that = |record: &Installation| device_and_name(&record.spec) == device_and_name(spec);
            let before = changed.filter(is_that).or_else(|| find(&device_and_name(spec)));
            let record = Installation::ingest(spec.clone(), before, now);
            effects.extend([Effect::Save(Box::new(record.clone())), Effect::Remove(spec.id.clone())]);
            changed = Some(record);
        }
        effects
    },
    ..RULES
};

fn device_and_name(spec: &InstallSpec) -> String {
    format!("{}/{}", spec.device, spec.name)
}

/// The bug: what fails before the certificate was ever read is given up.
pub const DROP_UNREAD: Rules = Rules {
    finish: |record, outcome, profiles, sequence, now| {
        let outcome = match outcome {
            Outcome::Failed(problem) if record.spec.certificate.is_none() => {
                let mut problem = problem.clone();
                problem.retry_class = RetryClass::Permanent;
                Outcome::Failed(problem)
            }
            other => other.clone(),
        };
        record.finish(&outcome, profiles, &[], sequence, now);
    },
    ..RULES
};

/// The bug: the time of the next attempt is believed, whichever clock it comes from.
pub const BELIEVE_THE_SCHEDULE: Rules = Rules {
    is_chosen: |_, record, now| record.is_pending() && record.next_attempt.is_none_or(|at| at <= now),
    ..RULES
};

/// The bug: a commit without an answer is asked for again.
pub const COMMIT_AGAIN: Rules = Rules { looks_up: false, ..RULES };
