//! What the memory of a process holds while it waits for a commit: no key, no container, no passphrase, and the API
//! key once; and no core can be made of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]
mod common;
#[path = "memory/pauses.rs"]
mod pauses;
#[path = "memory/scan.rs"]
mod scan;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::pki::{CertificateSpec, Issued, KeyKind};
use common::trouble::wait_until;
use common::world::{GATEWAY, KEY, NAME, PORTAL, World, settings};
use openssl::bn::BigNumRef;
use panos_sim::Settings;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use scan::{Found, Memory, Secret};

/// A process that waits for a commit job which never ends in the time of a test.
struct Waiting {
    child: Child,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Waiting {
    fn begin(mut command: Command) -> Self {
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Self { child }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }

    /// Its memory between two questions for the job: the process has asked, has its answer, and sleeps.
    fn memory(&self, world: &World) -> Memory {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            assert!(Instant::now() < deadline, "it never rests");
            let before = polls(world);
            if !wait_until(|| polls(world) > before.max(1)) {
                panic!("it does not ask for its job");
            }
            let asked = polls(world);
            // It takes its answer, and begins its pause, which is nearly a second.
            std::thread::sleep(Duration::from_millis(200));
            if let Some(memory) = self.stopped(|| polls(world) == asked) {
                return memory;
            }
        }
    }

    /// Its memory while it is stopped, unless it has asked something before it was.
    fn stopped(&self, rested: impl Fn() -> bool) -> Option<Memory> {
        self.signal(Signal::STOP);
        let state = || std::fs::read_to_string(self.proc("stat")).unwrap();
        assert!(wait_until(|| state().rsplit(") ").next().unwrap().starts_with('T')), "{}", state());
        let memory = Memory::of(self.child.id());
        let rested = rested();
        self.signal(Signal::CONT);
        rested.then_some(memory)
    }
}

/// How many times it was asked for the job, and answered.
fn polls(world: &World) -> usize {
    let requests = world.device.requests();
    let is_poll = |cmd: &str| cmd.contains("<jobs><id>");
    requests.iter().filter(|r| r.cmd.as_deref().is_some_and(is_poll) && r.answered_ms.is_some()).count()
}

fn slow() -> Settings {
    let mut settings = settings();
    settings.commit_duration = Duration::from_secs(3600);
    settings
}

/// The secret numbers of a key.
fn numbers(issued: &Issued) -> Vec<Secret> {
    let number = |name, number: &BigNumRef| Secret::number(name, &number.to_vec());
    match issued.key.rsa() {
        Ok(rsa) => vec![
            number("d", rsa.d()),
            number("p", rsa.p().unwrap()),
            number("q", rsa.q().unwrap()),
            number("dp", rsa.dmp1().unwrap()),
            number("dq", rsa.dmq1().unwrap()),
            number("qinv", rsa.iqmp().unwrap()),
        ],
        Err(_) => match issued.key.ec_key() {
            Ok(ec) => vec![number("scalar", ec.private_key())],
            Err(_) => vec![Secret::number("seed", &issued.key.raw_private_key().unwrap())],
        },
    }
}

/// Everything that was uploaded, and what it was protected with.
fn uploads(world: &World) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for upload in world.device.uploads() {
        secrets.push(Secret::text("passphrase", &upload.passphrase));
        if !upload.file.starts_with(b"-----BEGIN") {
            secrets.push(Secret::container("PKCS#12", &upload.file));
        }
    }
    secrets
}

/// Nothing but the API key, and that once.
fn holds_no_secret(what: &str, world: &World, waiting: &Waiting, keys: &[&Issued]) {
    let memory = waiting.memory(world);
    assert!(!uploads(world).is_empty(), "{what}");
    holds(what, world, &memory, keys, &[KEY]);
}

/// Nothing but each API key once.
fn holds(what: &str, world: &World, memory: &Memory, keys: &[&Issued], api_keys: &[&str]) {
    let mut secrets: Vec<Secret> = keys.iter().flat_map(|issued| numbers(issued)).collect();
    secrets.extend(uploads(world));
    // What is no secret is found: the search works, and in the right memory.
    let plain = Secret::text("the path of the record", world.path("state/installations").to_str().unwrap());
    let on_the_heap = |found: &Found| found.place.contains("[heap]");
    assert!(memory.find(&[plain]).iter().any(on_the_heap), "{what}: the search finds nothing");
    let found = memory.find(&secrets);
    for api_key in api_keys {
        let key: Vec<Found> = memory.find(&[Secret::text("API key", api_key)]);
        eprintln!(
            "{what}: {} KiB searched for {} secrets; found {found:?}; the API key {} time(s): {key:?}",
            memory.size() / 1024,
            secrets.len(),
            key.len()
        );
        assert!(key.len() <= 1 && key.iter().all(|found| found.form == "raw"), "{what}: {key:#?}");
    }
    assert!(found.is_empty(), "{what}: {found:#?}");
}

fn waits_without_secrets(what: &str, kind: KeyKind, arguments: &[&str]) {
    let world = World::with(slow());
    let issued = world.issue(&CertificateSpec::named(NAME).san(NAME).key(kind));
    let mut command = world.command();
    command.args(["-p", PORTAL]).args(arguments).arg(world.target());
    let waiting = Waiting::begin(command);
    holds_no_secret(what, &world, &waiting, &[&issued]);
}

#[test]
fn a_process_that_waits_for_a_commit_has_no_rsa_key() {
    waits_without_secrets("RSA, PKCS#12", KeyKind::Rsa(2048), &[]);
    waits_without_secrets("RSA, PKCS#12, modern", KeyKind::Rsa(2048), &["--pkcs12", "modern"]);
}

