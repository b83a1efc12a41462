//! The simulator held to clients that were not written with it: pan-python, pan-os-python, panos-upgrade-assurance,
//! pan-chainguard and check_paloalto_ng, the exact releases named in `tests/clients/requirements-*.txt`, from PyPI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// A virtual environment with exactly what a requirements file names; made once, below the target
/// directory. Without it nothing can be said about the clients, so its lack is a failure.
fn environment(name: &str) -> PathBuf {
    let requirements = format!("{HERE}/requirements-{name}.txt");
    let wanted = fs::read_to_string(&requirements).unwrap();
    // Two tests share one: the second waits until it is made.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
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

    the_rest_of_a_configuration_client(&panxapi, &directory.path().join("read.pem"));

    panxapi.key = "nonsense".to_owned();
    panxapi.fails(&["-g", profile], "403");
    panxapi.fails(&["-g", profile], "Invalid Credential");
}

/// Actions that a deployment does without, and what answers to them.
fn the_rest_of_a_configuration_client(panxapi: &Panxapi, file: &Path) {
    let base = "/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']/address";
    let at = |name: &str| format!("{base}/entry[@name='{name}']");
    panxapi.succeeds(&["-S", "<fqdn>a.test</fqdn>", &at("a")], "success");
    panxapi.succeeds(&["--clone", "--src", &at("a"), "--dst", "b", base], "success");
    panxapi.succeeds(&["--move", "before", "--dst", "a", &at("b")], "success");
    let both = panxapi.succeeds(&["-xr", "-g", &format!("{base}/entry/@name")], "name=\"a\"");
    assert!(both.find("name=\"b\"") < both.find("name=\"a\""), "{both}");
    panxapi.fails(&["--clone", "--src", &at("ghost"), "--dst", "c", base], "doesn't exist");
    let batch = format!(
        "<multi-configure-request><delete id=\"1\" xpath=\"{}\"/><set id=\"2\" xpath=\"{}\">\
         <fqdn>c.test</fqdn></set></multi-configure-request>",
        at("b"),
        at("c")
    );
    panxapi.succeeds(&["-x", "-M", &batch], "id=\"2\"");
    let left = panxapi.succeeds(&["-xr", "-g", base], "c.test");
    assert!(!left.contains("name=\"b\""), "{left}");
    panxapi.fails(&["-M", &batch.replace("<fqdn>c.test</fqdn>", "<x>"), "--strict", "yes"], "error");
    panxapi.fails(&["--override", "<entry name=\"a\"/>", base], "Object cannot be overridden");
    panxapi.fails(&["--serial", "001900000000009", "-g", base], "001900000000009 not connected");
    panxapi.fails(&["-g", &format!("{base}/entry[1]")], "does not understand the XPath");
    panxapi.fails(&["-g", "/nonsense"], "Unauthorized request");
    panxapi.succeeds(&["-g", ""], "[code=\"7\"]");
    panxapi.fails(&["--ad-hoc", "type=config&action=nonsense", "--modify"], "show, get, set");
    panxapi.succeeds(&["--ad-hoc", "type=version", "--modify", "-xr"], "<sw-version>11.1.4</sw-version>");
    let with = "certificate-name=vpn-1&format=pem&include-key=no";
    panxapi.fails(&["--export", "certificate", "--ad-hoc", with], "does not exist");
    let certificate =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=again.example.test"];
    let made = Command::new("openssl").args(certificate).args(["-keyout", "/dev/null"]).output().unwrap();
    fs::write(file, made.stdout).unwrap();
    let file = file.to_str().unwrap();
    let import = ["--import", "certificate", "--file", file, "--ad-hoc", "certificate-name=vpn-1&format=pem"];
    panxapi.succeeds(&import, "success");
    panxapi.succeeds(&["--export", "certificate", "--ad-hoc", with, "--dst", file], "success");
    assert!(fs::read_to_string(file).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    panxapi.succeeds(&["-o", "<revert><config></config></revert>"], "success");
}

#[test]
fn panos_upgrade_assurance_finds_what_it_looks_for() {
    let environment = environment("panos-upgrade-assurance");
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = files(directory.path());
    let both = directory.path().join("both.pem");
    fs::write(&both, fs::read_to_string(certificate).unwrap() + &fs::read_to_string(key).unwrap()).unwrap();
    let plain = Running::start(&["--certificate", &format!("vpn-1={}", both.display())]);
    let settings = directory.path().join("managed.toml");
    fs::write(&settings, "[pushed]\ntemplate = \"branch-stack\"\n").unwrap();
    let managed = Running::start(&["--config", settings.to_str().unwrap()]);
    let output = Command::new(environment.join("bin/python"))
        .arg(format!("{HERE}/upgrade_assurance.py"))
        .args([plain.address(), managed.address()])
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success() && said.trim_end().ends_with("all well"), "{said}");
}

