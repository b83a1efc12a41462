//! How it looks: with colour and without, wide and narrow, and the configuration file alone.

use crate::common::programs;
use crate::common::world::Ended;
use crate::support::{Desk, NAME, PORTAL};

#[test]
fn commands_stay_in_one_piece_however_narrow_the_terminal_is() {
    let support = Desk::new();
    support.remove("lib/pan_getcert/known_devices");
    let log = support.path("log/log");
    let words = ["env", "COLUMNS=50", "pan_certctl", "check", "--log-file", log.to_str().unwrap()];
    let target = support.target();
    let ended = Ended::of(&mut support.command(&[&words[..], &["-c", NAME, "-p", PORTAL, &target]].concat()));
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
    let support = Desk::new();
    support.write("good.toml", "drift = 'warn'\n[device.\"fw9.example.com\"]\n", 0o644);
    support.write("bad.toml", "drift = 'perhaps'\n", 0o644);
    let check = |file: &str| {
        let file = support.path(file);
        Ended::of(&mut support.command(&["pan_certctl", "check", "--config", file.to_str().unwrap()]))
    };
    check("good.toml").exits(0).says("devices: fw9.example.com").says("2 ok.");
    check("bad.toml").exits(1).says("line 1").says("perhaps");
    assert!(support.device.requests().is_empty());
}

#[test]
fn of_many_devices_the_first_are_named_and_json_has_all() {
    let support = Desk::new();
    let names: Vec<String> = (0..5000).map(|number| format!("fw{number:04}.example.com")).collect();
    let text: String = names.iter().map(|name| format!("[device.\"{name}\"]\nprofile = 'x'\n")).collect();
    support.write("many.toml", &text, 0o644);
    let file = support.path("many.toml");
    let check = |more: &[&str]| {
        let words = ["pan_certctl", "check", "--config", file.to_str().unwrap()];
        Ended::of(&mut support.command(&[&words[..], more].concat())).exits(0).stdout
    };
    let told = check(&[]);
    let longest = told.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest < 250, "{longest}: {told}");
    assert!(told.contains("fw0009.example.com and 4990 more"), "{told}");
    let told: serde_json::Value = serde_json::from_str(&check(&["--json"])).unwrap();
    assert_eq!(told["checked"][0]["findings"][1]["all"], serde_json::json!(names));
}

#[test]
fn without_a_name_this_machine_and_all_known_devices_are_looked_at() {
    let support = Desk::new();
    let check = || {
        let ended = Ended::of(&mut support.command(&["pan_certctl", "check", "--json"]));
        let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let sections = told["checked"].as_array().unwrap().clone();
        let names = sections.iter().map(|one| one["device"].as_str().unwrap_or("this machine").to_owned());
        (names.collect::<Vec<_>>(), ended.code, sections)
    };
    // By known_devices and the key file, which names no port and means the same device.
    let (names, code, sections) = check();
    assert_eq!(names, ["this machine".to_owned(), support.target()], "{sections:#?}");
    assert_eq!(code, Some(0), "{sections:#?}");
    assert!(sections[0]["findings"].as_array().unwrap().len() > 4, "{sections:#?}");
    // By the configuration file: a device, a member of a group, a peer.
    let text = "[device.\"fw3.example.com\"]\nha-peer = 'fw4.example.com'\n[group.vpn]\ndevices = ['fw2.example.com']\n";
    support.write("etc/pan_getcert.toml", text, 0o644);
    support.write("etc/ipa/.panrc", "api_key=x\nhostname=fw5.example.com\n", 0o600);
    let (names, code, _) = check();
    let target = support.target();
    let all = [&target, "fw2.example.com", "fw3.example.com", "fw4.example.com", "fw5.example.com"];
    assert_eq!(names[1..], all.map(str::to_owned));
    assert_ne!(code, Some(0));
    // Several devices end in a table, above the line that counts.
    let ended = Ended::of(&mut support.command(&["pan_certctl", "check"])).stdout;
    let table: Vec<&str> = ended.lines().skip_while(|line| !line.starts_with("where ")).collect();
    assert_eq!(table.len(), 1 + all.len() + 1, "{ended}");
    assert!(table[0].ends_with("seconds") && table[all.len() + 1].contains(" failed, "), "{ended}");
    assert!(table[2].starts_with("fw2.example.com ") && table[2].contains("  failed (4)  "), "{ended}");
    let listed = Ended::of(&mut support.command(&["pan_certctl", "list-devices"])).exits(0).stdout;
    for device in all {
        assert!(listed.contains(device), "{device}: {listed}");
    }
    // Where nothing is known, that is said.
    for file in ["etc/pan_getcert.toml", "etc/ipa/.panrc", "lib/pan_getcert/known_devices"] {
        support.remove(file);
    }
    let ended = Ended::of(&mut support.command(&["pan_certctl", "check"])).exits(0);
    assert!(ended.stdout.contains("no device is known here yet"), "{ended:#?}");
}

#[test]
fn a_script_of_the_same_name_that_is_found_first_is_told() {
    let support = Desk::new();
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_pan_certctl")).parent().unwrap().display();
    let old = support.path("bin/pan_getcert");
    programs::write(&support.path("bin/pan_getcert"), "#!/bin/bash\n");
    let check = |path: String| {
        let line = format!("PATH='{path}:/usr/bin:/bin' exec '{programs}/pan_certctl' check");
        Ended::of(&mut support.command(&["sh", "-c", &line])).stdout
    };
    let first = check(format!("{}:{programs}", support.path("bin").display()));
    let told = format!("path: {} comes first in PATH", old.display());
    assert!(
        first.contains(&told) && first.contains(&format!("run: mv {0} {0}.old", old.display())),
        "{first}"
    );
    let behind = check(format!("{programs}:{}", support.path("bin").display()));
    assert!(!behind.contains("path:"), "{behind}");
    // A link to ours is ours.
    support.remove("bin/pan_getcert");
    std::os::unix::fs::symlink(format!("{programs}/pan_getcert"), &old).unwrap();
    let linked = check(format!("{}:{programs}", support.path("bin").display()));
    assert!(!linked.contains("path:"), "{linked}");
}
