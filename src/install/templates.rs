//! Templates and template stacks of a Panorama: whether the one that is named is there, and whose objects the firewalls
//! get where several have one of the same name.
//!
//! An upload into a template of an unknown name makes a new, empty template (seen on 9.1), so the name is looked up
//! before anything is sent. Of what a stack and its templates define, a firewall gets the stack's own object, else that
//! of the first template that has one; Panorama does not tell of the others.

use panos_xmlapi::{Location, Session, StackMembers, StackName, TemplateName, XPath};

use super::error::{Activity, InstallError};
use super::names::{ObjectName, ProfileName};
use super::request::{InstallRequest, PushPolicy, StacksToPush};
use super::unsuitable::Unsuitable;

const TEMPLATE: &str = "template";
const STACK: &str = "template-stack";

/// What is to be installed in a template or stack.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The certificate object, where its name is known.
    pub object: Option<&'a ObjectName>,
    /// The profiles.
    pub profiles: &'a [ProfileName],
    /// What is pushed.
    pub push: &'a PushPolicy,
}

impl<'a> Wanted<'a> {
    /// What an install request is about.
    #[must_use]
    pub fn of(request: &'a InstallRequest) -> Self {
        Self { object: Some(&request.object), profiles: &request.profiles, push: &request.push }
    }
}

/// An object of the run by its kind and name, and where it stands in the place.
struct Named {
    words: String,
    at: XPath,
}

/// Where objects of the same name are besides the place of the run.
struct SameNames<'a> {
    session: &'a Session,
    place: &'a Location,
    /// The stacks whose firewalls get what is in the place.
    stacks: Vec<&'a StackMembers>,
    /// Which of these the run is about.
    counts: Box<dyn Fn(&StackMembers) -> bool + 'a>,
}

/// What was found of the template or the stack of a place; nothing for places without templates.
#[derive(Debug, Default)]
pub struct Found {
    /// What a person should know.
    pub notes: Vec<String>,
    /// All template stacks.
    pub stacks: Vec<StackMembers>,
}

/// Looks whether the template or the stack is there, and whether its objects win on the firewalls. Places without
/// templates need neither.
///
/// # Errors
/// No template or stack of this name; an object that would not reach the firewalls; a device that fails or refuses.
pub async fn look(session: &Session, wanted: Wanted<'_>, place: &Location) -> Result<Found, InstallError> {
    if place.template_entry().is_none() {
        return Ok(Found::default());
    }
    check_there(session, place).await?;
    let known = session.template_stacks().await.map_err(InstallError::during(Activity::Looking))?;
    check_unambiguous(&known, place)?;
    let counts = Box::new(|stack: &StackMembers| is_pushed(wanted.push, stack));
    let stacks = known.iter().filter(|stack| place.is_in_stack(&stack.name, &stack.templates)).collect();
    let others = SameNames { session, place, stacks, counts };
    let mut notes = Vec::new();
    if let Some(object) = wanted.object {
        let words = format!("the certificate '{object}'");
        notes.extend(others.of(&Named { words, at: place.certificate(object.as_str())? }).await?);
    }
    for name in wanted.profiles {
        let words = format!("the SSL/TLS service profile '{name}'");
        notes.extend(others.of(&Named { words, at: place.profile(name.as_str())? }).await?);
    }
    notes.extend(management(session, wanted, place).await?);
    drop(others);
    Ok(Found { notes, stacks: known })
}

/// Whether the stack is one of those that this run pushes, or that a person is to push.
fn is_pushed(policy: &PushPolicy, stack: &StackMembers) -> bool {
    let is_named = match &policy.stacks {
        StacksToPush::Named(names) => names.iter().any(|name| name.as_str() == stack.name),
        StacksToPush::AllOfTemplate | StacksToPush::Nothing => true,
    };
    let is_meant = |serial: &String| policy.only.iter().any(|only| only.as_str() == serial);
    is_named && (policy.only.is_empty() || stack.devices.iter().any(is_meant))
}

