//! The places that a deployment changes: what stands there, and whose change it is.
//!
//! A device's list of pending changes leads to the list that holds an object, to the object, or to the smallest thing
//! in it, depending on the release, and may leave uploads out. So it only says where to look. What decides is whether
//! the candidate configuration differs from the running one in the place itself, and the marks that it carries there.

use std::collections::BTreeMap;

use panos_xmlapi::{Element, Fingerprint, PendingChange, Session, XPath};

use super::change::Change;
use super::error::{Activity, InstallError};
use super::objects;
use crate::certificate::fingerprint_of_pem;

/// Who has changed something that is not committed, and when, as the candidate configuration is marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The administrator.
    pub administrator: String,
    /// The device's time.
    pub time: Option<String>,
}

/// What stands at a place, as far as it can be compared: without marks, and without private keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// All of it in one text; empty where there is nothing.
    pub content: String,
    /// Who has changed anything in it.
    pub marks: Vec<Mark>,
    /// Whether a Panorama's template supplies it.
    pub is_supplied: bool,
    certificate: Option<Fingerprint>,
    texts: BTreeMap<String, String>,
}

/// A place of a deployment as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Where.
    pub at: XPath,
    /// What stood there in the candidate configuration.
    pub before: Sight,
    /// What a step makes of it; nothing where no step does.
    pub change: Option<Change>,
}

/// Where a pending change lies, seen from a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is the place, or lies in it.
    Within,
    /// It is a list or the like that holds the place: perhaps it is there.
    Around,
    /// It is somewhere else.
    Apart,
}

/// Where a path of the list of pending changes lies, seen from a place.
#[must_use]
pub fn relation(changed: &str, place: &str) -> Relation {
    let (changed, place) = (changed.replace('"', "'"), place.replace('"', "'"));
    let leads_on = |rest: &str| rest.is_empty() || rest.starts_with(['/', '[']);
    if changed.strip_prefix(&place).is_some_and(leads_on) {
        Relation::Within
    } else if place.strip_prefix(&changed).is_some_and(|rest| changed.is_empty() || leads_on(rest)) {
        Relation::Around
    } else {
        Relation::Apart
    }
}

/// The nearest relation to any of these places.
pub fn relation_to<'p>(changed: &str, places: impl IntoIterator<Item = &'p str>) -> Relation {
    let mut nearest = Relation::Apart;
    for place in places {
        match relation(changed, place) {
            Relation::Within => return Relation::Within,
            Relation::Around => nearest = Relation::Around,
            Relation::Apart => {}
        }
    }
    nearest
}

impl Sight {
    /// What a request for the place has brought.
    #[must_use]
    pub fn of(element: Option<&Element>) -> Self {
        let Some(element) = element else { return Self::default() };
        let mut marks = Vec::new();
        all_marks(element, &mut marks);
        Self {
            content: canonical(element),
            marks,
            is_supplied: element.template().is_some(),
            certificate: element.text_of("public-key").and_then(|pem| fingerprint_of_pem(&pem).ok()),
            texts: element.children().map(|child| (child.name.clone(), child.text())).collect(),
        }
    }

    /// One entry of a list that was read as a whole.
    #[must_use]
    pub fn of_entry(list: Option<&Element>, name: &str) -> Self {
        let is_it = |entry: &&Element| entry.attribute("name") == Some(name);
        Self::of(list.and_then(|list| list.children_named("entry").find(is_it)))
    }

    /// Whether there is anything.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !self.content.is_empty()
    }

    /// Whether it holds a certificate that can be read.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// The text of an element in it.
    #[must_use]
    pub fn text(&self, element: &str) -> Option<&str> {
        self.texts.get(element).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Whether it is what this change makes of it.
    #[must_use]
    pub fn is(&self, change: &Change) -> bool {
        match change {
            Change::Holds(certificate) => self.certificate == Some(*certificate),
            Change::Names { element, object } => self.text(element) == Some(object),
            Change::Gone => !self.is_there(),
        }
    }
}

/// An element in one text, whatever the order in it, without marks and private keys.
fn canonical(element: &Element) -> String {
    let children = element.children().filter(|child| child.name != "private-key");
    let mut inner: Vec<String> = children.map(canonical).collect();
    inner.sort();
    let name = element.attribute("name").unwrap_or_default();
    format!("<{} {name:?}>{:?}{}</>", element.name, element.text().trim(), inner.concat())
}

/// What stands at a place of the candidate configuration.
///
/// # Errors
/// A device that fails or refuses.
pub async fn candidate(session: &Session, at: &XPath) -> Result<Sight, InstallError> {
    let element = objects::candidate(session, at).await.map_err(InstallError::during(Activity::Looking))?;
    Ok(Sight::of(element.as_ref()))
}

/// The same of a certificate object that is hardly there.
///
/// # Errors
/// A device that fails or refuses.
pub async fn candidate_of_new(session: &Session, at: &XPath) -> Result<Sight, InstallError> {
    let found = objects::candidate_of_new(session, at).await;
    let element = found.map_err(InstallError::during(Activity::Looking))?;
    Ok(Sight::of(element.as_ref()))
}

