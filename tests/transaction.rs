//! A deployment that is disturbed by the device itself, by another administrator, or by its own past.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::time::Duration;

use common::pki;
use common::scene::{Certificates, JANE, Shape, State, command, install, only_jane_is_pending, pending_of};
use common::trouble::wait_until;
use common::world::{ADMINISTRATOR, Ended, GATEWAY, KEY, NAME, PORTAL, World, print};
use panos_sim::{Fault, Matcher, What, When, WhenBusy};

const PROFILE: &str = "/config/shared/ssl-tls-service-profile/entry[@name='GP portal']";
const OWN: &str = "/config/shared/address/entry[@name='own']";

fn scene(shape: Shape) -> World {
    Certificates::issue().scene(shape, |_| {})
}

fn slow(shape: Shape) -> World {
    Certificates::issue().scene(shape, |settings| settings.commit_duration = Duration::from_millis(1500))
}

fn at(matcher: Matcher, what: What) -> Fault {
    Fault::new(When::request(matcher), what)
}

fn poll() -> Matcher {
    Matcher::typed("op").cmd("<jobs><id>")
}

/// The commit requests that were sent.
fn commits(world: &World) -> usize {
    world.device.requests().iter().filter(|request| request.r#type.as_deref() == Some("commit")).count()
}

#[track_caller]
fn is_as_found(world: &World, before: &State) {
    let now = State::of(&world.device);
    assert_eq!(now.against(before), "", "these differ; log: {:#?}", world.log());
    assert!(only_jane_is_pending(&world.device), "{:?}", world.device.pending_changes());
}

#[track_caller]
fn completes(world: &World, shape: Shape) {
    install(world, shape).exits(0);
    assert!(only_jane_is_pending(&world.device), "{:?}", world.device.pending_changes());
}

#[test]
fn a_key_of_another_certificate_is_noticed_before_anybody_is_talked_to() {
    let world = scene(Shape::Overwrite);
    let other = world.ca.issue(&pki::CertificateSpec::named(NAME).san(NAME));
    pki::write(&world.path(&format!("{NAME}.key")), other.key_pem().as_bytes(), 0o600);
    install(&world, Shape::Overwrite).exits(10);
    assert!(world.device.requests().is_empty());
}

#[test]
fn a_refused_upload_leaves_everything_as_it_was() {
    for shape in [Shape::Fresh, Shape::Overwrite] {
        let world = scene(shape);
        let before = State::of(&world.device);
        let body =
            b"<response status=\"error\"><msg><line>Import of certificate failed</line></msg></response>";
        let refusal = What::Body { content_type: "application/xml".into(), body: body.to_vec() };
        world.device.inject(at(Matcher::typed("import"), refusal).times(4));
        install(&world, shape).exits(12).says("Import of certificate failed");
        is_as_found(&world, &before);
        completes(&world, shape);
    }
}

#[test]
fn a_profile_that_vanishes_after_the_look_is_not_made_anew() {
    let shape = Shape::Fresh;
    let world = scene(shape);
    // The reply to the upload takes its time; meanwhile Jane removes the profile.
    let slow = What::Drip(Duration::from_millis(10));
    world.device.inject(at(Matcher::typed("import"), slow).after_effect());
    let ended = std::thread::scope(|scope| {
        let run = scope.spawn(|| install(&world, shape));
        let uploads = |record: &panos_sim::RequestRecord| record.r#type.as_deref() == Some("import");
        assert!(wait_until(|| world.device.requests().iter().any(uploads)));
        world.device.delete_from_candidate(JANE, PROFILE).unwrap();
        run.join().unwrap()
    });
    ended.exits(13).says("'GP portal' was removed during the installation");
    assert!(!world.device.candidate_xml().contains(PORTAL) && !world.device.candidate_xml().contains(NAME));
    assert_eq!(pending_of(&world.device, JANE).len(), 2);
    assert!(pending_of(&world.device, ADMINISTRATOR).is_empty());
}

/// Runs a deployment; while the answer to this request takes its time, Jane removes the profile.
fn without_profile_after(world: &World, shape: Shape, request: When) -> Ended {
    let slow = What::Drip(Duration::from_millis(3));
    world.device.inject(Fault::new(request, slow).after_effect());
    let struck = |record: &panos_sim::RequestRecord| record.fault.is_some() && record.administrator.is_some();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| install(world, shape));
        assert!(wait_until(|| world.device.requests().iter().any(struck)));
        world.device.delete_from_candidate(JANE, PROFILE).unwrap();
        run.join().unwrap()
    })
}

