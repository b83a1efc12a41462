//! Changes that are in the candidate and not yet in the running configuration.

use crate::{
    JournalShape,
    xml::{Path, Step},
};

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Edit,
    Delete,
}

impl Action {
    /// The word devices use, with their leading space.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => " CREATE",
            Self::Edit => " EDIT",
            Self::Delete => " DELETE",
        }
    }

    /// What both together come to, seen from the running configuration.
    fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Create, Self::Edit) => Self::Create,
            (Self::Delete, Self::Create) => Self::Edit,
            (_, next) => next,
        }
    }
}

/// One changed object.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) path: Path,
    pub(crate) owner: String,
    /// Everybody who touched it since the last commit, oldest first.
    pub(crate) history: Vec<String>,
    pub(crate) action: Action,
    /// Grows with every change; tells whether a queued commit holds the latest state.
    pub(crate) serial: u64,
    /// Device time of the change, as written in the `time` attribute.
    pub(crate) time: String,
    /// Whether all of it was uploaded.
    pub(crate) imported: bool,
}

impl Change {
    /// The part of the configuration the object belongs to, in the words of partial commits.
    pub(crate) fn component(&self) -> &'static str {
        let names: Vec<&str> = self.path.steps.iter().map(Step::word).collect();
        match names.get(1..) {
            Some(["shared", ..]) => "shared-object",
            Some(["devices", _, "vsys", ..]) => "policy-and-objects",
            // Templates are left out by lists of their own.
            Some(["devices", _, "template" | "template-stack", ..]) => "template",
            _ => "device-and-network",
        }
    }

    /// The path that the list of pending changes shows for it, and the action.
    fn shown(&self, shape: JournalShape) -> (Path, Action) {
        let steps = &self.path.steps;
        let object = object(steps);
        let length = match (shape, object) {
            (JournalShape::Leaf, _) => steps.len(),
            (JournalShape::Container, Some(at)) => at,
            (JournalShape::Entry, Some(at)) => at + 1,
            // Settings stand in no list; nobody has published what is shown for them.
            (_, None) => steps.len().saturating_sub(1).max(2).min(steps.len()),
        };
        let action = if length == steps.len() { self.action } else { Action::Edit };
        (Path::of(steps[..length].to_vec()), action)
    }

    /// The virtual system, template or the like that the object belongs to.
    fn part(&self, kind: &str) -> Option<&str> {
        let steps = &self.path.steps;
        let at = steps.iter().position(|step| matches!(step, Step::Named(name) if name == kind))?;
        steps.get(at + 1).map(Step::word)
    }
}

/// Where the entry of the outermost object stands among the steps; devices, virtual systems, templates and their
/// like are no objects.
fn object(steps: &[Step]) -> Option<usize> {
    const STRUCTURE: [&str; 5] = ["devices", "vsys", "template", "template-stack", "device-group"];
    (1..steps.len()).find(|&at| {
        let in_list = matches!(steps[at], Step::Entry(..));
        in_list && !STRUCTURE.contains(&steps[at - 1].word())
    })
}

/// A line of the list of pending changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) path: Path,
    pub(crate) owner: String,
    pub(crate) action: Action,
    pub(crate) history: Vec<String>,
}

impl Shown {
    /// The word that real devices have been seen to use, for virtual systems and templates; the others are ours.
    pub(crate) fn component_type(&self) -> &'static str {
        let names: Vec<&str> = self.path.steps.iter().map(Step::word).collect();
        match names.get(1..) {
            Some(["shared", ..]) => "shared-object",
            Some(["devices", _, "vsys", ..]) => "vsys",
            Some(["devices", _, "template" | "template-stack", ..]) => "template",
            _ => "device-and-network",
        }
    }
}

/// The changes as the list of pending changes shows them: one line for each path and owner.
pub(crate) fn shown<'a>(changes: impl Iterator<Item = &'a Change>, shape: JournalShape) -> Vec<Shown> {
    let mut lines: Vec<Shown> = Vec::new();
    for change in changes {
        let (path, action) = change.shown(shape);
        let same = |line: &&mut Shown| line.path == path && line.owner == change.owner;
        match lines.iter_mut().find(same) {
            Some(line) => {
                let news = change.history.iter().filter(|name| !line.history.contains(name));
                let news: Vec<String> = news.cloned().collect();
                line.history.extend(news);
            }
            None => lines.push(Shown {
                path,
                owner: change.owner.clone(),
                action,
                history: change.history.clone(),
            }),
        }
    }
    lines
}

/// Which changes a commit or a revert is about; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Only those of these administrators.
    pub(crate) administrators: Option<Vec<String>>,
    /// Not those of these components.
    pub(crate) excluded: Vec<String>,
    /// Of changes inside virtual systems, only those in these.
    pub(crate) vsys: Option<Vec<String>>,
    /// Of changes inside templates, only those in these.
    pub(crate) templates: Option<Vec<String>>,
    /// The same for template stacks.
    pub(crate) stacks: Option<Vec<String>>,
}

impl Scope {
    /// Only the changes of one administrator.
    #[cfg(test)]
    pub(crate) fn of(administrator: &str) -> Self {
        Self { administrators: Some(vec![administrator.to_owned()]), ..Self::default() }
    }

    /// Whether it leaves anything out.
    pub(crate) fn is_partial(&self) -> bool {
        *self != Self::default()
    }

    pub(crate) fn covers(&self, change: &Change) -> bool {
        let by_admin = (self.administrators.as_ref()).is_none_or(|admins| admins.contains(&change.owner));
        // A list leaves out what is in the other parts of its kind, and nothing else.
        let lists = [("vsys", &self.vsys), ("template", &self.templates), ("template-stack", &self.stacks)];
        let listed = lists.into_iter().all(|(kind, listed)| match (listed, change.part(kind)) {
            (Some(listed), Some(part)) => listed.iter().any(|name| name == part),
            _ => true,
        });
        by_admin && listed && !self.excluded.iter().any(|part| part == change.component())
    }
}

/// Adds what one request changed to the journal.
pub(super) fn add(
    journal: &mut Vec<Change>,
    owner: &str,
    differences: Vec<(Path, Action)>,
    time: &str,
    serial: u64,
) {
    for (path, action) in differences {
        if let Some(known) = journal.iter_mut().find(|change| change.path == path) {
            known.owner = owner.to_owned();
            known.action = known.action.then(action);
            known.history.retain(|name| name != owner);
            known.history.push(owner.to_owned());
            known.serial = serial;
            known.time = time.to_owned();
            known.imported = false;
            continue;
        }
        let above = (journal.iter_mut()).find(|change| change.owner == owner && change.path.contains(&path));
        if let Some(above) = above {
            above.serial = serial;
            above.time = time.to_owned();
            above.imported = false;
            continue;
        }
        journal.retain(|change| change.owner != owner || !path.contains(&change.path));
        journal.push(Change {
            path,
            owner: owner.to_owned(),
            history: vec![owner.to_owned()],
            action,
            serial,
            time: time.to_owned(),
            imported: false,
        });
    }
}
