//! A request in the queue, also an order of version 0.1.0: read, written, read again, taken into a record.
#![no_main]

use std::cell::OnceCell;

use chrono::{DateTime, Utc};
use fuzz::Place;
use libfuzzer_sys::fuzz_target;
use pancert::delivery::{Installation, InstallationStore, Queue};

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

fuzz_target!(|data: &[u8]| PLACE.with(|place| {
    let place = place.get_or_init(Place::new);
    place.clear();
    let queue = Queue::below(place.path());
    std::fs::create_dir_all(queue.folder()).expect("a directory");
    place.put("queue/20261122T050000.000000Z-abcdef.json", data);
    let listing = queue.all().expect("the queue is read");
    let count = listing.specs.len() + listing.unresolved.len() + listing.errors.len();
    assert_eq!(count, 1, "it is a request or it is none");
    listing.errors.iter().for_each(|error| drop(error.to_string()));
    for queued in listing.unresolved {
        let mut spec = queued.spec.clone();
        queued.remove().expect("taken out");
        // Its own name is part of a file's name: nobody but us gives it one.
        if is_plain(&spec.id) && queue.put_unresolved(&mut spec).expect("it can be written") {
            let read = queue.all().expect("the queue is read");
            assert!(read.errors.is_empty() && read.specs.is_empty());
            assert_eq!(read.unresolved.iter().map(|queued| &queued.spec).collect::<Vec<_>>(), [&spec]);
        }
    }
    for queued in listing.specs {
        let mut spec = [queued.spec.clone()];
        queued.remove().expect("taken out");
        if is_plain(&spec[0].id) && queue.put(&mut spec).is_ok() {
            let read = queue.all().expect("the queue is read");
            assert!(read.errors.is_empty() && read.unresolved.is_empty());
            assert_eq!(read.specs.iter().map(|queued| &queued.spec).collect::<Vec<_>>(), [&spec[0]]);
        }
        let now: DateTime<Utc> = "2026-11-22T05:00:00Z".parse().expect("a time");
        let record = Installation::ingest(spec[0].clone(), None, now);
        let store = InstallationStore::below(place.path());
        store.write(&record).expect("it can be written");
        assert_eq!(store.read(&record.key()).expect("what was written is read"), Some(record));
    }
}));

fn is_plain(id: &str) -> bool {
    (1..100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
