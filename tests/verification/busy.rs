//! What a deployment says when a job is in its way, and that it waits no longer than it may.

use std::time::{Duration, Instant};

use panos_sim::WhenBusy;

use crate::common::world::{PORTAL, World, settings};
use crate::device::session;

/// Installs with little time, which is not enough; the one reason that is told.
fn reason(world: &World) -> String {
    world.install(&["-p", PORTAL, "--commit-timeout", "1"]).exits(18).says("is still running");
    let waits: Vec<String> = world.log().into_iter().filter(|line| line.starts_with("Waiting: ")).collect();
    assert_eq!(waits.len(), 1, "{waits:#?}");
    waits[0].clone()
}

#[test]
fn the_commit_of_another_administrator_is_named_once() {
    let mut old = settings();
    old.when_busy = WhenBusy::Refuse;
    old.commit_duration = Duration::from_secs(600);
    let world = World::with(old);
    let job = world.device.commit_as("jane");
    let reason = reason(&world);
    assert!(reason.contains(&format!("job {job} (Commit of jane) is still running")), "{reason}");
}

#[tokio::test]
async fn the_automatic_commit_after_a_restart_is_called_by_its_name() {
    let mut slow = settings();
    slow.commit_duration = Duration::from_secs(600);
    let world = World::with(slow);
    let session = session(&world.device);
    world.device.reboot(Duration::from_millis(100), true);
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = session.jobs().await {
        assert!(Instant::now() < deadline, "{error}");
    }
    let reason = reason(&world);
    assert!(reason.contains("the auto-commit after boot (job 2) is still running"), "{reason}");
}
