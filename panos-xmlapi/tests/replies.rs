//! What is read from a device's replies: fixtures of our own everywhere, and, where a folder of replies
//! that others have recorded lies beside the checkout, every one of those.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, clippy::print_stdout)]

#[path = "common/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use panos_xmlapi::{
    CertificateEntry, ClientOptions, Commit, CommitReply, CommitScope, Element, Error, HaState, ImportFormat,
    Job, JobState, KeyExport, KeyPairImport, Location, Lock, ManagedDevice, Node, PendingChange,
    PushedDevice, Reason, Refusal, Reply, ReplyError, Right, ServiceProfile, Session, SystemInfo,
    TemplateStack, Trust, own_name,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;
use server::Server;
use server::identity::Plan;

// ---- Asking ----

/// A device that answers whatever it was told last.
struct Device {
    _server: Server,
    session: Session,
    answer: Arc<Mutex<(u16, Vec<u8>)>>,
    address: panos_xmlapi::Address,
}

/// What each typed question makes of one and the same answer.
struct Asked {
    key: Result<String, Error>,
    system: Result<SystemInfo, Error>,
    ha: Result<HaState, Error>,
    changes: Result<Vec<panos_xmlapi::PendingChange>, Error>,
    config_locks: Result<Vec<Lock>, Error>,
    commit_locks: Result<Vec<Lock>, Error>,
    jobs: Result<Vec<Job>, Error>,
    job: Result<Job, Error>,
    commit: Result<CommitReply, Error>,
    import: Result<Vec<String>, Error>,
    set: Result<(), Error>,
    revert: Result<(), Error>,
    get: Result<Option<Element>, Error>,
    show: Result<Option<Element>, Error>,
    delete: Result<bool, Error>,
    export: Result<String, Error>,
}

impl Device {
    fn new() -> Self {
        let answer = Arc::new(Mutex::new((200, Vec::new())));
        let told = answer.clone();
        let server = Server::start(&Plan::named("fw").self_signed(), move |_| {
            let (status, body) = told.lock().unwrap().clone();
            server::reply(&format!("{status} Whatever"), body)
        });
        let address = server.address();
        let key = SecretString::from("an-invented-key");
        let session =
            Session::new(&address, &Trust::DangerousAcceptAny, &key, ClientOptions::default()).unwrap();
        Self { _server: server, session, answer, address }
    }

    /// Puts every question; `number` is the job asked for.
    async fn ask(&self, http: u16, body: &[u8], number: &str) -> Asked {
        *self.answer.lock().unwrap() = (http, body.to_vec());
        let session = &self.session;
        let path = Location::Shared.profiles();
        let element = Element::new("certificate").with_text("c");
        let secret = || SecretString::from("an-invented-secret");
        let import = KeyPairImport {
            location: Location::Shared,
            name: "c".into(),
            format: ImportFormat::Pem,
            file: SecretSlice::from(vec![0]),
            passphrase: secret(),
            key_export: Some(KeyExport::Allowed),
        };
        let commit = Commit {
            scope: CommitScope::Administrator("a".into()),
            locations: Vec::new(),
            description: "d".into(),
        };
        let trust = Trust::DangerousAcceptAny;
        Asked {
            key: Session::generate_key(&self.address, &trust, "a", &secret(), ClientOptions::default())
                .await
                .map(|key| key.expose_secret().to_owned()),
            system: session.system_info().await,
            ha: session.ha_state().await,
            changes: session.pending_changes().await,
            config_locks: session.config_locks().await,
            commit_locks: session.commit_locks().await,
            jobs: session.jobs().await,
            job: session.job(number).await,
            commit: session.commit(&commit).await,
            import: session.import(&import).await.map(|reply| reply.messages),
            set: session.set(&path, &element).await,
            revert: session.revert_changes_of("a").await,
            get: session.get(&path).await,
            show: session.show(&path).await,
            delete: session.delete(&path).await,
            export: session.export_certificate("c").await,
        }
    }
}

impl Asked {
    /// The questions that the answer answers.
    fn answered(&self) -> Vec<&'static str> {
        let all = [
            ("key", self.key.is_ok()),
            ("system", self.system.is_ok()),
            ("ha", self.ha.is_ok()),
            ("changes", self.changes.is_ok()),
            ("config locks", self.config_locks.is_ok()),
            ("commit locks", self.commit_locks.is_ok()),
            ("jobs", self.jobs.is_ok()),
            ("job", self.job.is_ok()),
            ("commit", self.commit.is_ok()),
            ("import", self.import.is_ok()),
            ("set", self.set.is_ok()),
            ("revert", self.revert.is_ok()),
            ("get", self.get.is_ok()),
            ("show", self.show.is_ok()),
            ("delete", self.delete.is_ok()),
            ("export", self.export.is_ok()),
        ];
        all.into_iter().filter(|(_, answered)| *answered).map(|(name, _)| name).collect()
    }

    /// The refusal that a change met with.
    fn refusal(&self) -> &Refusal {
        match &self.set {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }
}

/// What is answered by any success, since nothing but the word is asked for.
const BARE: [&str; 5] = ["import", "set", "revert", "delete", "show"];

