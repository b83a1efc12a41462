//! What `--where-used` has given the new certificate besides the named profiles, as the firewalls get it.

use panos_xmlapi::{Location, ServiceProfile, Session, StackMembers, XPath};

use super::error::{Activity, InstallError};
use super::push::{Rebound, on_firewall};
use super::references::virtual_systems;
use super::request::{InstallRequest, Rebind};

/// All of them in Panorama's running configuration; none where only the named ones are rebound.
///
/// # Errors
/// A name with both kinds of quotes; a Panorama that fails or refuses.
pub async fn look(
    session: &Session,
    place: &Location,
    request: &InstallRequest,
    stacks: &[StackMembers],
) -> Result<Vec<Rebound>, InstallError> {
    let mut found = Vec::new();
    if request.rebind == Rebind::Named || place.template_entry().is_none() {
        return Ok(found);
    }
    let looking = InstallError::during(Activity::Proving);
    let mut lists = vec![(on_firewall(place), place.profiles())];
    if matches!(place, Location::Template(_) | Location::TemplateStack(_)) {
        for (base, name) in virtual_systems(session, &place.device()).await? {
            let own = base.clone().step("certificate").entry(request.object.as_str())?;
            let Ok(vsys) = name.parse() else { continue };
            // There the name means the virtual system's own certificate.
            if session.show(&own).await.map_err(looking)?.is_none() {
                lists.push((Location::Vsys(vsys), base.step("ssl-tls-service-profile")));
            }
        }
    }
    for (at, list) in lists {
        let shown = session.show(&list).await.map_err(looking)?;
        for profile in shown.iter().flat_map(ServiceProfile::read_all) {
            let is_bound = profile.certificate.as_deref() == Some(request.object.as_str());
            let is_named = at == on_firewall(place)
                && request.profiles.iter().any(|named| named.as_str() == profile.name);
            if is_bound && !is_named && profile.template.is_none() {
                let path = list.clone().entry(&profile.name)?;
                let outranked_in = outranked(session, place, &path, stacks).await?;
                found.push(Rebound { at: at.clone(), profile: profile.name, outranked_in });
            }
        }
    }
    Ok(found)
}

/// The stacks in which what outranks this place has something at this path.
async fn outranked(
    session: &Session,
    place: &Location,
    path: &XPath,
    stacks: &[StackMembers],
) -> Result<Vec<String>, InstallError> {
    let (Some(entry), Some(("template", own))) = (place.template_entry(), place.commit_scope()) else {
        return Ok(Vec::new());
    };
    let Some(below) = path.as_str().strip_prefix(entry.as_str()) else { return Ok(Vec::new()) };
    let mut by = Vec::new();
    for stack in stacks.iter().filter(|stack| place.is_in_stack(&stack.name, &stack.templates)) {
        let above = stack.templates.iter().take_while(|template| *template != own);
        let above = above.map(|template| ("template", template));
        for (kind, name) in std::iter::once(("template-stack", &stack.name)).chain(above) {
            let entry = XPath::device().step(kind).entry(name)?;
            let at = XPath::absolute(&format!("{}{below}", entry.as_str()));
            let shown = session.show(&at).await.map_err(InstallError::during(Activity::Proving))?;
            if shown.is_some() {
                by.push(stack.name.clone());
                break;
            }
        }
    }
    Ok(by)
}
