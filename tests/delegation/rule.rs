//! The example rule, judged by sudo itself.

use std::path::Path;
use std::process::Command;

fn rule() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/sudoers")
}

#[test]
fn the_rule_is_one_that_sudo_reads() {
    let visudo = ["/usr/sbin/visudo", "/usr/bin/visudo"].into_iter().find(|path| Path::new(path).exists());
    let visudo = visudo.expect("visudo is missing: run make dependencies");
    let output = Command::new(visudo).args(["-c", "-f"]).arg(rule()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn every_command_of_the_rule_has_the_guard_as_its_first_word() {
    let text = std::fs::read_to_string(rule()).unwrap();
    let lines = || text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let commands = lines().find_map(|line| line.strip_prefix("Cmnd_Alias PAN_DELEGATED = ")).unwrap();
    let commands: Vec<&str> = commands.split(", ").collect();
    assert_eq!(commands, ["/usr/bin/pan_getcert --delegated *", "/usr/bin/pan_instcert --delegated *"]);
    let grants: Vec<&str> = lines().filter(|line| line.contains("ALL = ")).collect();
    assert_eq!(grants, ["%certmanagers ALL = (root:root) NOPASSWD: NOSETENV: PAN_DELEGATED"]);
    assert!(lines().any(|line| line.contains("env_reset, !env_keep, !env_check")));
}
