//! The two trees and the journal between them.

use super::{
    diff::differences,
    journal::{self, Change, Scope},
    overlay::Overlay,
    stamp,
};
use crate::{
    clock,
    refusal::Refusal,
    xml::{Element, Path},
};

/// A device's configuration. The candidate is kept without marks; they are a view of the journal.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    candidate: Element,
    running: Element,
    journal: Vec<Change>,
    serial: u64,
    pushed: Option<Overlay>,
    predefined: Element,
    /// Whether an object that was changed back by hand stays in the journal.
    keeps_settled: bool,
}

/// What a commit took when it was enqueued; later edits are not part of it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    candidate: Element,
    changes: Vec<Change>,
    partial: bool,
}

impl Snapshot {
    /// Whether this job already holds the change in its latest state.
    pub(crate) fn holds(&self, change: &Change) -> bool {
        self.changes.iter().any(|own| own.serial == change.serial && own.path == change.path)
    }

    /// Whether it leaves out what is not among its changes.
    pub(crate) fn is_partial(&self) -> bool {
        self.partial
    }

    /// The changes it holds.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whose changes it holds, in alphabetical order.
    pub(crate) fn owners(&self) -> Vec<String> {
        let mut owners: Vec<String> = self.changes.iter().map(|c| c.owner.clone()).collect();
        owners.sort();
        owners.dedup();
        owners
    }
}

impl Configuration {
    /// A configuration without pending changes.
    pub(crate) fn new(running: Element) -> Self {
        Self {
            candidate: running.clone(),
            running,
            journal: Vec::new(),
            serial: 0,
            pushed: None,
            predefined: Element::new("predefined"),
            keeps_settled: false,
        }
    }

    /// With what a Panorama has pushed, and what every device of this kind has.
    #[must_use]
    pub(crate) fn with(mut self, pushed: Option<Overlay>, predefined: Element, keeps_settled: bool) -> Self {
        self.pushed = pushed;
        self.predefined = predefined;
        self.keeps_settled = keeps_settled;
        self
    }

    pub(crate) fn candidate(&self) -> &Element {
        &self.candidate
    }

    pub(crate) fn running(&self) -> &Element {
        &self.running
    }

    /// The candidate with the marks of what is uncommitted.
    pub(crate) fn stamped_candidate(&self) -> Element {
        let mut tree = self.candidate.clone();
        stamp::stamp(&mut tree, &self.journal);
        tree
    }

    /// The candidate as `action=get` shows it: with those marks, and with what a Panorama has pushed.
    pub(crate) fn marked_candidate(&self) -> Element {
        let mut tree = self.stamped_candidate();
        if let Some(pushed) = &self.pushed {
            pushed.lay_over(&mut tree, true);
        }
        tree
    }

    /// What a Panorama has pushed.
    pub(crate) fn pushed(&self) -> Option<&Overlay> {
        self.pushed.as_ref()
    }

    /// Takes what a Panorama pushes now, in place of what it pushed before; `force` takes local objects away that it
    /// has too.
    pub(crate) fn receive(&mut self, pushed: Overlay, force: bool) {
        if force {
            pushed.drop_from(&mut self.candidate);
            pushed.drop_from(&mut self.running);
        }
        self.pushed = Some(pushed);
    }

    /// `/config` with nothing but what is predefined.
    pub(crate) fn predefined(&self) -> Element {
        Element::new("config").child(self.predefined.clone())
    }

    /// What a local configuration comes to with what was pushed and what is predefined.
    pub(crate) fn effective(&self, local: &Element) -> Element {
        let mut tree = local.clone();
        if let Some(pushed) = &self.pushed {
            pushed.lay_over(&mut tree, false);
        }
        tree.children.retain(|child| child.name != "predefined");
        tree.child(self.predefined.clone())
    }

    /// As [`change`](Self::change), for what comes over the API: what a Panorama supplies stays as it is.
    pub(crate) fn change_own<T>(
        &mut self,
        owner: &str,
        action: &str,
        edit: impl FnOnce(&mut Element) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let Some(pushed) = self.pushed.clone() else {
            return self.change(owner, edit);
        };
        let before = self.candidate.clone();
        self.change(owner, |tree| {
            let answer = edit(tree)?;
            for (path, _) in differences(&before, tree) {
                pushed.refuse_if_owned(&before, &path, action)?;
            }
            Ok(answer)
        })
    }

    /// Notes that what was changed last, at this path, was an upload.
    pub(crate) fn mark_imported(&mut self, path: &Path) {
        let serial = self.serial;
        let last = |change: &&mut Change| change.serial == serial && path.contains(&change.path);
        self.journal.iter_mut().filter(last).for_each(|change| change.imported = true);
    }

    pub(crate) fn journal(&self) -> &[Change] {
        &self.journal
    }

    /// The changes within a scope.
    pub(crate) fn pending<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Change> {
        self.journal.iter().filter(|change| scope.covers(change))
    }

    /// Lets `edit` change the candidate in `owner`'s name; where it fails, nothing has changed.
    pub(crate) fn change<T, E>(
        &mut self,
        owner: &str,
        edit: impl FnOnce(&mut Element) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut after = self.candidate.clone();
        let answer = edit(&mut after)?;
        stamp::unmark(&mut after);
        let differences = differences(&self.candidate, &after);
        for (path, _) in &differences {
            drop_emptied(&mut after, path, &self.running);
        }
        if !differences.is_empty() {
            self.serial += 1;
            journal::add(&mut self.journal, owner, differences, &clock::stamp(), self.serial);
        }
        self.candidate = after;
        if !self.keeps_settled {
            self.forget_settled();
        }
        Ok(answer)
    }