#[test]
fn nor_one_of_a_curve() {
    waits_without_secrets("P-256, PKCS#12", KeyKind::P256, &[]);
    waits_without_secrets("P-384, PKCS#12", KeyKind::P384, &[]);
    waits_without_secrets("P-256, PEM", KeyKind::P256, &["--format", "pem"]);
}

#[test]
fn nor_after_an_upload_as_pem() {
    waits_without_secrets("RSA, PEM", KeyKind::Rsa(2048), &["--format", "pem"]);
}

#[test]
fn nor_after_a_form_that_was_refused_and_made_again() {
    let world = World::with(slow());
    let issued = world.issue(&CertificateSpec::named(NAME).san(NAME).key(KeyKind::Rsa(2048)));
    let refusal = panos_sim::What::Body {
        content_type: "application/xml".into(),
        body: "<response status=\"error\" code=\"12\"><msg><line>Unable to read</line></msg></response>"
            .into(),
    };
    // The device has the file before it refuses it.
    let import = panos_sim::When::request(panos_sim::Matcher::typed("import"));
    world.device.inject(panos_sim::Fault::new(import, refusal).after_effect());
    let mut command = world.command();
    command.args(["-p", PORTAL]).arg(world.target());
    let waiting = Waiting::begin(command);
    holds_no_secret("RSA, legacy refused, then modern", &world, &waiting, &[&issued]);
    let imports = world.device.requests().iter().filter(|r| r.r#type.as_deref() == Some("import")).count();
    assert_eq!(imports, 2);
}

#[test]
fn nor_of_several_certificates_in_one_commit() {
    let world = World::with(slow());
    let mut issued = Vec::new();
    for (at, name) in ["a.example.com", "b.example.com", "c.example.com"].iter().enumerate() {
        let kind = if at == 1 { KeyKind::P256 } else { KeyKind::Rsa(2048) };
        let one = world.ca.issue(&CertificateSpec::named(name).san(name).key(kind));
        one.write(world.folder.path(), name);
        issued.push(one);
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
        command.args(["-b", "-c", name, "--queue", "--insecure"]);
        // A profile presents one certificate only: the third is uploaded for its own sake.
        command.args([PORTAL, GATEWAY].get(at).map(|profile| ["-p", profile]).iter().flatten());
        command.arg("-C").arg(world.folder.path()).arg("-K").arg(world.folder.path());
        command.arg("-k").arg(world.path(".panrc")).arg("--state-dir").arg(world.path("state"));
        command.arg(world.target()).env_clear().env("TZ", "UTC");
        assert!(command.output().unwrap().status.success());
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    command.args(["retry"]).env_clear().env("TZ", "UTC");
    let waiting = Waiting::begin(command);
    let issued: Vec<&Issued> = issued.iter().collect();
    holds_no_secret("three certificates in one commit", &world, &waiting, &issued);
    assert_eq!(world.device.uploads().len(), 3);
}

/// No core of a process, whatever limit it was started with.
fn leaves_no_core(what: &str, mut command: Command, pid_is_ready: impl Fn(u32) -> bool) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut waiting = Waiting { child };
    assert!(wait_until(|| pid_is_ready(waiting.child.id())), "{what}");
    let limits = std::fs::read_to_string(waiting.proc("limits")).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let cores: Vec<&str> = cores.split_ascii_whitespace().skip(4).take(2).collect();
    assert_eq!(cores, ["0", "0"], "{what}: {limits}");
    // A process that can't be dumped belongs to root in the eyes of the others of its user.
    assert_eq!(std::fs::metadata(waiting.proc("mem")).unwrap().uid(), 0, "{what}");
    waiting.signal(Signal::ABORT);
    let ended = waiting.child.wait().unwrap();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false), "{what}");
}

#[test]
fn no_program_leaves_a_core_not_even_where_the_caller_wants_one() {
    // This process and its children may leave cores of any size.
    let most = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: most, maximum: most }).unwrap();
    let world = World::with(slow());
    let mut command = world.command();
    command.args(["-p", PORTAL]).arg(world.target()).current_dir(world.folder.path());
    leaves_no_core("pan_instcert", command, |_| polls(&world) > 0);

    // As somebody else, who waits for a password that never comes.
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // Where it was built, perhaps only its owner may go.
    let program = folder.path().join("pan_certctl");
    common::programs::place(env!("CARGO_BIN_EXE_pan_certctl"), &program);
    let mut command = Command::new(&program);
    command.args(["keygen", "-l", "admin", "--insecure", "-k"]).arg(folder.path().join("keys"));
    command.arg(world.target()).current_dir(folder.path()).stdin(Stdio::piped()).env_clear();
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let sleeps = |pid: u32| {
        let wchan = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        // Reading standard input.
        wchan.starts_with("0 0x0 ")
    };
    leaves_no_core("pan_certctl", command, sleeps);
}

#[test]
fn what_is_started_leaves_no_core_either() {
    let world = World::with(settings());
    let told = world.path("told");
    let script = "ulimit -Sc; ulimit -Hc";
    let config = format!(
        "on_failure = ['/bin/sh', '-c', '{{ {script}; }} >> \"$0\"', '{}']\ntell_after = 1\n",
        told.display()
    );
    common::pki::write(&world.path("config.toml"), config.as_bytes(), 0o600);
    world.device.set_listening(panos_sim::Listening::Refused);
    let mut command = world.command();
    command.args(["-p", PORTAL, "--config"]).arg(world.path("config.toml")).arg(world.target());
    assert!(!command.output().unwrap().status.success());
    assert_eq!(std::fs::read_to_string(told).unwrap().split_whitespace().collect::<Vec<_>>(), ["0", "0"]);
}
