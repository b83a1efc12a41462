//! The log read back, plain and compressed.
#![no_main]

use std::cell::OnceCell;
use std::io::Write as _;

use fuzz::Place;
use libfuzzer_sys::fuzz_target;
use pancert::host::runlog::{Filter, RunOutcome, review};

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

fuzz_target!(|data: &[u8]| PLACE.with(|place| {
    let Some((first, data)) = data.split_first() else { return };
    let place = place.get_or_init(Place::new);
    place.clear();
    let log = place.put("pan_getcert.log", data);
    match first % 4 {
        // The same again, compressed as logrotate does.
        1 => {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(data).expect("packed");
            place.put("pan_getcert.log.1.gz", &packed.finish().expect("packed"));
        }
        2 => drop(place.put("pan_getcert.log-20261122.gz", data)),
        3 => drop(place.put("pan_getcert.log.1", data)),
        _ => {}
    }
    let most = usize::from(first / 4) + 1;
    let all = review(&log, &Filter::default(), most).expect("the log is read");
    assert!(all.runs.len() <= most, "more runs than were asked for");
    let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
    for run in &all.runs {
        assert!(run.seconds.iter().flatten().all(|seconds| seconds.is_finite()));
        let _ = (run.total(), run.failed());
        if run.ending == RunOutcome::Done {
            assert!(run.device.is_some(), "it ended well, nobody knows where");
        }
    }
    if first % 4 == 0 {
        assert!(all.runs.len() <= lines, "more runs than lines");
    }
    for filter in [
        Filter { certificate: Some("gp.example.com".into()), ..Filter::default() },
        Filter { device: Some("fw1".into()), ..Filter::default() },
        Filter { failed: true, ..Filter::default() },
        Filter { since: "2026-11-22T05:00:00Z".parse().ok(), ..Filter::default() },
        Filter { until: "2026-11-22T05:00:00Z".parse().ok(), ..Filter::default() },
    ] {
        let some = review(&log, &filter, most).expect("the log is read");
        assert!(some.runs.iter().all(|run| !filter.failed || run.failed()));
    }
}));
