//! Somebody's pending change in a place of a deployment, and what a run that died has left, in each shape that a device
//! lists pending changes in: nobody's work is lost, committed or denied.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::time::Duration;

use common::pki;
use common::scene::{
    Certificates, JANE, Shape, State, command, install, only_jane_is_pending, pending_of, waiting,
};
use common::trouble::wait_until;
use common::world::{ADMINISTRATOR, Ended, NAME, PORTAL, World, print};
use panos_sim::{Fault, ImportJournal, JournalShape, Matcher, Settings, What, When};

const PROFILE: &str = "/config/shared/ssl-tls-service-profile/entry[@name='GP portal']";
const OTHER: &str = "/config/shared/ssl-tls-service-profile/entry[@name='GP gateway']";
const OBJECT: &str = "/config/shared/certificate/entry[@name='gp.example.com']";
const OWN: &str = "/config/shared/address/entry[@name='own']";
const PRINTER: &str = "/config/shared/address/entry[@name='printer']";
const MINIMUM: &str = "<protocol-settings><min-version>tls1-1</min-version></protocol-settings>";

const SHAPES: [JournalShape; 3] = [JournalShape::Container, JournalShape::Entry, JournalShape::Leaf];
const IMPORTS: [ImportJournal; 2] = [ImportJournal::LikeEdits, ImportJournal::Nothing];

fn scene(shape: Shape, adjust: impl FnOnce(&mut Settings)) -> World {
    Certificates::issue().scene(shape, adjust)
}

fn listing(journal: JournalShape) -> impl FnOnce(&mut Settings) {
    move |settings| settings.journal = journal
}

fn impatient(world: &World, shape: Shape) -> Ended {
    Ended::of(&mut waiting(world, shape, "1"))
}

/// Whether anything was asked for that changes the device.
fn was_changed(world: &World) -> bool {
    let changes = |record: &panos_sim::RequestRecord| {
        matches!(record.r#type.as_deref(), Some("import" | "commit"))
            || matches!(record.action.as_deref(), Some("set" | "edit" | "delete"))
            || record.cmd.as_deref().is_some_and(|cmd| cmd.starts_with("<revert"))
    };
    world.device.requests().iter().any(|record| record.administrator.is_some() && changes(record))
}

#[track_caller]
fn logged(world: &World, text: &str) {
    let log = world.log();
    assert!(log.iter().any(|line| line.contains(text)), "no '{text}' in {log:#?}");
}

fn commits(world: &World) -> usize {
    world.device.requests().iter().filter(|request| request.r#type.as_deref() == Some("commit")).count()
}

#[test]
fn a_colleagues_pending_change_in_a_place_of_ours_is_told_and_nothing_is_begun() {
    for journal in SHAPES {
        for (place, element) in [(PROFILE, MINIMUM), (PROFILE, "<certificate>other</certificate>")] {
            let shape = Shape::Overwrite;
            let world = scene(shape, listing(journal));
            world.device.add_pending_change(JANE, place, element).unwrap();
            let before = State::of(&world.device);
            let ended = impatient(&world, shape).exits(18);
            let ended = ended.says("jane has an uncommitted change at").says("GP portal").says(" since 20");
            assert!(!was_changed(&world), "{journal:?} {ended:#?}");
            assert_eq!(State::of(&world.device).against(&before), "", "{journal:?}");
            let record = world.record();
            assert!(record["pending_since"].is_string() && record["next_attempt"].is_string(), "{record}");
            logged(&world, "Waiting: jane has an uncommitted change");
            // Once it is committed or taken back, nothing is in the way.
            if element == MINIMUM {
                world.device.commit_as(JANE);
                assert!(world.device.wait_idle(Duration::from_secs(10)));
            } else {
                let back = format!("<certificate>{NAME}</certificate>");
                world.device.add_pending_change(JANE, place, &back).unwrap();
            }
            install(&world, shape).exits(0);
            assert!(world.device.running_xml().contains("tls1-1") == (element == MINIMUM));
        }
    }
}

#[test]
fn a_colleagues_pending_upload_of_the_same_object_is_seen_where_no_upload_is_listed() {
    for imports in IMPORTS {
        let shape = Shape::Overwrite;
        let world = scene(shape, |settings| settings.import_journal = imports);
        // What an upload makes of it. The object is read without its private key, so what counts is the certificate.
        let hers = world.ca.issue(&pki::CertificateSpec::named("hers.example.com")).certificate_pem();
        let upload = format!("<public-key>{hers}</public-key>");
        world.device.add_pending_change(JANE, OBJECT, &upload).unwrap();
        let before = State::of(&world.device);
        impatient(&world, shape).exits(18).says("jane has an uncommitted change at");
        assert_eq!(State::of(&world.device).against(&before), "");
    }
}

#[test]
fn a_colleagues_open_request_under_the_name_is_seen_although_it_has_no_certificate_yet() {
    let shape = Shape::Fresh;
    let world = scene(shape, |_| ());
    world.device.add_pending_change(JANE, OBJECT, "<private-key>hers</private-key>").unwrap();
    let before = State::of(&world.device);
    impatient(&world, shape).exits(18).says("jane has an uncommitted change at");
    assert!(!was_changed(&world));
    assert_eq!(State::of(&world.device).against(&before), "");
}

#[test]
fn it_is_waited_for_like_a_lock() {
    let shape = Shape::Overwrite;
    let world = scene(shape, listing(JournalShape::Container));
    world.device.add_pending_change(JANE, PROFILE, MINIMUM).unwrap();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| Ended::of(&mut waiting(&world, shape, "60")));
        assert!(wait_until(|| world.log().iter().any(|line| line.contains("Waiting: jane has"))));
        world.device.commit_as(JANE);
        run.join().unwrap().exits(0);
    });
    assert!(world.device.running_xml().contains("tls1-1"));
    assert_eq!(world.device.pending_changes(), []);
    assert!(world.served().is_some());
}

