//! What the worker is asked for and its sandbox does not let it do: told when it is asked for, and in words that help.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod common;

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use common::pki;
use common::world::{Ended, KEY, NAME, PORTAL, World};

/// A machine on which the worker is enabled for the usual state directory: in a mount namespace of its own.
const ENTER: &str = "mount -t overlay overlay -o \"lowerdir=$0/etc:/etc\" /etc && mount --bind \"$0/log\" /var/log && \
    mount --bind \"$0/lib\" /var/lib && mount --bind \"$0/run\" /run && exec timeout 60 \"$@\"";

fn machine() -> Option<World> {
    let world = World::new();
    for folder in
        ["etc/ipa", "etc/ssl/certs", "etc/ssl/private", "log", "lib/pan_getcert", "run/systemd/system"]
    {
        std::fs::create_dir_all(world.path(folder)).unwrap();
    }
    let wants = "etc/systemd/system/paths.target.wants";
    std::fs::create_dir_all(world.path(wants)).unwrap();
    pki::write(&world.path(wants).join("pan_certctl-retry.path"), b"", 0o644);
    pki::write(&world.path("etc/ipa/.panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
    for (from, to) in [("crt", "etc/ssl/certs"), ("key", "etc/ssl/private")] {
        let name = format!("{NAME}.{from}");
        std::fs::rename(world.path(&name), world.path(to).join(&name)).unwrap();
    }
    let works = rustix::process::geteuid().is_root() && inside(&world, &["true"]).code == Some(0);
    if !works {
        eprintln!("no mount namespace can be had here: this test was not run");
    }
    works.then_some(world)
}

fn command<W: AsRef<OsStr>>(world: &World, words: &[W]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", ENTER]).arg(world.folder.path()).args(words);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn inside<W: AsRef<OsStr>>(world: &World, words: &[W]) -> Ended {
    Ended::of(&mut command(world, words))
}

fn queued(world: &World) -> usize {
    std::fs::read_dir(world.path("lib/pan_getcert/queue")).map_or(0, Iterator::count)
}

fn words(world: &World, program: &str, more: &[&str]) -> Vec<String> {
    let pin = world.device.certificate_fingerprint();
    let all = [program, "-c", NAME, "-p", PORTAL, "--pin", &pin];
    all.iter().chain(more).map(|word| (*word).to_owned()).chain([world.target()]).collect()
}

const INSTCERT: &str = env!("CARGO_BIN_EXE_pan_instcert");

#[test]
fn what_the_worker_can_read_is_queued_without_a_word() {
    let Some(world) = machine() else { return };
    let ended = inside(&world, &words(&world, INSTCERT, &["-b", "--queue"])).exits(0);
    assert_eq!((ended.stderr.as_str(), queued(&world)), ("", 1));
}

#[test]
fn what_the_worker_can_not_read_is_told_when_it_is_asked_for() {
    let Some(world) = machine() else { return };
    let mine = world.path(".panrc").display().to_string();
    let asked = words(&world, INSTCERT, &["-b", "--queue", "-k", &mine]);
    // As certmonger does: it is recorded, and there is a warning.
    let ended = inside(&world, &asked).exits(0);
    let says =
        format!("the worker could not deliver this: {mine} lies below /tmp, which the worker does not see");
    assert!(ended.stderr.contains(&says) && ended.stderr.contains("/etc for instance"), "{ended:#?}");
    assert_eq!(queued(&world), 1);
    let log = std::fs::read_to_string(world.path("log/pan_instcert.log")).unwrap();
    assert!(log.contains(&says), "{log}");

    // A certificate or key that was named, also before it is there.
    for option in ["--cert-file", "--cert-key"] {
        let file = world.path("later.pem").display().to_string();
        let ended = inside(&world, &words(&world, INSTCERT, &["-b", "--queue", option, &file])).exits(0);
        let says = format!("the worker could not deliver this: {file} lies below /tmp");
        assert!(ended.stderr.contains(&says), "{ended:#?}");
    }

    // A file of somebody else, which root reads only by its capabilities.
    std::os::unix::fs::chown(
        world.path(format!("etc/ssl/private/{NAME}.key").as_str()),
        Some(65534),
        Some(65534),
    )
    .unwrap();
    let ended = inside(&world, &words(&world, INSTCERT, &["-b", "--queue"])).exits(0);
    assert!(ended.stderr.contains("(user id 65534, mode 0600) is closed to the worker"), "{ended:#?}");

    // Somebody who sees it is refused.
    let before = queued(&world);
    let mut terminal = command(
        &world,
        &["script", "-qec", &asked.join(" ").replace("GP portal", "'GP portal'"), "/dev/null"],
    );
    let ended = Ended::of(terminal.stdin(Stdio::piped()));
    assert!(
        ended.code == Some(1) && ended.stdout.contains("the worker could not deliver this"),
        "{ended:#?}"
    );
    assert_eq!(queued(&world), before);
}

#[test]
fn nothing_is_asked_of_certmonger_that_the_worker_could_not_deliver() {
    let Some(world) = machine() else { return };
    let mine = world.path(".panrc").display().to_string();
    let ended = inside(&world, &words(&world, env!("CARGO_BIN_EXE_pan_getcert"), &["-k", &mine])).exits(1);
    assert!(ended.stderr.contains("the worker could not deliver this"), "{ended:#?}");
}

#[test]
fn the_worker_is_never_told_to_use_sudo() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (file, code) in [(format!("{NAME}.key"), 10), (".panrc".to_owned(), 5)] {
        let world = World::new();
        world.install(&["-p", PORTAL, "--queue"]).exits(0);
        std::os::unix::fs::chown(world.path(&file), Some(65534), Some(65534)).unwrap();
        let mut worker = Command::new("setpriv");
        worker.args([
            "--bounding-set=-all",
            "--inh-caps=-all",
            env!("CARGO_BIN_EXE_pan_certctl"),
            "retry",
            "--now",
        ]);
        worker.arg("--state-dir").arg(world.path("state")).arg("--log-file").arg(world.path("log"));
        let ended = Ended::of(worker.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC")).exits(code);
        assert!(!format!("{ended:?}").contains("sudo"), "{ended:#?}");
        assert!(
            ended.stderr.contains("no permission to read") && ended.stderr.contains("sandbox"),
            "{ended:#?}"
        );
        assert!(!world.log().iter().any(|line| line.contains("sudo")), "{:#?}", world.log());
    }
}
