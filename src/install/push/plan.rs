//! Which template stacks are pushed, and to which firewalls: decided before anything is changed.

use std::collections::BTreeSet;

use panos_xmlapi::{Location, StackMembers};

use super::policy::{PushPolicy, StacksToPush};
use crate::error::Exit;
use crate::text::{some_of, some_or_none};

/// What is pushed after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushPlan {
    /// What leaves the push to a person, where it is left to one: then this is what that person pushes.
    pub left_by: Option<LeftBy>,
    /// The stacks with their firewalls; none where no stack holds the template.
    pub stacks: Vec<StackPlan>,
}

/// What leaves a push to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftBy {
    /// `--push none`.
    Push,
    /// `--commit none`: what nobody has committed can't be pushed, and whoever commits it pushes it.
    Commit,
}

impl LeftBy {
    /// The option that says so.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::Push => "--push none",
            Self::Commit => "--commit none",
        }
    }
}

/// A certificate that is committed on Panorama, and whose push is left to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftToPush {
    /// The certificate and its place, in words.
    pub what: String,
    /// The template stacks that carry it.
    pub stacks: Vec<String>,
}

impl LeftToPush {
    /// That a push of this stack carries it too, where it does: a push takes all changes of one's own along.
    #[must_use]
    pub fn carried_by(&self, stack: &str) -> Option<String> {
        self.stacks.iter().any(|one| one == stack).then(|| {
            format!(
                "the push of the template stack {stack} carries {} too, whose push is left to a person",
                self.what
            )
        })
    }
}

/// A template stack that is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackPlan {
    /// Its name.
    pub name: String,
    /// The serial numbers of the firewalls that it is pushed to.
    pub serials: BTreeSet<String>,
    /// Whether these are all that it has.
    pub is_whole: bool,
}

/// Why a push can't be as it was asked for. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushPlanError {
    /// No stack of this name.
    #[error("Panorama has no template stack '{name}'; it has {}", some_or_none(.known))]
    NoStack {
        /// The name.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The stack does not hold the template.
    #[error(
        "the template stack '{stack}' does not hold the template '{template}': a push of it would carry nothing"
    )]
    NotInStack {
        /// The stack.
        stack: String,
        /// The template.
        template: String,
    },
    /// A serial number that none of the stacks has.
    #[error(
        "no firewall with the serial number {} is in {}: {}",
        .serials.join(" or "), some_or_none(.stacks), held(.devices)
    )]
    NoDevice {
        /// The numbers.
        serials: Vec<String>,
        /// The stacks that were looked at.
        stacks: Vec<String>,
        /// The firewalls that they have.
        devices: Vec<String>,
    },
}

fn held(devices: &[String]) -> String {
    if devices.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there are {}", some_or_none(devices))
    }
}

impl PushPlanError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        Exit::Usage
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoStack { .. } => "correct --push, or leave it out for every stack that holds the template",
            Self::NotInStack { .. } => "name a stack that holds the template with --push, or leave it out",
            Self::NoDevice { .. } => "correct --push-to, or leave it out for all firewalls of the stack",
        }
    }
}

/// Decides what is pushed for a change at this location, given all stacks of the running configuration.
///
/// # Errors
/// A stack or a firewall that is not there, or that gets nothing of the template.
pub(super) fn decide(
    known: &[StackMembers],
    location: &Location,
    policy: &PushPolicy,
) -> Result<PushPlan, PushPlanError> {
    let name = location.commit_scope().map_or("", |(_, name)| name);
    let holds = |stack: &StackMembers| location.is_in_stack(&stack.name, &stack.templates);
    let mut chosen: Vec<&StackMembers> = match &policy.stacks {
        StacksToPush::AllOfTemplate | StacksToPush::Nothing => {
            known.iter().filter(|stack| holds(stack)).collect()
        }
        StacksToPush::Named(names) => {
            let find = |name: &str| {
                known.iter().find(|stack| stack.name == name).ok_or_else(|| PushPlanError::NoStack {
                    name: name.to_owned(),
                    known: known.iter().map(|stack| stack.name.clone()).collect(),
                })
            };
            names.iter().map(|name| find(name.as_str())).collect::<Result<_, _>>()?
        }
    };
    if let Some(other) = chosen.iter().find(|stack| !holds(stack)) {
        return Err(PushPlanError::NotInStack { stack: other.name.clone(), template: name.to_owned() });
    }
    chosen.sort_by(|one, other| one.name.cmp(&other.name));
    chosen.dedup_by(|one, other| one.name == other.name);
    let all: BTreeSet<&str> = chosen.iter().flat_map(|stack| &stack.devices).map(String::as_str).collect();
    let unknown: Vec<String> =
        policy.only.iter().filter(|serial| !all.contains(serial.as_str())).map(ToString::to_string).collect();
    if !unknown.is_empty() {
        return Err(PushPlanError::NoDevice {
            serials: unknown,
            stacks: chosen.iter().map(|stack| stack.name.clone()).collect(),
            devices: all.into_iter().map(str::to_owned).collect(),
        });
    }
    let wanted = |serial: &&String| {
        policy.only.is_empty() || policy.only.iter().any(|only| only.as_str() == serial.as_str())
    };
    let stacks = chosen.into_iter().map(|stack| {
        let serials: BTreeSet<String> = stack.devices.iter().filter(wanted).cloned().collect();
        let is_whole = stack.devices.iter().all(|serial| serials.contains(serial));
        StackPlan { name: stack.name.clone(), serials, is_whole }
    });
    // A stack of which no firewall is meant is not pushed.
    let stacks = stacks.filter(|stack| policy.only.is_empty() || !stack.serials.is_empty()).collect();
    let left_by = (policy.stacks == StacksToPush::Nothing).then_some(LeftBy::Push);
    Ok(PushPlan { left_by, stacks })
}

