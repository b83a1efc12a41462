//! A Panorama with a template in a stack, and firewalls below it.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use panos_sim::{RequestRecord, Settings, Simulator, Stack};
use serde_json::Value;

pub(crate) use crate::common::estate::{JANE, serial};
use crate::common::estate::{managed, panorama};
use crate::common::pki::Issued;
use crate::common::world::{Ended, KEY, NAME, PORTAL, World, open_many_files};

pub(crate) const DEV: &str = "/config/devices/entry[@name='localhost.localdomain']";

pub(crate) struct Estate {
    pub(crate) world: World,
    pub(crate) firewalls: Vec<Simulator>,
}

impl Estate {
    /// A stack of two templates with so many firewalls; the first template has an unbound profile.
    pub(crate) fn of(count: usize, change: impl FnOnce(&mut Settings)) -> Self {
        let estate = Self::fresh(count, change);
        estate.push_everything();
        estate.forget_requests();
        estate
    }

    /// The same, and nothing was ever pushed.
    pub(crate) fn fresh(count: usize, change: impl FnOnce(&mut Settings)) -> Self {
        Self::started(count, change, |settings| (Simulator::start(settings).unwrap(), None))
    }

    /// The same as [`Estate::of`] below the active member of a pair of Panoramas.
    pub(crate) fn of_pair(count: usize) -> Self {
        let both = |settings: Settings| {
            let other = Settings { listen: "127.0.0.2:0".parse().unwrap(), ..settings.clone() };
            let (active, other) = Simulator::pair(settings, other).unwrap();
            (active, Some(other))
        };
        let estate = Self::started(count, |_| {}, both);
        estate.push_everything();
        estate.forget_requests();
        estate
    }

    fn started(
        count: usize,
        change: impl FnOnce(&mut Settings),
        start: impl FnOnce(Settings) -> (Simulator, Option<Simulator>),
    ) -> Self {
        open_many_files();
        let serials: Vec<String> = (1..=count).map(serial).collect();
        let mut panorama = panorama();
        panorama.stacks = vec![Stack {
            name: "branches".into(),
            templates: vec!["branch".into(), "base".into()],
            devices: serials.clone(),
        }];
        change(&mut panorama);
        let (panorama, other) = start(panorama);
        let (mut world, firewalls) = managed(panorama, &serials, |settings| {
            // What is pushed is all that they have.
            settings.profiles.clear();
            settings.served_profile = None;
        });
        world.peer = other;
        let estate = Self { world, firewalls };
        for template in ["branch", "spare"] {
            let profile = format!("ssl-tls-service-profile/entry[@name='{PORTAL}']");
            estate.change(JANE, template, &profile, "<protocol-settings/>");
        }
        estate.forget_requests();
        estate
    }

    /// Somebody's change in a template's shared part, committed by somebody.
    pub(crate) fn change(&self, admin: &str, template: &str, place: &str, element: &str) {
        let path = format!("{DEV}/template/entry[@name='{template}']/config/shared/{place}");
        self.commit(admin, &path, element);
    }

    /// Jane's change anywhere in Panorama's own part, committed.
    pub(crate) fn make(&self, place: &str, element: &str) {
        self.commit(JANE, &format!("{DEV}/{place}"), element);
    }

    fn commit(&self, admin: &str, path: &str, element: &str) {
        self.world.device.add_pending_change(admin, path, element).unwrap();
        self.world.device.commit_as(admin);
        assert!(self.world.device.wait_idle(Duration::from_secs(5)));
    }

    /// Jane pushes everything, in the web interface.
    pub(crate) fn push_everything(&self) {
        self.push_all_of("branches");
    }

    /// The same of another stack.
    pub(crate) fn push_all_of(&self, stack: &str) {
        let cmd = format!("<commit-all><template-stack><name>{stack}</name></template-stack></commit-all>");
        let told = post(&self.world.device, &[("type", "commit"), ("action", "all"), ("cmd", &cmd)]);
        assert!(told.contains("jobid"), "{told}");
        assert!(self.world.device.wait_idle(Duration::from_secs(10)));
    }

    pub(crate) fn install(&self, arguments: &[&str]) -> Ended {
        let words = ["--template", "branch", "-p", PORTAL];
        Ended::of(self.command().args(words).args(arguments).arg(self.world.target()))
    }

    pub(crate) fn command(&self) -> Command {
        self.world.command()
    }

    pub(crate) fn certctl(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.env_clear().env("TZ", "UTC").args(words);
        command.arg("--log-file").arg(self.world.path("log"));
        Ended::of(command.arg("--state-dir").arg(self.world.path("state")))
    }

    pub(crate) fn status(&self) -> Value {
        let told = self.certctl(&["status", "--json", "--no-certmonger"]);
        serde_json::from_str(&told.stdout).unwrap()
    }

