//! Groups that can't be had together: then nothing would ever be delivered to some place.

use std::collections::{BTreeMap, BTreeSet};

use super::Config;
use super::checks::Fault;
use crate::settings::destination::Destination;
use crate::settings::schedule::CanaryRule;
use crate::settings::window::{self, Windows};

/// Checks all groups, each of which is well by itself; the group whose key is wrong is named with it.
///
/// # Errors
/// Canaries that wait for each other; windows of a place that are never open together.
pub(super) fn check(config: &Config) -> Result<(), (String, Fault)> {
    windows(config)?;
    canaries(config)
}

fn windows(config: &Config) -> Result<(), (String, Fault)> {
    let mut groups: BTreeMap<&Destination, Vec<(&String, &Windows)>> = BTreeMap::new();
    for (name, group) in &config.groups {
        if let Some(windows) = group.timing.windows.as_ref().filter(|windows| !windows.is_empty()) {
            group.all.iter().for_each(|place| groups.entry(place).or_default().push((name, windows)));
        }
    }
    // Thousands of places may be in the same few groups.
    let mut met: BTreeSet<Vec<&String>> = BTreeSet::new();
    for (place, own) in &groups {
        let mut all = own.clone();
        if place.target.is_some()
            && let Some(whole) = groups.get(&Destination::from(place.device.clone()))
        {
            all.extend(whole.iter().filter(|(name, _)| own.iter().all(|(other, _)| other != name)));
        }
        if all.len() < 2
            || has_own_window(config, place)
            || !met.insert(all.iter().map(|(name, _)| *name).collect())
        {
            continue;
        }
        let each: Vec<&Windows> = all.iter().map(|(_, windows)| *windows).collect();
        if let (false, Some((last, _))) = (window::ever_meet(&each), all.last()) {
            let names: Vec<String> = all.iter().map(|(name, _)| format!("'{name}'")).collect();
            let what = format!(
                "{place} is in the groups {}, whose windows are never open together",
                names.join(" and ")
            );
            return Err(((*last).clone(), Fault::value("window", what)));
        }
    }
    Ok(())
}

/// Whether the groups' windows do not count for a place.
fn has_own_window(config: &Config, place: &Destination) -> bool {
    let target = place.target.as_ref().and_then(|name| config.targets.get(name)).map(|target| &target.own);
    target.into_iter().chain(config.devices.get(&place.device)).any(|own| own.timing.windows.is_some())
}

/// One that waits for another, and the group in which it does.
type Step = (Destination, String);

/// Whoever is in a circle is waited for: only canaries have to be looked at.
fn canaries(config: &Config) -> Result<(), (String, Fault)> {
    let all: BTreeSet<&Destination> = config.groups.values().flat_map(|group| &group.canaries).collect();
    let mut over: BTreeSet<Destination> = BTreeSet::new();
    for first in all {
        let mut way: Vec<Step> = Vec::new();
        if let Some(at) = circle(config, first, &mut way, &mut over) {
            return Err(told(&way[at..]));
        }
    }
    Ok(())
}

/// Goes on from a place to those that it waits for; where on the way a circle begins, if it comes to one.
fn circle(
    config: &Config,
    place: &Destination,
    way: &mut Vec<Step>,
    over: &mut BTreeSet<Destination>,
) -> Option<usize> {
    if let Some(at) = way.iter().position(|(before, _)| before == place) {
        return Some(at);
    }
    if over.contains(place) {
        return None;
    }
    for CanaryRule { group, canaries, .. } in config.schedule(place).canaries {
        for canary in canaries {
            way.push((place.clone(), group.clone()));
            let found = circle(config, &canary, way, over);
            if found.is_some() {
                return found;
            }
            way.pop();
        }
    }
    over.insert(place.clone());
    None
}

fn told(circle: &[Step]) -> (String, Fault) {
    let next = circle.iter().cycle().skip(1);
    let steps = circle.iter().zip(next).enumerate().map(|(number, ((one, group), (other, _)))| {
        let verb = if number == 0 { " waits" } else { "" };
        format!("{one}{verb} for {other} (group '{group}')")
    });
    let steps: Vec<String> = steps.collect();
    let what = match steps.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{}, and {last}", rest.join(", ")),
        _ => steps.join(""),
    };
    let group = circle.first().map(|(_, group)| group.clone()).unwrap_or_default();
    (group, Fault::value("canary", format!("{what}: none of them would ever go first")))
}
