//! The way back from a new certificate that is committed: what a plan is about to replace, and the steps that bring it
//! back. On a firewall it is gone where an endpoint no longer answers, on Panorama where `--max-failures` says so.

use panos_xmlapi::{Fingerprint, Location, XPath};

use super::names::ObjectName;
use super::plan::{Plan, Step};
use super::push::{FormerBinding, FormerUse, Stage, WayBack};
use super::references::Reference;
use super::rollback::Undo;

/// The way back from what a plan is about to do, `before` being the one of an earlier run for the same certificate.
/// Nothing where the old certificate is overwritten, or where nothing was presented.
#[must_use]
pub fn way_back(
    plan: &Plan,
    certificate: Fingerprint,
    object: &ObjectName,
    before: Option<&WayBack>,
) -> Option<WayBack> {
    if plan.steps.iter().any(|step| matches!(step, Step::Import { replaces: true, .. })) {
        return None;
    }
    let mut back = WayBack {
        certificate,
        object: object.clone(),
        profiles: Vec::new(),
        places: Vec::new(),
        stage: Stage::Ready,
    };
    for step in &plan.steps {
        match step {
            Step::Bind { profiles, .. } => back.profiles.extend(
                profiles
                    .iter()
                    .map(|(profile, to)| FormerBinding { profile: profile.clone(), to: to.clone() }),
            ),
            Step::Rebind { uses, .. } => back.places.extend(uses.iter().map(|place| FormerUse {
                label: place.label.clone(),
                at: place.at.to_string(),
                element: place.element.to_owned(),
                from: place.from.clone(),
            })),
            _ => {}
        }
    }
    if let Some(before) = before.filter(|before| before.is_from(certificate, object)) {
        let is_new =
            |former: &&FormerBinding| !back.profiles.iter().any(|known| known.profile == former.profile);
        let kept: Vec<FormerBinding> = before.profiles.iter().filter(is_new).cloned().collect();
        back.profiles.extend(kept);
        let is_new = |former: &&FormerUse| !back.places.iter().any(|known| known.at == former.at);
        let kept: Vec<FormerUse> = before.places.iter().filter(is_new).cloned().collect();
        back.places.extend(kept);
    }
    back.leads_somewhere().then_some(back)
}

/// The steps, as what takes the binding of the new certificate back.
pub(super) fn steps(back: &WayBack, place: &Location) -> Vec<Undo> {
    let object = back.object.to_string();
    let profiles = back.profiles.iter().filter_map(|former| {
        let (at, made) = (place.profile(&former.profile).ok()?, Some(object.clone()));
        Some(Undo::RestoreBinding { at, profile: former.profile.clone(), to: former.to.clone(), made })
    });
    let places = back.places.iter().map(|former| {
        let element = match former.element.as_str() {
            "name" => "name",
            "local-certificate" => "local-certificate",
            _ => "certificate",
        };
        let (label, at) = (former.label.clone(), XPath::absolute(&former.at));
        let place = Reference { label, at, element, from: former.from.clone() };
        Undo::RestoreReference { place, made: object.clone() }
    });
    profiles.chain(places).collect()
}
