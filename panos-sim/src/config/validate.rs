//! What a commit finds wrong with a configuration.

use super::{
    references::{Place, refer_to_certificate, refer_to_profile},
    skeleton::{base, device_entry},
};
use crate::xml::{Element, Path, Step};

/// The lines of a validation error; empty when all is well.
pub(crate) fn complaints(tree: &Element) -> Vec<String> {
    let mut lines = Vec::new();
    for base in bases(tree) {
        profiles(tree, &base, &mut lines);
    }
    for place in refer_to_certificate(tree) {
        unless_resolved(tree, &place, "certificate", &mut lines);
    }
    for place in refer_to_profile(tree) {
        unless_resolved(tree, &place, PROFILES, &mut lines);
    }
    if lines.iter().any(|line| line.contains(PROFILES)) {
        lines.push(format!(" {PROFILES} is invalid"));
    }
    if !lines.is_empty() {
        lines.insert(0, "Validation Error:".to_owned());
    }
    lines
}

const PROFILES: &str = "ssl-tls-service-profile";

fn unless_resolved(tree: &Element, place: &Place, list: &str, lines: &mut Vec<String>) {
    if !resolves(tree, &place.path, list, &place.name) {
        let words = place.words();
        // Here, other than in the list of an object's users, devices leave the first word out.
        let words = words.strip_prefix(" shared ->").unwrap_or(&words);
        lines.push(format!("{words} '{}' is not a valid reference", place.name));
    }
}

fn profiles(tree: &Element, base: &Path, lines: &mut Vec<String>) {
    let profiles = base.then(Step::Named(PROFILES.into())).then(Step::Named("entry".into()));
    for profile in profiles.select(tree) {
        if profile.find("protocol-settings").is_none() {
            let name = profile.get("name").unwrap_or_default();
            lines.push(format!(" {PROFILES} -> {name} is missing 'protocol-settings'"));
        }
    }
}

/// Shared, Panorama's own, and every virtual system.
fn bases(tree: &Element) -> Vec<Path> {
    let mut bases = vec![base(false, None), base(true, None)];
    let vsys = device_entry().then(Step::Named("vsys".into())).then(Step::Named("entry".into()));
    let names = vsys.select(tree).into_iter().filter_map(|v| v.get("name"));
    bases.extend(names.map(|name| base(false, Some(name))));
    bases
}

/// Whether something of this kind and name can be seen from a place: in any part of the
/// configuration the place lies in, or shared. Templates are looked at as a whole.
fn resolves(tree: &Element, from: &Path, list: &str, name: &str) -> bool {
    let named = |base: Path| {
        base.then(Step::Named(list.to_owned())).then(Step::Entry("entry".into(), name.to_owned()))
    };
    let shared = [base(false, None), base(true, None), predefined()];
    let above = (3..from.steps.len()).map(|n| Path::of(from.steps[..n].to_vec()));
    let template = template_shared(from);
    shared.into_iter().chain(above).chain(template).any(|base| named(base).first(tree).is_some())
}

/// What every device of this kind has.
fn predefined() -> Path {
    Path::of(["config", "predefined"].map(|step| Step::Named(step.into())).into())
}

/// The shared part of the template a place lies in.
fn template_shared(from: &Path) -> Option<Path> {
    let config = from.steps.iter().skip(1).position(|s| s.word() == "config")? + 1;
    let mut steps = from.steps[..=config].to_vec();
    steps.push(Step::Named("shared".into()));
    Some(Path::of(steps))
}
