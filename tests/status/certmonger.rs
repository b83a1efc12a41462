//! What certmonger says beside it: a real one on a bus of its own, and one that says what a CA may say.

use std::fs;
use std::process::Command;

use panos_sim::Simulator;

use crate::common::bus::Bus;
use crate::common::world::{Ended, KEY, NAME, PORTAL, settings};
use crate::common::{pki, programs};
use crate::support::{Desk, PROGRAM, command};

#[tokio::test]
async fn a_real_certmonger_is_asked_whether_it_renews_what_is_installed() {
    let (bus, device) = (Bus::with_certmonger().await, Simulator::start(settings()).unwrap());
    pki::write(&bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
    let mut ask = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
    ask.env_clear().env("PATH", "/usr/bin:/bin").env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    ask.args(["-c", NAME, "--session-bus", "--ca", "local", "--timeout", "60", "--insecure", "-p", PORTAL]);
    ask.arg("-k").arg(bus.path(".panrc")).arg("-C").arg(bus.folder.path()).arg("-K").arg(bus.folder.path());
    ask.arg("--log-file").arg(bus.path("log")).arg("--state-dir").arg(bus.path("state"));
    Ended::of(ask.arg(device.address().to_string())).exits(0);

    let status = |code: i32, arguments: &[&str]| {
        let mut command = command(&bus.path("state"));
        command.env("DBUS_SESSION_BUS_ADDRESS", bus.address()).arg("--session-bus").args(arguments);
        let ended = Ended::of(&mut command).exits(code);
        assert_eq!(ended.stderr, "");
        ended.stdout
    };
    let shown = status(0, &[]);
    assert!(shown.ends_with("1 certificate on 1 device: installed.\n"), "{shown}");
    let told: serde_json::Value = serde_json::from_str(&status(0, &["--json"])).unwrap();
    let said = &told["installations"][0]["certmonger"];
    assert_eq!((&said["tracked"], &said["state"]), (&true.into(), &"MONITORING".into()), "{said}");
    assert_eq!((&said["trouble"], &said["ca_error"]), (&().into(), &().into()));

    let id = bus.getcert().list().await.unwrap().requests.remove(0).id;
    let mut stop = Command::new("getcert");
    stop.args(["stop-tracking", "-s", "-i", &id]).env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    Ended::of(&mut stop).exits(0);
    let shown = status(11, &[]);
    let file = bus.path(&format!("{NAME}.crt"));
    assert!(shown.contains(&format!("\n  certmonger: {} is not tracked\n", file.display())), "{shown}");
    assert!(shown.ends_with("installed; certmonger reports problems with 1.\n"), "{shown}");
    let metrics = bus.path("x.prom");
    status(11, &["--prometheus", metrics.to_str().unwrap()]);
    let written = fs::read_to_string(metrics).unwrap();
    let line = written.lines().find(|line| line.starts_with("pan_getcert_certmonger_trouble{")).unwrap();
    assert!(line.ends_with("} 1"), "{line}");
}

/// A desk with a getcert in its folder `bin`, and one certificate that it knows in this state.
fn desk_with(status: &str, more: &str) -> Desk {
    let support = Desk::new();
    support.installed(NAME, "fw1.example.com", 90);
    fs::create_dir(support.path("bin")).unwrap();
    let script = format!(
        "#!/bin/sh\ntouch '{}'\necho 'Number of certificates and requests being tracked: 1.'\n\
         echo \"Request ID '7':\"\nprintf '\\tstatus: {status}\\n{more}'\n\
         echo \"\tcertificate: type=FILE,location='/etc/ssl/certs/{NAME}.crt'\"\n",
        support.path("asked").display()
    );
    programs::write(&support.path("bin/getcert"), &script);
    support
}

fn ask(support: &Desk, arguments: &[&str]) -> Ended {
    let mut command = command(&support.state());
    command.env("PATH", format!("{}:/usr/bin:/bin", support.path("bin").display()));
    Ended::of(command.args(arguments))
}

#[test]
fn what_certmonger_or_the_ca_complains_of_is_a_further_line() {
    for (code, status, more, says) in [
        (
            11,
            "CA_REJECTED",
            "\\tca-error: giving up: 2100\\n",
            "CA_REJECTED: the CA refused: giving up: 2100",
        ),
        (11, "MONITORING", "\\tca-error: denied: 2100\\n", "MONITORING: denied: 2100"),
        (
            11,
            "NEED_KEY_GEN_PERMS",
            "\\tstuck: yes\\n",
            "NEED_KEY_GEN_PERMS: certmonger is not permitted to write",
        ),
        (
            11,
            "CA_UNREACHABLE",
            "\\tca-error: Server at https://ipa failed request, will retry: 4001 (The host x does not exist).\\n",
            "CA_UNREACHABLE: the CA refused: Server at",
        ),
        (11, "NEED_CSR", "\\tstuck: no\\n", "NEED_CSR: certmonger can't make its request to the CA"),
        (
            11,
            "NEED_KEY_PAIR",
            "\\tstuck: no\\n",
            "NEED_KEY_PAIR: certmonger can't make its request to the CA",
        ),
        (
            11,
            "MONITORING",
            "\\tkey pair storage: type=FILE,location='\"'\"'/nonexistent/a.key'\"'\"'\\n",
            "MONITORING: the private key file /nonexistent/a.key is gone: it can't be renewed",
        ),
        // It is tried again without anybody.
        (0, "CA_UNREACHABLE", "", "CA_UNREACHABLE: the CA can't be reached"),
        (
            11,
            "MONITORING",
            "\\ttrack: yes\\n\\tauto-renew: no\\n",
            "MONITORING: the certificate is not renewed",
        ),
    ] {
        let support = desk_with(status, more);
        let ended = ask(&support, &["--session-bus"]).exits(code).says("certmonger reports problems with 1.");
        assert!(ended.stdout.contains(&format!("ok\n  certmonger: {says}")), "{ended:#?}");
        let narrow = Ended::of(
            command(&support.state())
                .env("PATH", format!("{}:/usr/bin:/bin", support.path("bin").display()))
                .env("COLUMNS", "50")
                .arg("--session-bus"),
        );
        assert!(narrow.stdout.contains("\n  certmonger: "), "{narrow:#?}");
        assert!(narrow.stdout.lines().all(|line| line.chars().count() <= 50), "{narrow:#?}");
    }
    let fine = desk_with("MONITORING", "\\tstuck: no\\n\\ttrack: yes\\n\\tauto-renew: yes\\n");
    let ended = ask(&fine, &["--session-bus"]).exits(0).says("1 certificate on 1 device: installed.");
    assert!(!ended.stdout.contains("certmonger"), "{ended:#?}");
}

#[test]
fn certmonger_is_asked_only_where_that_makes_sense() {
    let support = desk_with("CA_REJECTED", "");
    let asked = || {
        let asked = support.path("asked").exists();
        let _ = fs::remove_file(support.path("asked"));
        asked
    };
    ask(&support, &["--no-certmonger"]).exits(0).says("device: installed.");
    assert!(!asked(), "--no-certmonger");
    let is_root = rustix::process::geteuid().is_root();
    ask(&support, &[]).exits(if is_root { 11 } else { 0 });
    assert_eq!(asked(), is_root);
    // It may be renewed without a record, so certmonger is asked.
    ask(&support, &["-c", "z.example.com", "--session-bus"]).exits(1);
    assert!(asked(), "a name that no record has");
    // A certificate that is not certmonger's.
    let mut record = support.installed(NAME, "fw1.example.com", 90);
    record.spec.options.blind = true;
    support.write(&record);
    ask(&support, &["--session-bus"]).exits(0).says("device: installed.");
    assert!(asked(), "whether there are certificates without a record");
    fs::rename(support.path("bin/getcert"), support.path("bin/away")).unwrap();
    let mut without = Command::new(PROGRAM);
    without
        .args(["status", "--session-bus", "--state-dir"])
        .arg(support.state())
        .env_clear()
        .env("PATH", "/nonexistent");
    let without = without.output().unwrap();
    assert!(without.stderr.is_empty(), "a machine without certmonger: {without:?}");
    fs::rename(support.path("bin/away"), support.path("bin/getcert")).unwrap();
    let mut other = support.installed("b.example.com", "fw1.example.com", 90);
    other.spec.options.cert_dir = "/elsewhere".into();
    support.write(&other);
    ask(&support, &["--session-bus"])
        .exits(11)
        .says("/elsewhere/b.example.com.crt is not tracked")
        .says("reports problems with 2");
}

#[test]
fn an_ordinary_user_does_not_trouble_certmonger() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let support = desk_with("CA_REJECTED", "");
    programs::place(PROGRAM, &support.path("pan_certctl"));
    let everything = Command::new("chown").args(["-R", "65534:65534"]).arg(support.folder.path()).status();
    assert!(everything.unwrap().success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(support.path("pan_certctl"));
    command.env("PATH", format!("{}:/usr/bin:/bin", support.path("bin").display()));
    Ended::of(command.arg("status").arg("--state-dir").arg(support.state()))
        .exits(0)
        .says("device: installed.");
    assert!(!support.path("asked").exists());
}

#[test]
fn a_certmonger_that_is_not_running_or_not_installed_is_a_remark() {
    let support = Desk::new();
    support.installed(NAME, "fw1.example.com", 90);
    support.installed("b.example.com", "fw1.example.com", 90);
    let bus = Bus::start();
    for (path, address, says) in [
        ("/usr/bin:/bin", bus.address(), "certmonger is not running"),
        ("/usr/bin:/bin", "unix:path=/nonexistent".to_owned(), "certmonger is not running"),
        ("/nonexistent", String::new(), "getcert not found: certmonger is not installed"),
    ] {
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("PATH", path).env("DBUS_SESSION_BUS_ADDRESS", address);
        command.args(["status", "--session-bus", "--state-dir"]).arg(support.state());
        let ended = Ended::of(&mut command).exits(0).says("2 certificates on 1 device: all installed.");
        assert!(ended.stderr.contains(says), "{ended:#?}");
        assert_eq!(ended.stderr.matches(says).count(), 1, "{ended:#?}");
        assert_eq!(ended.stdout.lines().count(), 4, "{ended:#?}");
    }
}
