//! What was compared of one reply, and what differs.

use super::*;

/// Compares one entry's facts, counts them, and keeps what does not fit.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) facts: usize,
    pub(super) compared: BTreeSet<String>,
    pub(super) wrong: Vec<String>,
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
    pub(super) async fn check(&mut self, device: &Device, entry: &Entry, body: &[u8]) {
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
