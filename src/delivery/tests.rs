#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use panos_xmlapi::{Fingerprint, Location};

use super::ingest::{Effect, Known, ingest};
use super::*;
use crate::error::Exit;
use crate::install::problem::{Problem, RetryClass};
use crate::install::result::{CertificateFacts, LastRun, Outcome};
use crate::settings::options::DeviceOptions;
use crate::settings::request::InstallOptions;

fn options() -> InstallOptions {
    InstallOptions {
        cert_dir: "/etc/ssl/certs".into(),
        key_dir: "/etc/ssl/private".into(),
        cert_file: None,
        cert_key: None,
        year: false,
        session_bus: false,
        blind: true,
        force: false,
        take_over: false,
        config: None,
        target: None,
        device: DeviceOptions::default(),
    }
}

pub(super) fn spec(id: &str, at: DateTime<Utc>) -> InstallSpec {
    InstallSpec {
        id: id.to_owned(),
        sequence: 0,
        requested_at: at,
        requested_by: Requester { uid: 0, sudo_user: None },
        attended: false,
        list: None,
        common_name: "gp.example.com".parse().unwrap(),
        name: "gp".parse().unwrap(),
        device: "[::1]:8443".parse().unwrap(),
        location: Location::Shared,
        peer: None,
        profiles: vec!["GP portal".parse().unwrap()],
        profiles_configured: false,
        certificate: Some(CertificateFacts {
            fingerprint: Fingerprint::of_der(id.as_bytes()),
            serial: "1f".to_owned(),
            not_before: Some(at),
            not_after: at + TimeDelta::days(90),
        }),
        served: Vec::new(),
        files: None,
        options: options(),
    }
}

fn in_profiles(id: &str, profiles: &[&str]) -> InstallSpec {
    let at = DateTime::UNIX_EPOCH;
    InstallSpec { profiles: profiles.iter().map(|name| name.parse().unwrap()).collect(), ..spec(id, at) }
}

pub(super) fn new(spec: InstallSpec) -> Installation {
    let at = spec.requested_at;
    Installation::ingest(spec, None, at)
}

pub(super) fn problem(retry_class: RetryClass) -> Problem {
    Problem { exit: Exit::Commit, what: "x".to_owned(), advice: None, retry_class }
}

pub(super) fn installed() -> Outcome {
    Outcome::Installed { object: "gp".parse().unwrap(), unchanged: false }
}

/// All profiles that these tests know.
fn in_all() -> Vec<crate::install::names::ProfileName> {
    ["GP portal", "one", "two", "three"].map(|name| name.parse().unwrap()).to_vec()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(record: &Installation) -> Vec<String> {
    record.profiles().iter().map(ToString::to_string).collect()
}

fn stored(records: &InstallationStore) -> LoadedInstallations {
    let mut found = LoadedInstallations::default();
    found.errors = records.each(|record| found.records.push(record)).unwrap().errors;
    found
}

#[test]
fn what_is_written_is_read_and_only_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let (state, now) = (folder.path().join("state"), Utc::now());
    let (records, mut written) = (InstallationStore::below(&state), new(spec("a", now)));
    let key = written.key();
    assert!(records.read(&key).unwrap().is_none());
    records.write(&written).unwrap();
    written.begin("3f9c2a", now);
    written.finish(&Outcome::Failed(problem(RetryClass::Transient)), &[], &[("connect", 0.0125)], 1, now);
    records.write(&written).unwrap();
    assert_eq!(records.read(&key).unwrap(), Some(written.clone()));
    assert_eq!(stored(&records).records, [written.clone()]);
    assert_eq!(written.history[0].milliseconds["connect"], 12);
    let path = records.path(&key);
    assert_eq!(mode(&path), 0o600);
    for above in path.ancestors().skip(1).take(4) {
        assert_eq!(mode(above), 0o700, "{}", above.display());
    }
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn the_same_name_at_two_locations_is_two_records() {
    let folder = tempfile::tempdir().unwrap();
    let (records, now) = (InstallationStore::below(folder.path()), Utc::now());
    let at = |location: &str| new(InstallSpec { location: location.parse().unwrap(), ..spec(location, now) });
    let all: Vec<Installation> = ["shared", "vsys:vsys1", "vsys:vsys2", "template:A b"].map(at).to_vec();
    all.iter().for_each(|record| records.write(record).unwrap());
    assert_eq!(stored(&records).records.len(), 4);
    for record in &all {
        assert_eq!(records.read(&record.key()).unwrap().as_ref(), Some(record));
    }
}

#[test]
fn what_is_broken_is_set_aside_and_the_others_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let records = InstallationStore::below(folder.path());
    let good = new(spec("b", Utc::now()));
    records.write(&good).unwrap();
    let broken = records.path(&good.key()).with_file_name("broken.json");
    fs::write(&broken, "{").unwrap();
    let found = records.of_device(&good.spec.device).unwrap();
    assert_eq!(found.records, std::slice::from_ref(&good));
    assert!(found.errors[0].to_string().contains("moved to "), "{}", found.errors[0]);
    assert!(records.of_device(&good.spec.device).unwrap().errors.is_empty());
    assert_eq!(fs::read_dir(broken.parent().unwrap()).unwrap().count(), 2, "set aside is not thrown away");
}

