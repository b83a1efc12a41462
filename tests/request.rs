//! `pan_getcert` with a real certmonger on a private bus, and with one that says what a CA may say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use common::bus::{Bus, until};
use common::world::{Ended, GATEWAY, KEY, NAME, PORTAL, print, settings};
use common::{pki, programs};
use pancert::host::certmonger::Changes;
use panos_sim::Simulator;

/// A certmonger on a bus of its own, and a device.
struct Scene {
    bus: Bus,
    device: Simulator,
}

impl Scene {
    async fn new() -> Self {
        let scene = Self { bus: Bus::with_certmonger().await, device: Simulator::start(settings()).unwrap() };
        pki::write(&scene.bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
        scene
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address());
        command.args(["-c", NAME, "--session-bus", "--ca", "local", "--timeout", "60"]);
        command.arg("-k").arg(self.bus.path(".panrc"));
        for option in ["-C", "-K"] {
            command.arg(option).arg(self.bus.folder.path());
        }
        command.args(["--pin", &self.device.certificate_fingerprint()]);
        command.arg("--log-file").arg(self.bus.path("log")).arg("--state-dir").arg(self.bus.path("state"));
        command
    }

    fn ask(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command().args(arguments).arg(self.device.address().to_string()))
    }

    fn issued(&self) -> String {
        let pem = std::fs::read(self.bus.path(&format!("{NAME}.crt"))).unwrap();
        print(&openssl::x509::X509::from_pem(&pem).unwrap())
    }

    fn served(&self) -> Option<String> {
        common::world::served(&self.device)
    }
}

