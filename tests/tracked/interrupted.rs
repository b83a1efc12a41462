//! `pan_getcert` interrupted: it says what goes on without it, and leaves nothing running.

use std::process::Child;
use std::time::Duration;

use pancert::host::certmonger::Phase;
use panos_sim::Listening;
use rustix::process::{Pid, Signal, kill_process};

use super::Scene;
use crate::common::trouble::wait_until;
use crate::common::world::{Ended, GATEWAY, PORTAL};

/// Ended by this signal, which comes twice.
fn interrupted(running: Child) -> Ended {
    for _ in 0..2 {
        kill_process(Pid::from_child(&running), Signal::TERM).unwrap();
    }
    Scene::end(running).exits(143)
}

/// The installations into this state directory that are still running.
fn installers(scene: &Scene) -> usize {
    let state = scene.bus.path("state").display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    lines.filter(|line| line.contains("pan_instcert\0") && line.contains(&state)).count()
}

#[tokio::test]
async fn whoever_interrupts_it_is_told_whether_certmonger_goes_on() {
    let scene = Scene::new().await;
    // While it looks at the device nothing was asked.
    scene.device.set_listening(Listening::Silent);
    let running = scene.start(&["-p", PORTAL]);
    assert!(wait_until(|| scene.device.connections() > 0));
    let ended = interrupted(running);
    ended.says("ended by SIGTERM; certmonger was asked for nothing, and no device was changed");
    assert!(scene.authority.submitted().is_empty());
    assert!(scene.bus.getcert().list().await.unwrap().requests.is_empty());

    // While the CA works, certmonger goes on: the certificate is issued and installed.
    scene.device.set_listening(Listening::Normal);
    scene.authority.takes(1);
    let running = scene.start(&["-p", PORTAL]);
    scene.until_submitted().await;
    interrupted(running).says("ended by SIGTERM; what certmonger was asked for goes on by itself");
    scene.bus.until_phase(Phase::Done).await;
    assert!(scene.is_served());

    // Where no certificate is asked for, the installation is ours, and ends with us.
    scene.device.set_commit_duration(Duration::from_secs(2));
    let commits = scene.device.commits();
    let running = scene.start(&["-p", PORTAL, "-s", GATEWAY]);
    assert!(wait_until(|| scene.device.commits() > commits && installers(&scene) == 1));
    let ended =
        interrupted(running).says("ended by SIGTERM\n").says("; the installation is recorded as pending");
    assert!(!ended.stderr.contains("certmonger"), "{ended:#?}");
    assert_eq!(installers(&scene), 0, "it is left running");
}