#[test]
fn the_own_administrators_change_from_elsewhere_is_no_other() {
    for journal in SHAPES {
        let shape = Shape::Overwrite;
        let world = scene(shape, listing(journal));
        world.device.add_pending_change(ADMINISTRATOR, PROFILE, MINIMUM).unwrap();
        let before = State::of(&world.device);
        impatient(&world, shape).exits(18).says("from elsewhere");
        assert!(!was_changed(&world));
        assert_eq!(State::of(&world.device).against(&before), "", "{journal:?}");
    }
}

#[test]
fn a_change_beside_it_in_the_same_list_is_no_hindrance() {
    for journal in SHAPES {
        for shape in [Shape::Overwrite, Shape::Fresh] {
            let world = scene(shape, |settings| {
                settings.journal = journal;
                settings.profiles.push(panos_sim::Profile::unbound("hers"));
            });
            let hers = OTHER.replace("GP gateway", "hers");
            world.device.add_pending_change(JANE, &hers, MINIMUM).unwrap();
            impatient(&world, shape).exits(0);
            assert!(world.device.candidate_xml().contains("tls1-1"), "{journal:?} {shape:?}");
            assert!(!world.device.running_xml().contains("tls1-1"), "{journal:?} {shape:?}");
            assert!(pending_of(&world.device, ADMINISTRATOR).is_empty());
            // And a commit that fails takes nothing of hers.
            world.renew();
            world.device.fail_next_commit(&["Validation Error:"]);
            let before = State::of(&world.device);
            impatient(&world, shape).exits(14);
            assert_eq!(State::of(&world.device).against(&before), "", "{:#?}", world.log());
            logged(&world, "The candidate configuration was restored.");
        }
    }
}

/// Runs a deployment whose commit fails; while the answer to this request takes its time, something happens.
fn meanwhile(world: &World, shape: Shape, request: Matcher, happens: impl FnOnce()) -> Ended {
    world.device.fail_next_commit(&["Validation Error:"]);
    let slow = What::Drip(Duration::from_millis(10));
    world.device.inject(Fault::new(When::request(request), slow).after_effect());
    let struck = |record: &panos_sim::RequestRecord| record.fault.is_some() && record.administrator.is_some();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| install(world, shape));
        assert!(wait_until(|| world.device.requests().iter().any(struck)));
        happens();
        run.join().unwrap()
    })
}

