//! Looking: the device's state, read into one value before anything is decided.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use panos_xmlapi::{
    CertificateEntry, Element, Error, Fingerprint, Location, PendingChange, Reason, ServiceProfile, Session,
    StackMembers, SystemInfo, UnquotableName,
};

use super::connect::Connection;
use super::error::{Activity, InstallError};
use super::issuers::Issuers;
use super::managed;
use super::names::{ObjectName, ProfileName};
use super::objects;
use super::places::{self, Relation, Sight, relation_to};
use super::references::{self, References};
use super::request::{InstallRequest, Rebind};
use super::result::CreatedObject;
use super::suitable::{self, Named};
use super::templates::{self, Wanted};

/// What matters about a device as a whole.
#[derive(Debug, Clone)]
pub struct DeviceState {
    /// The API administrator's name, where it is known.
    pub administrator: Option<String>,
    /// Whether the device was asked for that name.
    pub asked: bool,
    /// The name that stands in the key file. It may be wrong, so the device's own word is better.
    pub user: Option<String>,
    /// Everybody's pending changes; nothing where the device keeps no journal.
    pub changes: Option<Vec<PendingChange>>,
    /// Lists of which the administrator's own changes are known to be in places of the deployment only.
    pub own_lists: Vec<String>,
}

/// What a device was seen to have and to run of one install request.
#[derive(Debug, Clone)]
pub struct CurrentInstall {
    /// Where its certificates and profiles live.
    pub place: Location,
    /// The candidate configuration.
    pub candidate: ConfigView,
    /// The running configuration: read only where the candidate has all that is wanted.
    pub running: Option<ConfigView>,
    /// Where the object that is being replaced is used besides: looked for only where that is wanted.
    pub uses: References,
    /// What a person should know of the named profiles.
    pub notes: Vec<String>,
    /// All template stacks; none where the place is no template and no stack.
    pub stacks: Vec<StackMembers>,
    /// How the intermediate certificates stand.
    pub issuers: Issuers,
}

/// The part of a configuration that matters to one install request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigView {
    /// The certificate object of the wanted name.
    pub object: Option<CertificateEntry>,
    /// All SSL/TLS service profiles.
    pub profiles: Vec<ServiceProfile>,
    /// What stands at the object and at each profile, by their paths.
    pub sights: BTreeMap<String, Sight>,
}

impl ConfigView {
    /// The fingerprint of the object's certificate, if there is one and it can be read.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let pem = self.object.as_ref()?.public_key.as_deref()?;
        crate::certificate::fingerprint_of_pem(pem).ok()
    }

    /// The profile of this name.
    #[must_use]
    pub fn profile(&self, name: &ProfileName) -> Option<&ServiceProfile> {
        self.profiles.iter().find(|profile| profile.name == name.as_str())
    }

    /// What is missing from the install request, in words; nothing where all is there.
    #[must_use]
    pub fn first_difference(&self, request: &InstallRequest, wanted: Fingerprint) -> Option<String> {
        match (&self.object, self.fingerprint()) {
            (None, _) => return Some(format!("it has no certificate '{}'", request.object)),
            (Some(_), None) => {
                return Some(format!("the certificate '{}' can't be read back", request.object));
            }
            (Some(_), Some(found)) if found != wanted => {
                return Some(format!(
                    "the certificate '{}' has the fingerprint {found}, not {wanted}",
                    request.object
                ));
            }
            (Some(_), Some(_)) => {}
        }
        self.unbound(&request.profiles, &request.object).first().map(|name| match self.profile(name) {
            None => format!("it has no SSL/TLS profile '{name}'"),
            Some(profile) => {
                let bound = profile.certificate.as_deref().unwrap_or("nothing");
                format!("the SSL/TLS profile '{name}' is bound to '{bound}', not to '{}'", request.object)
            }
        })
    }

    /// Those of these profiles that are not bound to this object.
    #[must_use]
    pub fn unbound<'a>(&self, profiles: &'a [ProfileName], object: &ObjectName) -> Vec<&'a ProfileName> {
        let bound = |name: &ProfileName| {
            self.profile(name).and_then(|profile| profile.certificate.as_deref()) == Some(object.as_str())
        };
        profiles.iter().filter(|name| !bound(name)).collect()
    }
}

