//! The firewalls that a Panorama manages, and what each has got from it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::state::Device;
use crate::{
    PushOutcome, SelectivePush,
    config::{Change, Overlay, compose, device_entry, transfer},
    shared::Shared,
    xml::{Element, Path, Step},
};

/// One managed firewall.
#[derive(Debug, Clone, Default)]
pub(crate) struct Managed {
    /// The device, where one is simulated; without it, it has never been connected.
    pub(crate) firewall: Option<Arc<Shared>>,
    pub(crate) connected: bool,
    /// What the next pushes come to.
    pub(crate) outcome: PushOutcome,
    /// The Panorama's configuration version of the last push that arrived.
    pub(crate) version: Option<u64>,
    /// The words for the last push.
    pub(crate) last_state: String,
    /// When that was.
    pub(crate) last_time: String,
    /// The Panorama's running configuration as of that push.
    last_tree: Option<Arc<Element>>,
    /// What has been committed since and has not arrived there.
    unpushed: Vec<Change>,
    /// Whether a push of everything has arrived.
    full_push: bool,
}

/// All that a Panorama knows of its firewalls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet {
    pub(crate) devices: BTreeMap<String, Managed>,
    /// Grows with each commit.
    version: u64,
    /// Whether this is a copy to try things on: no firewall is to notice.
    pub(crate) rehearsal: bool,
    /// What arrives after its job is over.
    pub(crate) late: Vec<(Instant, u64, String)>,
}

/// What is to be pushed, and to whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct PushOrder {
    /// `template-stack`, `template` or `shared-policy`.
    pub(crate) kind: &'static str,
    /// Name of the stack, template or device group.
    pub(crate) name: String,
    pub(crate) serials: Vec<String>,
    /// Only the changes of these administrators.
    pub(crate) administrators: Option<Vec<String>>,
    /// Whether the firewall's own pending changes are committed along.
    pub(crate) merge: bool,
    pub(crate) force: bool,
    pub(crate) validate_only: bool,
    /// Whether template content goes along.
    pub(crate) with_template: bool,
}

/// What a push job says of one firewall.
#[derive(Debug, Clone, Default)]
pub(crate) struct PushEntry {
    pub(crate) serial: String,
    pub(crate) name: String,
    pub(crate) status: &'static str,
    /// `OK`, `FAIL`, `PEND`.
    pub(crate) result: &'static str,
    pub(crate) lines: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) started: String,
    pub(crate) finished: String,
    /// Whether the job as a whole takes notice of a failure.
    pub(crate) quiet: bool,
}

impl Fleet {
    /// Notes what a commit on the Panorama has changed.
    pub(super) fn committed(&mut self, changes: &[Change]) {
        self.version += 1;
        for managed in self.devices.values_mut() {
            managed.unpushed.extend(changes.iter().cloned());
        }
    }

    /// Why a push of some administrators' changes to this firewall is refused.
    pub(crate) fn refuses_selective(&self, serial: &str, mode: SelectivePush) -> Option<&'static str> {
        let full = self.devices.get(serial).is_some_and(|managed| managed.full_push);
        match mode {
            SelectivePush::AfterFullPush if !full => {
                Some("a full push to the device is required once after the upgrade")
            }
            SelectivePush::AfterFailover if !full => {
                Some("the configuration versions differ after the failover, a full push is required")
            }
            SelectivePush::OutsideAuditWindow if !full => {
                Some("the version last pushed to the device is not kept any more")
            }
            SelectivePush::NotForRole => Some("the role does not permit a push of selected changes"),
            _ => None,
        }
    }

    /// What a push makes of the Panorama's running configuration for this firewall.
    fn tree(&self, serial: &str, order: &PushOrder, running: &Arc<Element>) -> Arc<Element> {
        let managed = self.devices.get(serial);
        let (Some(administrators), Some(managed)) = (&order.administrators, managed) else {
            return Arc::clone(running);
        };
        let last = managed.last_tree.as_deref().cloned();
        let mut tree = last.unwrap_or_else(|| Element::new("config"));
        for change in managed.unpushed.iter().filter(|change| administrators.contains(&change.owner)) {
            transfer(&change.path, running, &mut tree);
        }
        // Who has what is nobody's change to leave out.
        for list in ["template-stack", "device-group"] {
            let place = device_entry().then(Step::Named(list.into()));
            keep_members(&place, running, &mut tree);
        }
        Arc::new(tree)
    }

    /// Notes that a push has arrived.
    fn arrived(&mut self, serial: &str, order: &PushOrder, tree: Arc<Element>, state: &str, time: &str) {
        let version = self.version;
        let Some(managed) = self.devices.get_mut(serial) else { return };
        managed.version = Some(version);
        state.clone_into(&mut managed.last_state);
        time.clone_into(&mut managed.last_time);
        match &order.administrators {
            Some(admins) => managed.unpushed.retain(|change| !admins.contains(&change.owner)),
            None => {
                managed.unpushed.clear();
                managed.full_push = true;
            }
        }
        managed.last_tree = Some(tree);
    }

    /// What has been committed and has not arrived at every firewall: whose it is, and where.
    pub(crate) fn pending(&self) -> std::collections::BTreeSet<(String, String)> {
        let changes = self.devices.values().flat_map(|managed| &managed.unpushed);
        changes.map(|change| (change.owner.clone(), change.path.to_string())).collect()
    }

    /// Whether a firewall has what the Panorama would push to it now.
    pub(crate) fn in_sync(&self, serial: &str, running: &Element) -> bool {
        self.devices.get(serial).and_then(|managed| managed.last_tree.as_ref()).is_some_and(|last| {
            let content = |tree| compose(tree, serial).map(|overlay| overlay.content.canonical());
            content(last) == content(running)
        })
    }
}