#[test]
fn what_is_later_too_large_or_out_of_place_is_left_where_it_is_and_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let records = InstallationStore::below(folder.path());
    let mut later = new(spec("a", Utc::now()));
    later.version = VERSION + 1;
    records.write(&later).unwrap();
    let path = records.path(&later.key());
    let check = |path: &Path, says: &str| {
        for _ in 0..2 {
            let found = stored(&records);
            assert!(found.records.is_empty(), "{says}");
            assert_eq!(found.errors.len(), 1, "{says}");
            assert!(found.errors[0].to_string().contains(says), "{}", found.errors[0]);
            assert!(path.is_file(), "{says}");
        }
    };
    check(&path, "format 3");
    assert!(records.read(&later.key()).is_err());
    fs::write(&path, format!("{{\"version\": 2, \"x\": \"{}\"}}", "y".repeat(2_000_000))).unwrap();
    check(&path, "bytes");
    assert!(records.read(&later.key()).is_err());
    let good = new(spec("a", Utc::now()));
    records.write(&good).unwrap();
    let devices = folder.path().join("installations");
    for other in ["[::1]:8443.old", "fw9", "what is this"] {
        fs::rename(devices.join("[::1]:8443"), devices.join(other)).unwrap();
        check(&devices.join(other).join("shared/gp.json"), "its place says something else");
        assert!(records.of_device(&good.spec.device).unwrap().records.is_empty());
        fs::rename(devices.join(other), devices.join("[::1]:8443")).unwrap();
    }
    fs::rename(devices.join("[::1]:8443/shared"), devices.join("[::1]:8443/vsys:vsys1")).unwrap();
    check(&devices.join("[::1]:8443/vsys:vsys1/gp.json"), "its place says something else");
}

#[test]
fn requests_are_found_in_the_order_in_which_they_were_given_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, now) = (Queue::below(folder.path()), Utc::now());
    let times = [now, now - TimeDelta::seconds(30), now + TimeDelta::days(300), now - TimeDelta::days(9000)];
    for (number, at) in times.into_iter().enumerate() {
        queue.put(&mut [spec(&format!("{number}"), at)]).unwrap();
    }
    fs::write(queue.folder().join("zzz.json"), "{\"version\": 3}").unwrap();
    fs::write(queue.folder().join(".draft-x.json"), "half").unwrap();
    let listing = queue.for_device(&"[::1]:8443".parse().unwrap()).unwrap();
    let ids: Vec<&str> = listing.specs.iter().map(|queued| queued.spec.id.as_str()).collect();
    assert_eq!(ids, ["0", "1", "2", "3"]);
    assert_eq!(listing.errors.len(), 1);
    assert!(queue.folder().join("zzz.json").is_file(), "a later version finds it");
    listing.specs.into_iter().for_each(|queued| queued.remove().unwrap());
    assert!(queue.all().unwrap().specs.is_empty());
    assert_eq!(queue.last_number(), 4);
}

#[test]
fn numbers_go_on_from_what_is_seen_when_their_file_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, now) = (Queue::below(folder.path()), Utc::now());
    let mut record = new(InstallSpec { sequence: 70, ..spec("a", now) });
    record.verified = None;
    InstallationStore::below(folder.path()).write(&record).unwrap();
    let mut specs = [spec("b", now), spec("c", now)];
    queue.put(&mut specs).unwrap();
    assert_eq!(specs.each_ref().map(|spec| spec.sequence), [71, 72]);
    fs::remove_file(folder.path().join("sequence")).unwrap();
    queue.put(&mut specs[..1]).unwrap();
    assert_eq!(specs[0].sequence, 73);
}

