//! The actions of `type=config` that change the candidate.

use super::{references, schema};
use crate::{
    refusal::Refusal,
    xml::{Element, Path, Step},
};

/// `action=set`: merges the elements into the node, made where it is missing.
pub(crate) fn set(tree: &mut Element, path: &Path, elements: Vec<Element>) -> Result<(), Refusal> {
    schema::check_children(path, &elements)?;
    let node = reach(tree, path)?;
    if elements.is_empty() {
        return Ok(());
    }
    for element in elements {
        merge(node, element);
    }
    Ok(())
}

fn merge(into: &mut Element, element: Element) {
    match into.children.iter_mut().find(|c| c.is_same_object(&element)) {
        Some(known) => {
            if element.children.is_empty() {
                known.text = element.text;
            }
            for child in element.children {
                merge(known, child);
            }
        }
        None => into.children.push(element),
    }
}

/// `action=edit`: replaces the node by the element, which must repeat the path's last step.
pub(crate) fn edit(tree: &mut Element, path: &Path, mut elements: Vec<Element>) -> Result<(), Refusal> {
    let (Some(element), true) = (elements.pop(), elements.is_empty()) else {
        return Err(Refusal::code(12, "edit needs exactly one element"));
    };
    let last = path.steps.last();
    let fits = last.is_some_and(|step| match step {
        Step::Text(name, text) => element.name == *name && element.text.trim() == text,
        step => Step::to(&element) == *step,
    });
    if !fits || path.steps.len() < 2 {
        return Err(Refusal::code(
            12,
            format!("element {} does not match the xpath's last node", element.name),
        ));
    }
    let parent = Path::of(path.steps[..path.steps.len() - 1].to_vec());
    schema::check_children(&parent, std::slice::from_ref(&element))?;
    *reach(tree, path)? = element;
    Ok(())
}

/// `action=delete`: removes what the path leads to; whether there was anything.
pub(crate) fn delete(tree: &mut Element, path: &Path) -> Result<bool, Refusal> {
    inside_config(path)?;
    for doomed in path.select(tree) {
        references::refuse_if_used(tree, path, doomed)?;
    }
    Ok(path.remove(tree) > 0)
}

/// `action=rename`: gives an entry another name; what refers to it follows.
pub(crate) fn rename(tree: &mut Element, path: &Path, name: &str) -> Result<(), Refusal> {
    inside_config(path)?;
    let Some(Step::Entry(kind, old)) = path.steps.last().cloned() else {
        return Err(Refusal::code(17, "only an entry can be renamed"));
    };
    let mut target = path.clone();
    target.steps.pop();
    let target = target.then(Step::Entry(kind, name.to_owned()));
    if target.first(tree).is_some() {
        return Err(Refusal::code(8, format!("{name} already exists")));
    }
    let Some(entry) = path.first_mut(tree) else {
        return Err(Refusal::code(7, "Object doesn't exist"));
    };
    for (attribute, value) in &mut entry.attributes {
        if attribute == "name" {
            name.clone_into(value);
        }
    }
    references::follow_rename(tree, path, &old, name);
    Ok(())
}

/// `action=clone`: copies an entry into the list at `path` under another name.
pub(crate) fn duplicate(tree: &mut Element, path: &Path, from: &Path, name: &str) -> Result<(), Refusal> {
    let mut copy = from.first(tree).cloned().ok_or_else(|| Refusal::code(7, "Object doesn't exist"))?;
    if copy.name != "entry" {
        return Err(Refusal::code(17, "only an entry can be cloned"));
    }
    let target = path.then(Step::Entry("entry".into(), name.to_owned()));
    if target.first(tree).is_some() {
        return Err(Refusal::code(8, format!("{name} already exists")));
    }
    for (attribute, value) in &mut copy.attributes {
        if attribute == "name" {
            name.clone_into(value);
        }
    }
    *reach(tree, &target)? = copy;
    Ok(())
}

/// `action=move`: gives an entry another place in its list.
pub(crate) fn shift(tree: &mut Element, path: &Path, place: &str, dst: Option<&str>) -> Result<(), Refusal> {
    let missing = || Refusal::code(7, "Object doesn't exist");
    let Some((last, above)) = path.steps.split_last() else {
        return Err(missing());
    };
    let list = Path::of(above.to_vec()).first_mut(tree).ok_or_else(missing)?;
    let at = list.children.iter().position(|child| Step::to(child) == *last).ok_or_else(missing)?;
    let moved = list.children.remove(at);
    let beside = dst.unwrap_or_default();
    let neighbour = list.children.iter().position(|child| child.get("name") == Some(beside));
    let to = match (place, neighbour) {
        ("top", _) => 0,
        ("bottom", _) => list.children.len(),
        ("before", Some(at)) => at,
        ("after", Some(at)) => at + 1,
        ("before" | "after", None) => return Err(missing()),
        _ => return Err(Refusal::illegal("where", &["after", "before", "top", "bottom"])),
    };
    list.children.insert(to, moved);
    Ok(())
}

fn reach<'a>(tree: &'a mut Element, path: &Path) -> Result<&'a mut Element, Refusal> {
    inside_config(path)?;
    path.ensure(tree).ok_or_else(|| Refusal::code(6, format!("Bad xpath {path}")))
}

/// A path that does not start at `/config` is answered as one without the right to it.
fn inside_config(path: &Path) -> Result<(), Refusal> {
    match path.steps.first() {
        Some(Step::Named(root)) if root == "config" => Ok(()),
        _ => Err(Refusal::unauthorized()),
    }
}
