//! An installation record, also one of version 0.1.0: read, written, read again; and a run with it at any time.
#![no_main]

use std::cell::OnceCell;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use fuzz::Place;
use libfuzzer_sys::fuzz_target;
use pancert::delivery::{HISTORY, Installation, InstallationStore};
use pancert::install::result::Outcome;

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

const DEVICE: &str = "fw1.example.com";
const FILE: &str = "installations/fw1.example.com/gp.json";

fuzz_target!(init: {
    // Of each record of version 0.1.0 the one that it becomes.
    if let Some(corpus) = std::env::var_os("FUZZ_SEEDS") {
        seeds(Path::new(&corpus));
    }
}, |data: &[u8]| PLACE.with(|place| {
    let place = place.get_or_init(Place::new);
    place.clear();
    let store = put(place, data);
    let found = store.of_device(&DEVICE.parse().expect("an address")).expect("the directory is read");
    assert_eq!(found.records.len() + found.errors.len(), 1, "it is a record or it is none");
    found.errors.iter().for_each(|error| drop(error.to_string()));
    let _ = store.highest_number();
    for record in found.records {
        again(&store, &record);
        let now: DateTime<Utc> = "2026-11-22T05:00:00Z".parse().expect("a time");
        let times = [Some(now), Some(record.spec.requested_at), record.started_at, record.pending_since, record.next_attempt];
        for now in times.into_iter().flatten() {
            lives(&store, record.clone(), now);
        }
    }
}));

fn put(place: &Place, data: &[u8]) -> InstallationStore {
    std::fs::create_dir_all(place.path().join("installations").join(DEVICE)).expect("a directory");
    place.put(FILE, data);
    InstallationStore::below(place.path())
}

/// What we write we read.
fn again(store: &InstallationStore, record: &Installation) {
    store.write(record).expect("it can be written");
    let read = store.read(&record.key()).expect("what was written is read");
    assert_eq!(read.as_ref(), Some(record));
}

/// A run begins and ends, and another request comes.
fn lives(store: &InstallationStore, mut record: Installation, now: DateTime<Utc>) {
    let problem = record.last_problem().cloned();
    let _ = (record.last_run(), record.is_due(now), record.is_pending());
    record.begin("abcdef", now);
    let profiles = record.profiles();
    for outcome in problem.map(Outcome::Failed).into_iter().chain([
        Outcome::Installed { object: record.spec.name.clone(), unchanged: false },
        Outcome::AwaitingCommit { object: None },
        Outcome::AwaitingPush { object: None },
    ]) {
        let mut over = record.clone();
        over.finish(&outcome, &profiles, &[("connect", 0.25)], 7, now);
        if let Some(next) = over.next_attempt {
            assert!(next >= now && next - now <= TimeDelta::hours(13), "{next} after {now}");
        }
        assert!(over.history.len() <= HISTORY);
        again(store, &over);
        over.mark_pending(now);
        again(store, &Installation::ingest(over.spec.clone(), Some(over), now));
    }
}

fn seeds(corpus: &Path) {
    let place = Place::new();
    for (name, old) in [
        ("owed", &include_bytes!("../corpus/records/owed")[..]),
        ("installed", &include_bytes!("../corpus/records/installed")[..]),
        ("left", &include_bytes!("../corpus/records/left")[..]),
        ("failed", &include_bytes!("../corpus/records/failed")[..]),
    ] {
        place.clear();
        let store = put(&place, old);
        let mut records = Vec::new();
        let unread = store.each(|record| records.push(record)).expect("the directory is read");
        let record = records.first().unwrap_or_else(|| panic!("{name}: {:?}", unread.errors));
        store.write(record).expect("it can be written");
        std::fs::copy(store.path(&record.key()), corpus.join(format!("seed-{name}"))).expect("a seed");
    }
}
