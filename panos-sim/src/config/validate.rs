//! What a commit finds wrong with a configuration.

use super::{
    references::{refer_to_certificate, refer_to_profile},
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
        if !resolves(tree, &place.path, "certificate", &place.name) {
            lines.push(format!("{} '{}' is not a valid reference", place.words(), place.name));
            lines.push(" ssl-tls-service-profile is invalid".to_owned());
        }
    }
    for place in refer_to_profile(tree) {
        if !resolves(tree, &place.path, "ssl-tls-service-profile", &place.name) {
            lines.push(format!("{} '{}' is not a valid reference", place.words(), place.name));
        }
    }
    if !lines.is_empty() {
        lines.insert(0, "Validation Error:".to_owned());
    }
    lines
}

fn profiles(tree: &Element, base: &Path, lines: &mut Vec<String>) {
    let profiles = base.then(Step::Named("ssl-tls-service-profile".into())).then(Step::Named("entry".into()));
    for profile in profiles.select(tree) {
        if profile.find("protocol-settings").is_none() {
            let name = profile.get("name").unwrap_or_default();
            lines.push(format!(" ssl-tls-service-profile -> {name} is missing 'protocol-settings'"));
            lines.push(" ssl-tls-service-profile is invalid".to_owned());
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
    let shared = [base(false, None), base(true, None)];
    let above = (3..from.steps.len()).map(|n| Path::of(from.steps[..n].to_vec()));
    let template = template_shared(from);
    shared.into_iter().chain(above).chain(template).any(|base| named(base).first(tree).is_some())
}

/// The shared part of the template a place lies in.
fn template_shared(from: &Path) -> Option<Path> {
    let config = from.steps.iter().skip(1).position(|s| s.word() == "config")? + 1;
    let mut steps = from.steps[..=config].to_vec();
    steps.push(Step::Named("shared".into()));
    Some(Path::of(steps))
}
