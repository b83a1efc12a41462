#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::error::Exit;
use crate::fingerprint::Fingerprint;
use crate::install::problem::{Mender, Problem};

fn order(id: &str, at: DateTime<Utc>) -> Order {
    Order {
        id: id.to_owned(),
        at,
        by: Asker { uid: 0, sudo_user: None },
        common_name: "gp.example.com".parse().unwrap(),
        name: "gp".parse().unwrap(),
        device: "[::1]:8443".parse().unwrap(),
        peer: None,
        served: Vec::new(),
        files: None,
        profiles: vec!["GP portal".parse().unwrap()],
        certificate: Some(CertificateFacts {
            fingerprint: Fingerprint::of_der(id.as_bytes()),
            serial: "1f".to_owned(),
            not_after: at + TimeDelta::days(90),
        }),
        words: vec!["-c".to_owned(), "gp.example.com".to_owned()],
    }
}

fn problem(mended_by: Mender) -> Problem {
    Problem { exit: Exit::Commit, what: "x".to_owned(), advice: None, mended_by }
}

fn installed() -> End {
    End::Installed { object: "gp".parse().unwrap(), unchanged: false }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_written_is_read_and_only_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let (state, now) = (folder.path().join("state"), Utc::now());
    let (records, mut written) = (Records::below(&state), Record::of(order("a", now), None));
    let (device, name) = (written.order.device.clone(), written.order.name.clone());
    assert!(records.read(&device, &name).unwrap().is_none());
    records.write(&written).unwrap();
    written.begin("3f9c2a", now);
    written.finish(&End::Failed(problem(Mender::Time)), &[("connect", 0.0125)], now);
    records.write(&written).unwrap();
    assert_eq!(records.read(&device, &name).unwrap(), Some(written.clone()));
    assert_eq!(records.all().unwrap().records, [written.clone()]);
    assert_eq!(written.history[0].milliseconds["connect"], 12);
    let path = records.path(&device, &name);
    assert_eq!(mode(&path), 0o600);
    for above in path.ancestors().skip(1).take(3) {
        assert_eq!(mode(above), 0o700, "{}", above.display());
    }
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_record_of_a_later_version_or_a_broken_one_is_set_aside_and_the_others_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let records = Records::below(folder.path());
    let mut later = Record::of(order("a", Utc::now()), None);
    later.version = VERSION + 1;
    let device = later.order.device.clone();
    records.write(&later).unwrap();
    assert!(records.read(&device, &later.order.name).unwrap_err().to_string().contains("format 2"));
    let mut good = Record::of(order("b", Utc::now()), None);
    good.order.name = "other".parse().unwrap();
    records.write(&good).unwrap();
    fs::write(records.path(&device, &"broken".parse().unwrap()), "{").unwrap();
    let found = records.of_device(&device).unwrap();
    assert_eq!(found.records, [good]);
    assert_eq!(found.troubles.len(), 2);
    assert!(found.troubles[0].to_string().contains("set aside as "), "{}", found.troubles[0]);
    let again = records.of_device(&device).unwrap();
    assert!(again.troubles.is_empty());
    let kept = fs::read_dir(folder.path().join("installations/[::1]:8443")).unwrap();
    assert_eq!(kept.count(), 3, "set aside is not thrown away");
}