#[test]
fn own_changes_that_come_meanwhile_from_elsewhere_are_not_reverted() {
    for journal in SHAPES {
        for imports in IMPORTS {
            let shape = Shape::Fresh;
            let world =
                scene(shape, |settings| (settings.journal, settings.import_journal) = (journal, imports));
            let before = State::of(&world.device);
            let bind = Matcher::typed("config").action("set");
            let ended = meanwhile(&world, shape, bind, || {
                world.device.add_pending_change(ADMINISTRATOR, OWN, "<fqdn>own.example</fqdn>").unwrap();
            });
            ended.exits(14);
            assert!(world.device.candidate_xml().contains("own.example"), "{journal:?} {:#?}", world.log());
            assert_eq!(State::of(&world.device).running, before.running);
            assert!(!world.device.candidate_xml().contains(&format!("<entry name=\"{NAME}\"")));
            assert!(!world.device.candidate_xml().contains("<certificate>"), "a profile is still bound");
            assert!(pending_of(&world.device, JANE) == [PRINTER]);
        }
    }
}

#[test]
fn what_a_colleague_makes_of_a_profile_after_us_is_not_put_back() {
    for journal in SHAPES {
        let shape = Shape::Fresh;
        let world = scene(shape, listing(journal));
        let bind = Matcher::typed("config").action("set");
        let ended = meanwhile(&world, shape, bind, || {
            let hers = "<certificate>hers</certificate>";
            world.device.add_pending_change(JANE, PROFILE, hers).unwrap();
        });
        assert_ne!(ended.code, Some(0), "{ended:#?}");
        assert!(
            world.device.candidate_xml().contains("<certificate>hers</certificate>"),
            "{:#?}",
            world.log()
        );
        assert!(!world.device.running_xml().contains("hers"));
        assert!(!world.device.candidate_xml().contains(&format!("<entry name=\"{NAME}\"")));
        logged(&world, "Left as it is: what was changed meanwhile at");
    }
}

#[test]
fn a_profile_that_is_changed_after_the_look_is_not_bound() {
    let shape = Shape::Fresh;
    let world = scene(shape, |_| {});
    let slow = What::Drip(Duration::from_millis(10));
    world.device.inject(Fault::new(When::request(Matcher::typed("import")), slow).after_effect());
    let ended = std::thread::scope(|scope| {
        let run = scope.spawn(|| install(&world, shape));
        let uploads = |record: &panos_sim::RequestRecord| record.r#type.as_deref() == Some("import");
        assert!(wait_until(|| world.device.requests().iter().any(uploads)));
        world.device.add_pending_change(JANE, PROFILE, "<certificate>hers</certificate>").unwrap();
        run.join().unwrap()
    });
    ended.exits(18).says("was changed meanwhile by jane");
    assert!(world.device.candidate_xml().contains("<certificate>hers</certificate>"));
    assert!(!world.device.candidate_xml().contains(NAME));
    assert!(pending_of(&world.device, ADMINISTRATOR).is_empty());
}

fn dies_before_its_commit(world: &World, command: &mut std::process::Command) {
    world.device.inject(Fault::new(When::request(Matcher::typed("commit")), What::Silence));
    let before = commits(world);
    let mut dying = command.spawn().unwrap();
    assert!(wait_until(|| commits(world) > before));
    dying.kill().unwrap();
    dying.wait().unwrap();
    world.device.clear_faults();
}