#[test]
fn pan_os_python_commits_and_pushes_from_a_panorama() {
    let environment = environment("pan-os-python");
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let serial = "001900000000042";
    let panorama = write(
        "panorama.toml",
        &format!(
            "model = \"Panorama\"\nserial = \"000710000001\"\nsw_version = \"11.2.5-h1\"\ntemplates = [\"branch\"]\n\
             [[stacks]]\nname = \"branches\"\ntemplates = [\"branch\"]\ndevices = [\"{serial}\"]\n\
             [[device_groups]]\nname = \"offices\"\ndevices = [\"{serial}\"]\n"
        ),
    );
    let firewall = write("firewall.toml", &format!("serial = \"{serial}\"\nhostname = \"fw-branch-1\"\n"));
    let running = Running::start(&["--config", &panorama, "--manage", &firewall]);
    let output = Command::new(environment.join("bin/python"))
        .arg(format!("{HERE}/panorama.py"))
        .args([running.address(), serial])
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success() && said.trim_end().ends_with("all well"), "{said}");
}

#[test]
fn check_paloalto_reads_the_certificates() {
    let environment = environment("check-paloalto");
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = files(directory.path());
    let both = directory.path().join("both.pem");
    fs::write(&both, fs::read_to_string(certificate).unwrap() + &fs::read_to_string(key).unwrap()).unwrap();
    let vpn = format!("vpn-1={}", both.display());
    let device = Running::start(&["--api-key", "admin:KEY", "--certificate", &vpn]);
    let check = |range: &str| {
        let output = Command::new(environment.join("bin/check_paloalto"))
            .args(["-H", device.address(), "-T", "KEY", "certificates", "-r", range])
            .output()
            .unwrap();
        (output.status.code(), text(&output))
    };
    let (code, said) = check("0:20");
    assert!(code == Some(0) && said.contains("will expire in 29 days"), "{said}");
    let (code, said) = check("0:40");
    assert!(code == Some(1) && said.contains("vpn-1 expires in 29 days"), "{said}");
}

/// `guard.py` on a firewall, on a Panorama and in a template of one: what it adds it finds again, also in what runs.
#[test]
fn pan_chainguard_keeps_certificates_up_to_date() {
    let environment = environment("pan-chainguard");
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    for name in ["first", "second"] {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"])
            .args([
                "-subj",
                &format!("/CN={name} CA"),
                "-keyout",
                "/dev/null",
                "-out",
                &format!("{name}.pem"),
            ])
            .current_dir(place)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", text(&made));
    }
    let archive = "import hashlib, ssl\n\
        from pan_chainguard.util import write_cert_archive\n\
        data = {}\n\
        for kind, name in (('root', 'first'), ('intermediate', 'second')):\n    \
            pem = open(name + '.pem').read()\n    \
            digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()\n    \
            data[digest] = (kind, pem)\n\
        write_cert_archive(path='certs.tgz', data=data)\n";
    let python = |arguments: &[&str]| {
        let mut command = Command::new(environment.join("bin/python"));
        command.args(arguments).env("HOME", place).current_dir(place);
        command.output().unwrap()
    };
    let made = python(&["-c", archive]);
    assert!(made.status.success(), "{}", text(&made));

    let settings = place.join("panorama.toml");
    fs::write(&settings, "model = \"Panorama\"\nsw_version = \"11.2.5-h1\"\ntemplates = [\"branch\"]\n")
        .unwrap();
    let panorama = ["--api-key", "admin:KEY", "--config", settings.to_str().unwrap()];
    for (more, options) in
        [(&[][..], &[][..]), (&panorama[2..], &[]), (&panorama[2..], &["--template", "branch"])]
    {
        let device = Running::start(&[&panorama[..2], more].concat());
        let port = device.address().rsplit(':').next().unwrap();
        let panrc = format!("hostname%sim=127.0.0.1\nport%sim={port}\napi_key%sim=KEY\n");
        fs::write(place.join(".panrc"), panrc).unwrap();
        let program = environment.join("bin/guard.py");
        let guard = |arguments: &[&str], with: &[&str]| {
            let start = [program.to_str().unwrap(), "-t", "sim", "--verbose"];
            let output = python(&[&start[..], options, arguments].concat());
            let said = text(&output);
            assert!(
                output.status.success() && with.iter().all(|part| said.contains(part)),
                "{arguments:?}: {said}"
            );
        };
        let update = ["--certs", "certs.tgz", "--update", "-T", "root", "-T", "intermediate"];
        let commit = ["--commit", "--admin", "admin"];
        let committed = "Configuration committed successfully";
        guard(&[&update[..], &commit].concat(), &["2 certificates added", committed]);
        guard(&["--show"], &["2 Device Certificates", "/CN=first CA", "2 Trusted Root CA Certificates"]);
        guard(&update, &["0 certificates deleted", "0 certificates added"]);
        guard(&[&update[..5], &commit].concat(), &["1 certificates deleted", committed]);
        guard(&[&["--delete"][..], &commit].concat(), &["1 certificates deleted", committed]);
        guard(&["--show"], &["0 Device Certificates"]);
    }
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