    /// What a commit within this scope takes.
    pub(crate) fn snapshot(&self, scope: &Scope) -> Snapshot {
        Snapshot {
            candidate: self.candidate.clone(),
            changes: self.pending(scope).cloned().collect(),
            partial: scope.is_partial(),
        }
    }

    /// The running configuration as it would be after this commit.
    pub(crate) fn outcome(&self, snapshot: &Snapshot) -> Element {
        if !snapshot.partial {
            return snapshot.candidate.clone();
        }
        let mut running = self.running.clone();
        for change in &snapshot.changes {
            transfer(&change.path, &snapshot.candidate, &mut running);
        }
        running
    }

    /// Makes this the running configuration; what it holds is pending no longer.
    pub(crate) fn install(&mut self, running: Element) {
        self.running = running;
        self.forget_settled();
    }

    /// Replaces the running configuration from outside (HA); own pending edits stay on top.
    pub(crate) fn replace_running(&mut self, running: Element) {
        let mut candidate = running.clone();
        for change in &self.journal {
            transfer(&change.path, &self.candidate, &mut candidate);
        }
        self.running = running;
        self.candidate = candidate;
        self.forget_settled();
    }

    /// Puts the candidate back to the running configuration within this scope.
    pub(crate) fn revert(&mut self, scope: &Scope) {
        if scope.is_partial() {
            let reverted: Vec<Path> = self.pending(scope).map(|c| c.path.clone()).collect();
            for path in &reverted {
                transfer(path, &self.running, &mut self.candidate);
            }
        } else {
            self.candidate = self.running.clone();
        }
        self.forget_settled();
    }

    /// A change that leaves an object as it runs is none.
    fn forget_settled(&mut self) {
        let (candidate, running) = (&self.candidate, &self.running);
        self.journal.retain(|change| {
            let now = change.path.first(candidate).map(Element::canonical);
            now != change.path.first(running).map(Element::canonical)
        });
    }
}

/// Makes the object at `path` in `to` what it is in `from`, absent included.
pub(crate) fn transfer(path: &Path, from: &Element, to: &mut Element) {
    match path.first(from) {
        Some(object) => {
            if let Some(place) = path.ensure(to) {
                *place = object.clone();
            }
        }
        None => {
            path.remove(to);
            drop_emptied(to, path, from);
        }
    }
}

/// Removes the lists above `path` that have become empty, unless `reference` has them too.
fn drop_emptied(tree: &mut Element, path: &Path, reference: &Element) {
    let mut above = path.clone();
    while above.steps.len() > 2 {
        above.steps.pop();
        let emptied = (above.first(tree))
            .is_some_and(|e| e.children.is_empty() && e.text.is_empty() && e.name != "entry");
        if !emptied || above.first(reference).is_some() {
            return;
        }
        above.remove(tree);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{config::set, xml::parse_fragment};

    fn store() -> Configuration {
        Configuration::new(crate::xml::parse("<config><shared><log/></shared></config>").unwrap())
    }

    fn put(store: &mut Configuration, owner: &str, path: &str, element: &str) {
        let path: Path = path.parse().unwrap();
        let elements = parse_fragment(element).unwrap();
        store.change(owner, |tree| set(tree, &path, elements)).unwrap();
    }

    #[test]
    fn a_partial_commit_leaves_the_others_changes_pending() {
        let mut store = store();
        put(&mut store, "jane", "/config/shared/address/entry[@name='a']", "<fqdn>a.test</fqdn>");
        put(&mut store, "me", "/config/shared/address/entry[@name='b']", "<fqdn>b.test</fqdn>");
        let snapshot = store.snapshot(&Scope::of("me"));
        let outcome = store.outcome(&snapshot);
        store.install(outcome);
        let left: Vec<_> = store.journal().iter().map(|c| c.owner.as_str()).collect();
        assert_eq!(left, ["jane"]);
        let b: Path = "/config/shared/address/entry[@name='b']".parse().unwrap();
        let a: Path = "/config/shared/address/entry[@name='a']".parse().unwrap();
        assert!(b.first(store.running()).is_some());
        assert!(a.first(store.running()).is_none());
    }

    #[test]
    fn a_revert_leaves_no_trace_of_what_was_made_on_the_way() {
        let mut store = store();
        let before = store.candidate().clone();
        put(&mut store, "me", "/config/shared/address/entry[@name='b']", "<fqdn>b.test</fqdn>");
        assert_ne!(store.candidate(), &before);
        store.revert(&Scope::of("me"));
        assert_eq!(store.candidate(), &before);
        assert!(store.journal().is_empty());
    }

    #[test]
    fn changed_back_by_hand_is_not_changed() {
        let mut store = store();
        let before = store.candidate().clone();
        let path: Path = "/config/shared/address/entry[@name='b']".parse().unwrap();
        put(&mut store, "me", "/config/shared/address/entry[@name='b']", "<fqdn>b.test</fqdn>");
        store.change("me", |tree| Ok::<_, ()>(path.remove(tree))).unwrap();
        assert_eq!(store.candidate(), &before);
        assert!(store.journal().is_empty());
    }
}
