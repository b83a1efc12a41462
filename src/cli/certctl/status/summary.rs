//! All installations in one line and one exit code.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Beside;
use super::installation::{Expiry, InstallState, Limits, Row};
use crate::cli::certctl::terminal::{self, Line, Severity};
use crate::error::Exit;

/// The numbers, and the exit code.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Summary {
    pub(super) installations: usize,
    pub(super) certificates: usize,
    pub(super) devices: usize,
    pub(super) installed: usize,
    pub(super) pending: usize,
    pub(super) pending_too_long: usize,
    pub(super) failed: usize,
    pub(super) left_to_commit: usize,
    pub(super) left_to_push: usize,
    pub(super) adopted: usize,
    pub(super) expire_soon: usize,
    pub(super) expired: usize,
    pub(super) certmonger_troubles: usize,
    pub(super) profiles_claimed_twice: usize,
    pub(super) without_profile: usize,
    pub(super) drifted: usize,
    pub(super) unrecorded: usize,
    pub(super) never_issued: usize,
    pub(super) unresolved: usize,
    pub(super) unreadable: usize,
    pub(super) exit: Exit,
}

impl Summary {
    pub(super) fn of(all: &[Row], beside: &Beside, limits: &Limits) -> Self {
        let unreadable = beside.unreadable.len();
        let count = |wanted: &dyn Fn(&Row) -> bool| all.iter().filter(|one| wanted(one)).count();
        // What several devices have is one certificate, and what becomes of it is told once.
        let issued = |wanted: &dyn Fn(&Row) -> bool| {
            let proven = all.iter().filter(|one| wanted(one)).filter_map(|one| one.proven);
            proven.map(|proven| *proven.fingerprint.as_bytes()).collect::<BTreeSet<_>>().len()
        };
        let named = |wanted: &dyn Fn(&Row) -> bool| {
            let names = all.iter().filter(|one| wanted(one)).map(|one| &*one.common_name);
            names.collect::<BTreeSet<_>>().len()
        };
        let devices: BTreeSet<_> = all.iter().map(|one| &one.device).collect();
        let exits = all.iter().flat_map(|one| one.exits(limits));
        let exits = exits.chain(beside.unresolved.iter().map(|spec| spec.problem.exit));
        let exits = exits.chain((!beside.unrecorded.is_empty()).then_some(Exit::Certificate));
        let exits: BTreeSet<Exit> = exits.chain((unreadable > 0).then_some(Exit::Usage)).collect();
        let exit = match (exits.len(), exits.first()) {
            (0, _) | (_, None) => Exit::Done,
            (1, Some(exit)) => *exit,
            _ => Exit::Partly,
        };
        Self {
            installations: all.len(),
            certificates: named(&|_| true),
            devices: devices.len(),
            installed: count(&|one| one.how == InstallState::Installed),
            pending: count(&|one| one.how == InstallState::Pending),
            pending_too_long: count(&|one| one.is_overdue(limits)),
            failed: count(&|one| one.how == InstallState::Failed),
            adopted: count(&|one| one.how == InstallState::Adopted),
            left_to_commit: count(&|one| one.how == InstallState::LeftToCommit),
            left_to_push: count(&|one| one.how == InstallState::LeftToPush),
            expire_soon: issued(&|one| one.lasts(limits) == Expiry::NotLong),
            expired: issued(&|one| one.lasts(limits) == Expiry::Expired),
            certmonger_troubles: named(&|one| one.certmongers_trouble().is_some()),
            profiles_claimed_twice: count(&|one| has(one, "profile-claimed-twice")),
            without_profile: count(&|one| has(one, "no-profile")),
            drifted: count(&|one| has(one, "drift")),
            unrecorded: beside.unrecorded.len(),
            never_issued: beside.unrecorded.iter().filter(|one| one.not_issued.is_some()).count(),
            unresolved: beside.unresolved.len(),
            unreadable,
            exit,
        }
    }

    /// The last line; on a terminal that is too narrow for it, several.
    pub(super) fn lines(&self, limits: &Limits, width: Option<usize>) -> Vec<Line> {
        let mood = if self.exit == Exit::Done { Severity::Plain } else { Severity::Bad };
        let text = self.text(limits);
        let lines = width.map_or_else(|| vec![text.clone()], |width| terminal::wrapped(&text, width));
        lines.into_iter().map(|text| Line { text, mood }).collect()
    }

    fn text(&self, limits: &Limits) -> String {
        let all = self.installations;
        let one_or = |count: usize, one: &str, more: &str| {
            if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
        };
        let mut parts = Vec::new();
        let mut add = |count: usize, text: String| parts.extend((count > 0).then_some(text));
        let long = match self.pending_too_long {
            0 => String::new(),
            long if long == self.pending => format!(", for longer than {}", limits.pending_for),
            long => format!(", {long} of them for longer than {}", limits.pending_for),
        };
        add(self.pending, format!("{} pending{long}", self.pending));
        add(self.failed, format!("{} failed", self.failed));
        add(self.left_to_commit, format!("{} waiting for manual commit", self.left_to_commit));
        add(self.left_to_push, format!("{} waiting for manual push", self.left_to_push));
        add(self.adopted, format!("{} adopted and not verified yet", self.adopted));
        let is_whole = self.without_profile + self.drifted == 0;
        let is_done = all > 0 && self.installed == self.installations && is_whole;
        add(usize::from(is_done), if all == 1 { "installed" } else { "all installed" }.to_owned());
        // Before these stand numbers of installations.
        let is_mixed = all != self.certificates;
        let of = |count: usize, one: &str, more: &str| match (is_mixed, count) {
            (false, _) => one_or(count, one, more),
            (true, 1) => format!("1 certificate {one}"),
            (true, _) => format!("{count} certificates {more}"),
        };
        add(self.expired, of(self.expired, "has expired", "have expired"));
        let soon = of(self.expire_soon, "expires", "expire");
        add(self.expire_soon, format!("{soon} within {}", limits.expires_in));
        let troubled = of(self.certmonger_troubles, "", "");
        add(self.certmonger_troubles, format!("certmonger reports problems with {}", troubled.trim_end()));
        let claimed = self.profiles_claimed_twice;
        add(claimed, format!("{claimed} with a profile that another one has, too"));
        add(self.without_profile, format!("{} without a profile", self.without_profile));
        add(self.drifted, format!("{} not as installed", self.drifted));
        let without = self.unrecorded - self.never_issued;
        let unrecorded = one_or(without, "certificate of certmonger's", "certificates of certmonger's");
        add(without, format!("{unrecorded} without a record"));
        add(self.never_issued, format!("{} never issued", self.never_issued));
        let unresolved = one_or(self.unresolved, "request", "requests");
        add(self.unresolved, format!("{unresolved} can't be carried out"));
        let files = one_or(self.unreadable, "file", "files");
        add(self.unreadable, format!("{files} in the state directory can't be read"));
        let what = one_or(self.certificates, "certificate", "certificates");
        let on = one_or(self.devices, "device", "devices");
        // Where neither of the two tells how many there are of what is counted next.
        let each = match all != self.certificates.max(self.devices) {
            true => format!(", {all} installations"),
            false => String::new(),
        };
        match (all, parts.is_empty()) {
            (0, true) => "No matching certificates.".to_owned(),
            (0, false) => format!("No matching certificates; {}.", parts.join("; ")),
            _ => format!("{what} on {on}{each}: {}.", parts.join("; ")),
        }
    }
}

fn has(one: &Row, word: &str) -> bool {
    one.faults.iter().any(|fault| fault.word() == word)
}
