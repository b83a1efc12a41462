#![allow(clippy::unwrap_used)]

use crate::settings::schedule::CanaryRule;
use chrono::NaiveDateTime;
use panos_xmlapi::Address;

use super::*;
use crate::delivery::InstallSpec;
use crate::delivery::tests::{installed, new, problem, spec};
use crate::install::result::Outcome;

fn at(text: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc()
}

fn windows(text: &str) -> Windows {
    Windows::read(&[text.to_owned()]).unwrap()
}

/// Asked for on a Monday at noon.
fn asked(id: &str) -> Installation {
    new(spec(id, at("2026-01-05 12:00")))
}

/// The same on another device.
fn on(device: &str, id: &str) -> Installation {
    new(InstallSpec { device: device.parse().unwrap(), ..spec(id, at("2026-01-05 12:00")) })
}

/// Delivered at this time.
fn delivered(mut record: Installation, when: &str) -> Installation {
    record.begin("run", at(when));
    let profiles = record.profiles();
    record.finish(&installed(), &profiles, &[], 1, at(when));
    record
}

fn nightly() -> Schedule {
    Schedule { windows: vec![windows("Mon-Fri 20:00-06:00")], ..Schedule::default() }
}

fn held(record: &Installation, schedule: &Schedule, all: &[Installation], now: &str) -> Option<Hold> {
    hold(record, schedule, all, &at(now))
}

#[test]
fn a_window_is_waited_for_until_it_opens_whatever_the_clock_was_before() {
    let record = asked("a");
    for (now, until) in [
        ("2026-01-05 12:00", Some("2026-01-05 20:00")),
        ("2026-01-05 19:59", Some("2026-01-05 20:00")),
        ("2026-01-05 20:00", None),
        ("2026-01-06 05:59", None),
        ("2026-01-06 06:00", Some("2026-01-06 20:00")),
        ("2026-01-10 12:00", Some("2026-01-12 20:00")),
        // Years before and after it was asked for: only the hour of today counts.
        ("2019-01-07 21:00", None),
        ("2031-01-06 12:00", Some("2031-01-06 20:00")),
    ] {
        let hold = held(&record, &nightly(), &[], now);
        assert_eq!(hold.as_ref().map(|hold| hold.until), until.map(|until| Some(at(until))), "{now}");
        assert!(
            hold.is_none_or(
                |hold| hold.reason.word() == "window" && hold.to_string().contains("Mon-Fri 20:00")
            )
        );
    }
}

#[test]
fn a_certificate_that_ends_soon_waits_for_nothing() {
    // It ends 90 days after the day it was asked for: 2026-04-05 12:00, a Sunday.
    let mut record = delivered(asked("a"), "2026-01-05 21:00");
    record.mark_pending(at("2026-03-01 12:00"));
    for (hours, now, waits) in [
        (72, "2026-04-02 11:59", true),
        (72, "2026-04-02 12:01", false),
        (72, "2026-05-01 12:00", false),
        (0, "2026-04-02 12:01", true),
        (0, "2026-04-05 11:00", true),
        // What has ended is replaced at any hour.
        (0, "2026-04-06 12:01", false),
        (24 * 14, "2026-03-23 12:00", false),
    ] {
        let schedule = Schedule { window_override: TimeDelta::hours(hours), ..nightly() };
        assert_eq!(held(&record, &schedule, &[], now).is_some(), waits, "{hours} {now}");
    }
}

#[test]
fn what_was_left_in_between_is_finished_at_any_hour() {
    let mut record = asked("a");
    record.begin("run", at("2026-01-05 23:00"));
    // Nothing was done there yet.
    assert!(held(&record, &nightly(), &[], "2026-01-06 12:00").is_some());
    let mut committing = record.clone();
    committing.job = Some("7".to_owned());
    assert_eq!(held(&committing, &nightly(), &[], "2026-01-06 12:00"), None);
    record.note_uncommitted(["/config/shared".to_owned()]);
    assert_eq!(held(&record, &nightly(), &[], "2026-01-06 12:00"), None);
}

