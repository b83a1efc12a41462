//! The configuration file.

use std::os::unix::fs::PermissionsExt as _;

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
            (quiet.world.folder.path().to_owned(), "directory"),
            (fifo.clone(), "FIFO"),
            ("/dev/zero".into(), "a device"),
            (quiet.file("latin1.toml", b"# caf\xe9\n"), "UTF-8"),
            (quiet.file("large.toml", vec![b'#'; 10 << 20]), "the file is too large"),
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
    for program in BOTH {
        for (text, words) in [
            ("\n\n[device", &["line 3"] as &[&str]),
            ("x = \n", &["line 1"]),
            ("\n[devices.fw1]\n", &["line 2", "unknown key 'devices', did you mean 'device'?"]),
            (
                "[device.fw1]\n\nprofil = 'x'\n",
                &[
                    "line 3",
                    "unknown key 'profil', did you mean 'profile'?",
                    "3 | profil = 'x'",
                    "  | ^^^^^^",
                ],
            ),
            ("[device.fw1]\nzone = 'x'\n", &["line 2", "unknown key 'zone'; known here: key-file, profile"]),
            ("[device.fw1]\nexportable = 'yes'\n", &["line 2", "expected a boolean"]),
            ("[device.fw1]\nprofile = 1\n", &["line 2", "expected a string"]),
            ("[device.fw1]\nca-file = '/x'\n", &["line 2", "expected a sequence"]),
            ("[device.fw1]\ncommit = 'all'\n", &["line 2", "unknown value 'all'"]),
            (
                "[device.fw1]\nsuffix = 'month'\n",
                &["line 2", "unknown value 'month'; known here: none, year, serial"],
            ),
            ("[device.fw1]\nkeep = -1\n", &["line 2"]),
            ("[device.fw1]\ndry-run = true\n", &["line 2", "unknown key 'dry-run'"]),
            ("[device.fw1]\ncommit-timeout = -1\n", &["line 2"]),
            ("[device.fw1]\ncommit-timeout = 0\n", &["line 2", "1 to 604800"]),
            ("[device.fw1]\ncommit-timeout = 604801\n", &["line 2", "1 to 604800"]),
            ("[device.fw1]\ncommit-timeout = 9223372036854775807\n", &["line 2", "1 to 604800"]),
            ("[device.fw1]\nprofile = 'a'\nprofile = 'b'\n", &["line 3", "duplicate key"]),
            ("[device.\"a b\"]\n", &["line 1, column 9", "a b", "not a valid device name"]),
            ("device = 1\n", &["line 1"]),
            ("tell_after = 0\n", &["line 1", "nonzero"]),
            ("drift = 'wran'\n", &["line 1", "unknown value 'wran', did you mean 'warn'?"]),
            ("on-failure = []\n", &["line 1", "unknown key 'on-failure', did you mean 'on_failure'?"]),
            ("on_failure = ['./tell']\n", &["line 1, column 15", "on_failure: './tell' is no absolute path"]),
            ("on_failure = ['', 'x']\n", &["line 1, column 15", "on_failure: the program's name is empty"]),
        ] {
            let path = quiet.file("config.toml", text);
            let line = quiet.line(program).with("--config", &path);
            line.refused(1, &[&["config.toml"], words].concat());
        }
    }
}

#[test]
fn values_that_can_not_be_used_and_contradictions_are_found_whichever_device_is_at_hand() {
    let quiet = Quiet::new();
    let device = format!("[device.\"{}\"]\n", quiet.world.target());
    let sha = "ab".repeat(32);
    for (text, place, says) in [
        ("vsys = 'Blue'", "line 4, column 8", "vsys: 'Blue' is not the name of a virtual system"),
        ("pin = 'x'", "line 4, column 7", "pin: 'x' is not a SHA-256 fingerprint"),
        ("ha-peer = 'a b'", "line 4, column 11", "ha-peer: 'a b' is not a valid device name"),
        ("ha-peer = 'FW1:443'", "line 4, column 11", "ha-peer: fw1 can't be its own peer"),
        ("served = ['a:1', 'b:0']", "line 4, column 18", "served: 'b:0' is not a valid device name"),
        ("ca-file = ['/a',\n'b/c']", "line 5, column 1", "ca-file: 'b/c' is no absolute path"),
        ("chain = 'x.pem'", "line 4, column 9", "chain: 'x.pem' is no absolute path"),
        ("key-file = './k'", "line 4, column 12", "key-file: './k' is no absolute path"),
        ("key-file = ''", "line 4, column 12", "key-file: it is empty"),
        ("secondary-profile = 'x'", "line 4, column 1", "secondary-profile: it needs 'profile'"),
        ("pkcs12 = 'auto'\nformat = 'pem'", "line 4, column 1", "pkcs12: with format = \"pem\""),
        ("chain = '/x'\npkcs12 = 'auto'", "line 5, column 1", "pkcs12: with 'chain' the upload is PEM"),
        (&format!("pin = '{sha}'\ninsecure = true"), "line 5, column 1", "insecure: only one of"),
        (&format!("pin = '{sha}'\nca-file = ['/x']"), "line 4, column 1", "pin: only one of"),
        ("[device.FW1]", "line 4, column 9", "fw1 is there twice; the first is in line 3"),
        ("[device.\"fw1:443\"]", "line 4, column 9", "fw1 is there twice"),
    ] {
        let path = quiet.file("config.toml", format!("{device}\n[device.fw1]\n{text}\n"));
        for program in BOTH {
            let ended = quiet.line(program).with("--config", &path).refused(1, &[place, says]);
            assert!(ended.stderr.contains("| ^") || ended.stderr.contains(" ^"), "no mark: {ended:#?}");
        }
    }
    for program in BOTH {
        let path = quiet.file("config.toml", format!("{device}profile = \"a'b\"\n"));
        let line = quiet.line(program).with("--config", &path);
        line.refused(2, &["line 2, column 11", "is not a valid SSL/TLS profile name"]);
    }
}

#[test]
fn a_configuration_file_that_others_could_have_written_is_not_believed() {
    let quiet = Quiet::new();
    for program in BOTH {
        for mode in [0o620, 0o602, 0o666] {
            let path = quiet.file("config.toml", "");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let line = quiet.line(program).with("--config", &path);
            line.refused(1, &["other users can change it", "chmod go-w"]);
        }
        if rustix::process::geteuid().is_root() {
            let path = quiet.file("config.toml", "");
            std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
            let line = quiet.line(program).with("--config", &path);
            line.refused(1, &["it belongs to user id 65534, not to root", "chown root:"]);
        }
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

#[test]
fn windows_line_ends_and_whatever_is_unclosed_are_told_with_their_line() {
    let quiet = Quiet::new();
    for (text, line) in [
        ("drift = 'deliver\r\n", "line 1"),
        ("# a\r\ndrift = \"deliver\r\ntell_after = 4\r\n", "line 2"),
        ("on_failure = ['a',\r\n'b\r\n\r\n", "line 2"),
        ("drift = \"\"\"\r\n\r\n", "line "),
        ("[device.\"fw1\r\n", "line 1"),
        ("drift =\r\n", "line 1"),
        ("a\r", "line 1"),
        ("\u{feff}drift = '\u{e4}\r\n", "line 1"),
        ("drift = 'deliver'\r\nno-such-key = 1\r\n", "line 2"),
    ] {
        let path = quiet.file("crlf.toml", text);
        quiet.line(Instcert).with("--config", &path).refused(1, &["crlf.toml", line, "column"]);
    }
}
