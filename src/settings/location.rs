//! Where a certificate goes on a device, and what of Panorama is pushed then: from options to checked values.

use std::fmt::Display;
use std::str::FromStr;

use panos_xmlapi::{Location, StackName};

use super::options::{CommitOption, DeviceOptions, SuffixOption};
use crate::install::push::MaxFailures;
use crate::install::request::{PushPolicy, StacksToPush};

/// The word that leaves the push to a person.
const NOTHING: &str = "none";

/// An option that can't be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("--{option}: {what}")]
pub struct InvalidPlace {
    pub(super) option: &'static str,
    pub(super) what: String,
}

impl InvalidPlace {
    fn of(option: &'static str, what: impl Display) -> Self {
        Self { option, what: what.to_string() }
    }
}

/// The place: the device as a whole, unless another one is named.
///
/// # Errors
/// A name that is not valid; more than one place.
pub fn of(options: &DeviceOptions) -> Result<Location, InvalidPlace> {
    let DeviceOptions { vsys, template, stack, serial, .. } = options;
    Ok(match (vsys, template, stack, serial) {
        (None, None, None, None) => Location::Shared,
        (Some(vsys), None, None, None) => {
            Location::Vsys(vsys.parse().map_err(|error| InvalidPlace::of("vsys", error))?)
        }
        (None, Some(template), None, None) => match template.split_once('/') {
            None => Location::Template(named("template", template)?),
            Some((template, vsys)) => Location::TemplateVsys {
                template: named("template", template)?,
                vsys: vsys.parse().map_err(|error| InvalidPlace::of("template", error))?,
            },
        },
        (None, None, Some(stack), None) => Location::TemplateStack(named("stack", stack)?),
        (None, None, None, Some(serial)) => {
            Location::Managed(serial.parse().map_err(|error| InvalidPlace::of("serial", error))?)
        }
        (_, Some(_), _, _) => return Err(InvalidPlace::of("template", ONE_PLACE)),
        (_, _, Some(_), _) => return Err(InvalidPlace::of("stack", ONE_PLACE)),
        (_, _, _, Some(_)) => return Err(InvalidPlace::of("serial", ONE_PLACE)),
    })
}

const WITHOUT_COMMIT: &str = "with 'commit none' nothing is pushed";
const ONE_PLACE: &str = "only one of vsys, template, stack and serial can be set";

/// What is pushed after a commit in a template or template stack, by options to which others may be typed.
///
/// # Errors
/// A name that is not valid; a push without a template or template stack.
pub fn push(options: &DeviceOptions) -> Result<PushPolicy, InvalidPlace> {
    let option = match options {
        DeviceOptions { push, .. } if !push.is_empty() => "push",
        DeviceOptions { push_to, .. } if !push_to.is_empty() => "push-to",
        DeviceOptions { max_failures: Some(_), push_all_changes: false, .. } => "max-failures",
        _ => "push-all-changes",
    };
    let place = of(options)?;
    if (options.sets_push() || options.max_failures.is_some()) && place.template_entry().is_none() {
        return Err(InvalidPlace::of(
            option,
            "only what is changed in a template or template stack is pushed",
        ));
    }
    let stacks = stacks(options, &place)?;
    let serial = |text: &String| text.parse().map_err(|error| InvalidPlace::of("push-to", error));
    let mut only = options.push_to.iter().map(serial).collect::<Result<Vec<_>, _>>()?;
    only.sort();
    only.dedup();
    let everybody = options.push_all_changes;
    if stacks == StacksToPush::Nothing && (!only.is_empty() || everybody) {
        let other = if only.is_empty() { "push-all-changes" } else { "push-to" };
        return Err(InvalidPlace::of(other, "with 'push none' nothing is pushed"));
    }
    let says_what = matches!(stacks, StacksToPush::Named(_)) || !only.is_empty() || everybody;
    if options.commit == Some(CommitOption::None) && says_what {
        return Err(InvalidPlace::of(option, WITHOUT_COMMIT));
    }
    let max_failures = max_failures(options, stacks == StacksToPush::Nothing)?;
    Ok(PushPolicy { stacks, only, everybody, max_failures })
}

/// The same by all options together: with a limit each certificate has to be an object of its own.
///
/// # Errors
/// As [`push`]; a limit without that.
pub fn push_by_all(options: &DeviceOptions) -> Result<PushPolicy, InvalidPlace> {
    let policy = push(options)?;
    // An object that is overwritten is gone.
    if policy.max_failures.is_some() && options.suffix != Some(SuffixOption::Serial) {
        return Err(InvalidPlace::of(
            "max-failures",
            "a push can be taken back only where each certificate is an object of its own: add --suffix serial",
        ));
    }
    Ok(policy)
}

/// On how many firewalls a push may fail.
fn max_failures(options: &DeviceOptions, is_left: bool) -> Result<Option<MaxFailures>, InvalidPlace> {
    let Some(text) = &options.max_failures else { return Ok(None) };
    let refused = |what: &str| Err(InvalidPlace::of("max-failures", what));
    if is_left {
        return refused("with 'push none' nothing is pushed");
    }
    if options.commit == Some(CommitOption::None) {
        return refused(WITHOUT_COMMIT);
    }
    text.parse().map(Some).map_err(|error| InvalidPlace::of("max-failures", error))
}

