//! The files in packaging/monitoring: alert rules, a dashboard, a plugin and two programs for `on_failure`, held to what
//! the programs really write and tell.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pancert::error::Exit;
use serde_json::Value;

use crate::common::world::{Ended, NAME, PORTAL, World};
use crate::common::{pki, programs};
use crate::support::{Desk, PROGRAM, command, problem};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/monitoring").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap()
}

/// Debian's, from the path or where scripts/install-promtool puts it.
fn promtool(arguments: &[&str]) -> Ended {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tools/bin/promtool");
    let program = if own.is_file() { own } else { "promtool".into() };
    let is_there = Command::new(&program).arg("--version").output().is_ok();
    assert!(is_there, "no promtool: run make dependencies");
    Ended::of(Command::new(&program).args(arguments).current_dir(file("")))
}

/// The names of metrics of ours that stand in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c)).filter(|word| word.starts_with("pan_getcert_"));
    words.map(str::to_owned).collect()
}

/// All that `status --prometheus` writes, of installations of several kinds.
fn written() -> BTreeSet<String> {
    let support = Desk::new();
    support.installed(NAME, "fw1.example.com", 90);
    support.pending("vpn.example.com", "fw2.example.com", 30, 3, &problem(Exit::Device, "no answer"));
    fs::create_dir(support.path("bin")).unwrap();
    let script = format!(
        "#!/bin/sh\necho 'Number of certificates and requests being tracked: 1.'\n\
         echo \"Request ID '7':\"\nprintf '\\tstatus: MONITORING\\n'\n\
         echo \"\tcertificate: type=FILE,location='/etc/ssl/certs/{NAME}.crt'\"\n"
    );
    programs::write(&support.path("bin/getcert"), &script);
    let metrics = support.path("x.prom");
    let mut command = command(&support.state());
    command.env("PATH", format!("{}:/usr/bin:/bin", support.path("bin").display()));
    let ended = Ended::of(command.arg("--prometheus").arg(&metrics));
    let text = fs::read_to_string(metrics).unwrap_or_else(|_| panic!("{ended:#?}"));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn rules_and_dashboard_use_metrics_that_are_written_and_every_rule_fires_when_it_should() {
    let written = written();
    assert!(written.len() >= 17, "{written:?}");
    let rules = text("pan_getcert.rules.yml");
    for name in ["pan_getcert.rules.yml", "pan_getcert.rules.test.yml", "grafana.json"] {
        let used: BTreeSet<String> = metrics_in(&text(name));
        let unknown: Vec<&String> = used.difference(&written).collect();
        assert!(unknown.is_empty() && used.len() > 5, "{name}: {unknown:?} are not written");
    }
    promtool(&["check", "rules", "pan_getcert.rules.yml"]).exits(0);
    promtool(&["test", "rules", "pan_getcert.rules.test.yml"]).exits(0).says("SUCCESS");
    // Each alert is seen to fire, and to be silent where all is well.
    let tests = text("pan_getcert.rules.test.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(alerts.len(), 11);
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is not seen to fire");
        assert!(
            tests.contains(&format!("alertname: {alert}, exp_alerts: []")),
            "{alert} is not seen to be silent"
        );
    }
    // promtool notices a rule that is wrong, and one that does not fire.
    let spoilt = tempfile::tempdir().unwrap();
    let rule = rules.replace("pan_getcert_failed == 1", "pan_getcert_failed == 2");
    assert_ne!(rule, rules);
    fs::write(spoilt.path().join("pan_getcert.rules.yml"), rule).unwrap();
    fs::copy(file("pan_getcert.rules.test.yml"), spoilt.path().join("t.yml")).unwrap();
    let path = spoilt.path().join("t.yml");
    assert_ne!(promtool(&["test", "rules", path.to_str().unwrap()]).code, Some(0));
}

#[test]
fn the_dashboard_can_be_imported_and_each_panel_asks_for_something() {
    let dashboard: Value = serde_json::from_str(&text("grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 8 && dashboard["uid"] == "pan-getcert");
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_i64().unwrap()) && panel["title"].is_string());
        for target in panel["targets"].as_array().unwrap() {
            let asked = target["expr"].as_str().unwrap().replace("$device", ".*");
            assert!(!metrics_in(&asked).is_empty(), "{asked}");
            // An expression is checked where a rule has it.
            let folder = tempfile::tempdir().unwrap();
            let rule = serde_json::json!({ "groups": [{ "name": "g", "rules": [{ "record": "x", "expr": asked }] }] });
            let path = folder.path().join("rule.yml");
            fs::write(&path, rule.to_string()).unwrap();
            promtool(&["check", "rules", path.to_str().unwrap()]).exits(0);
        }
    }
    assert_eq!(dashboard["__inputs"][0]["name"], "DS_PROMETHEUS");
}

#[test]
fn the_plugin_knows_three_answers() {
    let support = Desk::new();
    support.installed(NAME, "fw1.example.com", 90);
    let plugin = |support: &Desk| {
        let status = support.path("certctl");
        let words = format!(
            "#!/bin/sh\nexec {PROGRAM} \"$@\" --no-certmonger --state-dir {}\n",
            support.state().display()
        );
        programs::write(&status, &words);
        Ended::of(Command::new(file("check_pan_certificates")).env("PAN_CERTCTL", status))
    };
    let well = plugin(&support).exits(0);
    assert!(well.stdout.starts_with("1 certificate on 1 device: installed.\n"), "{well:#?}");
    support.pending("vpn.example.com", "fw2.example.com", 30, 3, &problem(Exit::Device, "no answer"));
    plugin(&support).exits(2).says("no answer");
    fs::remove_dir_all(support.state()).unwrap();
    fs::write(support.state(), "no directory").unwrap();
    plugin(&support).exits(3);
    let mut missing = Command::new(file("check_pan_certificates"));
    Ended::of(missing.env("PAN_CERTCTL", "/nowhere/pan_certctl")).exits(3);
}

