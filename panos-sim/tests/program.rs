//! The program: what it prints, what it writes, how it ends; and the documentation's examples.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use openssl::ssl::{Ssl, SslContext, SslMethod};
use panos_sim::{RequestRecord, Settings, Simulator};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_panos-sim"))
}

fn started(command: &mut Command) -> (Child, BufReader<ChildStdout>, serde_json::Value) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let ready = serde_json::from_str(&line).unwrap();
    (child, out, ready)
}

/// Ends with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fails(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    output
}

/// The reply to a request.
fn asked(address: &str, query: &str) -> String {
    let context = SslContext::builder(SslMethod::tls_client()).unwrap().build();
    let mut stream = Ssl::new(&context).unwrap().connect(TcpStream::connect(address).unwrap()).unwrap();
    let ask = format!("GET /api/?{query} HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply);
    reply
}

/// Asks for the version; returns the fingerprint of the certificate seen.
fn ask(address: &str) -> String {
    let context = SslContext::builder(SslMethod::tls_client()).unwrap().build();
    let tcp = TcpStream::connect(address).unwrap();
    let mut stream = Ssl::new(&context).unwrap().connect(tcp).unwrap();
    let certificate = stream.ssl().peer_certificate().unwrap();
    let ask = "GET /api/?type=version&key=K HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply);
    assert!(reply.contains("<sw-version>11.1.4</sw-version>"), "{reply}");
    let digest = certificate.digest(openssl::hash::MessageDigest::sha256()).unwrap();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn prints_where_it_listens_logs_requests_and_ends_on_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = directory.path().join("cert.pem");
    let log = directory.path().join("requests.log");
    let (mut child, _out, ready) = started(
        program()
            .args(["--api-key", "admin:K", "--profile", "portal"])
            .arg("--write-cert")
            .arg(&certificate)
            .arg("--request-log")
            .arg(&log),
    );
    let fingerprint = ask(ready["address"].as_str().unwrap());
    assert_eq!(ready["certificate_sha256"], fingerprint.as_str());
    assert!(ready["service_address"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(fs::read_to_string(certificate).unwrap().starts_with("-----BEGIN CERTIFICATE"));
    let line = fs::read_to_string(log).unwrap();
    let record: RequestRecord = serde_json::from_str(line.trim_end()).unwrap();
    assert_eq!(record.query, "type=version&key=REDACTED");
    assert_eq!((record.http_status, record.secret_in_url), (Some(200), true));
    // The shell's own: a small machine has no program of that name.
    let id = child.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill \"$0\"", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn hundreds_of_managed_firewalls_need_a_thread_for_each_processor() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args(["--model", "Panorama", "--serial", "000000000000"]);
    for number in 1..=100 {
        let file = directory.path().join(format!("{number}.toml"));
        let name =
            format!("hostname = \"fw-{number}\"\nserial = \"{number:012}\"\nsw_version = \"11.1.4\"\n");
        let key = "[[api_keys]]\nadministrator = \"admin\"\nkey = \"K\"\n";
        fs::write(&file, name + key).unwrap();
        command.arg("--manage").arg(file);
    }
    let (child, _out, ready) = started(&mut command);
    let child = Ended(child);
    let threads = fs::read_dir(format!("/proc/{}/task", child.0.id())).unwrap().count();
    let processors = std::thread::available_parallelism().unwrap().get();
    // The program's own and the Panorama's besides.
    assert!(threads <= processors + 2, "{threads} threads, {processors} processors");
    let managed = ready["managed"].as_array().unwrap();
    for firewall in managed.iter().step_by(9) {
        assert_eq!(ask(firewall["address"].as_str().unwrap()), firewall["certificate_sha256"]);
    }
    let shown: std::collections::HashSet<_> =
        managed.iter().map(|firewall| firewall["certificate_sha256"].as_str().unwrap()).collect();
    assert_eq!(shown.len(), 100);
}

#[test]
fn both_members_of_a_panorama_pair_manage_the_firewalls() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let panorama = |serial: &str| format!("model = \"Panorama\"\nserial = \"{serial}\"\n");
    let (first, second) = (panorama("000710000001"), panorama("000710000002"));
    let (child, _out, ready) = started(
        program()
            .args(["--api-key", "admin:K", "--config"])
            .arg(write("first.toml", &first))
            .arg("--peer")
            .arg(write(
                "second.toml",
                &format!("{second}[[api_keys]]\nadministrator = \"admin\"\nkey = \"K\"\n"),
            ))
            .arg("--manage")
            .arg(write("firewall.toml", "serial = \"001900000000042\"\n")),
    );
    let _ended = Ended(child);
    let cmd = "%3Cshow%3E%3Cdevices%3E%3Call%2F%3E%3C%2Fdevices%3E%3C%2Fshow%3E";
    for address in [&ready["address"], &ready["peer"]["address"]] {
        let reply = asked(address.as_str().unwrap(), &format!("type=op&key=K&cmd={cmd}"));
        assert!(reply.contains("<serial>001900000000042</serial>"), "{address}: {reply}");
    }
}

#[test]
fn says_what_is_wrong_with_its_options() {
    let output = fails(program().args(["--api-key", "nobody:K"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("api key of unknown \"nobody\""), "{said}");
    assert_eq!(fails(program().args(["--commit-seconds", "-1"])).status.code(), Some(2));
    assert_eq!(fails(program().args(["--config", "/nonexistent"])).status.code(), Some(1));
}

#[test]
fn settings_are_read_strictly() {
    for wrong in [
        "hostnam = \"x\"",
        "commit_duration = -1",
        "commit_duration = 1e300",
        "listen = \"nowhere\"",
        "served_profile = \"none\"",
        "[[profiles]]\nname = \"p\"\nvsys = \"vsys7\"",
    ] {
        assert!(Settings::from_toml(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_documented_settings_work() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/simulator.md");
    let manual = fs::read_to_string(path).unwrap();
    let blocks = manual.split("```toml panos-sim\n").skip(1);
    let mut count = 0;
    for block in blocks {
        let text = block.split("```").next().unwrap();
        let settings = Settings::from_toml(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        Simulator::start(settings).unwrap();
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn every_option_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/simulator.md");
    let manual = fs::read_to_string(path).unwrap();
    let output = program().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let words = help.split_whitespace().filter(|word| word.starts_with("--"));
    let standard = ["--help", "--version"];
    for option in words.filter(|option| !standard.contains(option)) {
        assert!(manual.contains(&format!("`{option}")), "{option} is not in the manual");
    }
}

#[test]
fn starts_and_stops_inside_an_async_program() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let device = Simulator::start(Settings::default()).unwrap();
        assert_ne!(device.address(), device.service_address());
    });
}