fn stacks(options: &DeviceOptions, place: &Location) -> Result<StacksToPush, InvalidPlace> {
    if options.push.is_empty() {
        return Ok(StacksToPush::AllOfTemplate);
    }
    if options.push.iter().any(|name| name == NOTHING) {
        return match options.push.iter().all(|name| name == NOTHING) {
            true => Ok(StacksToPush::Nothing),
            false => Err(InvalidPlace::of("push", "'none' beside the name of a stack")),
        };
    }
    let mut names: Vec<StackName> = Vec::new();
    for text in &options.push {
        let name: StackName = named("push", text)?;
        match place {
            Location::TemplateStack(stack) if *stack != name => {
                return Err(InvalidPlace::of(
                    "push",
                    format!("a change in the stack '{stack}' reaches no other stack"),
                ));
            }
            _ if names.contains(&name) => {}
            _ => names.push(name),
        }
    }
    Ok(StacksToPush::Named(names))
}

fn named<T: FromStr<Err: Display>>(option: &'static str, text: &str) -> Result<T, InvalidPlace> {
    text.parse().map_err(|error| InvalidPlace::of(option, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(place: &[(&str, &str)], push: &[&str], push_to: &[&str]) -> DeviceOptions {
        let of = |wanted: &str| {
            place.iter().find(|(option, _)| *option == wanted).map(|(_, value)| (*value).to_owned())
        };
        DeviceOptions {
            vsys: of("vsys"),
            template: of("template"),
            stack: of("stack"),
            serial: of("serial"),
            push: push.iter().map(ToString::to_string).collect(),
            push_to: push_to.iter().map(ToString::to_string).collect(),
            ..DeviceOptions::default()
        }
    }

    #[test]
    fn a_place_is_one_of_four_or_the_device_as_a_whole() {
        for (place, location) in [
            (("", ""), "shared"),
            (("vsys", "vsys2"), "vsys:vsys2"),
            (("template", "Branch"), "template:Branch"),
            (("template", "Branch/vsys1"), "template:Branch/vsys1"),
            (("stack", "All branches"), "stack:All branches"),
            (("stack", "Büros & Filialen (Süd)"), "stack:Büros & Filialen (Süd)"),
            (("serial", "001900000000003"), "device:001900000000003"),
        ] {
            assert_eq!(of(&options(&[place], &[], &[])).unwrap().to_string(), location);
        }
        let (long, longer) = ("a".repeat(32), "a".repeat(64));
        for bad in [
            ("vsys", "finance"),
            ("template", "Branch/finance"),
            ("template", "a'b"),
            ("template", ""),
            ("template", &long),
            ("stack", &longer),
            ("stack", "a'b"),
            ("stack", "S/vsys1"),
            ("serial", "0-1"),
        ] {
            let told = of(&options(&[bad], &[], &[])).unwrap_err().to_string();
            assert!(told.starts_with(&format!("--{}: ", bad.0)), "{told}");
        }
        let two = [("stack", "S"), ("template", "T")];
        assert!(of(&options(&two, &[], &[])).unwrap_err().to_string().contains("only one of"));
    }

    #[test]
    fn a_push_belongs_to_a_template_or_stack() {
        let template = [("template", "T/vsys1")];
        let stacks = |push: &[&str]| super::push(&options(&template, push, &[])).map(|policy| policy.stacks);
        let names = |names: &[&str]| StacksToPush::Named(names.iter().map(|n| n.parse().unwrap()).collect());
        assert_eq!(stacks(&[]).unwrap(), StacksToPush::AllOfTemplate);
        assert_eq!(stacks(&["none", "none"]).unwrap(), StacksToPush::Nothing);
        assert_eq!(stacks(&["B", "A", "B"]).unwrap(), names(&["B", "A"]));
        let policy = super::push(&options(&template, &[], &["002", "001", "002"])).unwrap();
        assert_eq!(policy.only.iter().map(ToString::to_string).collect::<Vec<_>>(), ["001", "002"]);
        for (place, push, push_to, says) in [
            (("vsys", "vsys1"), &["S"][..], &[][..], "--push: only what"),
            (("serial", "001"), &["none"], &[], "--push: only what"),
            (("", ""), &[], &["001"], "--push-to: only what"),
            (("template", "T"), &["S", "none"], &[], "--push: 'none'"),
            (("template", "T"), &["none"], &["001"], "--push-to: with"),
            (("template", "T"), &["a'b"], &[], "--push: 'a"),
            (("template", "T"), &[], &["0 1"], "--push-to: '0 1'"),
            (("stack", "S"), &["Other"], &[], "reaches no other stack"),
        ] {
            let told = super::push(&options(&[place], push, push_to)).unwrap_err().to_string();
            assert!(told.contains(says), "{told}");
        }
    }
}