#[test]
fn the_same_words_that_are_not_understood_are_kept_once_and_not_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::below(folder.path());
    let words = |text: &str| {
        let mut spec = UnresolvedSpec {
            id: new_id(),
            sequence: 0,
            requested_at: Utc::now(),
            requested_by: Requester { uid: 0, sudo_user: None },
            argv: vec![text.to_owned()],
            directory: "/".into(),
            problem: problem(RetryClass::NeedsOperator),
        };
        queue.put_unresolved(&mut spec).unwrap()
    };
    assert!((0..5).all(|_| words("same")));
    assert_eq!(queue.all().unwrap().unresolved.len(), 1);
    assert!((0..199).all(|number| words(&number.to_string())));
    assert!(!words("one more") && words("same"));
    assert_eq!(queue.all().unwrap().unresolved.len(), 200);
}

#[test]
fn what_is_asked_for_is_pending_until_the_device_is_verified_to_run_it() {
    let now = Utc::now();
    let mut record = new(spec("a", now));
    assert!(record.is_due(now) && record.last_run() == LastRun::Finished);
    record.begin("run", now);
    assert_eq!(record.last_run(), LastRun::Interrupted);
    record.finish(&Outcome::Failed(problem(RetryClass::Transient)), &[], &[], 1, now);
    assert!(record.is_pending() && !record.is_due(now) && record.failures == 1);
    assert!(record.is_due(now + TimeDelta::minutes(3)));
    record.begin("run", now);
    record.finish(&installed(), &in_all(), &[], 2, now);
    assert!(!record.is_pending() && record.failures == 0);
    assert!(record.runs(Fingerprint::of_der(b"a")) && !record.runs(Fingerprint::of_der(b"b")));
    // A renewal: pending again, and what the device runs meanwhile is still known.
    let record = Installation::ingest(spec("b", now), Some(record), now);
    assert!(record.is_due(now) && record.last_run() == LastRun::Finished);
    assert_eq!(record.verified.unwrap().certificate.fingerprint, Fingerprint::of_der(b"a"));
}

#[test]
fn a_wrong_clock_costs_at_most_the_gap() {
    let now = Utc::now();
    for ahead in [TimeDelta::seconds(90), TimeDelta::hours(5), TimeDelta::days(300), TimeDelta::days(9000)] {
        let mut record = new(spec("a", now + ahead));
        record.begin("run", now + ahead);
        record.finish(&Outcome::Failed(problem(RetryClass::Transient)), &[], &[], 1, now + ahead);
        assert!(record.is_due(now), "{ahead}");
        record.begin("run", now);
        assert!(record.pending_since.unwrap() <= now, "nothing is pending since the future");
    }
    let mut record = new(spec("a", now - TimeDelta::days(9000)));
    record.begin("run", now - TimeDelta::days(9000));
    record.finish(
        &Outcome::Failed(problem(RetryClass::NeedsOperator)),
        &[],
        &[],
        1,
        now - TimeDelta::days(9000),
    );
    assert!(record.is_due(now));
}

#[test]
fn what_a_run_that_died_has_left_outlives_the_next_request() {
    let now = Utc::now();
    let mut record = new(spec("a", now));
    record.begin("run", now);
    record.note_uncommitted(["/config/x".to_owned()]);
    record.job = Some("7".to_owned());
    let next = Installation::ingest(spec("b", now + TimeDelta::hours(1)), Some(record), now);
    assert_eq!((next.last_run(), next.job.as_deref()), (LastRun::Interrupted, Some("7")));
    assert_eq!((next.uncommitted_paths.len(), next.pending_since), (1, Some(now)));
}

#[test]
fn profiles_add_up_until_another_list_is_stated() {
    let now = Utc::now();
    let record = new(in_profiles("a", &["one", "two"]));
    let record = Installation::ingest(in_profiles("b", &["three", "one"]), Some(record), now);
    assert_eq!(names(&record), ["one", "two", "three"]);
    let stated = |id, profiles: &[&str], list: &str| InstallSpec {
        list: Some(list.to_owned()),
        ..in_profiles(id, profiles)
    };
    let record = Installation::ingest(stated("c", &["three", "four"], "x"), Some(record), now);
    assert_eq!(names(&record), ["three", "four"]);
    // Who waits for the others is not told that all is well; who waits for none of them waits on.
    assert!(matches!(record.request("a").unwrap().end, RequestEnd::Superseded { .. }));
    assert!(matches!(record.request("a").unwrap().outcome(), Outcome::Failed(_)));
    assert!(matches!(record.request("b").unwrap().end, RequestEnd::Superseded { .. }));
    // The same list again, at a renewal, states nothing new.
    let record = Installation::ingest(in_profiles("d", &["five"]), Some(record), now);
    let record = Installation::ingest(stated("e", &["three", "four"], "x"), Some(record), now);
    assert_eq!(names(&record), ["three", "four", "five"]);
}

