//! Moving from the bash scripts: the steps of docs/moving.md, typed as they stand there.

use super::A_TICK_OR_TWO;
use crate::aftermath::DELIVERED;
use crate::firewall::{GATEWAY, PORTAL};
use crate::stage::{GP, Stage};

/// The page's commands, step by step, about the machine's own certificate and firewall.
fn steps() -> Vec<String> {
    let page = include_str!("../../../docs/moving.md").split_once("## Steps").unwrap().1;
    let page = page.split_once("## What to delete").unwrap().0;
    let blocks = page.split("```sh example\n").skip(1).map(|block| block.split_once("```").unwrap().0);
    blocks
        .flat_map(str::lines)
        .map(|line| line.trim().replace("gp.example.com", GP).replace("fw1.example.com", "fw1.ipa.test"))
        .filter(|line| !line.is_empty())
        .collect()
}

pub fn followed(stage: &mut Stage) {
    stage.set();
    // As the scripts leave a machine: programs that are found first, and a post-save command that names one of them.
    let units = "pan_certctl-retry.timer pan_certctl-retry.path pan_certctl-verify.timer";
    stage.machine.sh(&format!("systemctl disable --now {units}")).exits(0);
    stage.machine.run(&["pan_certctl", "forget", GP, "--yes"]).exits(0);
    for name in ["pan_getcert", "pan_instcert"] {
        stage.machine.write(&format!("/usr/local/bin/{name}"), "#!/bin/bash\nexit 0\n", 0o755);
    }
    let (certificate, old) = (format!("/etc/ssl/certs/{GP}.crt"), "/usr/local/bin/pan_instcert");
    let command = format!("{old} -c {GP} -p '{PORTAL}' -s '{GATEWAY}' fw1.ipa.test");
    let track = ["ipa-getcert", "start-tracking", "-f", &certificate, "-C", &command];
    stage.machine.run(&track).exits(0);

    let steps = steps();
    assert!(steps.len() > 10, "{steps:#?}");
    for step in &steps {
        if let Some(old) = step.strip_prefix("mv ").and_then(|rest| rest.split(' ').next()) {
            stage.machine.sh("pan_certctl check 2>&1").says(&format!("{old} comes first in PATH"));
        }
        let line = if step.contains(" pin ") { format!("echo yes | {step}") } else { step.clone() };
        let ended = stage.machine.sh(&format!("{line} 2>&1"));
        assert_eq!(ended.code, Some(0), "{step}: {}", ended.stdout);
    }
    stage.see(format!("{} commands typed", steps.len()));
    stage.machine.run(&["getcert", "list"]).exits(0).says("/usr/bin/pan_instcert").says("--queue");
    stage.machine.sh("pan_certctl check 2>&1 | grep -c 'comes first in PATH'").exits(1);
    assert!(stage.is_delivered(GP, "fw1.ipa.test"), "nothing was delivered, and it is verified");

    // What the page says is to be deleted; from now on it is as if there had never been anything else.
    stage
        .machine
        .sh("rm /usr/local/bin/pan_getcert.old /usr/local/bin/pan_instcert.old /usr/local/bin/pan_instcert")
        .exits(0);
    let before = stage.resubmit(GP);
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    stage.machine.run(&["pan_certctl", "unpin", "fw1.ipa.test"]).exits(0);
    stage.check(&DELIVERED);
}