/// Refuses a template or a stack that Panorama does not have.
///
/// # Errors
/// No template or stack of this name; a device that fails or refuses.
pub async fn check_there(session: &Session, place: &Location) -> Result<(), InstallError> {
    let Some((kind, name)) = place.commit_scope() else { return Ok(()) };
    let known = names(session, kind).await?;
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    let other = if kind == STACK { TEMPLATE } else { STACK };
    let is_other = names(session, other).await?.iter().any(|known| known == name);
    Err(Unsuitable::NoTemplate { is_stack: kind == STACK, name: name.to_owned(), known, is_other }.into())
}

/// Refuses a name that both a template and a stack have, as far as the stacks tell: an upload into either names nothing
/// else, so it might land in the other one.
fn check_unambiguous(known: &[StackMembers], place: &Location) -> Result<(), Unsuitable> {
    let Some((kind, name)) = place.commit_scope() else { return Ok(()) };
    let is_shared = match kind {
        STACK => known.iter().flat_map(|stack| &stack.templates).any(|template| template == name),
        _ => known.iter().any(|stack| stack.name == name),
    };
    if is_shared { Err(Unsuitable::AmbiguousTemplate(name.to_owned())) } else { Ok(()) }
}

/// The names of all templates, or of all stacks.
async fn names(session: &Session, kind: &str) -> Result<Vec<String>, InstallError> {
    let path = XPath::device().step(kind).step("entry").step("@name");
    let entries = session.get_all(&path).await.map_err(InstallError::during(Activity::Looking))?;
    Ok(entries.iter().filter_map(|entry| entry.attribute("name").map(str::to_owned)).collect())
}

impl SameNames<'_> {
    /// Who else has an object of this name in one of the stacks, in words.
    ///
    /// # Errors
    /// One that wins over the place of the run; a device that fails or refuses.
    async fn of(&self, named: &Named) -> Result<Vec<String>, InstallError> {
        let mut notes = Vec::new();
        let in_stacks = self.has_any(STACK, named).await?;
        let in_templates = self.has_any(TEMPLATE, named).await?;
        if !in_stacks && !in_templates {
            return Ok(notes);
        }
        for stack in &self.stacks {
            let by_stack = std::iter::once((STACK, stack.name.as_str())).filter(|_| in_stacks);
            let by_templates = stack.templates.iter().map(|name| (TEMPLATE, name.as_str()));
            let by_templates = by_templates.filter(|_| in_templates);
            let mut is_above = true;
            for (kind, name) in by_stack.chain(by_templates) {
                if self.is_own(kind, name) {
                    is_above = false;
                } else if self.is_in(kind, name, named).await? {
                    let by = format!("{} '{name}'", in_words(kind));
                    match (is_above && !self.is_stack(), (self.counts)(stack)) {
                        (true, true) => {
                            let (what, stack) = (named.words.clone(), stack.name.clone());
                            return Err(Unsuitable::Outranked { what, by, stack }.into());
                        }
                        (true, false) => notes.push(format!(
                            "WARNING: {by} has {} too and outranks this one in the template stack '{}', which is not pushed by this run.",
                            named.words, stack.name
                        )),
                        (false, _) => notes.push(format!(
                            "Note: {by} has {} too; this one outranks it in the template stack '{}'.",
                            named.words, stack.name
                        )),
                    }
                }
            }
        }
        Ok(notes)
    }

    fn is_stack(&self) -> bool {
        matches!(self.place, Location::TemplateStack(_))
    }

    fn is_own(&self, kind: &str, name: &str) -> bool {
        self.place.commit_scope() == Some((kind, name))
    }

    /// Whether any template or stack but the place itself has it: one question for all of them.
    async fn has_any(&self, kind: &str, named: &Named) -> Result<bool, InstallError> {
        let all = self.path(&format!("{}/entry", XPath::device().step(kind)), named).step("@name");
        let found = self.session.get_all(&all).await.map_err(InstallError::during(Activity::Looking))?;
        let is_own_kind = self.place.commit_scope().is_some_and(|(own, _)| own == kind);
        match found.len() {
            0 => Ok(false),
            // It may be the one in the place.
            1 if is_own_kind => {
                let own = self.session.get(&named.at.clone().step("@name")).await;
                Ok(own.map_err(InstallError::during(Activity::Looking))?.is_none())
            }
            _ => Ok(true),
        }
    }

    async fn is_in(&self, kind: &str, name: &str, named: &Named) -> Result<bool, InstallError> {
        let entry = XPath::device().step(kind).entry(name)?;
        let at = self.path(entry.as_str(), named).step("@name");
        let found = self.session.get_all(&at).await.map_err(InstallError::during(Activity::Looking))?;
        Ok(!found.is_empty())
    }

    /// The object's path below another template or stack.
    fn path(&self, entry: &str, named: &Named) -> XPath {
        let own = self.place.template_entry();
        let inside = own.and_then(|own| named.at.as_str().strip_prefix(own.as_str()).map(str::to_owned));
        XPath::absolute(&format!("{entry}{}", inside.unwrap_or_default()))
    }
}