#[test]
fn profiles_of_the_configuration_file_are_those_of_the_day() {
    let now = Utc::now();
    let configured = InstallSpec { profiles_configured: true, ..in_profiles("a", &["old"]) };
    let mut record = Installation::ingest(in_profiles("b", &["typed"]), Some(new(configured)), now);
    record.configure(&["new".parse().unwrap()], &[]);
    assert_eq!(names(&record), ["typed", "new"]);
    assert_eq!(record.request("a").unwrap().profiles, ["new".parse().unwrap()]);
    let mut typed = new(in_profiles("c", &["typed"]));
    typed.configure(&["new".parse().unwrap()], &[]);
    assert_eq!(names(&typed), ["typed"], "who typed all has left nothing to the file");
}

#[test]
fn each_request_gets_its_own_end() {
    let now = Utc::now();
    let mut record = new(in_profiles("a", &["one"]));
    record.begin("run", now);
    record.finish(&Outcome::Failed(problem(RetryClass::Transient)), &[], &[], 1, now);
    assert!(matches!(record.request("a").unwrap().end, RequestEnd::Open { problem: Some(_) }));
    let mut record = Installation::ingest(in_profiles("b", &["two"]), Some(record), now);
    assert!(matches!(record.request("b").unwrap().end, RequestEnd::Open { problem: None }));
    record.spec.certificate = spec("later", now).certificate;
    record.begin("run", now);
    record.finish(&installed(), &in_all(), &[], 2, now);
    for id in ["a", "b"] {
        assert!(matches!(record.request(id).unwrap().outcome(), Outcome::Installed { .. }), "{id}");
    }
    // The file holds an earlier certificate than was asked for: the device runs it, and that is no success.
    let mut record = Installation::ingest(spec("c", now + TimeDelta::days(1)), Some(record), now);
    record.spec.certificate = spec("earlier", now - TimeDelta::days(1)).certificate;
    record.begin("run", now);
    record.finish(&installed(), &in_all(), &[], 3, now);
    assert!(matches!(record.request("c").unwrap().outcome(), Outcome::Failed(_)));
    assert!(record.request("nobody's").is_none());
}

#[test]
fn a_profile_that_is_missing_does_not_make_the_others_wait() {
    let now = Utc::now();
    let record = new(in_profiles("a", &["one"]));
    let mut record = Installation::ingest(in_profiles("b", &["gone"]), Some(record), now);
    record.begin("run", now);
    record.finish(&Outcome::Failed(problem(RetryClass::NeedsOperator)), &[], &[], 1, now);
    record.begin("run", now);
    record.finish(&installed(), &["one".parse().unwrap()], &[], 2, now);
    assert!(matches!(record.request("a").unwrap().end, RequestEnd::Done { .. }));
    assert!(matches!(record.request("b").unwrap().end, RequestEnd::Open { problem: Some(_) }));
    assert!(record.is_pending() && !record.is_due(now) && record.is_due(now + TimeDelta::hours(13)));
    assert_eq!((record.failures, record.verified.as_ref().unwrap().profiles.len()), (1, 1));
    let gone = ["gone".parse().unwrap()];
    assert_eq!(record.unaffected_by(&gone), ["one".parse().unwrap()]);
    let both = Installation::ingest(in_profiles("c", &["two", "gone"]), Some(record.clone()), now);
    assert_eq!(both.unaffected_by(&gone), ["one".parse().unwrap()], "what goes together waits together");
    assert!(new(in_profiles("a", &["one", "gone"])).unaffected_by(&gone).is_empty());
    assert!(record.unbind(&"gone".parse().unwrap(), now));
    assert!(matches!(record.request("b").unwrap().end, RequestEnd::Superseded { .. }));
}

#[test]
fn who_sees_it_fail_before_anything_was_changed_owes_nothing() {
    let now = Utc::now();
    let fail = |mut record: Installation, class, changes: bool| {
        record.begin("run", now);
        if changes {
            record.note_uncommitted(["/config/x".to_owned()]);
        }
        record.finish(&Outcome::Failed(problem(class)), &[], &[], 1, now);
        record
    };
    let typed = || InstallSpec { attended: true, certificate: None, ..spec("a", now) };
    for class in [RetryClass::Transient, RetryClass::NeedsOperator, RetryClass::Clock] {
        let seen = fail(new(typed()), class, false);
        assert!(!seen.is_pending(), "{class:?}");
        assert!(matches!(seen.request("a").unwrap().end, RequestEnd::Failed { .. }));
        assert!(fail(new(typed()), class, true).is_pending(), "{class:?}: the device was changed");
        let unseen = InstallSpec { attended: false, ..typed() };
        assert!(fail(new(unseen), class, false).is_pending(), "{class:?}: nobody has seen it");
        let both = Installation::ingest(spec("b", now), Some(new(typed())), now);
        assert!(fail(both, class, false).is_pending(), "{class:?}: not everybody has seen it");
        let mut there = new(spec("a", now));
        there.finish(&installed(), &in_all(), &[], 1, now);
        let again = Installation::ingest(InstallSpec { id: "c".to_owned(), ..typed() }, Some(there), now);
        assert!(fail(again, class, false).is_pending(), "{class:?}: it was installed before");
    }
    assert!(!fail(new(spec("a", now)), RetryClass::Permanent, false).is_pending());
}

