//! The marks `admin`, `dirtyId` and `time` on everything uncommitted.

use super::journal::Change;
use crate::xml::{Element, Step};

/// Marks the changed objects, what is in them, and what is above them up to the level below
/// `/config/shared` or the device entry.
pub(super) fn stamp(candidate: &mut Element, journal: &[Change]) {
    // What is above several changes carries the mark of the latest.
    let mut journal: Vec<&Change> = journal.iter().collect();
    journal.sort_by_key(|change| change.serial);
    for change in journal {
        follow(candidate, &change.path.steps, 0, change);
    }
}

/// Levels that are never marked: `config` and its children.
const UNMARKED: usize = 2;

fn follow(element: &mut Element, steps: &[Step], depth: usize, change: &Change) {
    let rest = steps.get(1..).unwrap_or_default();
    if rest.is_empty() {
        mark_all(element, change);
        return;
    }
    if depth >= UNMARKED {
        mark(element, change);
    }
    let next = (element.children.iter_mut()).find(|child| Step::to(child) == rest[0]);
    if let Some(next) = next {
        follow(next, rest, depth + 1, change);
    }
}

fn mark_all(element: &mut Element, change: &Change) {
    mark(element, change);
    for child in &mut element.children {
        mark_all(child, change);
    }
}

fn mark(element: &mut Element, change: &Change) {
    element.attributes.retain(|(name, _)| !["admin", "dirtyId", "time"].contains(&name.as_str()));
    element.attributes.extend([
        ("admin".to_owned(), change.owner.clone()),
        ("dirtyId".to_owned(), change.serial.to_string()),
        ("time".to_owned(), change.time.clone()),
    ]);
}

/// Takes marks off again: clients send back what they got.
pub(super) fn unmark(element: &mut Element) {
    element.attributes.retain(|(name, _)| name == "name");
    element.children.iter_mut().for_each(unmark);
}
