//! The configuration file.

use crate::common::world::PORTAL;
use crate::line::{BOTH, Instcert, Quiet, as_nobody, open_folder_with_programs};

#[test]
fn a_configuration_file_that_can_not_be_read_is_named() {
    let quiet = Quiet::new();
    let fifo = quiet.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for program in BOTH {
        for (path, word) in [
            (quiet.path("missing.toml"), "there is no such file"),
            (quiet.world.folder.path().to_owned(), "folder"),
            (fifo.clone(), "FIFO"),
            ("/dev/zero".into(), "a device"),
            (quiet.file("latin1.toml", b"# caf\xe9\n"), "UTF-8"),
            (quiet.file("large.toml", vec![b'#'; 10 << 20]), "more than"),
        ] {
            let line = quiet.line(program).with("--config", &path);
            line.refused(1, &["the configuration file", path.to_str().unwrap(), word]);
        }
    }
}

#[test]
fn a_configuration_file_for_somebody_else_is_named_with_the_way_out() {
    let quiet = Quiet::new();
    let programs = open_folder_with_programs();
    for program in BOTH {
        let there = programs.path().join(program.path().file_name().unwrap());
        let config = programs.path().join("config.toml");
        crate::common::pki::write(&config, b"", 0o000);
        let line = quiet.line(program).with("--config", &config).through(&as_nobody(&there));
        line.refused(1, &["config.toml", "run it with sudo"]);
    }
}

#[test]
fn what_is_not_understood_in_a_configuration_file_is_told_with_its_line() {
    let quiet = Quiet::new();
    let device = format!("[device.\"{}\"]", quiet.world.target());
    for program in BOTH {
        for (text, words) in [
            ("\n\n[device", &["line 3"] as &[&str]),
            ("x = \n", &["line 1"]),
            ("\n[devices.fw1]\n", &["line 2", "unknown field `devices`"]),
            ("[device.fw1]\n\nprofil = 'x'\n", &["line 3", "unknown field `profil`"]),
            ("[device.fw1]\ntemplate = 'x'\n", &["line 2", "unknown field `template`"]),
            ("[device.fw1]\nexportable = 'yes'\n", &["line 2", "expected a boolean"]),
            ("[device.fw1]\nprofile = 1\n", &["line 2", "expected a string"]),
            ("[device.fw1]\nca-file = '/x'\n", &["line 2", "expected a sequence"]),
            ("[device.fw1]\ncommit = 'all'\n", &["line 2", "unknown variant `all`"]),
            ("[device.fw1]\nsuffix = 'month'\n", &["line 2", "unknown variant `month`"]),
            ("[device.fw1]\nkeep = -1\n", &["line 2"]),
            ("[device.fw1]\ndry-run = true\n", &["line 2", "unknown field `dry-run`"]),
            ("[device.fw1]\ncommit-timeout = -1\n", &["line 2"]),
            ("[device.fw1]\ncommit-timeout = 0\n", &["line 2", "1 to 604800"]),
            ("[device.fw1]\ncommit-timeout = 604801\n", &["line 2", "1 to 604800"]),
            ("[device.fw1]\ncommit-timeout = 9223372036854775807\n", &["line 2", "1 to 604800"]),
            ("[device.fw1]\nprofile = 'a'\nprofile = 'b'\n", &["line 3", "duplicate key"]),
            ("[device.\"a b\"]\n", &["a b", "not a valid device name"]),
            ("[device.fw1]\n[device.FW1]\n", &["twice"]),
            ("[device.fw1]\n[device.\"fw1:443\"]\n", &["twice"]),
            ("[device.fw1]\npin = 'x'\ninsecure = true\n", &["only one of"]),
            ("device = 1\n", &["line 1"]),
        ] {
            let path = quiet.file("config.toml", text);
            let line = quiet.line(program).with("--config", &path);
            line.refused(1, &[&["config.toml"], words].concat());
        }
        // The values of the device at hand are checked as if they were typed.
        for (text, code, word) in [
            ("profile = \"a'b\"", 2, "is not a valid SSL/TLS profile name"),
            ("vsys = 'Blue'", 1, "is not the name of a virtual system"),
            ("secondary-profile = 'x'", 1, "-s needs -p"),
        ] {
            let path = quiet.file("config.toml", format!("{device}\n{text}\n"));
            quiet.line(program).with("--config", &path).refused(code, &[word]);
        }
        let path = quiet.file("config.toml", format!("{device}\npin = 'x'\n"));
        quiet.line(program).without("--pin").with("--config", &path).refused(1, &["--pin"]);
    }
}

#[test]
fn a_forged_line_in_a_configuration_file_is_shown_escaped() {
    let quiet = Quiet::new();
    let path = quiet.file("config.toml", "[device.\"a\\u001b[2J\\nEND - Finished\"]\n");
    let ended = quiet.line(Instcert).with("--config", &path).refused(1, &["not a valid device name"]);
    assert!(!ended.stderr.lines().any(|line| line.trim_start().starts_with("END")), "{ended:#?}");
}

#[test]
fn what_is_typed_wins_over_the_configuration_file() {
    let quiet = Quiet::new();
    let text =
        format!("[device.\"{}\"]\nprofile = 'no such profile'\ncommit = 'none'\n", quiet.world.target());
    let path = quiet.file("config.toml", text);
    let line = quiet.line(Instcert).with("--config", &path);
    line.clone().plus(&["-p", PORTAL, "--commit", "partial"]).run().exits(0);
    assert!(quiet.world.served().is_some());
}