#[test]
fn a_profile_that_vanishes_in_the_very_moment_of_binding_is_not_left_half_made() {
    let shape = Shape::Fresh;
    let world = scene(shape);
    let before = State::of(&world.device);
    // The second look at the profiles is the one directly before the binding.
    let matcher = Matcher::typed("config").action("get").xpath("/config/shared/ssl-tls-service-profile");
    let ended = without_profile_after(&world, shape, When::Matching { matcher, nth: 2 });
    assert!(world.device.requests().iter().any(|request| request.action.as_deref() == Some("set")));
    ended.exits(14).says("GP portal is missing 'protocol-settings'");
    let now = State::of(&world.device);
    assert_eq!((&now.running, &now.served), (&before.running, &before.served));
    assert!(pending_of(&world.device, ADMINISTRATOR).is_empty());
    // Whether Jane's deletion outlives our revert is for the device to say.
    let made = |name: &str| now.candidate.matches(&format!("<entry name=\"{name}\">")).count();
    assert_eq!(now.candidate.matches("<protocol-settings>").count(), made(PORTAL) + made(GATEWAY));
    assert_eq!(made(NAME), 0);
}

#[test]
fn a_deletion_that_nobody_has_committed_is_not_committed_with_ours() {
    let shape = Shape::Overwrite;
    let world = scene(shape);
    let ended = without_profile_after(&world, shape, When::request(Matcher::typed("import")));
    ended.exits(0);
    assert!(pending_of(&world.device, JANE).contains(&PROFILE.to_owned()));
    assert_eq!(pending_of(&world.device, ADMINISTRATOR), Vec::<String>::new());
    assert!(world.device.running_xml().contains(PORTAL) && !world.device.candidate_xml().contains(PORTAL));
    assert!(world.served().is_some());
}

#[test]
fn a_restart_in_the_middle_of_a_commit_is_noticed_and_everything_put_back() {
    for (shape, keeps_candidate) in [(Shape::Fresh, true), (Shape::Overwrite, true), (Shape::Fresh, false)] {
        let world = slow(shape);
        let mut before = State::of(&world.device);
        let outage = Duration::from_millis(200);
        world.device.inject(at(poll(), What::Reboot { outage, keeps_candidate }));
        install(&world, shape).exits(14).says("the commit did not take place");
        if keeps_candidate {
            is_as_found(&world, &before);
        } else {
            before = before.without_pending();
            assert_eq!(State::of(&world.device), before);
            assert_eq!(world.device.pending_changes(), []);
        }
        install(&world, shape).exits(0);
    }
}