/// The questions that one answers beside those of [`BARE`] and `get`.
fn also(names: &[&'static str], bare: bool) -> Vec<&'static str> {
    const ORDER: [&str; 16] = [
        "key",
        "system",
        "ha",
        "changes",
        "config locks",
        "commit locks",
        "jobs",
        "job",
        "commit",
        "import",
        "set",
        "revert",
        "get",
        "show",
        "delete",
        "export",
    ];
    let wanted = |name: &&str| names.contains(name) || (bare && (BARE.contains(name) || *name == "get"));
    ORDER.into_iter().filter(wanted).collect()
}

// ---- Recorded replies ----

/// As a device's answer is kept: private keys, and whatever else is encrypted with the master key, are taken out.
fn without_secrets(element: &Element) -> Element {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=\r\n".contains(c);
    let mut cleaned = element.clone();
    for node in &mut cleaned.content {
        match node {
            Node::Text(text) if element.name == "private-key" && !text.trim().is_empty() => {
                *text = "[private key removed]".to_owned();
            }
            Node::Text(text) => {
                while let Some(at) = text.find("-AQ==") {
                    let end = text[at + 1..].find(|c| !is_base64(c)).map_or(text.len(), |end| at + 1 + end);
                    text.replace_range(at..end, "[encrypted secret removed]");
                }
            }
            Node::Element(child) => *child = without_secrets(child),
        }
    }
    cleaned
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    situation: DeviceState,
    #[serde(rename = "source")]
    _source: String,
    kind: Kind,
    #[serde(rename = "version")]
    _version: Option<String>,
    http: Option<u16>,
    parses: bool,
    #[serde(rename = "note")]
    _note: Option<String>,
    expect: Option<Expect>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Recorded,
    Edited,
    Mocked,
    /// Only the message is public; its envelope is that of its neighbours.
    Text,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
enum DeviceState {
    KeygenOk,
    KeygenRefused,
    Error,
    Unauth,
    ImportOk,
    ImportFailed,
    ConfigDone,
    TextResult,
    ConfigGet,
    ConfigShow,
    ConfigMissing,
    ConfigEmpty,
    CommitEnqueued,
    CommitNoChanges,
    PushEnqueued,
    PushNoJob,
    OtherEnqueued,
    Job,
    PushJob,
    JobList,
    Locks,
    LockDone,
    Revert,
    Load,
    PendingChanges,
    SystemInfo,
    Version,
    Ha,
    Devices,
    Templates,
    Certificates,
    OddEnvelope,
    NotAReply,
    Other,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Expect {
    status: Option<String>,
    code: Option<String>,
    messages: Option<Vec<String>>,
    key: Option<String>,
    job: Option<String>,
    no_job: Option<bool>,
    job_id: Option<String>,
    job_type: Option<String>,
    job_status: Option<String>,
    job_result: Option<String>,
    job_progress: Option<String>,
    job_user: Option<String>,
    details: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    devices: Option<Vec<ExpectDevice>>,
    jobs: Option<Vec<ExpectJob>>,
    locks: Option<Vec<ExpectLock>>,
    changes: Option<Vec<ExpectChange>>,
    result_children: Option<Vec<String>>,
    entry_names: Option<Vec<String>>,
    members: Option<Vec<String>>,
    total_count: Option<u64>,
    count: Option<u64>,
    certificates: Option<Vec<ExpectCertificate>>,
    stacks: Option<Vec<ExpectStack>>,
    hostname: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    sw_version: Option<String>,
    family: Option<String>,
    multi_vsys: Option<String>,
    operational_mode: Option<String>,
    system_mode: Option<String>,
    time: Option<String>,
    ha_enabled: Option<String>,
    ha_mode: Option<String>,
    ha_local_state: Option<String>,
    ha_peer_state: Option<String>,
    ha_peer_mgmt_ip: Option<String>,
    ha_peer_conn: Option<String>,
    running_sync: Option<String>,
    running_sync_enabled: Option<String>,
    admins: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectDevice {
    serial: String,
    name: Option<String>,
    result: Option<String>,
    status: Option<String>,
    lines: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    hostname: Option<String>,
    connected: Option<String>,
    model: Option<String>,
    sw_version: Option<String>,
    multi_vsys: Option<String>,
    ha_state: Option<String>,
    ha_peer_serial: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectJob {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    result: Option<String>,
    progress: Option<String>,
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectLock {
    owner: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    created: Option<String>,
    logged_in: Option<String>,
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectChange {
    xpath: String,
    owner: String,
    action: Option<String>,
    component_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectCertificate {
    name: String,
    common_name: Option<String>,
    subject: Option<String>,
    issuer: Option<String>,
    ca: Option<String>,
    not_valid_before: Option<String>,
    not_valid_after: Option<String>,
    algorithm: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectStack {
    name: String,
    templates: Vec<String>,
    devices: Vec<ExpectStackDevice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectStackDevice {
    serial: String,
    connected: Option<String>,
    template_status: Option<String>,
    last_push: Option<String>,
}

/// Compares one entry's facts, counts them, and keeps what does not fit.
#[derive(Default)]
struct Ledger {
    facts: usize,
    compared: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Ledger {
    fn same<T: PartialEq + std::fmt::Debug + ?Sized>(&mut self, what: &str, read: &T, expected: &T) {
        self.facts += 1;
        self.compared.insert(what.split(['[', '.', ',']).next().unwrap().to_owned());
        if read != expected {
            self.wrong.push(format!("{what}: read {read:?}, expected {expected:?}"));
        }
    }

    /// A fact that is claimed; what is not claimed says nothing.
    fn claimed<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, read: &Option<T>, claimed: &Option<T>) {
        if claimed.is_some() {
            self.same(what, read, claimed);
        }
    }

    fn holds(&mut self, what: &str, holds: bool) {
        self.same(what, &holds, &true);
    }

    /// A pair of lists, entry by entry.
    fn each<R, E>(
        &mut self,
        what: &str,
        read: &[R],
        expected: &[E],
        compare: impl Fn(&mut Self, &str, &R, &E),
    ) {
        self.same(&format!("{what}, how many"), &read.len(), &expected.len());
        for (number, (read, expected)) in read.iter().zip(expected).enumerate() {
            compare(self, &format!("{what}[{number}]"), read, expected);
        }
    }

    fn envelope(&mut self, reply: &Reply, entry: &Entry, expect: &Expect) {
        self.same("status", &reply.status, &expect.status);
        // Of a reply of which only the text is public nobody knows whether it has a code, unless the index says so.
        match entry.kind {
            Kind::Text => self.claimed("code", &reply.code, &expect.code),
            _ => self.same("code", &reply.code, &expect.code),
        }
        self.claimed("messages", &Some(reply.messages.clone()), &expect.messages);
    }

    fn result(&mut self, result: Option<&Element>, expect: &Expect) {
        let names = |element: &Element| element.children().map(|child| child.name.clone()).collect();
        let number = |name: &str| result?.attribute(name)?.parse().ok();
        self.claimed("result_children", &result.map(names), &expect.result_children);
        let entries = result.map(|result| {
            let named = result.children_named("entry");
            named.filter_map(|entry| entry.attribute("name").map(str::to_owned)).collect::<Vec<_>>()
        });
        self.claimed("entry_names", &entries, &expect.entry_names);
        self.claimed("total_count", &number("total-count"), &expect.total_count);
        self.claimed("count", &number("count"), &expect.count);
        fn members(element: &Element, into: &mut Vec<String>) {
            for child in element.children() {
                if child.name == "member" {
                    into.push(child.text());
                }
                members(child, into);
            }
        }
        let mut all = Vec::new();
        result.inspect(|result| members(result, &mut all));
        self.claimed("members", &Some(all), &expect.members);
    }

    fn job(&mut self, job: &Job, expect: &Expect) {
        self.claimed("job_id", &job.id, &expect.job_id);
        self.claimed("job_type", &job.kind, &expect.job_type);
        self.claimed("job_status", &job.status, &expect.job_status);
        self.claimed("job_result", &job.result, &expect.job_result);
        self.claimed("job_progress", &job.progress, &expect.job_progress);
        self.claimed("job_user", &job.user, &expect.job_user);
        self.claimed("details", &Some(job.details.clone()), &expect.details);
        self.claimed("warnings", &Some(job.warnings.clone()), &expect.warnings);
        if let Some(devices) = &expect.devices {
            self.each("devices", &job.devices, devices, Self::pushed);
        }
        let state = match (job.status.as_deref(), job.result.as_deref()) {
            (Some("FIN"), Some("OK")) => JobState::Done,
            (Some("FIN"), _) => JobState::Failed,
            _ => JobState::Running,
        };
        self.same("state", &job.state(), &state);
    }

    fn pushed(&mut self, what: &str, read: &PushedDevice, expect: &ExpectDevice) {
        self.same(&format!("{what}.serial"), &read.serial, &expect.serial);
        self.claimed(&format!("{what}.name"), &read.name, &expect.name);
        self.claimed(&format!("{what}.result"), &read.result, &expect.result);
        self.claimed(&format!("{what}.status"), &read.status, &expect.status);
        self.claimed(&format!("{what}.lines"), &Some(read.lines.clone()), &expect.lines);
        self.claimed(&format!("{what}.warnings"), &Some(read.warnings.clone()), &expect.warnings);
        let others = [&expect.hostname, &expect.connected, &expect.model, &expect.sw_version];
        let more = [&expect.multi_vsys, &expect.ha_state, &expect.ha_peer_serial];
        assert!(others.iter().chain(&more).all(|fact| fact.is_none()), "{what}: an unknown fact");
    }

    fn managed(&mut self, what: &str, read: &ManagedDevice, expect: &ExpectDevice) {
        self.same(&format!("{what}.serial"), &read.serial, &expect.serial);
        self.claimed(&format!("{what}.hostname"), &read.hostname, &expect.hostname);
        self.claimed(&format!("{what}.connected"), &read.connected, &expect.connected);
        self.claimed(&format!("{what}.model"), &read.model, &expect.model);
        self.claimed(&format!("{what}.sw_version"), &read.sw_version, &expect.sw_version);
        self.claimed(&format!("{what}.multi_vsys"), &read.multi_vsys, &expect.multi_vsys);
        self.claimed(&format!("{what}.ha_state"), &read.ha_state, &expect.ha_state);
        self.claimed(&format!("{what}.ha_peer_serial"), &read.ha_peer_serial, &expect.ha_peer_serial);
        let others = [&expect.name, &expect.result, &expect.status];
        let unknown = others.iter().any(|fact| fact.is_some());
        assert!(!unknown && expect.lines.is_none() && expect.warnings.is_none(), "{what}: an unknown fact");
    }

    fn listed(&mut self, what: &str, read: &Job, expect: &ExpectJob) {
        self.claimed(&format!("{what}.id"), &read.id, &expect.id);
        self.claimed(&format!("{what}.type"), &read.kind, &expect.kind);
        self.claimed(&format!("{what}.status"), &read.status, &expect.status);
        self.claimed(&format!("{what}.result"), &read.result, &expect.result);
        self.claimed(&format!("{what}.progress"), &read.progress, &expect.progress);
        self.claimed(&format!("{what}.user"), &read.user, &expect.user);
    }

    fn lock(&mut self, what: &str, read: &Lock, expect: &ExpectLock) {
        self.same(&format!("{what}.owner"), &read.owner, &expect.owner);
        self.claimed(&format!("{what}.type"), &read.kind, &expect.kind);
        self.claimed(&format!("{what}.name"), &read.name, &expect.name);
        self.claimed(&format!("{what}.created"), &read.created, &expect.created);
        self.claimed(&format!("{what}.logged_in"), &read.logged_in, &expect.logged_in);
        self.claimed(&format!("{what}.comment"), &read.comment, &expect.comment);
    }

    fn certificate(&mut self, what: &str, read: &CertificateEntry, expect: &ExpectCertificate) {
        self.same(&format!("{what}.name"), &read.name, &expect.name);
        self.claimed(&format!("{what}.common_name"), &read.common_name, &expect.common_name);
        self.claimed(&format!("{what}.subject"), &read.subject, &expect.subject);
        self.claimed(&format!("{what}.issuer"), &read.issuer, &expect.issuer);
        self.claimed(&format!("{what}.ca"), &read.ca, &expect.ca);
        self.claimed(&format!("{what}.not_valid_before"), &read.not_valid_before, &expect.not_valid_before);
        self.claimed(&format!("{what}.not_valid_after"), &read.not_valid_after, &expect.not_valid_after);
        self.claimed(&format!("{what}.algorithm"), &read.algorithm, &expect.algorithm);
    }

    fn stack(&mut self, what: &str, read: &TemplateStack, expect: &ExpectStack) {
        self.same(&format!("{what}.name"), &read.name, &expect.name);
        self.same(&format!("{what}.templates"), &read.templates, &expect.templates);
        self.each(
            &format!("{what}.devices"),
            &read.devices,
            &expect.devices,
            |ledger, what, read, expect| {
                ledger.same(&format!("{what}.serial"), &read.serial, &expect.serial);
                ledger.claimed(&format!("{what}.connected"), &read.connected, &expect.connected);
                let status = (&read.template_status, &expect.template_status);
                ledger.claimed(&format!("{what}.template_status"), status.0, status.1);
                ledger.claimed(&format!("{what}.last_push"), &read.last_push, &expect.last_push);
            },
        );
    }

    fn system(&mut self, read: &SystemInfo, expect: &Expect) {
        self.claimed("hostname", &read.hostname, &expect.hostname);
        self.claimed("model", &read.model, &expect.model);
        self.claimed("serial", &read.serial, &expect.serial);
        self.claimed("sw_version", &read.sw_version, &expect.sw_version);
        self.claimed("family", &read.family, &expect.family);
        self.claimed("multi_vsys", &read.multi_vsys, &expect.multi_vsys);
        self.claimed("operational_mode", &read.operational_mode, &expect.operational_mode);
        self.claimed("system_mode", &read.system_mode, &expect.system_mode);
        self.claimed("time", &read.time, &expect.time);
    }

    fn ha(&mut self, read: &HaState, expect: &Expect) {
        let enabled = Some(if read.enabled { "yes" } else { "no" }.to_owned());
        self.claimed("ha_enabled", &enabled, &expect.ha_enabled);
        self.claimed("ha_mode", &read.mode, &expect.ha_mode);
        self.claimed("ha_local_state", &read.local, &expect.ha_local_state);
        self.claimed("ha_peer_state", &read.peer, &expect.ha_peer_state);
        self.claimed("ha_peer_mgmt_ip", &read.peer_address, &expect.ha_peer_mgmt_ip);
        self.claimed("ha_peer_conn", &read.peer_connection, &expect.ha_peer_conn);
        self.claimed("running_sync", &read.running_sync, &expect.running_sync);
        self.claimed("running_sync_enabled", &read.running_sync_enabled, &expect.running_sync_enabled);
    }

    /// Everything that is to be known about one entry.
    async fn check(&mut self, device: &Device, entry: &Entry, body: &[u8]) {
        use DeviceState as S;
        let default = Expect::default();
        let expect = entry.expect.as_ref().unwrap_or(&default);
        let parsed = Reply::parse(body);
        let told = parsed.as_ref().ok().and_then(|reply| reply.result()?.child("job")?.text_of("id"));
        let number = match entry.situation {
            S::Job => expect.job_id.clone().or(told).unwrap_or("1".to_owned()),
            _ => expect.job_id.clone().unwrap_or("1".to_owned()),
        };
        let asked = device.ask(entry.http.unwrap_or(200), body, &number).await;
        if !entry.parses {
            self.holds("the parser refuses it", matches!(parsed, Err(ReplyError::Xml(_))));
        }
        if !entry.parses || entry.situation == S::NotAReply {
            self.holds("it is no reply", parsed.is_err());
            self.same("answered", &asked.answered(), &Vec::new());
            return;
        }
        let Ok(reply) = parsed else {
            self.holds("it parses", false);
            return;
        };
        self.envelope(&reply, entry, expect);
        self.result(reply.result(), expect);
        self.same("answered", &asked.answered(), &self.answers(entry, expect, &reply));
        if expect.status.as_deref() != Some("success") && entry.situation != S::KeygenOk {
            if let Err(Error::Refused(refusal)) = &asked.set {
                self.same("refusal lines", &Some(refusal.lines.clone()), &expect.messages);
            } else {
                let unclear = matches!(
                    &asked.set,
                    Err(Error::InvalidReply { problem: ReplyError::Missing("a status"), .. })
                );
                self.holds("it is refused, or lacks a status", unclear && expect.status.is_none());
            }
        }
        self.typed(entry, expect, &reply, &asked);
    }

    /// The questions that this entry answers, by its situation.
    fn answers(&self, entry: &Entry, expect: &Expect, reply: &Reply) -> Vec<&'static str> {
        use DeviceState as S;
        const LISTS: [&str; 4] = ["changes", "config locks", "commit locks", "jobs"];
        let success = expect.status.as_deref() == Some("success");
        if entry.situation == S::KeygenOk {
            return also(&["key"], success);
        }
        if !success {
            // To questions for a node, "No such node" and an unknown job are answers.
            let missing = expect.code.as_deref() == Some("7")
                || expect.messages.iter().flatten().any(|line| {
                    line == "No such node" || (line.starts_with("job ") && line.ends_with("not found"))
                });
            return also(if missing { &["get", "show", "delete"] } else { &[] }, false);
        }
        if expect.code.as_deref() == Some("7") {
            return also(&["get", "show", "delete"], false);
        }
        let Some(result) = reply.result() else {
            let commit: &[_] = if entry.situation == S::CommitNoChanges { &["commit"] } else { &[] };
            return [commit, &["import", "set", "revert", "delete"]].concat();
        };
        if result.is_blank() {
            return also(&LISTS, true);
        }
        match entry.situation {
            S::SystemInfo | S::Version => also(&["system"], true),
            S::Ha => also(&["ha"], true),
            S::Job | S::PushJob => also(&["jobs", "job"], true),
            S::JobList => {
                // A list can be read as one job where its first entry is the one asked for.
                let first = expect.jobs.iter().flatten().next();
                let as_job = first.is_some_and(|job| job.status.is_some() && job.id.as_deref() == Some("1"));
                also(if as_job { &["jobs", "job"] } else { &["jobs"] }, true)
            }
            // The log query's job, beside its log.
            S::Other if expect.job_id.is_some() => also(&["jobs", "job"], true),
            S::Locks => also(&["config locks", "commit locks"], true),
            S::PendingChanges => also(&["changes"], true),
            S::CommitEnqueued | S::PushEnqueued | S::OtherEnqueued | S::CommitNoChanges => {
                also(&["commit"], true)
            }
            _ => also(&[], true),
        }
    }

    /// What the typed question reads, by situation.
    fn typed(&mut self, entry: &Entry, expect: &Expect, reply: &Reply, asked: &Asked) {
        use DeviceState as S;
        match entry.situation {
            S::KeygenOk => self.same("key", &asked.key.as_ref().ok(), &expect.key.as_ref()),
            S::KeygenRefused => {
                let invalid = |error: &Error| matches!(error, Error::Refused(refusal) if refusal.reason == Reason::InvalidKey);
                self.holds("the key is called invalid", asked.key.as_ref().is_err_and(invalid));
            }
            S::Unauth => {
                let missing = Reason::PermissionMissing(Some(Right::Configuration));
                self.same("reason", &asked.refusal().reason, &missing);
            }
            S::ImportOk => {
                self.same("import", &asked.import.as_ref().ok(), &expect.messages.as_ref());
            }
            S::ConfigGet | S::ConfigShow => {
                self.result(reply.result(), expect);
                // What was asked for, without the element around it.
                let node = reply.result().and_then(|result| result.children().next()).map(without_secrets);
                for read in [&asked.get, &asked.show] {
                    self.same("node", &read.as_ref().unwrap().as_ref(), &node.as_ref());
                }
            }
            S::ConfigMissing => {
                self.holds("get finds nothing", matches!(&asked.get, Ok(None)));
                self.holds("show finds nothing", matches!(&asked.show, Ok(None)));
                self.holds("delete finds nothing", matches!(&asked.delete, Ok(false)));
            }
            S::ConfigEmpty => {
                let nothing = expect.result_children.as_deref() == Some(&[]);
                self.same("get", &asked.get.as_ref().unwrap().is_none(), &nothing);
            }
            S::CommitEnqueued | S::PushEnqueued | S::OtherEnqueued => {
                let job = expect.job.clone().map(CommitReply::Job);
                self.same("job", &asked.commit.as_ref().ok(), &job.as_ref());
            }
            S::CommitNoChanges => {
                let words = expect.messages.as_ref().unwrap().join(" ");
                self.same("no_job", &expect.no_job, &Some(true));
                self.same("commit", &asked.commit.as_ref().ok(), &Some(&CommitReply::NoChanges(words)));
            }
            S::PushNoJob => {
                self.same("no_job", &expect.no_job, &Some(true));
                self.holds("no commit is made up", asked.commit.is_err());
            }
            S::Job | S::PushJob => self.job(asked.job.as_ref().unwrap(), expect),
            S::Other => {
                if expect.admins.is_some() {
                    let sessions = reply.result().and_then(|result| result.child("admins"));
                    let names = sessions.map(|list| {
                        list.children_named("entry")
                            .filter_map(|entry| entry.text_of("admin"))
                            .collect::<Vec<_>>()
                    });
                    self.claimed("admins", &names, &expect.admins);
                    self.same("own name", &own_name(reply), &None);
                }
                if expect.job_id.is_some() {
                    self.job(asked.job.as_ref().unwrap(), expect);
                }
            }
            S::JobList => {
                let (jobs, expected) = (asked.jobs.as_ref().unwrap(), expect.jobs.as_ref().unwrap());
                self.each("jobs", jobs, expected, Self::listed);
            }
            S::Locks => {
                let expected = expect.locks.as_ref().unwrap();
                for read in [&asked.config_locks, &asked.commit_locks] {
                    self.each("locks", read.as_ref().unwrap(), expected, Self::lock);
                }
            }
            S::PendingChanges => {
                let changes = asked.changes.as_ref().unwrap();
                let Some(expected) = &expect.changes else {
                    let whole = |change: &PendingChange| !change.xpath.is_empty() && !change.owner.is_empty();
                    self.holds("whole changes are read", !changes.is_empty() && changes.iter().all(whole));
                    return;
                };
                self.each("changes", changes, expected, |ledger, what, read, expect| {
                    ledger.same(&format!("{what}.xpath"), &read.xpath, &expect.xpath);
                    ledger.same(&format!("{what}.owner"), &read.owner, &expect.owner);
                    ledger.claimed(&format!("{what}.action"), &read.action, &expect.action);
                    let kind = (&read.component_type, &expect.component_type);
                    ledger.claimed(&format!("{what}.component_type"), kind.0, kind.1);
                });
            }
            S::SystemInfo | S::Version => self.system(asked.system.as_ref().unwrap(), expect),
            S::Ha => self.ha(asked.ha.as_ref().unwrap(), expect),
            S::Devices => {
                let read = ManagedDevice::read_all(reply).unwrap();
                self.each("devices", &read, expect.devices.as_ref().unwrap(), Self::managed);
            }
            S::Templates => {
                let read = TemplateStack::read_all(reply).unwrap();
                self.each("stacks", &read, expect.stacks.as_ref().unwrap(), Self::stack);
            }
            S::Certificates => {
                let read = CertificateEntry::read_all(reply.result().unwrap());
                self.each("certificates", &read, expect.certificates.as_ref().unwrap(), Self::certificate);
            }
            S::Error
            | S::ImportFailed
            | S::ConfigDone
            | S::TextResult
            | S::LockDone
            | S::Revert
            | S::Load => {}
            S::OddEnvelope => {}
            S::NotAReply => {}
        }
    }
}

#[tokio::test]
async fn every_recorded_reply_is_read_as_its_index_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/replies");
    let indexes = ["index.toml", "index-more.toml"].map(|name| std::fs::read_to_string(folder.join(name)));
    let indexes: Vec<toml::Table> = indexes.into_iter().flatten().map(|text| text.parse().unwrap()).collect();
    if indexes.is_empty() {
        println!("No recorded replies beside the checkout ({}): nothing to compare.", folder.display());
        return;
    }
    let device = Device::new();
    let (mut counts, mut facts, mut wrong) = ([0; 4], 0, Vec::new());
    for value in indexes.iter().flat_map(|index| index["reply"].as_array().unwrap()) {
        if value["file"].as_str().unwrap().starts_with("certmonger/") {
            continue;
        }
        let claimed = value.get("expect").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let entry: Entry = value.clone().try_into().unwrap_or_else(|error| panic!("{value}: {error}"));
        let body = std::fs::read(folder.join(&entry.file)).unwrap();
        let mut ledger = Ledger::default();
        ledger.check(&device, &entry, &body).await;
        for key in claimed.keys() {
            assert!(ledger.compared.contains(key), "{}: nothing compared {key}", entry.file);
        }
        counts[entry.kind as usize] += 1;
        facts += ledger.facts;
        wrong.extend(ledger.wrong.iter().map(|what| format!("{} ({:?}): {what}", entry.file, entry.kind)));
    }
    println!(
        "Compared {facts} facts of {} replies: {} recorded, {} edited, {} mocked, {} texts.",
        counts.iter().sum::<usize>(),
        counts[0],
        counts[1],
        counts[2],
        counts[3]
    );
    assert!(wrong.is_empty(), "{} facts differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(counts.iter().all(|count| *count > 0) && facts > 0);
}

// ---- Fixtures of our own ----

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/panos").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn asked_of(device: &Device, http: u16, name: &str) -> Asked {
    device.ask(http, &fixture(name), "21").await
}

#[tokio::test]
async fn every_fixture_answers_its_own_questions_and_no_other() {
    const LISTS: [&str; 4] = ["changes", "config locks", "commit locks", "jobs"];
    const NOTHING: &[&str] = &[];
    let blank = also(&LISTS, true);
    let missing = also(&["get", "show", "delete"], false);
    let bare: Vec<&str> = vec!["import", "set", "revert", "delete"];
    let with_commit: Vec<&str> = [&["commit"], bare.as_slice()].concat();
    let whole = |names: &[&'static str]| also(names, true);
    let cases: Vec<(u16, &str, Vec<&str>)> = vec![
        (200, "keygen-spaced-quotes.xml", whole(&["key"])),
        (200, "keygen-without-status.xml", also(&["key"], false)),
        (200, "keygen-refused-without-status.xml", NOTHING.into()),
        (403, "error-invalid-credential.xml", NOTHING.into()),
        (400, "error-key-expired.xml", NOTHING.into()),
        (403, "error-role-lacks-type.xml", NOTHING.into()),
        (200, "error-unauthorized.xml", NOTHING.into()),
        (200, "error-cdata-lines.xml", NOTHING.into()),
        (200, "error-nested-lines.xml", NOTHING.into()),
        (200, "error-empty-code.xml", missing.clone()),
        (200, "error-unknown-job.xml", missing.clone()),
        (200, "error-unknown-job-code.xml", missing.clone()),
        (200, "error-referenced.xml", NOTHING.into()),
        (200, "error-commit-locked.xml", NOTHING.into()),
        (200, "error-config-locked.xml", NOTHING.into()),
        (200, "error-attributes-only.xml", NOTHING.into()),
        (200, "error-busy.xml", NOTHING.into()),
        (200, "import-ok.xml", whole(&[])),
        (200, "import-ok-lines.xml", bare.clone()),
        (200, "import-refused.xml", NOTHING.into()),
        (200, "command-done.xml", bare.clone()),
        (200, "load-nested.xml", whole(&[])),
        (200, "lock-taken.xml", whole(&[])),
        (200, "get-certificate.xml", whole(&[])),
        (200, "get-profiles.xml", whole(&[])),
        (200, "get-missing.xml", missing.clone()),
        (200, "get-empty.xml", blank.clone()),
        (200, "get-empty-container.xml", whole(&[])),
        (200, "commit-enqueued.xml", whole(&["commit"])),
        (200, "push-enqueued.xml", whole(&["commit"])),
        (200, "commit-no-changes.xml", with_commit),
        (200, "commit-no-changes-in-result.xml", whole(&["commit"])),
        (200, "commit-same-as-before.xml", vec!["commit"]),
        (200, "push-without-job.xml", bare.clone()),
        (200, "job-active.xml", whole(&["jobs", "job"])),
        (200, "job-ok.xml", whole(&["jobs", "job"])),
        (200, "job-failed.xml", whole(&["jobs", "job"])),
        (200, "job-without-result.xml", whole(&["jobs", "job"])),
        (200, "job-unfinished-ok.xml", whole(&["jobs", "job"])),
        // These bear another number than 21.
        (200, "push-active.xml", whole(&["jobs"])),
        (200, "push-mixed.xml", whole(&["jobs"])),
        (200, "jobs.xml", whole(&["jobs"])),
        (200, "jobs-none.xml", blank.clone()),
        (200, "locks.xml", whole(&["config locks", "commit locks"])),
        (200, "locks-none.xml", whole(&["config locks", "commit locks"])),
        (200, "changes.xml", whole(&["changes"])),
        (200, "changes-none.xml", blank),
        (200, "system-firewall.xml", whole(&["system"])),
        (200, "system-panorama.xml", whole(&["system"])),
        (200, "version.xml", whole(&["system"])),
        (200, "admins.xml", whole(&[])),
        (200, "ha-off-with-group.xml", whole(&["ha"])),
        (200, "ha-off-bare.xml", whole(&["ha"])),
        (200, "ha-firewall.xml", whole(&["ha"])),
        (200, "ha-panorama.xml", whole(&["ha"])),
        (200, "devices.xml", whole(&[])),
        (200, "stacks.xml", whole(&[])),
        (200, "completions.xml", bare),
        (200, "no-status.xml", NOTHING.into()),
        (200, "broken.xml", NOTHING.into()),
        (200, "truncated.xml", NOTHING.into()),
        (200, "wrong-root.xml", NOTHING.into()),
    ];
    let device = Device::new();
    for (http, name, expected) in &cases {
        assert_eq!(asked_of(&device, *http, name).await.answered(), *expected, "{name}");
    }
    let known: BTreeSet<&str> = cases.iter().map(|(_, name, _)| *name).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/panos");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(name.as_str()), "no test reads {name}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_keep_the_devices_words() {
    let device = Device::new();
    for (http, name, code, reason, lines) in [
        (403, "error-invalid-credential.xml", Some(403), Reason::InvalidKey, vec!["Invalid Credential"]),
        (200, "keygen-refused-without-status.xml", None, Reason::InvalidKey, vec!["Invalid Credential"]),
        (
            400,
            "error-key-expired.xml",
            Some(400),
            Reason::KeyExpired,
            vec!["Key Expired: the key made for robot-7 has expired"],
        ),
        (
            403,
            "error-role-lacks-type.xml",
            Some(403),
            Reason::PermissionMissing(Some(Right::Configuration)),
            vec!["Type [commit] not authorized for user role robots."],
        ),
        (
            200,
            "error-unauthorized.xml",
            Some(16),
            Reason::PermissionMissing(Some(Right::Configuration)),
            vec!["Unauthorized request"],
        ),
        (
            200,
            "error-cdata-lines.xml",
            Some(12),
            Reason::Invalid,
            vec![
                "portal -> certificate 'web-1' is not a valid reference",
                "portal -> certificate is <invalid>",
            ],
        ),
        (
            200,
            "error-nested-lines.xml",
            None,
            Reason::Other,
            vec!["nothing found at shared/x[@name='a']", "and nothing else"],
        ),
        (200, "error-empty-code.xml", None, Reason::NotFound, vec!["No such node"]),
        (200, "error-unknown-job.xml", None, Reason::NotFound, vec!["job 5150 not found"]),
        (200, "error-unknown-job-code.xml", Some(7), Reason::NotFound, vec!["job 5150 not found"]),
        (
            200,
            "error-referenced.xml",
            Some(10),
            Reason::InUse,
            vec![
                "Failed to delete Certificate - web-1.",
                "web-1 cannot be deleted because of references from:",
                "shared -> ssl-tls-service-profile -> portal -> certificate",
            ],
        ),
        (
            200,
            "error-commit-locked.xml",
            Some(14),
            Reason::Locked(None),
            vec!["Other administrators are holding device wide commit locks."],
        ),
        (
            200,
            "error-config-locked.xml",
            None,
            Reason::Locked(Some("ottilie".into())),
            vec!["Config for scope shared is currently locked by ottilie"],
        ),
        (200, "error-attributes-only.xml", None, Reason::Other, vec![]),
        (
            200,
            "error-busy.xml",
            None,
            Reason::Busy,
            vec!["Another commit/validate is in progress. Please try again later"],
        ),
        (
            200,
            "import-refused.xml",
            None,
            Reason::Other,
            vec!["Import of web-1 failed. Failed to extract certificate"],
        ),
    ] {
        let asked = asked_of(&device, http, name).await;
        let refusal = asked.refusal();
        assert_eq!((refusal.code, &refusal.reason), (code, &reason), "{name}");
        assert_eq!(refusal.lines, lines, "{name}");
    }
}

#[tokio::test]
async fn keys_words_and_nodes_are_read_from_every_shape() {
    let device = Device::new();
    let asked = asked_of(&device, 200, "keygen-spaced-quotes.xml").await;
    assert_eq!(asked.key.unwrap(), "aW52ZW50ZWQ%2B==", "kept as it stands");
    let imported = |asked: Asked| asked.import.unwrap();
    let asked = asked_of(&device, 200, "import-ok.xml").await;
    assert_eq!(imported(asked), ["Successfully imported web-1 into candidate configuration"]);
    assert_eq!(imported(asked_of(&device, 200, "import-ok-lines.xml").await), ["web-1 saved"]);
    let asked = asked_of(&device, 200, "load-nested.xml").await;
    assert_eq!(imported(asked), ["Config loaded from invented.xml"]);

    for name in ["get-missing.xml", "get-empty.xml", "error-empty-code.xml"] {
        let asked = asked_of(&device, 200, name).await;
        assert_eq!((asked.get.unwrap(), asked.show.unwrap()), (None, None), "{name}");
        assert_eq!(asked.delete.unwrap(), name == "get-empty.xml", "{name}");
    }
    let container = asked_of(&device, 200, "get-empty-container.xml").await.get.unwrap().unwrap();
    assert_eq!(CertificateEntry::read_all(&container), []);

    let found = asked_of(&device, 200, "get-certificate.xml").await.get.unwrap().unwrap();
    let entries = CertificateEntry::read_all(&found);
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].name, "web-1");
    assert_eq!(entries[0].not_valid_after.as_deref(), Some("Feb  3 04:05:06 2027 GMT"));
    assert_eq!(entries[0].algorithm.as_deref(), Some("EC"));
    assert!(entries[0].public_key.as_ref().unwrap().starts_with("-----BEGIN CERTIFICATE-----\naW52"));
    assert!(entries[0].has_private_key);
    assert!(!entries[1].has_private_key, "an empty element is no key");
    assert_eq!(entries[1].public_key, None);

    let found = asked_of(&device, 200, "get-profiles.xml").await.get.unwrap().unwrap();
    let bound: Vec<(String, Option<String>)> = ServiceProfile::read_all(&found)
        .into_iter()
        .map(|profile| (profile.name, profile.certificate))
        .collect();
    assert_eq!(bound, [("GP portal".into(), Some("web-1".into())), ("unbound".into(), None)]);
}

#[tokio::test]
async fn a_commits_answer_is_a_job_or_the_news_that_there_is_nothing_to_do() {
    let device = Device::new();
    let none = |words: &str| CommitReply::NoChanges(words.into());
    for (name, expected) in [
        // The element counts, not the number in the text.
        ("commit-enqueued.xml", CommitReply::Job("21".into())),
        ("push-enqueued.xml", CommitReply::Job("22".into())),
        ("commit-no-changes.xml", none("There are no changes to commit.")),
        ("commit-no-changes-in-result.xml", none("There are no changes to commit.")),
        (
            "commit-same-as-before.xml",
            none("The result of this commit would be the same as the previous commit queued/processed."),
        ),
    ] {
        assert_eq!(asked_of(&device, 200, name).await.commit.unwrap(), expected, "{name}");
    }
}

#[test]
fn a_job_is_done_only_when_it_says_so_and_every_device_does() {
    let job = |name: &str| Job::read(&Reply::parse(&fixture(name)).unwrap()).unwrap();
    for (name, state) in [
        ("job-active.xml", JobState::Running),
        ("job-unfinished-ok.xml", JobState::Running),
        ("push-active.xml", JobState::Running),
        ("job-ok.xml", JobState::Done),
        ("job-failed.xml", JobState::Failed),
        ("job-without-result.xml", JobState::Failed),
        ("push-mixed.xml", JobState::Running),
    ] {
        assert_eq!(job(name).state(), state, "{name}");
    }
    let ok = job("job-ok.xml");
    assert_eq!(ok.progress.as_deref(), Some("04:06:07"));
    assert_eq!(
        ok.details,
        ["portal (shared)", "Warning: a rule shadows another", "Configuration committed successfully"]
    );
    assert_eq!(ok.warnings, [""; 0]);
    let failed = job("job-failed.xml");
    assert_eq!(failed.details, ["Validation Error:", "portal is missing 'protocol-settings'"]);
    assert_eq!(failed.warnings, ["one warning"]);

    let mut push = job("push-mixed.xml");
    assert_eq!(push.devices[0].lines, ["Configuration committed successfully"]);
    assert_eq!(push.devices[0].warnings, ["an interface has no zone"]);
    assert_eq!(push.devices[1].lines, ["the device said no"]);
    assert_eq!(push.devices[2].name.as_deref(), Some("branch-3"));
    push.devices[2].result = Some("OK".into());
    assert_eq!(push.state(), JobState::Failed, "the second one has failed");
    push.devices[1].result = Some("OK".into());
    assert_eq!(push.state(), JobState::Done);
    push.devices[1].result = None;
    assert_eq!(push.state(), JobState::Failed, "no word is no OK");
}

#[tokio::test]
async fn lists_are_read_entry_by_entry() {
    let device = Device::new();
    let jobs = asked_of(&device, 200, "jobs.xml").await.jobs.unwrap();
    let ids: Vec<Option<&str>> = jobs.iter().map(|job| job.id.as_deref()).collect();
    assert_eq!(ids, [Some("4"), None, Some("4")]);
    assert_eq!(jobs[1].kind.as_deref(), Some("Failed-Job"));
    assert_eq!(jobs[1].state(), JobState::Running, "nothing says that it is over");
    assert_eq!(asked_of(&device, 200, "jobs-none.xml").await.jobs.unwrap(), []);

    let locks = asked_of(&device, 200, "locks.xml").await.config_locks.unwrap();
    assert_eq!((locks.len(), locks[0].owner.as_str()), (1, "ottilie"));
    assert_eq!(locks[0].comment.as_deref(), Some("(null)"));
    assert_eq!(asked_of(&device, 200, "locks-none.xml").await.commit_locks.unwrap(), []);

    let changes = asked_of(&device, 200, "changes.xml").await.changes.unwrap();
    assert_eq!(changes[0].xpath, "/config/shared/certificate/entry[@name='web-1']");
    assert_eq!(changes[0].action.as_deref(), Some("CREATE"));
    assert_eq!((changes[1].owner.as_str(), changes[1].action.as_deref()), ("ottilie", None));
    assert_eq!(asked_of(&device, 200, "changes-none.xml").await.changes.unwrap(), []);

    let read = |name: &str| Reply::parse(&fixture(name)).unwrap();
    let devices = ManagedDevice::read_all(&read("devices.xml")).unwrap();
    assert_eq!(devices.len(), 2, "entries within entries are not devices");
    assert_eq!(devices[0].ha_peer_serial.as_deref(), Some("009900000000002"));
    assert_eq!((devices[1].serial.as_str(), devices[1].sw_version.as_deref()), ("009900000000003", None));
    let stacks = TemplateStack::read_all(&read("stacks.xml")).unwrap();
    assert_eq!(stacks[0].templates, ["base", "west"]);
    assert_eq!(stacks[0].devices[0].template_status.as_deref(), Some("Out of Sync"));
    assert_eq!(stacks[0].devices[1].template_status, None);
}

#[test]
fn a_device_tells_what_it_is() {
    let read = |name: &str| SystemInfo::read(&Reply::parse(&fixture(name)).unwrap()).unwrap();
    let firewall = read("system-firewall.xml");
    assert_eq!(firewall.serial.as_deref(), Some("unknown"));
    assert_eq!(firewall.time.as_deref(), Some("Tue Feb  3 04:05:06 2026"));
    assert_eq!(firewall.sw_version.as_deref(), Some("10.2.9-h1"));
    assert_eq!((firewall.is_panorama(), firewall.default_location()), (false, Location::Shared));
    for name in ["system-panorama.xml", "version.xml"] {
        let panorama = read(name);
        assert_eq!(
            (panorama.is_panorama(), panorama.default_location()),
            (true, Location::Panorama),
            "{name}"
        );
    }
    let own = |name: &str| own_name(&Reply::parse(&fixture(name)).unwrap());
    assert_eq!(own("admins.xml").as_deref(), Some("robot-7"));
    assert_eq!(own("jobs-none.xml"), None);
}

#[test]
fn high_availability_is_read_from_both_layouts_and_off_is_off() {
    let read = |name: &str| HaState::read(&Reply::parse(&fixture(name)).unwrap()).unwrap();
    for name in ["ha-off-with-group.xml", "ha-off-bare.xml"] {
        assert_eq!((read(name).enabled, read(name).local), (false, None), "{name}");
    }
    let firewall = read("ha-firewall.xml");
    assert_eq!(firewall.mode.as_deref(), Some("Active-Passive"));
    assert_eq!((firewall.local.as_deref(), firewall.peer.as_deref()), (Some("passive"), Some("active")));
    assert_eq!(firewall.peer_address.as_deref(), Some("192.0.2.9/24"));
    assert_eq!(firewall.peer_connection.as_deref(), Some("up"));
    assert_eq!(firewall.running_sync.as_deref(), Some("not synchronized"));
    let panorama = read("ha-panorama.xml");
    assert_eq!(panorama.local.as_deref(), Some("primary-active"));
    assert_eq!(panorama.peer_address.as_deref(), Some("192.0.2.22"));
    assert_eq!((panorama.mode, panorama.running_sync_enabled), (None, None));
}