impl PushPlan {
    /// The firewalls that are to get it.
    pub fn serials(&self) -> impl Iterator<Item = &str> {
        self.stacks.iter().flat_map(|stack| &stack.serials).map(String::as_str)
    }

    /// What is pushed, in a line for each stack.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.stacks.is_empty() {
            return vec!["nothing can be pushed: no template stack holds the template".to_owned()];
        }
        let verb = match self.left_by {
            Some(by) => format!("left to a person ({})", by.option()),
            None => "only our own changes".to_owned(),
        };
        let line = |stack: &StackPlan| {
            let serials: Vec<String> = stack.serials.iter().cloned().collect();
            let whole = if stack.is_whole { "all " } else { "" };
            match serials.len() {
                0 => format!("template stack {}: it has no firewalls", stack.name),
                1 => format!("template stack {} to {}: {verb}", stack.name, serials.concat()),
                count => format!(
                    "template stack {} to {whole}{count} firewalls ({}): {verb}",
                    stack.name,
                    some_of(&serials, ", ")
                ),
            }
        };
        self.stacks.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stack(name: &str, templates: &[&str], devices: &[&str]) -> StackMembers {
        let owned = |all: &[&str]| all.iter().map(ToString::to_string).collect();
        StackMembers { name: name.to_owned(), templates: owned(templates), devices: owned(devices) }
    }

    fn plan(location: &str, push: Option<&[&str]>, only: &[&str]) -> Result<PushPlan, PushPlanError> {
        let known = [
            stack("west", &["base"], &["003"]),
            stack("east", &["branch", "base"], &["001", "002"]),
            stack("idle", &["other"], &[]),
        ];
        let stacks = match push {
            None => StacksToPush::AllOfTemplate,
            Some([]) => StacksToPush::Nothing,
            Some(names) => StacksToPush::Named(names.iter().map(|name| name.parse().unwrap()).collect()),
        };
        let only = only.iter().map(|serial| serial.parse().unwrap()).collect();
        let policy = PushPolicy { stacks, only, everybody: false, max_failures: None };
        let location: Location = location.parse().unwrap();
        decide(&known, &location, &policy)
    }

    fn told(plan: &PushPlan) -> Vec<(&str, String, bool)> {
        let serials = |stack: &StackPlan| stack.serials.iter().cloned().collect::<Vec<_>>().join(" ");
        plan.stacks.iter().map(|stack| (stack.name.as_str(), serials(stack), stack.is_whole)).collect()
    }

    #[test]
    fn every_stack_that_holds_the_template_is_pushed_unless_some_are_named() {
        let all = plan("template:base", None, &[]).unwrap();
        assert_eq!(told(&all), [("east", "001 002".into(), true), ("west", "003".into(), true)]);
        let one = plan("template:base/vsys1", Some(&["west", "west"]), &[]).unwrap();
        assert_eq!(told(&one), [("west", "003".into(), true)]);
        let own = plan("stack:east", None, &["002"]).unwrap();
        assert_eq!(told(&own), [("east", "002".into(), false)]);
        let only = plan("template:base", None, &["003"]).unwrap();
        assert_eq!(told(&only), [("west", "003".into(), true)]);
        let left = plan("template:base", Some(&[]), &[]).unwrap();
        assert!(
            left.left_by.is_some() && left.stacks.len() == 2 && left.lines()[0].contains("left to a person")
        );
        let none = plan("template:spare", None, &[]).unwrap();
        assert!(none.lines()[0].contains("nothing can be pushed"), "{:?}", none.lines());
    }

    #[test]
    fn what_can_not_be_pushed_is_refused_before_anything_is_changed() {
        for (location, push, only, says) in [
            (
                "template:base",
                Some(&["south"][..]),
                &[][..],
                "no template stack 'south'; it has west, east, idle",
            ),
            ("template:branch", Some(&["west"]), &[], "'west' does not hold the template 'branch'"),
            ("stack:idle", Some(&["east"]), &[], "'east' does not hold"),
            ("template:branch", None, &["003"], "serial number 003 is in east: there are 001, 002"),
            ("template:other", None, &["001"], "is in idle: there is none"),
        ] {
            let refused = plan(location, push, only).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
    }
}
