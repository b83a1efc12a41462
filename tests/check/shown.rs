//! How it looks: with colour and without, wide and narrow, and the configuration file alone.

use crate::common::world::Ended;
use crate::desk::{Desk, NAME, PORTAL};

#[test]
fn commands_stay_in_one_piece_however_narrow_the_terminal_is() {
    let desk = Desk::new();
    desk.remove("lib/pan_getcert/known_devices");
    let log = desk.path("log/log");
    let words = ["env", "COLUMNS=50", "pan_certctl", "check", "--log-file", log.to_str().unwrap()];
    let target = desk.target();
    let ended = Ended::of(&mut desk.command(&[&words[..], &["-c", NAME, "-p", PORTAL, &target]].concat()));
    assert_eq!(ended.code, Some(16), "{ended:#?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "this machine");
    assert!(lines.contains(&format!("           run: pan_certctl pin {target}").as_str()), "{ended:#?}");
    for line in lines.iter().filter(|line| !line.contains("run: ")) {
        assert!(line.chars().count() <= 50, "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    assert_eq!(*lines.last().unwrap(), "1 failed, 0 warnings, 14 ok.");
}

#[test]
fn the_configuration_file_is_checked_alone() {
    let desk = Desk::new();
    desk.write("good.toml", "drift = 'warn'\n[device.\"fw9.example.com\"]\n", 0o644);
    desk.write("bad.toml", "drift = 'perhaps'\n", 0o644);
    let check = |file: &str| {
        let file = desk.path(file);
        Ended::of(&mut desk.command(&["pan_certctl", "check", "--config", file.to_str().unwrap()]))
    };
    check("good.toml").exits(0).says("devices: fw9.example.com").says("2 ok.");
    check("bad.toml").exits(1).says("line 1").says("perhaps");
    assert!(desk.device.requests().is_empty());
    // Nothing to check is a mistake, not a success.
    Ended::of(&mut desk.command(&["pan_certctl", "check"])).exits(1);
}