#[test]
fn unknown_job_is_resolved_from_running_config() {
    let shape = Shape::Overwrite;
    let world = slow(shape);
    let before = State::of(&world.device);
    world.device.inject(at(poll(), What::ForgetJobs));
    install(&world, shape).exits(14).says("the commit did not take place");
    is_as_found(&world, &before);
    completes(&world, shape);
    // The same after the job was done: there is nothing to be asked, and the certificate runs.
    let world = scene(shape);
    world.device.inject(at(poll(), What::ForgetJobs));
    install(&world, shape).exits(0);
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_again_and_not_asked_for_twice() {
    let shape = Shape::Overwrite;
    let world = slow(shape);
    world.device.inject(at(Matcher::typed("commit"), What::Close).after_effect());
    install(&world, shape).exits(0);
    assert_eq!(commits(&world), 1);
    assert!(world.log().iter().any(|line| line.contains("checking whether the commit started")));
    assert_eq!(world.record()["job"], "2");
}

/// A list of jobs as a release tells it that keeps no descriptions. Job 1 is the automatic commit after the start.
fn jobs_without_a_description(status: &str, result: &str) -> What {
    job_list_with(2, status, result)
}

fn job_list_with(id: u32, status: &str, result: &str) -> What {
    let job = format!(
        "<job><id>{id}</id><type>Commit</type><status>{status}</status><result>{result}</result></job>"
    );
    let body = format!("<response status=\"success\"><result>{job}</result></response>");
    What::Body { content_type: "application/xml".into(), body: body.into() }
}

fn job_list() -> Matcher {
    Matcher::typed("op").cmd("<jobs><all>")
}

#[test]
fn a_commit_is_found_again_although_three_answers_in_a_row_are_lost() {
    let shape = Shape::Overwrite;
    for lost in [What::Close, What::TruncatedBody, What::Status(502), What::Html] {
        let world = slow(shape);
        world.device.inject(at(Matcher::typed("commit"), lost.clone()).after_effect());
        world.device.inject(at(job_list(), lost.clone()).after_effect().times(2));
        install(&world, shape).exits(0);
        let struck = world.device.requests().iter().filter(|request| request.fault.is_some()).count();
        assert_eq!((struck, commits(&world)), (3, 1), "{lost:?}");
        assert_eq!(world.record()["job"], "2", "{lost:?}");
        assert!(only_jane_is_pending(&world.device));
    }
}

#[test]
fn where_descriptions_are_not_kept_the_running_configuration_decides_when_the_commit_is_over() {
    let shape = Shape::Overwrite;
    let world = slow(shape);
    let open = jobs_without_a_description("ACT", "PEND");
    world.device.inject(at(Matcher::typed("commit"), What::Close).after_effect());
    world.device.inject(at(job_list(), What::Close).after_effect().times(2));
    world.device.inject(at(job_list(), open).times(2));
    install(&world, shape).exits(0);
    assert_eq!(commits(&world), 1);
    assert!(world.log().iter().any(|line| line.contains("nothing to commit: \"it runs already\"")));
    assert!(only_jane_is_pending(&world.device));
}

#[test]
fn a_commit_that_runs_on_behind_lost_answers_is_not_told_as_failed() {
    let shape = Shape::Overwrite;
    for keeps_description in [true, false] {
        // Longer than the time allowed.
        let world =
            Certificates::issue().scene(shape, |settings| settings.commit_duration = Duration::from_secs(8));
        world.device.inject(at(Matcher::typed("commit"), What::Close).after_effect());
        world.device.inject(at(job_list(), What::Close).after_effect().times(2));
        if !keeps_description {
            let open = jobs_without_a_description("ACT", "PEND");
            world.device.inject(at(job_list(), open).times(u32::MAX));
        }
        let ended = install(&world, shape);
        let told = format!("keeps the description: {keeps_description}: {ended:#?}");
        assert_eq!(ended.code, Some(if keeps_description { 18 } else { 4 }), "{told}");
        ended.says("did not finish within 5 seconds");
        assert!(world.log().iter().any(|line| line.contains("nothing was rolled back")), "{told}");
        assert_eq!(commits(&world), 1, "{told}");
        // And it comes to its end.
        world.device.clear_faults();
        completes(&world, shape);
        assert_eq!(commits(&world), 1, "{told}");
        assert!(world.served().is_some());
    }
}

#[test]
fn a_list_that_calls_a_finished_job_open_is_not_believed_for_ever() {
    let shape = Shape::Overwrite;
    let world = scene(shape);
    world.device.inject(at(Matcher::typed("commit"), What::Close).after_effect());
    world.device.inject(at(job_list(), job_list_with(1, "ACT", "PEND")).times(u32::MAX));
    install(&world, shape).says("job 1 did not finish within 5 seconds");
    let questions = world.device.requests().len();
    assert!(questions < 100, "{questions} requests");
}

#[test]
fn a_commit_that_never_arrived_is_asked_for_again_but_not_for_ever() {
    let shape = Shape::Overwrite;
    let world = scene(shape);
    world.device.inject(at(Matcher::typed("commit"), What::Close).times(2));
    install(&world, shape).exits(0);
    assert_eq!(commits(&world), 3);
    let world = scene(shape);
    let before = State::of(&world.device);
    world.device.inject(at(Matcher::typed("commit"), What::Close).times(u32::MAX));
    install(&world, shape).exits(14);
    assert_eq!(commits(&world), 3);
    is_as_found(&world, &before);
}

#[test]
fn a_failing_commit_behind_a_lost_answer_is_a_failure() {
    let shape = Shape::RefusedCommit;
    let world = scene(shape);
    let before = State::of(&world.device);
    world.device.inject(at(Matcher::typed("commit"), What::Close).after_effect());
    install(&world, shape).exits(14).says("is invalid");
    is_as_found(&world, &before);
}

#[test]
fn earlier_uncommitted_changes_survive_rollback() {
    let world = scene(Shape::Fresh);
    world.device.add_pending_change(ADMINISTRATOR, OWN, "<fqdn>own.example</fqdn>").unwrap();
    let before = State::of(&world.device);
    world.device.fail_next_commit(&["Validation Error:"]);
    install(&world, Shape::Fresh).exits(14);
    assert_eq!(State::of(&world.device).against(&before), "", "{:#?}", world.log());
    assert!(pending_of(&world.device, ADMINISTRATOR).contains(&OWN.to_owned()));
}

#[test]
fn what_could_not_be_undone_is_not_begun() {
    let world = scene(Shape::Overwrite);
    world.device.add_pending_change(ADMINISTRATOR, OWN, "<fqdn>own.example</fqdn>").unwrap();
    let before = State::of(&world.device);
    install(&world, Shape::Overwrite).exits(18).says("/config/shared/address").says("nothing was changed");
    assert_eq!(State::of(&world.device), before);
    assert!(!world.device.requests().iter().any(|request| request.r#type.as_deref() == Some("import")));
}

#[test]
fn on_an_old_release_the_name_is_learnt_from_what_was_changed() {
    let certificates = Certificates::issue();
    let shape = Shape::RefusedCommit;
    let world = certificates.scene(shape, |settings| settings.marks_own_session = false);
    let before = State::of(&world.device);
    // Whose changes are pending can't be told, so an overwritten certificate could not be brought back.
    install(&world, shape).exits(12).says("does not tell which of the uncommitted changes are ours");
    assert_eq!(State::of(&world.device), before);
    // With the name, or without anybody's changes, it can.
    world.write_key_file(&format!("api_key={KEY}\napi_username={ADMINISTRATOR}\n"));
    install(&world, shape).exits(14);
    is_as_found(&world, &before);
    world.write_key_file(&format!("api_key={KEY}\n"));
    world.device.commit_as(JANE);
    world.device.wait_idle(Duration::from_secs(5));
    let before = State::of(&world.device);
    world.device.fail_next_commit(&["Validation Error:"]);
    install(&world, shape).exits(14);
    assert_eq!(State::of(&world.device), before);
    // Even where the answer to the upload is lost.
    world.device.inject(at(Matcher::typed("import"), What::Close).after_effect());
    install(&world, shape).exits(4);
    assert_eq!(State::of(&world.device), before);
    assert_eq!(world.device.pending_changes(), []);
}

#[test]
fn a_commit_of_somebody_else_is_waited_for() {
    for when_busy in [WhenBusy::Queue, WhenBusy::Refuse] {
        let world = Certificates::issue().scene(Shape::Overwrite, |settings| {
            settings.commit_duration = Duration::from_millis(1000);
            settings.when_busy = when_busy;
        });
        world.device.commit_as(JANE);
        install(&world, Shape::Overwrite).exits(0);
        assert_eq!(world.device.pending_changes(), []);
    }
}

#[test]
fn a_commit_of_somebody_else_that_takes_ours_along_is_waited_for() {
    let shape = Shape::Fresh;
    let world = scene(shape);
    // While the answer to the last change takes its time, Jane commits everything there is.
    let slow = What::Drip(Duration::from_millis(1));
    world.device.inject(at(Matcher::typed("config").action("set"), slow).after_effect());
    let ended = std::thread::scope(|scope| {
        let run = scope.spawn(|| install(&world, shape));
        let bound = |record: &panos_sim::RequestRecord| record.action.as_deref() == Some("set");
        assert!(wait_until(|| world
            .device
            .requests()
            .iter()
            .any(|record| bound(record) && record.administrator.is_some())));
        world.device.set_commit_duration(Duration::from_secs(3));
        world.device.commit_as(JANE);
        run.join().unwrap()
    });
    ended.exits(0);
    assert!(
        world.log().iter().any(|line| line.starts_with("commit: nothing to commit")),
        "{:#?}",
        world.log()
    );
    assert!(world.served().is_some());
}

#[test]
fn what_a_dead_run_left_of_another_certificate_is_taken_back() {
    let certificates = Certificates::issue();
    let shape = Shape::Management;
    let world = certificates.scene(shape, |settings| settings.management_profile = None);
    let serial = |world: &World| {
        let mut command = command(world, shape);
        command.args(["--suffix", "serial"]);
        command
    };
    // Dies when its profile is bound, with an object that the next run does not want.
    world.device.inject(at(Matcher::typed("commit"), What::Silence));
    let mut dying = serial(&world).spawn().unwrap();
    assert!(wait_until(|| commits(&world) == 1));
    dying.kill().unwrap();
    dying.wait().unwrap();
    assert_eq!(pending_of(&world.device, ADMINISTRATOR).len(), 2);
    world.device.clear_faults();
    let renewed = world.renew();
    Ended::of(&mut serial(&world)).exits(0);
    assert_eq!(world.served(), Some(print(&renewed.certificate)));
    assert_eq!(world.device.running_xml().matches("<entry name=\"gp.example.com_").count(), 1);
    assert!(only_jane_is_pending(&world.device), "{:?}", world.device.pending_changes());
    assert!(world.log().iter().any(|line| line.contains("its 2 uncommitted changes were taken back")));
}

#[test]
fn what_a_dead_run_left_is_taken_back_one_by_one_where_a_revert_would_take_more() {
    let shape = Shape::Fresh;
    let world = scene(shape);
    world.device.inject(at(Matcher::typed("commit"), What::Silence));
    let mut dying = command(&world, shape).spawn().unwrap();
    assert!(wait_until(|| commits(&world) == 1));
    dying.kill().unwrap();
    dying.wait().unwrap();
    world.device.clear_faults();
    world.device.add_pending_change(ADMINISTRATOR, OWN, "<fqdn>own.example</fqdn>").unwrap();
    install(&world, shape).exits(0);
    assert!(world.log().iter().any(|line| {
        line.contains("were taken back one by one, because a revert would take other changes as well")
    }));
    assert!(world.device.running_xml().contains("own.example"));
}

#[test]
fn what_was_left_for_a_person_survives_a_failure() {
    let shape = Shape::Fresh;
    let world = scene(shape);
    Ended::of(command(&world, shape).args(["--commit", "none"])).exits(0);
    let left = State::of(&world.device);
    world.device.fail_next_commit(&["Validation Error:"]);
    install(&world, shape).exits(14);
    assert_eq!(State::of(&world.device), left);
    completes(&world, shape);
}