impl DeviceState {
    /// The pending changes, whoever made them.
    ///
    /// # Errors
    /// A device that fails or refuses.
    pub async fn look(session: &Session, user: Option<String>) -> Result<Self, InstallError> {
        let look = InstallError::during(Activity::Looking);
        let changes = none_if_unsupported(session.pending_changes().await).map_err(look)?;
        Ok(Self { administrator: None, asked: false, user, changes, own_lists: Vec::new() })
    }

    /// Asks for the administrator's name, unless that was done before.
    ///
    /// # Errors
    /// A device that fails or refuses.
    pub async fn fetch_administrator(&mut self, session: &Session) -> Result<(), InstallError> {
        if !self.asked && self.administrator.is_none() {
            let look = InstallError::during(Activity::Looking);
            let told = none_if_unsupported(session.current_administrator().await).map_err(look)?.flatten();
            self.administrator = told.or_else(|| self.user.clone());
            self.asked = true;
        }
        Ok(())
    }

    /// The API administrator's own pending changes.
    #[must_use]
    pub fn own_changes(&self) -> Vec<&PendingChange> {
        let Some(administrator) = &self.administrator else { return Vec::new() };
        self.changes.iter().flatten().filter(|change| change.owner == *administrator).collect()
    }

    /// The same without those in these places, which a deployment is about: what a run that died has left.
    #[must_use]
    pub fn own_changes_elsewhere(&self, places: &[String]) -> Vec<&PendingChange> {
        let beside =
            |change: &&PendingChange| match relation_to(&change.xpath, places.iter().map(String::as_str)) {
                Relation::Within => false,
                Relation::Around => !self.own_lists.contains(&change.xpath),
                Relation::Apart => true,
            };
        self.own_changes().into_iter().filter(beside).collect()
    }

    /// Looks into those lists that hold places of the deployment and stand in the journal as a whole: whether they hold
    /// other changes of the administrator's as well.
    ///
    /// # Errors
    /// A device that fails or refuses.
    pub async fn look_into_lists(
        &mut self,
        session: &Session,
        places: &[String],
    ) -> Result<(), InstallError> {
        let Some(administrator) = self.administrator.clone() else { return Ok(()) };
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        let changes = self.changes.clone().unwrap_or_default();
        let around = |change: &&PendingChange| {
            change.owner == administrator
                && relation_to(&change.xpath, places.iter().copied()) == Relation::Around
        };
        for change in changes.iter().filter(around) {
            let one = std::slice::from_ref(change);
            let others = changes.iter().filter(|other| other.owner != administrator).cloned();
            let listed: Vec<PendingChange> = one.iter().cloned().chain(others).collect();
            if places::beside(session, &listed, &administrator, &places).await?.is_empty() {
                self.own_lists.push(change.xpath.clone());
            }
        }
        Ok(())
    }

    /// The pending changes of others.
    #[must_use]
    pub fn others_changes(&self) -> Vec<&PendingChange> {
        let own = self.administrator.as_deref();
        self.changes.iter().flatten().filter(|change| Some(change.owner.as_str()) != own).collect()
    }
}

/// Where an install request's certificate and profiles live on this device.
#[must_use]
pub fn place_of(request: &InstallRequest, system: &SystemInfo) -> Location {
    resolved(&request.location, system)
}

/// Where a location is on this device: a managed firewall's requests are answered by itself.
#[must_use]
pub fn resolved(location: &Location, system: &SystemInfo) -> Location {
    match location {
        Location::Shared => system.default_location(),
        Location::Managed(_) => Location::Shared,
        other => other.clone(),
    }
}

