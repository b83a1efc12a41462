//! An order in the queue: read, written, read again, turned into a record.
#![no_main]

use std::cell::OnceCell;

use fuzz::Place;
use libfuzzer_sys::fuzz_target;
use pancert::delivery::{Queue, Record, Records};

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

fuzz_target!(|data: &[u8]| PLACE.with(|place| {
    let place = place.get_or_init(Place::new);
    place.clear();
    let queue = Queue::below(place.path());
    std::fs::create_dir_all(queue.folder()).expect("a directory");
    place.put("queue/20261122T050000.000000Z-abcdef.json", data);
    let (orders, troubles) = queue.all().expect("the queue is read");
    assert_eq!(orders.len() + troubles.len(), 1, "it is an order or it is none");
    troubles.iter().for_each(|trouble| drop(trouble.to_string()));
    for queued in orders {
        let order = queued.order.clone();
        queued.taken().expect("taken out");
        // Its own name is part of a file's name: nobody but us gives it one.
        if order.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) && queue.put(&order).is_ok() {
            let (read, troubles) = queue.all().expect("the queue is read");
            assert!(troubles.is_empty());
            assert_eq!(read.iter().map(|queued| &queued.order).collect::<Vec<_>>(), [&order]);
        }
        let records = Records::below(place.path());
        let record = Record::of(order, None);
        records.write(&record).expect("it can be written");
        let read = records.read(&record.order.device, &record.order.name).expect("what was written is read");
        assert_eq!(read, Some(record));
    }
}));