fn in_words(kind: &str) -> &'static str {
    if kind == STACK { "the template stack" } else { "the template" }
}

/// What the firewalls' management interfaces show after a push, and which certificate their API keys depend on.
async fn management(
    session: &Session,
    wanted: Wanted<'_>,
    place: &Location,
) -> Result<Vec<String>, InstallError> {
    let looking = InstallError::during(Activity::Looking);
    let system = place.device().step("deviceconfig");
    let keys = ["setting", "management", "api", "key", "certificate"];
    let keys = keys.iter().fold(system.clone(), |path, step| path.step(step));
    let named = session.get(&keys).await.map_err(looking)?;
    let named = named.map(|named| named.text().trim().to_owned());
    if let Some(object) = wanted.object.filter(|object| Some(object.as_str()) == named.as_deref()) {
        return Err(Unsuitable::ForApiKeys(object.clone()).into());
    }
    let bound = session.get(&system.step("system").step("ssl-tls-service-profile")).await.map_err(looking)?;
    let Some(bound) = bound.map(|bound| bound.text().trim().to_owned()) else { return Ok(Vec::new()) };
    let is_it = wanted.profiles.iter().any(|name| name.as_str() == bound);
    Ok(is_it
        .then(|| {
            format!(
                "WARNING: the firewalls' management interfaces use the SSL/TLS service profile '{bound}': after a push they show the new certificate, and whoever has pinned the old one does not recognise them any more."
            )
        })
        .into_iter()
        .collect())
}

/// The shared parts of all templates and stacks of a Panorama.
///
/// # Errors
/// A name that no path can express; a device that fails or refuses.
pub async fn all(session: &Session) -> Result<Vec<Location>, InstallError> {
    let mut all = Vec::new();
    for name in names(session, TEMPLATE).await? {
        all.push(Location::Template(TemplateName::told(&name)?));
    }
    for name in names(session, STACK).await? {
        all.push(Location::TemplateStack(StackName::told(&name)?));
    }
    Ok(all)
}

/// The templates and stacks that have a profile of this name in their shared part, in words.
///
/// # Errors
/// A name that no path can express; a device that fails or refuses.
pub async fn with_profile(
    session: &Session,
    place: &Location,
    profile: &str,
) -> Result<Vec<String>, InstallError> {
    let looking = InstallError::during(Activity::Looking);
    let mut found = Vec::new();
    for other in all(session).await?.into_iter().filter(|other| other != place) {
        let at = other.profile(profile)?.step("@name");
        if !session.get_all(&at).await.map_err(looking)?.is_empty() {
            found.push(format!("'{profile}' is in {other}"));
        }
    }
    Ok(found)
}