/// The places that an install request is about, as they stand in a device's journal of changes.
///
/// # Errors
/// A name with both kinds of quotes.
pub fn places_of(request: &InstallRequest, system: &SystemInfo) -> Result<Vec<String>, UnquotableName> {
    let place = place_of(request, system);
    let object = place.certificate(request.object.as_str());
    let profiles = request.profiles.iter().map(|name| place.profile(name.as_str()));
    std::iter::once(object).chain(profiles).map(|path| path.map(|path| path.to_string())).collect()
}

/// What the device has and runs of an install request.
///
/// # Errors
/// A name the device could not take; a profile that is not there; a device that fails or refuses.
pub async fn observe(
    connection: &Connection,
    request: &InstallRequest,
    wanted: Fingerprint,
    made: &[CreatedObject],
) -> Result<CurrentInstall, InstallError> {
    let Connection { session, system, predefined, .. } = connection;
    suitable::check_device(system)?;
    suitable::check_location(&request.location, system)?;
    let limit = system.name_limit();
    if request.object.as_str().len() > limit {
        return Err(InstallError::NameTooLong { name: request.object.clone(), limit });
    }
    let place = place_of(request, system);
    let of_template = templates::look(session, Wanted::of(request), &place).await?;
    let is_known = made.iter().any(|made| made.object == request.object);
    let candidate = view(session, &place, request, is_known).await?;
    let named = Named { profiles: &request.profiles, place: &place, object: Some(&request.object) };
    managed::check_no_upload(request, candidate.fingerprint() == Some(wanted))?;
    let mut found = suitable::look(session, named, &candidate.profiles, predefined).await?;
    found.notes.extend(of_template.notes);
    if let Some(before) = &candidate.object
        && (candidate.fingerprint() != Some(wanted) || before.template.is_some())
    {
        suitable::check_object(session, &place, &request.object, before).await?;
    }
    if let Some(unsuitable) = found.unsuitable.into_iter().next() {
        return Err(unsuitable.into());
    }
    let running = match candidate.first_difference(request, wanted) {
        None => Some(running(session, &place, request).await?),
        Some(_) => None,
    };
    if request.profiles.iter().any(|name| candidate.profile(name).is_none()) {
        return Err(elsewhere(session, request, &place, &candidate).await);
    }
    let uses = match request.rebind {
        Rebind::Named => References::default(),
        Rebind::WhereUsed => {
            let replaced = replaced(request, &candidate, made);
            let mut uses = references::find(session, &place, &replaced, &request.object).await?;
            uses.others.extend(references::supplied(&candidate.profiles, &replaced));
            uses
        }
    };
    let (notes, stacks, issuers) = (found.notes, of_template.stacks, Issuers::default());
    Ok(CurrentInstall { place, candidate, running, uses, notes, stacks, issuers })
}

/// A missing profile is often one of a virtual system, or of the device as a whole: then it is said where it is.
async fn elsewhere(
    session: &Session,
    request: &InstallRequest,
    place: &Location,
    candidate: &ConfigView,
) -> InstallError {
    let missing: Vec<ProfileName> =
        request.profiles.iter().filter(|name| candidate.profile(name).is_none()).cloned().collect();
    let known = candidate.profiles.iter().map(|profile| profile.name.clone()).collect();
    let found = references::places_with_profile(session, place, &missing).await.unwrap_or_default();
    InstallError::ProfilesMissing { missing, known, elsewhere: found }
}

/// The names of the objects that are being replaced: what the named profiles present now, and what this
/// program installed last.
#[must_use]
pub fn replaced(request: &InstallRequest, candidate: &ConfigView, made: &[CreatedObject]) -> Vec<String> {
    let bound = request.profiles.iter().filter_map(|name| candidate.profile(name)?.certificate.clone());
    let last = made.last().map(|made| made.object.to_string());
    let mut names: Vec<String> = bound.chain(last).filter(|name| name != request.object.as_str()).collect();
    names.sort();
    names.dedup();
    names
}

