//! The simulator held to clients that were not written with it: pan-python and pan-os-python, the
//! exact releases named in `tests/clients/requirements-*.txt`, from PyPI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// A virtual environment with exactly what a requirements file names; made once, below the target
/// directory. Without it nothing can be said about the clients, so its lack is a failure.
fn environment(name: &str) -> PathBuf {
    let requirements = format!("{HERE}/requirements-{name}.txt");
    let wanted = fs::read_to_string(&requirements).unwrap();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{name}"));
    let made = place.join("made-from.txt");
    if fs::read_to_string(&made).is_ok_and(|had| had == wanted) {
        return place;
    }
    let _ = fs::remove_dir_all(&place);
    let step = |command: &mut Command| {
        let output = command.output();
        let fine = output.as_ref().is_ok_and(|output| output.status.success());
        let said = output.map(|output| text(&output));
        assert!(
            fine,
            "The Python environment for {name} could not be made; python3 with venv and access to \
             PyPI are needed.\n{command:?}: {said:?}"
        );
    };
    step(Command::new("python3").args(["-m", "venv"]).arg(&place));
    step(
        Command::new(place.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--requirement", &requirements]),
    );
    fs::write(made, wanted).unwrap();
    place
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The program, running; killed when dropped.
struct Running {
    child: Child,
    ready: serde_json::Value,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_panos-sim"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).expect("the line of JSON");
        Self { child, ready }
    }

    fn address(&self) -> &str {
        self.ready["address"].as_str().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `panxapi.py` against one device.
struct Panxapi {
    environment: PathBuf,
    port: String,
    key: String,
}

impl Panxapi {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(self.environment.join("bin/python"))
            .arg(self.environment.join("bin/panxapi.py"))
            .args(["-h", "127.0.0.1", "-P", &self.port, "-K", &self.key])
            .args(arguments)
            // Nobody's own configuration of the client.
            .env("HOME", env!("CARGO_TARGET_TMPDIR"))
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .output()
            .unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str], with: &str) -> String {
        let output = self.run(arguments);
        let said = text(&output);
        assert!(output.status.success() && said.contains(with), "{arguments:?}: {said}");
        said
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], with: &str) {
        let output = self.run(arguments);
        let said = text(&output);
        assert!(!output.status.success() && said.contains(with), "{arguments:?}: {said}");
    }
}

fn files(directory: &Path) -> (String, String) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=vpn.example.test", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    (path("cert.pem"), path("key.pem"))
}

#[test]
fn panxapi_works_through_a_deployment() {
    let environment = environment("pan-python");
    let device = Running::start(&["--profile", "portal", "--commit-seconds", "0.2"]);
    let port = device.address().rsplit(':').next().unwrap().to_owned();
    let login = Command::new(environment.join("bin/python"))
        .arg(environment.join("bin/panxapi.py"))
        .args(["-h", "127.0.0.1", "-P", &port, "-l", "admin:admin", "-k"])
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    let said = text(&login);
    let key = said.split("API key:").nth(1).map(str::trim);
    let key = key.and_then(|key| key.trim_matches('"').lines().next());
    let key = key.unwrap_or_else(|| panic!("keygen: {said}")).trim_matches('"').to_owned();
    let mut panxapi = Panxapi { environment, port, key };
    let profile = "/config/shared/ssl-tls-service-profile/entry[@name='portal']";
    let entry = "/config/shared/certificate/entry[@name='vpn-1']";

    panxapi.succeeds(&["-xr", "-o", "show system info", "-X"], "<hostname>fw-sim-1</hostname>");
    panxapi.succeeds(&["-G", "-xr", "-g", profile], "<protocol-settings>");
    panxapi.succeeds(&["-xr", "-s", profile], "<protocol-settings>");
    panxapi.succeeds(&["-g", entry], "[code=\"7\"]");
    panxapi.fails(&["-s", entry], "No such node");

    let directory = tempfile::tempdir().unwrap();
    let (certificate, key_file) = files(directory.path());
    let name = "certificate-name=vpn-1&format=pem";
    let with = format!("{name}&passphrase=dummy");
    let import = |category, file, with| ["--import", category, "--file", file, "--ad-hoc", with];
    panxapi.succeeds(&import("certificate", &certificate, name), "success");
    panxapi.fails(&import("certificate", &key_file, name), "Failed to extract certificate");
    panxapi.fails(&import("private-key", &key_file, name), "passphrase");
    panxapi.succeeds(&import("private-key", &key_file, &with), "success");
    panxapi.succeeds(&["-xr", "-g", entry], "<algorithm admin=\"admin\"");

    panxapi.succeeds(&["-S", "<certificate>vpn-1</certificate>", profile], "success");
    panxapi.succeeds(&["-C", "", "--validate", "--sync", "--interval", "0.1"], "success");
    panxapi.succeeds(&["-C", "", "--sync", "--interval", "0.1"], "Configuration committed");
    panxapi.succeeds(&["-C", "", "--sync"], "There are no changes to commit.");
    panxapi.succeeds(&["-xr", "-s", profile], "<certificate>vpn-1</certificate>");
    panxapi.fails(&["-d", entry], "vpn-1 cannot be deleted because of references from:");

    // Neither a wrong certificate nor an edit of the whole entry is noticed before the commit.
    let broken = "<entry name=\"portal\"><certificate>ghost</certificate></entry>";
    panxapi.succeeds(&["-e", broken, profile], "success");
    let said = text(&panxapi.run(&["-C", "", "--sync", "--interval", "0.1", "-xr"]));
    assert!(said.contains("<result>FAIL</result>"), "{said}");
    assert!(said.contains("is missing 'protocol-settings'"), "{said}");
    panxapi.succeeds(&["-o", "<revert><config></config></revert>"], "success");
    panxapi.succeeds(&["--rename", "--dst", "vpn-2", entry], "success");
    panxapi.succeeds(&["-xr", "-g", profile], ">vpn-2</certificate>");
    panxapi.succeeds(&["-C", "", "--force", "--sync", "--interval", "0.1"], "committed");
    panxapi.succeeds(&["-d", profile], "success");
    panxapi.succeeds(&["-d", "/config/shared/certificate/entry[@name='vpn-2']"], "success");
    panxapi.succeeds(&["-C", "", "--sync", "--interval", "0.1"], "committed");

    panxapi.key = "nonsense".to_owned();
    panxapi.fails(&["-g", profile], "403");
    panxapi.fails(&["-g", profile], "Invalid Credential");
}

#[test]
fn pan_os_python_and_its_ha_helpers_work() {
    let environment = environment("pan-os-python");
    let directory = tempfile::tempdir().unwrap();
    let settings = |hostname: &str| {
        let path = directory.path().join(hostname);
        // Synchronisation is left to the client, which is to be seen doing it.
        let text = format!(
            "hostname = \"{hostname}\"\ncommit_duration = 0.2\nha_sync_delay = 0.2\n\
             ha_automatic_sync = false\nmodel = \"PA-440\"\n"
        );
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (first, second) = (settings("fw-sim-1"), settings("fw-sim-2"));
    let pair = Running::start(&["--config", &first, "--peer", &second]);
    let output = Command::new(environment.join("bin/python"))
        .arg(format!("{HERE}/pan_os_python.py"))
        .arg(pair.address())
        .arg(pair.ready["peer"]["address"].as_str().unwrap())
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success() && said.trim_end().ends_with("all well"), "{said}");
}
