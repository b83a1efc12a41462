//! An installation record: read, written, read again; and what becomes of it in a run at any time.
#![no_main]

use std::cell::OnceCell;

use chrono::{DateTime, TimeDelta, Utc};
use fuzz::Place;
use libfuzzer_sys::fuzz_target;
use pancert::delivery::{End, Record, Records};

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

fuzz_target!(|data: &[u8]| PLACE.with(|place| {
    let place = place.get_or_init(Place::new);
    place.clear();
    let device = "fw1.example.com".parse().expect("an address");
    let records = Records::below(place.path());
    std::fs::create_dir_all(place.path().join("installations/fw1.example.com")).expect("a directory");
    place.put("installations/fw1.example.com/gp.json", data);
    let found = records.of_device(&device).expect("the directory is read");
    assert_eq!(found.records.len() + found.troubles.len(), 1, "it is a record or it is none");
    found.troubles.iter().for_each(|trouble| drop(trouble.to_string()));
    for record in found.records {
        again(&records, &record);
        let now: DateTime<Utc> = "2026-11-22T05:00:00Z".parse().expect("a time");
        let times = [now, record.order.at, record.begun.unwrap_or(now), record.owed_since.unwrap_or(now)];
        for now in times.into_iter().chain(record.proven.as_ref().map(|proven| proven.certificate.not_after))
        {
            lives(&records, record.clone(), now);
        }
    }
    assert_eq!(records.all().expect("read").troubles.len(), 0, "what was no record has been set aside");
}));

/// What we write we read.
fn again(records: &Records, record: &Record) {
    records.write(record).expect("it can be written");
    let read = records.read(&record.order.device, &record.order.name).expect("what was written is read");
    assert_eq!(read.as_ref(), Some(record));
}

/// A run begins, fails or succeeds, and another order comes.
fn lives(records: &Records, mut record: Record, now: DateTime<Utc>) {
    let problem = record.last_problem().cloned();
    let _ = (record.left(), record.is_due(now), record.is_owed());
    record.begin("abcdef", now);
    for end in problem
        .map(End::Failed)
        .into_iter()
        .chain([End::Installed { object: record.order.name.clone(), unchanged: false }, End::LeftToCommit])
    {
        let mut over = record.clone();
        over.finish(&end, &[("connect", 0.25)], now);
        if let Some(next) = over.next_try {
            assert!(next >= now && next - now <= TimeDelta::hours(13), "{next} after {now}");
        }
        assert!(over.history.len() <= 20);
        again(records, &over);
        over.reopen(now);
        again(records, &Record::of(over.order.clone(), Some(over)));
    }
}