#[test]
fn what_a_dead_run_left_is_settled_in_every_shape() {
    for journal in SHAPES {
        for imports in IMPORTS {
            for shape in [Shape::Fresh, Shape::Overwrite, Shape::Tidy] {
                let world =
                    scene(shape, |settings| (settings.journal, settings.import_journal) = (journal, imports));
                let serial = |world: &World| {
                    let mut command = command(world, shape);
                    if shape != Shape::Tidy {
                        command.args(["--suffix", "serial"]);
                    }
                    command
                };
                dies_before_its_commit(&world, &mut serial(&world));
                let what = format!("{journal:?} {imports:?} {shape:?}");
                assert!(!pending_of(&world.device, ADMINISTRATOR).is_empty(), "{what}");
                let dead = print(&Certificates::issue().new.certificate);
                assert_ne!(world.served(), Some(dead));
                let older = world.device.running_xml().matches("<entry name=\"gp.example.com").count();
                let renewed = world.renew();
                Ended::of(&mut serial(&world)).exits(0);
                assert_eq!(world.served(), Some(print(&renewed.certificate)), "{what}");
                let now = world.device.running_xml().matches("<entry name=\"gp.example.com").count();
                let deleted = usize::from(shape == Shape::Tidy);
                assert_eq!(now, older + 1 - deleted, "{what}: {:#?}", world.log());
                assert!(only_jane_is_pending(&world.device), "{what}: {:?}", world.device.pending_changes());
                logged(&world, "uncommitted changes were taken back");
            }
        }
    }
}

#[test]
fn an_overwritten_object_of_a_dead_run_comes_back_in_every_shape() {
    for journal in SHAPES {
        for imports in IMPORTS {
            let shape = Shape::Overwrite;
            let world =
                scene(shape, |settings| (settings.journal, settings.import_journal) = (journal, imports));
            let before = State::of(&world.device);
            dies_before_its_commit(&world, &mut command(&world, shape));
            // The next one fails as well: everything is as it was before the first.
            world.device.fail_next_commit(&["Validation Error:"]);
            install(&world, shape).exits(14);
            let what = format!("{journal:?} {imports:?} {:#?}", world.log());
            assert_eq!(State::of(&world.device).against(&before), "", "{what}");
            install(&world, shape).exits(0);
            assert!(only_jane_is_pending(&world.device), "{what}");
        }
    }
}

#[test]
fn what_a_dead_run_left_beside_other_own_changes_is_taken_back_and_those_stay() {
    for journal in SHAPES {
        for own in [OWN, &OTHER.replace("GP gateway", "hers")] {
            let shape = Shape::Fresh;
            let world = scene(shape, |settings| {
                settings.journal = journal;
                settings.profiles.push(panos_sim::Profile::unbound("hers"));
            });
            let serial = |world: &World| {
                let mut command = command(world, shape);
                command.args(["--suffix", "serial"]);
                command
            };
            dies_before_its_commit(&world, &mut serial(&world));
            let element = if own == OWN { "<fqdn>own.example</fqdn>" } else { MINIMUM };
            world.device.add_pending_change(ADMINISTRATOR, own, element).unwrap();
            let renewed = world.renew();
            Ended::of(&mut serial(&world)).exits(0);
            logged(&world, "were taken back one by one");
            let what = format!("{journal:?} {own} {:#?}", world.log());
            assert_eq!(world.served(), Some(print(&renewed.certificate)), "{what}");
            // Nothing of the dead run is committed; the own change is, which was told.
            let running = world.device.running_xml();
            assert_eq!(running.matches("<entry name=\"gp.example.com_").count(), 1, "{what}");
            assert!(running.contains("own.example") || running.contains("tls1-1"), "{what}");
            logged(&world, "earlier uncommitted changes of this administrator are committed as well");
        }
    }
}

#[test]
fn what_was_made_of_a_dead_runs_place_since_is_not_taken_back() {
    for (who, journal) in [(JANE, JournalShape::Container), (ADMINISTRATOR, JournalShape::Leaf)] {
        let shape = Shape::Fresh;
        let world = scene(shape, listing(journal));
        dies_before_its_commit(&world, &mut command(&world, shape));
        world.device.add_pending_change(who, PROFILE, "<certificate>hers</certificate>").unwrap();
        impatient(&world, shape).exits(18).says(&format!("{who} "));
        assert!(
            world.device.candidate_xml().contains("<certificate>hers</certificate>"),
            "{:#?}",
            world.log()
        );
        assert!(!world.device.running_xml().contains(NAME) && !world.device.running_xml().contains("hers"));
    }
    assert_eq!(PORTAL, "GP portal");
}