#[test]
fn history_requests_and_created_objects_are_bounded() {
    let now = Utc::now();
    let mut record = new(spec("first", now));
    for number in 0..600 {
        record = Installation::ingest(spec(&number.to_string(), now), Some(record), now);
        record.begin(&number.to_string(), now);
        let outcome = match number < 100 {
            true => Outcome::Failed(problem(RetryClass::Transient)),
            false => installed(),
        };
        record.finish(&outcome, &in_all(), &[], 1, now);
        if number == 99 {
            assert_eq!((record.history.len(), record.failures), (HISTORY, 1));
            assert_eq!(record.requests.len(), 101, "what is open is never dropped");
        }
        let object = format!("gp_{number}").parse().unwrap();
        let fingerprint = Fingerprint::of_der(b"x");
        record.note_created(crate::install::result::CreatedObject { object, fingerprint, at: now });
    }
    assert_eq!(record.history.last().unwrap().run_id, "599");
    assert_eq!(record.requests.len(), ENDED_REQUESTS);
    assert_eq!(record.created_objects.len(), CREATED_OBJECTS);
    assert_eq!(record.requests.last().unwrap().id, "599");
}

#[test]
fn a_crash_between_any_two_effects_loses_no_request_and_takes_none_in_twice() {
    let now = Utc::now();
    let queue = || -> Vec<InstallSpec> {
        let numbered = |(at, spec)| InstallSpec { sequence: at, ..spec };
        let vsys = InstallSpec { location: "vsys:vsys2".parse().unwrap(), ..in_profiles("c", &["three"]) };
        let all = vec![in_profiles("a", &["one"]), in_profiles("b", &["two"]), vsys];
        (1_u64..).zip(all).map(numbered).collect()
    };
    for first in 0..=6 {
        let (mut waiting, mut records): (Vec<InstallSpec>, Vec<Installation>) = (queue(), Vec::new());
        for crashes_after in [first, usize::MAX] {
            let known = |key: &InstallationKey| {
                let record = records.iter().find(|record| record.key() == *key);
                record.map_or(Known::Nothing, |record| Known::Record(Box::new(record.clone())))
            };
            for effect in ingest(&waiting, known, now).into_iter().take(crashes_after) {
                match effect {
                    Effect::Save(record) => {
                        records.retain(|other| other.key() != record.key());
                        records.push(*record);
                    }
                    Effect::Remove(id) => waiting.retain(|spec| spec.id != id),
                }
            }
        }
        assert!(waiting.is_empty(), "after {first}");
        records.sort_by_key(Installation::key);
        assert_eq!(records.iter().map(names).collect::<Vec<_>>(), [vec!["one", "two"], vec!["three"]]);
        assert_eq!(records[0].requests.len(), 2, "after {first}");
    }
}

#[test]
fn what_can_not_be_read_keeps_its_requests_in_the_queue() {
    let known = |_: &InstallationKey| Known::Unreadable;
    assert_eq!(ingest(&[in_profiles("a", &["one"])], known, Utc::now()), []);
}

#[tokio::test]
async fn one_at_a_time_works_on_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let devices: Vec<panos_xmlapi::Address> = vec!["fw2".parse().unwrap(), "fw1".parse().unwrap()];
    let wait = std::time::Duration::from_secs(30);
    let held = DeviceLock::acquire(folder.path(), &devices[..1], wait).await.unwrap();
    let short = std::time::Duration::from_millis(10);
    assert!(DeviceLock::acquire(folder.path(), &devices, short).await.is_err());
    // Who has given up keeps nothing of what it had got.
    assert!(DeviceLock::acquire(folder.path(), &devices[1..], wait).await.is_ok());
    let waiting = DeviceLock::acquire(folder.path(), &devices, wait);
    drop(held);
    waiting.await.unwrap();
}