#[tokio::test]
async fn one_command_asks_installs_and_says_finished_in_the_kept_order() {
    let scene = Scene::new().await;
    let ended = scene.ask(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    assert_eq!(scene.served(), Some(scene.issued()));
    let device = scene.device.address();
    let mut lines = ended.stdout.lines();
    for phrase in [
        "Certificate Common Name: gp.example.com",
        "CERT_NAME: gp.example.com",
        &format!("PAN_FQDN: {device}"),
        "Primary SSL/TLS Profile name: GP portal",
        "Secondary SSL/TLS Profile name: GP gateway",
        "New signing request \"",
        "Certificate requested for: gp.example.com",
        "Certificate issue took ",
        &format!("Certificate install and commit by the post-save process on: {device} took "),
        &format!(
            "FINISHED: {device} runs the certificate 'gp.example.com' for gp.example.com in 'GP portal' and 'GP gateway', valid until "
        ),
    ] {
        assert!(
            lines.next().unwrap_or_default().starts_with(phrase),
            "no '{phrase}' in its place: {ended:#?}"
        );
    }
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn asking_again_updates_the_command_issues_nothing_and_installs_what_the_device_lacks() {
    let scene = Scene::new().await;
    scene.ask(&["-p", PORTAL]).exits(0);
    let first = scene.issued();
    scene
        .ask(&["-p", PORTAL, "-s", GATEWAY])
        .exits(0)
        .says("no new certificate was requested")
        .says("FINISHED: ");
    assert_eq!(scene.issued(), first);
    let tracked = scene.bus.getcert().list().await.unwrap();
    assert_eq!(tracked.requests.len(), 1);
    assert!(tracked.requests[0].post_save.as_ref().unwrap().contains("--secondary-profile=GP gateway"));
    assert!(scene.device.running_xml().matches(&format!("<certificate>{NAME}</certificate>")).count() == 2);

    scene.ask(&["-p", PORTAL, "--resubmit"]).exits(0).says("FINISHED: ");
    let second = scene.issued();
    assert_ne!(second, first);
    assert_eq!(scene.served(), Some(second.clone()));
    scene.ask(&["-p", PORTAL, "--rekey"]).exits(0).says("FINISHED: ");
    assert_ne!(scene.issued(), second);
    assert_eq!(scene.served(), Some(scene.issued()));
}

#[tokio::test]
async fn a_renewal_by_certmonger_alone_reaches_the_device() {
    let scene = Scene::new().await;
    scene.ask(&["-p", PORTAL]).exits(0);
    let (first, getcert) = (scene.issued(), scene.bus.getcert());
    let tracked = getcert.list().await.unwrap().requests.remove(0);
    getcert.resubmit(&tracked.id, &Changes::default()).await.unwrap();
    common::bus::until("the device serves the renewed certificate", || async {
        let now = scene.served();
        (now.is_some() && now != Some(first.clone())).then_some(())
    })
    .await;
    assert_eq!(scene.served(), Some(scene.issued()));
}

#[tokio::test]
async fn a_renewal_with_a_configuration_file_that_is_broken_just_then_is_not_lost() {
    let scene = Scene::new().await;
    let config = scene.bus.path("config.toml");
    let good = format!("[device.\"{}\"]\nprofile = '{PORTAL}'\n", scene.device.address());
    pki::write(&config, good.as_bytes(), 0o600);
    scene.ask(&["--config", config.to_str().unwrap()]).exits(0).says("FINISHED: ");
    let (first, getcert) = (scene.issued(), scene.bus.getcert());
    let tracked = getcert.list().await.unwrap().requests.remove(0);
    pki::write(&config, good.replace("profile", "profil").as_bytes(), 0o600);
    getcert.resubmit(&tracked.id, &Changes::default()).await.unwrap();
    let certctl = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.arg("--log-file").arg(scene.bus.path("log")).arg("--state-dir").arg(scene.bus.path("state"));
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        Ended::of(command.env("DBUS_SESSION_BUS_ADDRESS", scene.bus.address()))
    };
    let status = || certctl(&["status", "--no-certmonger"]);
    common::bus::until("the status is not green", || async { (status().code != Some(0)).then_some(()) })
        .await;
    let shown = status().exits(1);
    assert!(shown.stderr.contains("did you mean 'profile'"), "{shown:#?}");
    assert!(std::fs::read_to_string(scene.bus.path("log")).unwrap().contains("it is recorded"));
    assert_eq!(scene.served(), Some(first));
    scene.bus.until_phase(pancert::host::certmonger::Phase::Done).await;
    pki::write(&config, good.as_bytes(), 0o600);
    certctl(&["retry"]).exits(0);
    assert_eq!(scene.served(), Some(scene.issued()));
    status().exits(0);
}

#[tokio::test]
async fn asking_anew_states_the_whole_list_of_profiles_and_says_what_it_leaves_out() {
    let scene = Scene::new().await;
    scene.ask(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    let ended = scene.ask(&["-p", PORTAL]).exits(0);
    assert!(ended.stderr.contains("in these SSL/TLS profiles any more: 'GP gateway'"), "{ended:#?}");
    let again = scene.ask(&["-p", PORTAL]).exits(0);
    assert!(!again.stderr.contains("any more"), "{again:#?}");
}

#[tokio::test]
async fn finished_is_not_said_when_the_installation_failed_and_its_code_is_passed_on() {
    let scene = Scene::new().await;
    scene.device.fail_next_commit(&["Validation Error:", "something is invalid"]);
    let ended = scene.ask(&["-p", PORTAL]).exits(14).says("something is invalid");
    assert!(!ended.stdout.contains("FINISHED"), "{ended:#?}");
    assert!(ended.stdout.contains("Certificate issue took"));
    // Asked again, the certificate that was issued then is installed now.
    let issued = scene.issued();
    scene.ask(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    assert_eq!((scene.issued(), scene.served()), (issued.clone(), Some(issued)));
}

#[tokio::test]
async fn profile_names_with_spaces_and_dots_survive_certmongers_splitter() {
    let mut named = settings();
    named.profiles.push(panos_sim::Profile::unbound("GP portal  v1.2 - x"));
    let mut scene = Scene::new().await;
    scene.device = Simulator::start(named).unwrap();
    scene.ask(&["-p", "GP portal  v1.2 - x"]).exits(0);
}

/// A getcert that knows one request in this state, and certmonger's answer to anything else.
fn fake(folder: &std::path::Path, state: &str, error: &str, tracked: bool) -> PathBuf {
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let known = if tracked { "touch \"$here/asked\"" } else { ":" };
    let script = format!(
        "#!/bin/sh\nhere={here}\n{known}\ncase $1 in\n\
         list) [ -e \"$here/asked\" ] || {{ echo 'No request found that matched arguments.'; exit 1; }}\n\
         echo 'Number of certificates and requests being tracked: 1.'\n\
         echo \"Request ID '7':\"\necho '\tstatus: {state}'\necho '\tca-error: {error}'\necho '\tstuck: no'\n\
         echo \"\tcertificate: type=FILE,location='{here}/{NAME}.crt'\";;\n\
         request) touch \"$here/asked\"; echo 'New signing request \"7\" added.';;\n\
         resubmit) echo 'Resubmitting \"7\" to \"local\".';;\nesac\n",
        here = folder.display()
    );
    let path = bin.join("getcert");
    programs::write(&path, &script);
    bin
}

fn with_fake(state: &str, error: &str, tracked: bool, arguments: &[&str]) -> Ended {
    let world = common::world::World::new();
    if !tracked {
        std::fs::remove_file(world.path(&format!("{NAME}.crt"))).unwrap();
    }
    let bin = fake(world.folder.path(), state, error, tracked);
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
    command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.args(["-c", NAME, "--session-bus", "--ca", "local", "--insecure", "--no-check"]);
    command.arg("-k").arg(world.path(".panrc"));
    for option in ["-C", "-K"] {
        command.arg(option).arg(world.folder.path());
    }
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    let ended = Ended::of(command.args(arguments).arg(world.target()));
    assert_eq!(world.device.requests(), [], "nothing is sent to the device");
    ended
}

#[test]
fn a_rejected_or_stuck_request_ends_at_once_with_certmongers_reason() {
    let begun = std::time::Instant::now();
    with_fake("CA_REJECTED", "denied our request, giving up: 2100", false, &[])
        .exits(10)
        .says("giving up: 2100");
    with_fake("CA_UNCONFIGURED", "Key table entry not found.", false, &[])
        .exits(10)
        .says("Key table entry not found");
    with_fake("NEED_KEY_GEN_PERMS", "no", false, &[]).exits(10).says("not permitted to write");
    assert!(begun.elapsed().as_secs() < 20);
}

#[test]
fn monitoring_after_a_denied_renewal_is_not_taken_for_a_new_certificate() {
    let ended =
        with_fake("MONITORING", "denied our request, giving up: 2100", true, &["--resubmit"]).exits(10);
    assert!(!ended.stdout.contains("issue took"), "{ended:#?}");
    ended.says("certmonger keeps the old one: denied our request");
}

#[test]
fn a_ca_that_is_away_is_waited_for_until_the_time_is_over() {
    let ended =
        with_fake("CA_UNREACHABLE", "Unable to contact an IPA LDAP server.", false, &["--timeout", "1"]);
    ended.exits(10).says("Unable to contact an IPA LDAP server").says("only in 7 days");
}

#[test]
fn a_machine_that_is_not_enrolled_is_told_so() {
    if std::path::Path::new("/etc/ipa/default.conf").exists() {
        // An enrolled machine can't show this.
        return;
    }
    let world = common::world::World::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
    command.args(["-c", NAME, "--insecure", "-k"]).arg(world.path(".panrc")).arg(world.target());
    Ended::of(&mut command).exits(5).says("not an enrolled IPA client");
}

/// A program in a folder of its own for `PATH`.
fn script(folder: &std::path::Path, name: &str, body: &str) {
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    programs::write(&bin.join(name), &format!("#!/bin/sh\n{body}\n"));
}

#[test]
fn an_ipa_certificate_profile_is_looked_up_first_and_left_to_ipa_where_that_is_not_possible() {
    let ask = |ipa: &str| {
        let world = common::world::World::new();
        script(world.folder.path(), "ipa", ipa);
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
        command.env_clear().env("PATH", world.path("bin"));
        command.args(["-c", NAME, "-T", "webServer", "--insecure", "-k"]).arg(world.path(".panrc"));
        Ended::of(command.arg(world.target()))
    };
    let unknown = "echo \"ipa: ERROR: $3: Certificate Profile not found\" >&2; exit 2";
    ask(unknown).exits(6).says("IPA has no certificate profile 'webServer'");
    let ended = ask("echo 'ipa: ERROR: did not receive Kerberos credentials' >&2; exit 1");
    assert_eq!(ended.stderr.matches("did not receive Kerberos credentials").count(), 1, "{ended:#?}");
    let ended = ask("exit 0");
    assert!(!ended.stdout.contains("can't be checked"), "{ended:#?}");
}

#[test]
fn an_ordinary_user_needs_sudo_for_certmonger_alone() {
    let world = common::world::World::new();
    for program in ["pan_getcert", "pan_instcert"] {
        let built = std::path::Path::new(env!("CARGO_BIN_EXE_pan_getcert")).with_file_name(program);
        programs::place(built, &world.path(program));
    }
    let sudo = format!(
        "echo \"$@\" >> {}; echo 'sudo: a password is required' >&2; exit 1",
        world.path("asked").display()
    );
    script(world.folder.path(), "sudo", &sudo);
    pki::write(&world.path("asked"), b"", 0o666);
    std::fs::set_permissions(world.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(world.path("pan_getcert"));
    command.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    command
        .args(["-c", NAME, "--ca", "local", "--insecure", "-k"])
        .arg(world.path(".panrc"))
        .arg(world.target());
    Ended::of(&mut command).exits(10).says("sudo refused: sudo: a password is required");
    let asked = std::fs::read_to_string(world.path("asked")).unwrap();
    assert!(asked.starts_with("getcert list -f /etc/ssl/certs/gp.example.com.crt"), "{asked}");
    assert!(asked.lines().all(|line| line.starts_with("getcert ")), "{asked}");
}

#[test]
fn an_ordinary_user_who_could_not_see_the_end_is_told_before_anything_is_requested() {
    let world = common::world::World::new();
    for program in ["pan_getcert", "pan_instcert"] {
        let built = std::path::Path::new(env!("CARGO_BIN_EXE_pan_getcert")).with_file_name(program);
        programs::place(built, &world.path(program));
    }
    // A rule for getcert alone, as the bash scripts wanted it.
    script(
        world.folder.path(),
        "sudo",
        &format!("echo \"$@\" >> {}\nexec \"$@\"", world.path("asked").display()),
    );
    let answers = "case $1 in list) echo 'No request found that matched arguments.'; exit 1;; esac\n\
                   echo 'New signing request \"7\" added.'";
    script(world.folder.path(), "getcert", answers);
    pki::write(&world.path("asked"), b"", 0o666);
    std::fs::set_permissions(world.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // What root has recorded is root's.
    let state = world.path("state");
    std::fs::create_dir_all(state.join("queue")).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(world.path("pan_getcert"));
    command.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    command.args(["-c", NAME, "--ca", "local", "--insecure", "-k"]).arg(world.path(".panrc"));
    command.arg("--state-dir").arg(&state).arg("--log-file").arg(world.path("log")).arg(world.target());
    Ended::of(&mut command).exits(10).says("Permission denied").says("run it with sudo");
    let asked = std::fs::read_to_string(world.path("asked")).unwrap();
    assert!(asked.starts_with("getcert list ") && asked.lines().count() == 1, "{asked}");
}

#[tokio::test]
async fn a_claimed_profile_is_refused_before_anything_is_requested_and_handed_over_on_demand() {
    let scene = Scene::new().await;
    // As another certificate's installation has it: by its file, and by the record of it.
    scene.ask(&["-p", PORTAL, "-n", "first"]).exits(0);
    let before = scene.served();
    let ask = |more: &[&str]| {
        let mut command = scene.command();
        command.args(["-c", "vpn.example.com", "-p", PORTAL, "-s", GATEWAY]).args(more);
        Ended::of(command.arg(scene.device.address().to_string()))
    };
    let claimed = "the SSL/TLS profile 'GP portal' belongs to the installation 'first' (gp.example.com)";
    let ended = ask(&[]).exits(13).says(claimed);
    assert!(ended.stderr.contains("--take-over"), "{ended:#?}");
    ask(&["--dry-run"]).exits(13).says(claimed);
    assert_eq!(scene.bus.getcert().list().await.unwrap().requests.len(), 1, "nothing was requested");
    let ended = ask(&["--take-over"]).exits(0).says("FINISHED: ");
    assert!(ended.stderr.contains("is taken over from 'first'"), "{ended:#?}");
    assert_ne!(scene.served(), before);
    // A renewal of the first one, by certmonger: recorded and not done, and nothing is taken back.
    let served = scene.served();
    let requests = scene.bus.getcert().list().await.unwrap().requests;
    let first =
        requests.iter().find(|request| request.post_save.as_ref().unwrap().contains("first")).unwrap();
    let ended = scene.ask(&["-p", PORTAL, "-n", "first"]).exits(13).says("vpn.example.com");
    assert!(ended.stdout.contains("PAN_FQDN"), "{ended:#?}");
    let device = scene.device.address();
    let record = scene.bus.path(&format!("state/installations/{device}/shared/first.json"));
    let known: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let serial = known["spec"]["certificate"]["serial"].clone();
    scene.bus.getcert().resubmit(&first.id, &Changes::default()).await.unwrap();
    until("the renewal to be recorded and refused", || async {
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        // The renewed one stands in the file, and is asked for.
        let is_new = record["spec"]["certificate"]["serial"] != serial;
        (is_new && record["state"]["is"] == "failed" && record["state"]["exit"] == 13).then_some(())
    })
    .await;
    assert_eq!(scene.served(), served);
}

#[tokio::test]
async fn a_certificate_is_shown_with_all_that_is_known_and_renewed_by_its_name() {
    let scene = Scene::new().await;
    scene.ask(&["-p", PORTAL, "-s", GATEWAY, "--san", "vpn.example.com", "-n", "portal"]).exits(0);
    let certctl = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("DBUS_SESSION_BUS_ADDRESS", scene.bus.address());
        command.args(words).arg("--session-bus").arg("--state-dir").arg(scene.bus.path("state"));
        Ended::of(command.arg("--log-file").arg(scene.bus.path("log")))
    };
    let device = scene.device.address().to_string();
    let shown = certctl(&["show", NAME]).exits(0).stdout;
    let day = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d").to_string();
    let pem = std::fs::read_to_string(scene.bus.path(&format!("{NAME}.crt"))).unwrap();
    let seen = pancert::certificate::SeenCertificate::of_pem(&pem).unwrap();
    let renewal = day(seen.not_after - chrono::TimeDelta::days(28));
    for text in [
        format!("names       {NAME}, vpn.example.com"),
        format!("serial      {}", seen.serial),
        format!("valid       {} to {} (", day(seen.not_before), day(seen.not_after)),
        format!("renewal     {renewal} (in "),
        ", MONITORING, CA local".to_owned(),
        "GP portal, GP gateway".to_owned(),
        device.clone(),
        "last attempts".to_owned(),
    ] {
        assert!(shown.contains(&text), "no '{text}' in {shown}");
    }
    let told: serde_json::Value =
        serde_json::from_str(&certctl(&["show", "--json", "portal"]).exits(0).stdout).unwrap();
    assert_eq!(told["certificate"]["sha256"], scene.issued().as_str(), "{told:#}");
    assert_eq!(told["installations"][0]["device"], device.as_str(), "{told:#}");
    assert_eq!(told["attempts"][0]["exit"], 0, "{told:#}");
    certctl(&["show", "nobody.example.com"]).exits(1).says(&format!("there is: {NAME}"));

    // The next one, with all that was typed once.
    let first = scene.issued();
    let ended = certctl(&["renew", NAME]).exits(0).says("FINISHED: ").says("'GP portal' and 'GP gateway'");
    assert_eq!(ended.stderr, "");
    assert_ne!(scene.issued(), first);
    assert_eq!(scene.served(), Some(scene.issued()));
    let renewed = std::fs::read_to_string(scene.bus.path(&format!("{NAME}.crt"))).unwrap();
    let renewed = pancert::certificate::SeenCertificate::of_pem(&renewed).unwrap();
    assert_eq!(renewed.names, seen.names);
    certctl(&["renew", "nobody.example.com"]).exits(1).says(&format!("there is: {NAME}"));
    // What the device does not take is told as by pan_getcert, and the certificate is there all the same.
    scene.device.fail_next_commit(&["no"]);
    let ended = certctl(&["renew", NAME, "--rekey"]).exits(14).says("no");
    assert!(!ended.stdout.contains("FINISHED"), "{ended:#?}");
}