/// Commands that old releases don't have are answered with codes 1, 12 or 17.
pub(super) fn none_if_unsupported<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Refused(refusal))
            if matches!(refusal.reason, Reason::UnknownCommand | Reason::Invalid) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The candidate configuration, as far as it matters.
///
/// # Errors
/// A device that fails or refuses.
pub async fn candidate(
    session: &Session,
    place: &Location,
    request: &InstallRequest,
) -> Result<ConfigView, InstallError> {
    view(session, place, request, true).await
}

/// As [`candidate`]. Whether the object is known decides what is asked first, and so how many requests it takes; not what
/// is found.
async fn view(
    session: &Session,
    place: &Location,
    request: &InstallRequest,
    is_known: bool,
) -> Result<ConfigView, InstallError> {
    let look = InstallError::during(Activity::Looking);
    let at = place.certificate(request.object.as_str())?;
    let object = match is_known {
        true => objects::candidate(session, &at).await,
        false => objects::candidate_of_new(session, &at).await,
    };
    let object = object.map_err(look)?;
    let profiles = session.get(&place.profiles()).await.map_err(look)?;
    let mut sights = BTreeMap::new();
    sights.insert(at.to_string(), Sight::of(object.as_ref()));
    let mut holdings = holdings(object, profiles.as_ref());
    for profile in &holdings.profiles {
        let sight = Sight::of_entry(profiles.as_ref(), &profile.name);
        // A profile of an unspeakable name is none that could be bound.
        sights.extend(place.profile(&profile.name).ok().map(|at| (at.to_string(), sight)));
    }
    holdings.sights = sights;
    Ok(holdings)
}

/// The running configuration, as far as it matters.
///
/// # Errors
/// A device that fails or refuses.
pub async fn running(
    session: &Session,
    place: &Location,
    request: &InstallRequest,
) -> Result<ConfigView, InstallError> {
    let prove = InstallError::during(Activity::Proving);
    let object =
        objects::running(session, &place.certificate(request.object.as_str())?).await.map_err(prove)?;
    let profiles = match request.profiles.is_empty() {
        true => None,
        false => session.show(&place.profiles()).await.map_err(prove)?,
    };
    Ok(holdings(object, profiles.as_ref()))
}

/// When the first of the certificates ends that the profiles present instead of this one; nothing where one of them presents
/// nothing that can be read.
///
/// # Errors
/// A device that fails or refuses.
pub async fn presented_until(
    session: &Session,
    place: &Location,
    request: &InstallRequest,
    wanted: Fingerprint,
) -> Result<Option<DateTime<Utc>>, InstallError> {
    let now = running(session, place, request).await?;
    let mut first: Option<DateTime<Utc>> = None;
    for name in &request.profiles {
        let bound = now.profile(name).and_then(|profile| profile.certificate.as_deref());
        let end = match bound {
            None => None,
            Some(bound) if bound == request.object.as_str() => {
                if now.fingerprint() == Some(wanted) {
                    continue;
                }
                end_of(now.object.as_ref())
            }
            Some(bound) => {
                let at = place.certificate(bound)?;
                let found =
                    objects::running(session, &at).await.map_err(InstallError::during(Activity::Proving))?;
                end_of(
                    found
                        .as_ref()
                        .and_then(|found| CertificateEntry::read_all(found).into_iter().next())
                        .as_ref(),
                )
            }
        };
        let Some(end) = end else { return Ok(None) };
        first = Some(first.map_or(end, |first| first.min(end)));
    }
    Ok(first)
}

fn end_of(object: Option<&CertificateEntry>) -> Option<DateTime<Utc>> {
    crate::certificate::end_of_pem(object?.public_key.as_deref()?).ok()
}

fn holdings(object: Option<Element>, profiles: Option<&Element>) -> ConfigView {
    ConfigView {
        object: object.and_then(|result| CertificateEntry::read_all(&result).into_iter().next()),
        profiles: profiles.map(ServiceProfile::read_all).unwrap_or_default(),
        sights: BTreeMap::new(),
    }
}