/// Brings the settings of lists that are not content (templates, devices) to what runs.
fn keep_members(place: &Path, running: &Element, tree: &mut Element) {
    let Some(list) = place.first(running) else { return };
    for entry in &list.children {
        let at = place.then(Step::to(entry));
        for part in ["templates", "devices", "reference-templates"] {
            if entry.find(part).is_some() {
                transfer(&at.then(Step::Named(part.into())), running, tree);
            }
        }
    }
}

impl Device {
    /// Pushes: one entry for each firewall that the job tells of.
    pub(super) fn push(&mut self, job: u64, order: &PushOrder, now: Instant) -> Vec<PushEntry> {
        let time = crate::clock::stamp();
        let mut entries = Vec::new();
        let running = Arc::new(self.config.running().clone());
        for serial in &order.serials {
            let known = self.fleet.devices.get(serial);
            let name = known.and_then(Managed::hostname).unwrap_or_else(|| serial.clone());
            let (firewall, connected, outcome) = known
                .map(|known| (known.firewall.clone(), known.connected, known.outcome.clone()))
                .unwrap_or_default();
            let mut entry = PushEntry {
                serial: serial.clone(),
                name,
                started: time.clone(),
                finished: time.clone(),
                ..PushEntry::default()
            };
            match (&firewall, connected, outcome) {
                (Some(firewall), true, PushOutcome::Normal) => {
                    self.push_to(firewall, order, &running, &mut entry, now);
                }
                (Some(_), true, PushOutcome::Fails(lines)) => entry.fail(lines, false),
                (Some(_), true, PushOutcome::FailsQuietly(lines)) => entry.fail(lines, true),
                (Some(_), true, PushOutcome::StaysPending) => entry.wait(),
                (Some(_), true, PushOutcome::Late(delay)) => {
                    entry.wait();
                    self.fleet.late.push((now + delay, job, serial.clone()));
                }
                _ if self.settings.disconnected_in_push == crate::DisconnectedInPush::Absent => continue,
                _ => {
                    entry.status = "not connected";
                    entry.result = "FAIL";
                    entry.lines = vec!["device is not connected".to_owned()];
                    (entry.started, entry.finished) = Default::default();
                }
            }
            if !order.validate_only
                && entry.result == "FAIL"
                && let Some(managed) = self.fleet.devices.get_mut(serial)
            {
                entry.status.clone_into(&mut managed.last_state);
                managed.last_time.clone_from(&time);
            }
            entries.push(entry);
        }
        entries
    }

    /// Pushes to one that is there.
    pub(super) fn push_to(
        &mut self,
        firewall: &Shared,
        order: &PushOrder,
        running: &Arc<Element>,
        entry: &mut PushEntry,
        now: Instant,
    ) {
        let tree = self.fleet.tree(&entry.serial, order, running);
        let overlay = compose(&tree, &entry.serial).filter(|_| order.with_template);
        let keyring = self.keyring.clone();
        let rehearsal = self.fleet.rehearsal;
        let result = firewall.device(|device, _| {
            if rehearsal {
                device.without_effect().receive_push(overlay, &keyring, order, now)
            } else {
                device.receive_push(overlay, &keyring, order, now)
            }
        });
        match result {
            Ok(warnings) => {
                entry.result = "OK";
                entry.status =
                    if warnings.is_empty() { "commit succeeded" } else { "commit succeeded with warnings" };
                // A success is told among the errors.
                entry.lines = vec!["Configuration committed successfully".to_owned()];
                entry.warnings = warnings;
                if !order.validate_only {
                    let (state, time) = (entry.status, entry.finished.clone());
                    self.fleet.arrived(&entry.serial, order, tree, state, &time);
                }
            }
            Err(lines) => entry.fail(lines, false),
        }
    }

