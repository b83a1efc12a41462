//! Which objects differ between two trees.

use super::journal::Action;
use crate::xml::{Element, Path, Step};

/// Lists every object created, edited or deleted on the way from `before` to `after`.
pub(super) fn differences(before: &Element, after: &Element) -> Vec<(Path, Action)> {
    let mut found = Vec::new();
    let root = Path::of(vec![Step::to(after)]);
    compare(before, after, &root, &mut found);
    found
}

fn compare(before: &Element, after: &Element, path: &Path, found: &mut Vec<(Path, Action)>) {
    if before == after {
        return;
    }
    if before.text.trim() != after.text.trim() {
        found.push((path.clone(), Action::Edit));
        return;
    }
    for child in &after.children {
        let below = path.then(Step::to(child));
        match twin(before, child) {
            Some(was) => compare(was, child, &below, found),
            None => whole(child, &below, Action::Create, found),
        }
    }
    for child in &before.children {
        if twin(after, child).is_none() {
            whole(child, &path.then(Step::to(child)), Action::Delete, found);
        }
    }
}

fn twin<'a>(parent: &'a Element, child: &Element) -> Option<&'a Element> {
    parent.children.iter().find(|c| c.is_same_object(child))
}

/// A list is not an object: each thing in it is, so that two administrators can own one each.
fn whole(element: &Element, path: &Path, action: Action, found: &mut Vec<(Path, Action)>) {
    if element.is_list() {
        for child in &element.children {
            found.push((path.then(Step::to(child)), action));
        }
    } else {
        found.push((path.clone(), action));
    }
}