/// What stands at a place of the running configuration.
///
/// # Errors
/// A device that fails or refuses.
pub async fn running(session: &Session, at: &XPath) -> Result<Sight, InstallError> {
    let element = objects::running(session, at).await.map_err(InstallError::during(Activity::Looking))?;
    Ok(Sight::of(element.as_ref()))
}

/// Of an administrator's pending changes, where those are that have nothing to do with these places. What the device
/// lists for a whole list of objects is looked at: only where nothing else in it may be his it does not count.
///
/// # Errors
/// A device that fails or refuses.
pub async fn beside(
    session: &Session,
    changes: &[PendingChange],
    administrator: &str,
    places: &[&str],
) -> Result<Vec<String>, InstallError> {
    let (mut found, mut looked_at) = (Vec::new(), Vec::new());
    for change in changes.iter().filter(|change| change.owner == administrator) {
        match relation_to(&change.xpath, places.iter().copied()) {
            Relation::Within => {}
            Relation::Apart => found.push(change.xpath.clone()),
            Relation::Around if looked_at.contains(&change.xpath) => {}
            Relation::Around => {
                looked_at.push(change.xpath.clone());
                let shared =
                    changes.iter().any(|other| other.owner != administrator && other.xpath == change.xpath);
                if holds_more_of(session, &change.xpath, administrator, places, shared).await? {
                    found.push(change.xpath.clone());
                }
            }
        }
    }
    Ok(found)
}

/// Whether a revert of an administrator's changes would take more than these places. Some devices do not list uploads:
/// where certificates are among the places and nothing is listed for them, their list is looked into all the same.
///
/// # Errors
/// A device that fails or refuses.
pub async fn more_of(
    session: &Session,
    changes: &[PendingChange],
    administrator: &str,
    places: &[&str],
) -> Result<bool, InstallError> {
    if !beside(session, changes, administrator, places).await?.is_empty() {
        return Ok(true);
    }
    let own = || changes.iter().filter(|change| change.owner == administrator);
    for place in places {
        let Some((list, _)) = place.rsplit_once("/entry[") else { continue };
        let is_listed = own().any(|change| relation(&change.xpath, place) != Relation::Apart);
        if list.ends_with("/certificate") && !is_listed {
            let shared = changes.iter().any(|other| other.owner != administrator);
            return holds_more_of(session, list, administrator, places, shared).await;
        }
    }
    Ok(false)
}

/// Whether a part of the candidate configuration differs from the running one, besides these places, by changes that
/// may be this administrator's: marked as such, or not marked where nobody else has changed anything there.
///
/// # Errors
/// A device that fails or refuses.
pub async fn holds_more_of(
    session: &Session,
    list: &str,
    administrator: &str,
    places: &[&str],
    shared: bool,
) -> Result<bool, InstallError> {
    let looking = InstallError::during(Activity::Looking);
    let at = XPath::absolute(list);
    let candidate = session.get(&at).await.map_err(looking)?;
    let running = session.show(&at).await.map_err(looking)?;
    let now = items(candidate.as_ref(), list, places);
    let mut before = items(running.as_ref(), list, places);
    for (path, (content, marks)) in now {
        if before.remove(&path).is_some_and(|(runs, _)| runs == content) {
            continue;
        }
        // A change without a mark is anybody's.
        if marks.is_empty() || marks.iter().any(|mark| mark.administrator == administrator) {
            return Ok(true);
        }
    }
    // Deleted, and nothing is left that could tell by whom.
    Ok(!before.is_empty() && !shared)
}

/// The objects in a list, without these places, each with its content and whoever has marked it.
fn items(holder: Option<&Element>, list: &str, places: &[&str]) -> Items {
    let mut found = Items::new();
    if let Some(holder) = holder {
        collect(holder, list, places, &mut found);
    }
    found
}

/// By their paths, their contents and whoever has marked them.
type Items = BTreeMap<String, (String, Vec<Mark>)>;

fn collect(holder: &Element, path: &str, places: &[&str], found: &mut Items) {
    // What a template of Panorama supplies is no change of anybody's here.
    for child in holder.children().filter(|child| child.template().is_none()) {
        let path = match child.attribute("name") {
            Some(name) if name.contains('\'') => format!("{path}/{}[@name=\"{name}\"]", child.name),
            Some(name) => format!("{path}/{}[@name='{name}']", child.name),
            None => format!("{path}/{}", child.name),
        };
        match relation_to(&path, places.iter().copied()) {
            Relation::Within => {}
            Relation::Around => collect(child, &path, places, found),
            Relation::Apart => {
                let mut marks = Vec::new();
                all_marks(child, &mut marks);
                found.insert(path, (canonical(child), marks));
            }
        }
    }
}

fn all_marks(element: &Element, found: &mut Vec<Mark>) {
    found.extend(element.attribute("admin").map(|administrator| Mark {
        administrator: administrator.to_owned(),
        time: element.attribute("time").map(str::to_owned),
    }));
    element.children().for_each(|child| all_marks(child, found));
}