#[test]
fn the_rest_waits_until_the_canary_runs_the_very_same_certificate_for_long_enough() {
    let place = Destination::from("fw-lab".parse::<Address>().unwrap());
    let rule =
        CanaryRule { group: "vpn".to_owned(), canaries: vec![place], proven_for: TimeDelta::minutes(30) };
    let schedule = Schedule { canaries: vec![rule], ..Schedule::default() };
    let record = asked("new");
    let stands = |canary: Installation, now: &str| {
        held(&record, &schedule, &[record.clone(), canary], now).map(|hold| match hold.reason {
            Reason::Canary { stands, .. } => (stands, hold.until),
            other => (CanaryState::Failed(other.to_string()), None),
        })
    };
    let canary = || on("fw-lab", "new");
    assert_eq!(stands(canary(), "2026-01-05 12:00"), Some((CanaryState::Awaited, None)));
    // Another certificate is no proof, be it older or newer.
    let older = delivered(on("fw-lab", "old"), "2026-01-05 12:00");
    assert_eq!(stands(older, "2026-01-05 13:00"), Some((CanaryState::Awaited, None)));
    let proven = || delivered(canary(), "2026-01-05 12:01");
    let runs = Some((CanaryState::Runs, Some(at("2026-01-05 12:31"))));
    assert_eq!(stands(proven(), "2026-01-05 12:01"), runs);
    assert_eq!(stands(proven(), "2026-01-05 12:30"), runs);
    assert_eq!(stands(proven(), "2026-01-05 12:31"), None);
    // The clock was set back a little: it is waited for; by far: the time was another clock's.
    assert_eq!(stands(proven(), "2026-01-05 11:40"), runs);
    assert_eq!(stands(proven(), "2025-01-05 12:00"), None);
    // Delivered again in between, it runs it since the first time.
    let mut again = proven();
    again.mark_pending(at("2026-01-05 12:20"));
    assert_eq!(stands(again.clone(), "2026-01-05 12:45"), Some((CanaryState::Awaited, None)));
    assert_eq!(stands(delivered(again, "2026-01-05 12:25"), "2026-01-05 12:31"), None);
    // It fails: that holds the rest.
    let mut failed = canary();
    failed.begin("run", at("2026-01-05 12:01"));
    let why = Outcome::Failed(problem(RetryClass::Transient));
    failed.finish(&why, &[], &[], 1, at("2026-01-05 12:01"));
    assert_eq!(stands(failed, "2026-01-06 12:00"), Some((CanaryState::Failed("x".to_owned()), None)));
    // One that was not asked for together with it is not waited for.
    let mut other = canary();
    other.spec.list = Some("another".to_owned());
    assert_eq!(stands(other, "2026-01-05 12:00"), None);
    assert_eq!(held(&record, &schedule, &[], "2026-01-05 12:00"), None);
}

#[test]
fn a_fleet_is_spread_over_the_time_that_is_set_and_over_half_of_a_window_at_most() {
    let hour = Schedule { jitter: TimeDelta::hours(1), ..Schedule::default() };
    let mut waits: Vec<i64> = Vec::new();
    for number in 0..200 {
        let record = on(&format!("fw{number}"), "a");
        let until = held(&record, &hour, &[], "2026-01-05 12:00").and_then(|hold| hold.until);
        let until = until.unwrap_or(at("2026-01-05 12:00"));
        assert!(held(&record, &hour, &[], "2026-01-05 13:00").is_none());
        // The same whoever asks, and whenever.
        let later = held(&record, &hour, &[], "2026-01-05 12:01").and_then(|hold| hold.until);
        assert!(later.is_none_or(|later| later == until));
        waits.push((until - at("2026-01-05 12:00")).num_seconds());
    }
    let quarter = |number: i64| waits.iter().filter(|wait| **wait / 900 == number).count();
    assert!((0..4).all(|number| quarter(number) > 25), "{waits:?}");
    // A clock that was ahead when it was asked for delays nothing.
    assert_eq!(held(&asked("a"), &hour, &[], "2025-01-05 12:00"), None);
    // In a window it begins with the window.
    let night = Schedule { jitter: TimeDelta::days(7), ..nightly() };
    for number in 0..50 {
        let record = on(&format!("fw{number}"), "a");
        let hold = held(&record, &night, &[], "2026-01-05 20:00");
        assert!(hold.is_none_or(|hold| hold.until.unwrap() < at("2026-01-06 01:00")));
        assert_eq!(held(&record, &night, &[], "2026-01-06 01:00"), None);
    }
    // A person waits for no spread.
    let mut typed = asked("a");
    typed.spec.attended = true;
    assert_eq!(held(&typed, &hour, &[], "2026-01-05 12:00"), None);
}
