//! `keygen`, ended at every step: the key file is the old one or the new one, and after the next run that reads it no other
//! file holds a key.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::world::{ADMINISTRATOR, Ended, World};

const OTHER: &str = "LUFRPT-another-device==";

/// `keygen` into a directory of its own, killed at a step; whether it came to its end.
fn keygen(world: &World, disk: &Path, named: bool, at: u64) -> bool {
    let keep = tempfile::TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("--state-dir").arg(world.path("state")).args([
        "keygen",
        &world.target(),
        "-l",
        ADMINISTRATOR,
    ]);
    command.arg("-k").arg(key_file(world)).args(["--pin", &world.device.certificate_fingerprint()]);
    command.env_clear().env("TZ", "UTC").env("LD_PRELOAD", disk).env("CRASH_ROOT", world.path("keys"));
    command.env("CRASH_KEEP", keep.path()).env("CRASH_AT", at.to_string()).env("CRASH_HOW", "kill");
    if named {
        command.env("CRASH_NAMED", "1");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"secret\n").unwrap();
    child.wait().unwrap().success()
}

fn key_file(world: &World) -> PathBuf {
    world.path("keys/.panrc")
}

/// The names in the directory of the key file that are not its own, and hold something.
fn drafts(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.path("keys")).unwrap().map(Result::unwrap);
    let others = entries.filter(|entry| entry.file_name() != ".panrc");
    let full = others.filter(|entry| std::fs::read_to_string(entry.path()).unwrap().contains("api_key"));
    full.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// In how many cases a draft with keys was there before the next run, of how many.
fn at_every_step(named: bool) -> (usize, u64) {
    let disk = crate::disk();
    let (mut left, mut at) = (0, 1);
    loop {
        let world = World::new();
        std::fs::create_dir(world.path("keys")).unwrap();
        let old = format!("api_key%o={OTHER}\nhostname%o=fw2.example.com\n");
        crate::common::pki::write(&key_file(&world), old.as_bytes(), 0o600);
        let ended = keygen(&world, &disk, named, at);
        let text = std::fs::read_to_string(key_file(&world)).unwrap();
        assert!(text.starts_with(&old), "step {at}: {text}");
        if ended {
            assert!(text.contains("api_key%127-0-0-1="), "{text}");
            assert_eq!(drafts(&world), [""; 0]);
            return (left, at);
        }
        left += usize::from(!drafts(&world).is_empty());
        // Any run that reads the key file; this one has no key for the device, or the new one.
        let mut next = world.bare_command();
        next.arg("-k").arg(key_file(&world)).arg("--dry-run").arg(world.target());
        let ended = Ended::of(&mut next);
        assert_eq!(drafts(&world), [""; 0], "step {at}: {ended:?}");
        at += 1;
    }
}

#[test]
fn keygen_leaves_no_draft_with_keys_for_the_run_after_the_next() {
    let (left, steps) = at_every_step(false);
    // Only between its name and its place: no system call gives a file without a name the name of another.
    assert!(left <= 1 && steps >= 5, "{left} of {steps}");
    let (left, steps) = at_every_step(true);
    assert!(left >= 2 && steps >= 5, "the fallback was not used: {left} of {steps}");
}
