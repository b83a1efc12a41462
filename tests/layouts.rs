//! Certificates of other programs, in the layouts that these have: named by their files, installed with their chain,
//! remembered, and delivered again from the same files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::pki::{self, CertificateSpec, Issued, KeyKind};
use common::world::{self, Ended, NAME, PORTAL, World, print, served_chain};
use serde_json::Value;

/// What a program writes for one certificate: its files, and which of them are named.
struct Layout {
    program: &'static str,
    files: &'static [(&'static str, &'static [Part])],
    certificate: &'static str,
    key: &'static str,
    chain: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Part {
    Leaf,
    Chain,
    Root,
    Key,
}

use Part::{Chain, Key, Leaf, Root};

const LAYOUTS: [Layout; 6] = [
    Layout {
        program: "acme.sh, its own directory",
        files: &[
            ("acme/gp.example.com_ecc/gp.example.com.cer", &[Leaf]),
            ("acme/gp.example.com_ecc/ca.cer", &[Chain]),
            ("acme/gp.example.com_ecc/fullchain.cer", &[Leaf, Chain]),
            ("acme/gp.example.com_ecc/gp.example.com.key", &[Key]),
        ],
        certificate: "acme/gp.example.com_ecc/fullchain.cer",
        key: "acme/gp.example.com_ecc/gp.example.com.key",
        chain: None,
    },
    Layout {
        program: "acme.sh, with certificate and chain apart",
        files: &[("a/gp.cer", &[Leaf]), ("a/ca.cer", &[Chain, Root]), ("a/gp.key", &[Key])],
        certificate: "a/gp.cer",
        key: "a/gp.key",
        chain: Some("a/ca.cer"),
    },
    Layout {
        program: "lego",
        files: &[
            ("lego/certificates/gp.example.com.crt", &[Leaf, Chain]),
            ("lego/certificates/gp.example.com.issuer.crt", &[Chain]),
            ("lego/certificates/gp.example.com.key", &[Key]),
        ],
        certificate: "lego/certificates/gp.example.com.crt",
        key: "lego/certificates/gp.example.com.key",
        chain: None,
    },
    Layout {
        program: "dehydrated",
        files: &[
            ("dehydrated/certs/gp/cert-1764362400.pem", &[Leaf]),
            ("dehydrated/certs/gp/chain-1764362400.pem", &[Chain]),
            ("dehydrated/certs/gp/fullchain-1764362400.pem", &[Leaf, Chain]),
            ("dehydrated/certs/gp/privkey-1764362400.pem", &[Key]),
        ],
        certificate: "dehydrated/certs/gp/fullchain-1764362400.pem",
        key: "dehydrated/certs/gp/privkey-1764362400.pem",
        chain: None,
    },
    Layout {
        program: "Caddy",
        files: &[
            ("caddy/certificates/acme-v02/gp.example.com/gp.example.com.crt", &[Leaf, Chain]),
            ("caddy/certificates/acme-v02/gp.example.com/gp.example.com.key", &[Key]),
        ],
        certificate: "caddy/certificates/acme-v02/gp.example.com/gp.example.com.crt",
        key: "caddy/certificates/acme-v02/gp.example.com/gp.example.com.key",
        chain: None,
    },
    Layout {
        program: "all in one file, root included",
        files: &[("one.pem", &[Leaf, Chain, Root, Key])],
        certificate: "one.pem",
        key: "one.pem",
        chain: None,
    },
];

/// A world whose certificates come from an intermediate authority.
struct Site {
    world: World,
    between: Issued,
}

impl Site {
    fn new() -> Self {
        let device = panos_sim::Simulator::start(world::settings()).unwrap();
        let root = pki::root("Example CA", KeyKind::P256);
        let between = root.intermediate("Example issuing CA", KeyKind::P256);
        Self { world: World::of(device, root), between }
    }

    /// Issues a certificate and writes it as the program does.
    fn write(&self, layout: &Layout) -> Issued {
        let issued = self.between.issue(&CertificateSpec::named(NAME).san(NAME));
        for (name, parts) in layout.files {
            let file = self.world.path(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            let part = |part: &Part| match part {
                Leaf => issued.certificate_pem(),
                Chain => self.between.certificate_pem(),
                Root => self.world.ca.certificate_pem(),
                Key => issued.key_pem(),
            };
            pki::write(&file, parts.iter().map(part).collect::<String>().as_bytes(), 0o600);
        }
        issued
    }

    /// The options that name the files.
    fn names(&self, layout: &Layout) -> Vec<String> {
        let option = |option: &str, name: &str| format!("--{option}={}", self.world.path(name).display());
        let mut words = vec![option("cert-file", layout.certificate), option("cert-key", layout.key)];
        words.extend(layout.chain.map(|chain| option("chain", chain)));
        words
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).arg("--log-file").arg(self.world.path("log"));
        command.arg("--state-dir").arg(self.world.path("state"));
        command.env_clear().env("TZ", "UTC").stdin(std::process::Stdio::null());
        command
    }