    pub(crate) fn push(&self) -> Value {
        self.status()["installations"][0]["push"].clone()
    }

    /// What is known of one firewall that does not have the certificate.
    #[track_caller]
    pub(crate) fn open(&self, number: usize) -> String {
        let push = self.push();
        let open = push["open"].as_array().unwrap().iter().find(|open| open["serial"] == serial(number));
        open.unwrap_or_else(|| panic!("{push:#}"))["state"].as_str().unwrap().to_owned()
    }

    /// Whether this firewall presents the wanted object.
    pub(crate) fn has(&self, number: usize) -> bool {
        let firewall = &self.firewalls[number - 1];
        let cmd = "<show><config><pushed-template></pushed-template></config></show>";
        let told = post(firewall, &[("type", "op"), ("cmd", cmd)]);
        told.contains(&format!("<entry name=\"{NAME}\"")) && told.contains(&format!(">{NAME}</certificate>"))
    }

    /// The object that the profile presents by what was pushed to this firewall.
    pub(crate) fn presents(&self, number: usize) -> Option<String> {
        let cmd = "<show><config><pushed-template></pushed-template></config></show>";
        let told = post(&self.firewalls[number - 1], &[("type", "op"), ("cmd", cmd)]);
        bound(&told)
    }

    /// The object that the profile presents on Panorama, in the running configuration.
    pub(crate) fn presents_itself(&self) -> Option<String> {
        let profile = format!("ssl-tls-service-profile/entry[@name='{PORTAL}']");
        let xpath = format!("{DEV}/template/entry[@name='branch']/config/shared/{profile}");
        bound(&post(&self.world.device, &[("type", "config"), ("action", "show"), ("xpath", &xpath)]))
    }

    /// How many jobs of this kind Panorama has made.
    pub(crate) fn jobs_of(&self, kind: &str) -> usize {
        let cmd = "<show><jobs><all></all></jobs></show>";
        let told = post(&self.world.device, &[("type", "op"), ("cmd", cmd)]);
        told.matches(&format!("<type>{kind}</type>")).count()
    }

    /// Whether this very certificate was pushed to it.
    pub(crate) fn runs(&self, number: usize, issued: &Issued) -> bool {
        let cmd = "<show><config><pushed-template></pushed-template></config></show>";
        let pem = issued.certificate_pem();
        let line = pem.lines().nth(4).unwrap();
        self.has(number) && post(&self.firewalls[number - 1], &[("type", "op"), ("cmd", cmd)]).contains(line)
    }

    pub(crate) fn requests(&self, wanted: impl Fn(&RequestRecord) -> bool) -> Vec<RequestRecord> {
        self.world.device.requests().into_iter().filter(wanted).collect()
    }

    /// The commands of all pushes that were asked for.
    pub(crate) fn pushes(&self) -> Vec<String> {
        let pushes = self.requests(|request| request.action.as_deref() == Some("all"));
        pushes.into_iter().filter_map(|request| request.cmd).collect()
    }

    /// How many push jobs Panorama has made.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs_of("CommitAll")
    }

    /// What was uploaded and committed.
    pub(crate) fn changes(&self) -> usize {
        let is_change = |request: &RequestRecord| {
            request.r#type.as_deref() == Some("import")
                || request.r#type.as_deref() == Some("commit") && request.action.as_deref() != Some("all")
        };
        self.requests(is_change).len()
    }

    pub(crate) fn forget_requests(&self) {
        self.world.device.clear_requests();
    }
}

/// The text of a reference to a certificate.
fn bound(told: &str) -> Option<String> {
    let texts = told.split("</certificate>").filter_map(|part| part.rsplit_once('>'));
    texts.map(|(_, text)| text.trim().to_owned()).find(|text| !text.is_empty())
}

/// A request to a device itself, with Jane's key where that is a Panorama.
fn post(device: &Simulator, fields: &[(&str, &str)]) -> String {
    use std::io::{Read as _, Write as _};
    let mut context = SslConnector::builder(SslMethod::tls_client()).unwrap();
    context.set_verify(SslVerifyMode::NONE);
    let stream = TcpStream::connect(device.address()).unwrap();
    let mut tls = context.build().configure().unwrap().verify_hostname(false).connect("fw", stream).unwrap();
    let quoted = |text: &str| {
        let each = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        });
        each.collect::<String>()
    };
    let body = fields.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    let body = body.collect::<Vec<_>>().join("&");
    let key = if fields.contains(&("action", "all")) { "jane's key" } else { KEY };
    let head = format!(
        "POST /api/ HTTP/1.1\r\nHost: fw\r\nX-PAN-KEY: {key}\r\nConnection: close\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    tls.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut told = String::new();
    tls.read_to_string(&mut told).ok();
    told
}
