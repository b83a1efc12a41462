//! Each variable of the environment that a library reads, set to something hostile: the run ends in time, with the right
//! result or a refusal that names the variable.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use pancert::host::environment::{Treatment, VARIABLES};

use crate::common::world::{Ended, NAME, PORTAL, World};

const CERTCTL: &str = env!("CARGO_BIN_EXE_pan_certctl");
const GETCERT: &str = env!("CARGO_BIN_EXE_pan_getcert");
const INSTCERT: &str = env!("CARGO_BIN_EXE_pan_instcert");
/// What takes longer is stuck.
const SECONDS: &str = "60";

struct Hostile {
    world: World,
}

impl Hostile {
    fn new() -> Self {
        let world = World::new();
        let fifo = world.path("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        std::fs::File::create(world.path("large")).unwrap().set_len(1 << 40).unwrap();
        Self { world }
    }

    fn path(&self, name: &str) -> String {
        self.world.path(name).to_str().unwrap().to_owned()
    }

    /// Values that name what never ends, or are none.
    fn values(&self) -> Vec<OsString> {
        vec![
            "/dev/zero".into(),
            ":/dev/zero".into(),
            self.path("fifo").into(),
            format!(":{}", self.path("fifo")).into(),
            "x".repeat(10_000).into(),
            OsStr::from_bytes(b"\xff\xfe\x80%n%s\x1b[2J").to_owned(),
            "99999999999999999999".into(),
            "-1".into(),
        ]
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args([SECONDS, program]).args(words).env_clear().env("PATH", "/usr/bin:/bin");
        command
            .arg("--state-dir")
            .arg(self.world.path("state"))
            .arg("--log-file")
            .arg(self.world.path("log"));
        command
    }

    fn install(&self) -> Command {
        let mut command = self.command(INSTCERT, &["-b", "-c", NAME, "-p", PORTAL, &self.world.target()]);
        command.arg("-k").arg(self.world.path(".panrc"));
        command.args(["--pin", &self.world.device.certificate_fingerprint()]);
        for option in ["-C", "-K"] {
            command.arg(option).arg(self.world.folder.path());
        }
        command
    }

    /// How a short run ends with this in its environment.
    fn short(&self, variable: &str, value: &OsStr) -> Ended {
        let mut command = self.command(CERTCTL, &["status", "--no-certmonger"]);
        Ended::of(command.env(variable, value))
    }
}

fn those(treatments: &[Treatment]) -> impl Iterator<Item = &'static str> {
    let treatments = treatments.to_vec();
    VARIABLES.iter().filter(move |(_, treatment)| treatments.contains(treatment)).map(|(name, _)| *name)
}

#[test]
fn what_has_no_power_has_none_whatever_it_is_set_to() {
    for number in 0..8 {
        let hostile = Hostile::new();
        let value = hostile.values().swap_remove(number);
        let all = || those(&[Treatment::Harmless, Treatment::Ignored]).filter(|name| *name != "PATH");
        let with = |mut command: Command| {
            for name in all() {
                command.env(name, &value);
            }
            Ended::of(&mut command)
        };
        let text = format!("{value:.60?}");
        let ended = with(hostile.install());
        assert_eq!(ended.code, Some(0), "{text}: {ended:?}");
        assert!(hostile.world.served().is_some());
        for words in [&["status", "--no-certmonger"][..], &["log"], &["log", "--chart"], &["retry"]] {
            let ended = with(hostile.command(CERTCTL, words));
            assert_eq!(ended.code, Some(0), "{text}: {words:?}: {ended:?}");
            assert!(!ended.stdout.contains("\x1b[2J") && !ended.stderr.contains("\x1b[2J"));
        }
        for program in [GETCERT, INSTCERT, CERTCTL] {
            let mut command = Command::new("timeout");
            command.args([SECONDS, program, "--help"]).env_clear().env("PATH", "/usr/bin:/bin");
            assert_eq!(with(command).code, Some(0), "{text}: {program}");
        }
    }
}

#[test]
fn what_names_a_file_or_can_only_break_a_run_is_refused_before_it_is_read() {
    let hostile = Hostile::new();
    let (fifo, large) = (hostile.path("fifo"), hostile.path("large"));
    let (fifo, large) = (fifo.as_str(), large.as_str());
    let refused: Vec<(&str, Vec<String>)> = VARIABLES
        .iter()
        .map(|(name, treatment)| match treatment {
            Treatment::File => (*name, vec!["/dev/zero".to_owned(), fifo.to_owned(), large.to_owned()]),
            Treatment::Directory => (*name, vec!["/dev/zero".to_owned(), fifo.to_owned()]),
            Treatment::Zone => {
                let named = ["/dev/zero", fifo, large, "../../../dev/zero", "Europe/../../../../dev/zero"];
                (*name, named.iter().flat_map(|path| [(*path).to_owned(), format!(":{path}")]).collect())
            }
            Treatment::Unset => (*name, vec!["1".to_owned(), "99999999999999999999".to_owned()]),
            Treatment::Harmless | Treatment::Ignored | Treatment::Loader => (*name, Vec::new()),
        })
        .collect();
    assert!(refused.iter().map(|(_, values)| values.len()).sum::<usize>() > 20);
    for (variable, values) in refused {
        for value in values {
            let ended = hostile.short(variable, OsStr::new(&value));
            assert_eq!(ended.code, Some(1), "{variable}={value}: {ended:?}");
            for says in [variable, "the environment has", "env -u "] {
                assert!(ended.stderr.contains(says), "no '{says}' for {variable}={value} in {ended:?}");
            }
        }
    }
}

#[test]
fn a_time_zone_that_is_one_is_used_and_one_that_is_none_hurts_nobody() {
    let hostile = Hostile::new();
    for value in
        ["UTC", ":UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "localtime", "Europe", "no/such", ":", "x/../UTC"]
    {
        let ended = hostile.short("TZ", OsStr::new(value));
        assert_eq!(ended.code, Some(0), "{value}: {ended:?}");
    }
    for value in hostile.values().into_iter().skip(4) {
        let ended = hostile.short("TZ", &value);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    Ended::of(hostile.install().env("TZ", "CET-1")).exits(0);
    let log = std::fs::read_to_string(hostile.world.path("log")).unwrap();
    assert!(log.contains("+01:00]: "), "{log}");
}