#[test]
fn orders_are_found_in_the_order_of_their_times_until_they_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, now) = (Queue::below(folder.path()), Utc::now());
    let late = order("a", now + TimeDelta::microseconds(1));
    queue.put(&late).unwrap();
    queue.put(&order("b", now)).unwrap();
    fs::write(queue.folder().join("zzz.json"), "{\"version\": 2}").unwrap();
    fs::write(queue.folder().join(".draft-x.json"), "half").unwrap();
    let (orders, troubles) = queue.for_device(&late.device).unwrap();
    assert_eq!(orders.iter().map(|queued| queued.order.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(troubles.len(), 1);
    orders.into_iter().for_each(|queued| queued.taken().unwrap());
    let (orders, troubles) = queue.all().unwrap();
    assert!(orders.is_empty() && troubles.is_empty());
}

#[test]
fn an_order_is_owed_until_the_device_is_proven_to_run_it() {
    let now = Utc::now();
    let mut record = Record::of(order("a", now), None);
    assert!(record.is_due(now) && record.left() == Left::Settled);
    record.begin("run", now);
    assert_eq!(record.left(), Left::InTheMiddle);
    record.finish(&End::Failed(problem(Mender::Time)), &[], now);
    assert!(record.is_owed() && !record.is_due(now) && record.failures == 1);
    assert!(record.is_due(now + TimeDelta::minutes(3)));
    record.begin("run", now);
    record.finish(&installed(), &[], now);
    assert!(!record.is_owed() && record.failures == 0);
    assert!(record.proves(Fingerprint::of_der(b"a")) && !record.proves(Fingerprint::of_der(b"b")));
    // A renewal: owed anew, and what the device runs meanwhile is still known.
    let record = Record::of(order("b", now), Some(record));
    assert!(record.is_due(now) && record.left() == Left::Settled);
    assert_eq!(record.proven.unwrap().certificate.fingerprint, Fingerprint::of_der(b"a"));
}

#[test]
fn what_a_run_that_died_has_left_outlives_the_next_order() {
    let now = Utc::now();
    let mut record = Record::of(order("a", now), None);
    record.begin("run", now);
    record.touches = vec!["/config/x".to_owned()];
    record.job = Some("7".to_owned());
    let next = Record::of(order("b", now + TimeDelta::hours(1)), Some(record));
    assert_eq!((next.left(), next.job.as_deref()), (Left::InTheMiddle, Some("7")));
    assert_eq!((next.touches.len(), next.owed_since), (1, Some(now)));
}

#[test]
fn a_mistake_is_no_debt() {
    let now = Utc::now();
    let fail = |mut record: Record, mended_by| {
        record.begin("run", now);
        record.finish(&End::Failed(problem(mended_by)), &[], now);
        record.is_owed()
    };
    let unseen = || Record::of(Order { certificate: None, ..order("a", now) }, None);
    assert!(!fail(unseen(), Mender::Person) && fail(unseen(), Mender::Time));
    let seen = || Record::of(order("a", now), None);
    assert!(fail(seen(), Mender::Person) && !fail(seen(), Mender::Nobody));
}

#[test]
fn history_is_bounded() {
    let now = Utc::now();
    let mut record = Record::of(order("a", now), None);
    for number in 0..100 {
        record.begin(&number.to_string(), now);
        record.finish(&End::Failed(problem(Mender::Time)), &[], now);
    }
    assert_eq!((record.history.len(), record.failures), (HISTORY, 100));
    assert_eq!(record.history.last().unwrap().run, "99");
}

#[test]
fn as_the_old_certificates_end_comes_near_it_is_tried_more_often() {
    let now = Utc::now();
    let mut record = Record::of(order("a", now), None);
    record.finish(&installed(), &[], now);
    let gap = |left: TimeDelta, mended_by| {
        let mut record = Record::of(order("b", now), Some(record.clone()));
        record.proven.as_mut().unwrap().certificate.not_after = now + left;
        record.failures = 30;
        (next_try(&record, &problem(mended_by), now) - now).num_minutes()
    };
    assert_eq!(gap(TimeDelta::days(90), Mender::Time), 360);
    assert_eq!(gap(TimeDelta::days(90), Mender::Person), 720);
    assert_eq!(gap(TimeDelta::hours(20), Mender::Person), 60);
    assert_eq!(gap(TimeDelta::minutes(30), Mender::Time), 1);
    assert_eq!(gap(-TimeDelta::days(1), Mender::Time), 1, "what has ended is replaced as soon as may be");
}

#[tokio::test]
async fn one_at_a_time_works_on_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let devices: Vec<crate::panos::Address> = vec!["fw2".parse().unwrap(), "fw1".parse().unwrap()];
    let wait = std::time::Duration::from_secs(30);
    let held = DeviceLock::acquire(folder.path(), &devices[..1], wait).await.unwrap();
    assert!(DeviceLock::try_acquire(folder.path(), &devices).unwrap().is_none());
    assert!(DeviceLock::try_acquire(folder.path(), &devices[1..]).unwrap().is_some());
    let waiting = DeviceLock::acquire(folder.path(), &devices, wait);
    drop(held);
    waiting.await.unwrap();
}
