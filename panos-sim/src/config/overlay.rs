//! What a Panorama has pushed lies over the local configuration and is no part of it.
//!
//! Measured on 11.1.13-h3: the running configuration does not show it; `action=get` does, marked `src="tpl"`; a local
//! object of the same name wins as a whole; changing what only the template has is refused.

use crate::{
    refusal::Refusal,
    xml::{Element, Path, Step},
};

/// The content of a template, in the places it has on the firewall.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    /// The template or template stack.
    pub(crate) template: String,
    /// The root, `config`.
    pub(crate) content: Element,
}

impl Overlay {
    /// The tree with the template's content in it; that is marked where the reader is to see it.
    pub(crate) fn lay_over(&self, tree: &mut Element, marked: bool) {
        let mark = marked.then_some(self.template.as_str());
        lay(tree, &self.content, mark);
    }

    /// Takes the template's objects out of a local configuration.
    pub(crate) fn drop_from(&self, tree: &mut Element) {
        drop_objects(tree, &self.content);
    }

    /// What was pushed, as `show config pushed-template` tells it.
    pub(crate) fn told(&self) -> Element {
        let mut content = self.content.clone();
        content.children.iter_mut().for_each(|child| mark_all(child, ("ptpl", &self.template)));
        content
    }

    /// Whether a path leads to a whole object of the template: an entry, or a value outside of entries.
    pub(crate) fn is_object(&self, path: &Path) -> bool {
        let part = |length| Path::of(path.steps[..length].to_vec());
        let object = (3..=path.steps.len()).find(|&length| self.object(&part(length)).is_some());
        object == Some(path.steps.len())
    }

    /// The object of the template that this path leads to.
    fn object(&self, path: &Path) -> Option<&Element> {
        let pushed = path.first(&self.content)?;
        let is_object = !is_structure(path) && (pushed.name == "entry" || pushed.children.is_empty());
        is_object.then_some(pushed)
    }

    /// Code 13 where a change is to something that only the template has.
    pub(crate) fn refuse_if_owned(
        &self,
        local: &Element,
        change: &Path,
        action: &str,
    ) -> Result<(), Refusal> {
        for length in 3..=change.steps.len() {
            let path = Path::of(change.steps[..length].to_vec());
            let Some(pushed) = self.object(&path) else { continue };
            // A local object is the whole of it: nothing in it is the template's.
            if path.first(local).is_some() {
                return Ok(());
            }
            let name = pushed.get("name").unwrap_or(&pushed.name);
            return Err(Refusal::code(
                13,
                format!("{action} failed, may need to override template object {name} first"),
            ));
        }
        Ok(())
    }
}

/// Entries that hold a whole part of the configuration.
fn is_structure(path: &Path) -> bool {
    let [.., list, Step::Entry(..)] = path.steps.as_slice() else {
        return false;
    };
    matches!(list.word(), "devices" | "vsys")
}

fn lay(local: &mut Element, pushed: &Element, mark: Option<&str>) {
    for child in &pushed.children {
        match local.children.iter_mut().find(|known| known.is_same_object(child)) {
            None => {
                let mut copy = child.clone();
                if let Some(template) = mark {
                    mark_all(&mut copy, ("src", "tpl"));
                    copy.attributes.push(("ptpl".to_owned(), template.to_owned()));
                }
                local.children.push(copy);
            }
            // A local object wins as a whole, a local value too.
            Some(known) => {
                let structural = matches!(pushed.name.as_str(), "devices" | "vsys");
                if (child.name != "entry" || structural) && !child.children.is_empty() {
                    lay(known, child, mark);
                }
            }
        }
    }
}

fn drop_objects(local: &mut Element, pushed: &Element) {
    let structural = matches!(pushed.name.as_str(), "devices" | "vsys");
    for child in &pushed.children {
        let is_object = (child.name == "entry" && !structural) || child.children.is_empty();
        if is_object {
            local.children.retain(|known| !known.is_same_object(child));
        } else if let Some(known) = local.children.iter_mut().find(|known| known.is_same_object(child)) {
            drop_objects(known, child);
        }
    }
}

/// The secrets carry no mark of their own.
fn mark_all(element: &mut Element, (name, value): (&str, &str)) {
    if element.name != "private-key" {
        element.attributes.push((name.to_owned(), value.to_owned()));
    }
    element.children.iter_mut().for_each(|child| mark_all(child, (name, value)));
}