    fn installs(&self, names: &[String], more: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_pan_instcert"), &["-b", "-c", NAME, "-p", PORTAL]);
        command.args(names).args(more).arg("-k").arg(self.world.path(".panrc"));
        command.args(["--pin", &self.world.device.certificate_fingerprint(), &self.world.target()]);
        command
    }

    fn install(&self, names: &[String], more: &[&str]) -> Ended {
        Ended::of(&mut self.installs(names, more))
    }

    fn certctl(&self, words: &[&str]) -> Ended {
        Ended::of(&mut self.command(env!("CARGO_BIN_EXE_pan_certctl"), words))
    }

    #[track_caller]
    fn serves(&self, issued: &Issued) {
        assert_eq!(self.world.served(), Some(print(&issued.certificate)));
        assert_eq!(served_chain(&self.world.device), 2, "the chain is not served");
    }
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"))
}

#[test]
fn every_layout_is_installed_with_its_chain_and_a_renewal_in_the_same_files_is_found_and_delivered() {
    let site = Site::new();
    for layout in &LAYOUTS {
        let issued = site.write(layout);
        let names = site.names(layout);
        let planned = site.install(&names, &["--dry-run"]).exits(0);
        assert!(planned.stdout.contains("upload  gp.example.com"), "{}: {planned:#?}", layout.program);
        site.install(&names, &[]).exits(0);
        site.serves(&issued);
        let log = site.world.log().join("\n");
        assert!(!log.contains("holds the certificate itself"), "{}: {log}", layout.program);

        let record = site.world.record();
        let path = |name: &str| Value::from(site.world.path(name).to_str().unwrap());
        assert_eq!(record["spec"]["options"]["cert_file"], path(layout.certificate), "{record:#}");
        assert_eq!(record["spec"]["options"]["cert_key"], path(layout.key));
        assert_eq!(record["spec"]["files"]["certificate"], path(layout.certificate));
        assert_eq!(record["spec"]["files"]["chain"], path(layout.chain.unwrap_or(layout.certificate)));
        // From here on nothing depends on who wrote the files: the first layout, and one file for everything.
        if ![LAYOUTS[0].program, LAYOUTS[5].program].contains(&layout.program) {
            continue;
        }
        site.certctl(&["verify"]).exits(0).says("OK, the device is running this certificate");

        // The program renews, and nobody tells us.
        let renewed = site.write(layout);
        site.certctl(&["verify"]).exits(15).says("the certificate file holds a different certificate");
        site.certctl(&["retry", "--now"]).exits(0);
        site.serves(&renewed);
        let status = json(&site.certctl(&["status", "--no-certmonger", "--json"]).exits(0));
        assert_eq!(status["installations"][0]["state"], "installed", "{status:#}");
    }
}

#[test]
fn what_is_queued_is_delivered_from_the_files_that_were_named_wherever_it_was_typed() {
    let site = Site::new();
    let layout = &LAYOUTS[0];
    let issued = site.write(layout);
    // As somebody types it who stands there.
    let file_name = |name: &'static str| Path::new(name).file_name().unwrap().to_str().unwrap();
    let names = [
        format!("--cert-file={}", file_name(layout.certificate)),
        format!("--cert-key={}", file_name(layout.key)),
    ];
    let directory: PathBuf = site.world.path(layout.certificate).parent().unwrap().to_owned();
    Ended::of(site.installs(&names, &["--queue"]).current_dir(&directory)).exits(0);
    assert_eq!(site.world.served(), None);
    site.certctl(&["retry", "--now"]).exits(0);
    site.serves(&issued);
}

#[test]
fn what_is_missing_is_named_and_what_contradicts_itself_is_refused() {
    let site = Site::new();
    let layout = &LAYOUTS[2];
    let names = site.names(layout);
    let ended = site.install(&names, &[]).exits(10);
    let tried = site.world.path(layout.certificate);
    assert!(ended.stderr.contains(&format!("certificate file not found: {}", tried.display())), "{ended:#?}");
    site.write(layout);
    std::fs::remove_file(site.world.path(layout.key)).unwrap();
    let ended = site.install(&names, &[]).exits(10).says("private key file not found: ");
    assert!(ended.stderr.contains(layout.key), "{ended:#?}");
    site.install(&names, &["-C", "/etc/ssl/certs"]).exits(1).says("cannot be used with");
    // Each half can be named alone.
    let issued = site.write(layout);
    let keys = site.world.path("lego/certificates");
    site.install(&names[..1], &["-K", keys.to_str().unwrap()]).exits(0);
    site.serves(&issued);
    // check reads the same files.
    let mut words = vec!["check", "-b", "-c", NAME, "--json"];
    words.extend(names.iter().map(String::as_str));
    let (key_file, pin, target) = (
        format!("--key-file={}", site.world.path(".panrc").display()),
        format!("--pin={}", site.world.device.certificate_fingerprint()),
        site.world.target(),
    );
    words.extend([key_file.as_str(), pin.as_str(), target.as_str()]);
    let told = json(&site.certctl(&words));
    assert!(told.to_string().contains(&format!("{}, valid until", tried.display())), "{told:#}");
}