    /// Takes what a Panorama pushes; the warnings, or why it is not taken.
    fn receive_push(
        &mut self,
        overlay: Option<Overlay>,
        keyring: &crate::certificate::Keyring,
        order: &PushOrder,
        now: Instant,
    ) -> Result<Vec<String>, Vec<String>> {
        let before = self.config.clone();
        if let Some(overlay) = overlay {
            self.config.receive(overlay, order.force);
        }
        if order.merge {
            let candidate = self.config.candidate().clone();
            self.config.install(candidate);
        }
        let mut complaints = crate::config::complaints(&self.config.effective(self.config.running()));
        if !complaints.is_empty() || order.validate_only {
            self.config = before;
        }
        if !complaints.is_empty() {
            complaints.push("Commit failed".to_owned());
            return Err(complaints);
        }
        if !order.validate_only {
            self.keyring.learn(keyring);
            self.reload_management();
            let work = super::jobs::Work::Nothing;
            self.jobs.enqueue("Panorama", "Commit", "", work, now, Duration::ZERO);
        }
        Ok(self.settings.commit_warnings.clone())
    }

    /// Lets arrive what arrives after its job was over.
    pub(super) fn late_pushes(&mut self, now: Instant) {
        let due = |late: &(Instant, u64, String)| late.0 <= now;
        let (arrived, waiting) = std::mem::take(&mut self.fleet.late).into_iter().partition(due);
        self.fleet.late = waiting;
        for (_, job, serial) in Vec::<(Instant, u64, String)>::into_iter(arrived) {
            let firewall = self.fleet.devices.get(&serial).and_then(|managed| managed.firewall.clone());
            let found = self.jobs.find(job).and_then(|job| {
                let entry = job.devices.iter().find(|entry| entry.serial == serial)?.clone();
                match &job.work {
                    super::jobs::Work::Push(order) => Some((order.clone(), entry)),
                    _ => None,
                }
            });
            if let (Some((order, mut entry)), Some(firewall)) = (found, firewall) {
                let running = Arc::new(self.config.running().clone());
                self.push_to(&firewall, &order, &running, &mut entry, now);
                self.jobs.tell_of(job, entry);
            }
        }
    }
}

impl Managed {
    /// The host name, of one that was ever connected.
    pub(crate) fn hostname(&self) -> Option<String> {
        self.firewall.as_ref().map(|firewall| firewall.device(|device, _| device.settings.hostname.clone()))
    }
}

impl PushEntry {
    fn fail(&mut self, lines: Vec<String>, quiet: bool) {
        self.status = "commit failed";
        self.result = "FAIL";
        self.lines = lines;
        self.quiet = quiet;
    }

    fn wait(&mut self) {
        self.status = "config sent to device";
        self.result = "PEND";
        self.finished.clear();
    }

    /// The entry of a `job`.
    pub(super) fn describe(&self, job: u64) -> Element {
        let time = |stamp: &str| stamp.get(11..).unwrap_or_default().to_owned();
        let list = |name: &str, lines: &[String]| {
            Element::new(name).with(lines.iter().map(|line| Element::leaf("line", line)))
        };
        let details = match self.result {
            "PEND" => Element::new("details"),
            _ if self.started.is_empty() => Element::leaf("details", self.lines.join("\n")),
            result => {
                let outcome = if result == "OK" { "success" } else { "fail" };
                let mut message = Element::new("msg")
                    .attribute("cmd", "push-data")
                    .attribute("dname", &self.serial)
                    .attribute("jobid", job.to_string())
                    .attribute("result", outcome)
                    .child(list("errors", &self.lines));
                // As recorded: a backslash and an n between the elements.
                message.text = "\\n".to_owned();
                if !self.warnings.is_empty() {
                    message = message.child(list("warnings", &self.warnings));
                }
                Element::new("details").child(message)
            }
        };
        Element::new("entry").with([
            Element::leaf("serial-no", &self.serial),
            Element::leaf("devicename", &self.name),
            Element::leaf("multi-vsys", "no"),
            Element::leaf("vsys", ""),
            Element::leaf("status", self.status),
            Element::leaf("result", self.result),
            Element::leaf("tstart", time(&self.started)),
            Element::leaf("tfin", time(&self.finished)),
            details,
        ])
    }
}