#[test]
fn the_plugin_prints_backslashes_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let status = folder.path().join("certctl");
    // To an echo of dash's `\c` is the end of all output.
    let lines = "requested by corp\\charlie\n1 certificate on 1 device: 1 pending; corp\\nora waits.\n";
    programs::write(&status, &format!("#!/bin/sh\ncat <<'END'\n{lines}END\nexit 10\n"));
    let mut plugin = Command::new(file("check_pan_certificates"));
    let told = Ended::of(plugin.env("PAN_CERTCTL", status)).exits(2);
    let last = lines.lines().last().unwrap();
    assert_eq!(told.stdout, format!("{last}\n{lines}"));
}

fn certctl(world: &World, arguments: &[&str]) -> Ended {
    let mut command = Command::new(PROGRAM);
    command.arg("--state-dir").arg(world.path("state")).arg("--log-file").arg(world.path("log"));
    command.arg("--config").arg(world.path("config.toml"));
    Ended::of(command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC"))
}

/// Lets an installation fail for good, with this program to be told.
fn fail_and_tell(program: &[String]) {
    let world = World::new();
    let words: Vec<String> = program.iter().map(|word| format!("'{word}'")).collect();
    let settings = format!("on_failure = [{}]\ntell_after = 1\n", words.join(", "));
    pki::write(&world.path("config.toml"), settings.as_bytes(), 0o600);
    world.device.fail_next_commit(&["a \"quoted\" \\ line", "and another"]);
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    certctl(&world, &["retry"]).exits(14);
    assert!(!world.log().iter().any(|line| line.contains("on_failure")), "{:#?}", world.log());
}

#[test]
fn a_failure_is_posted_to_a_webhook_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut all, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let length = stream.read(&mut part).unwrap();
            all.extend_from_slice(&part[..length]);
            let request = String::from_utf8_lossy(&all).into_owned();
            let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
            let wanted = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            if body.len() >= wanted.parse().unwrap() {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                return (head.to_owned(), body.to_owned());
            }
        }
    });
    let config = folder.path().join("webhook");
    pki::write(&config, format!("url = \"http://{address}/hooks/secret\"\n").as_bytes(), 0o600);
    let program = file("on_failure-webhook").to_str().unwrap().to_owned();
    fail_and_tell(&[program, config.to_str().unwrap().to_owned()]);
    let (head, body) = server.join().unwrap();
    assert!(head.starts_with("POST /hooks/secret ") && head.contains("application/json"), "{head}");
    let posted: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}"));
    let text = posted["text"].as_str().unwrap();
    assert!(text.starts_with(&format!("failure: {NAME} on 127.0.0.1:")), "{text}");
    assert!(text.contains("a \"quoted\" \\ line"), "{text}");
}

/// Takes one mail by SMTP; the commands, and the mail.
fn take_mail(listener: &TcpListener) -> (Vec<String>, String) {
    let (stream, _) = listener.accept().unwrap();
    let mut answer = stream.try_clone().unwrap();
    let (mut commands, mut mail, mut is_data) = (Vec::new(), String::new(), false);
    answer.write_all(b"220 mail.example.com\r\n").unwrap();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let line = line.trim_end_matches('\r');
        let reply = match (is_data, line) {
            (true, ".") => {
                is_data = false;
                "250 taken"
            }
            (true, line) => {
                mail.push_str(line);
                mail.push('\n');
                continue;
            }
            (false, "DATA") => {
                is_data = true;
                "354 go on"
            }
            (false, "QUIT") => "221 bye",
            (false, command) => {
                commands.push(command.to_owned());
                "250 fine"
            }
        };
        answer.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
        if reply.starts_with("221") {
            break;
        }
    }
    (commands, mail)
}

#[test]
fn a_failure_becomes_a_mail_of_one_subject_and_its_facts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let taken = std::thread::spawn(move || take_mail(&listener));
    let program = file("on_failure-mail").to_str().unwrap().to_owned();
    fail_and_tell(&[program, "root@example.com".to_owned(), server]);
    let (commands, mail) = taken.join().unwrap();
    assert!(commands.contains(&"RCPT TO:<root@example.com>".to_owned()), "{commands:?}");
    let (head, body) = mail.split_once("\n\n").unwrap();
    let subject = head.lines().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(subject.starts_with(&format!("Subject: {NAME} on 127.0.0.1:")), "{mail}");
    assert_eq!(head.lines().count(), 7, "{mail}");
    for fact in
        ["a \"quoted\" \\ line", "pending since:    20", "failed attempts:  1", "next attempt:     20"]
    {
        assert!(body.contains(fact), "no '{fact}' in {mail}");
    }
}

#[test]
fn what_is_run_can_be_run() {
    for name in ["check_pan_certificates", "on_failure-mail", "on_failure-webhook"] {
        assert_eq!(fs::metadata(file(name)).unwrap().permissions().mode() & 0o777, 0o755, "{name}");
        Ended::of(Command::new("sh").arg("-n").arg(file(name))).exits(0);
    }
}
