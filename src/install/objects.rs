//! Reading a certificate object without its private key.
//!
//! With the default master key, the blob that stands for a private key in the configuration is as good as the key. So
//! an object is not read as a whole, but only its certificate.

use panos_xmlapi::{Element, Error, Session, XPath};

/// The certificate object at this path of the candidate configuration: its name, its certificate, and whose change it
/// is. One that has no certificate (a request that is still open) has a name only.
///
/// # Errors
/// What every request can end in.
pub(super) async fn candidate(session: &Session, at: &XPath) -> Result<Option<Element>, Error> {
    let Some((list, name)) = parts(at) else { return session.get(at).await };
    match certificate(session, at, &name).await? {
        None => Ok(is_in(session, list, &name).await?.then(|| entry(&name))),
        found => Ok(found),
    }
}

/// The same for an object that is hardly there: then the names in its list are all that is asked for.
///
/// # Errors
/// What every request can end in.
pub(super) async fn candidate_of_new(session: &Session, at: &XPath) -> Result<Option<Element>, Error> {
    let Some((list, name)) = parts(at) else { return session.get(at).await };
    if !is_in(session, list, &name).await? {
        return Ok(None);
    }
    Ok(Some(certificate(session, at, &name).await?.unwrap_or_else(|| entry(&name))))
}

async fn certificate(session: &Session, at: &XPath, name: &str) -> Result<Option<Element>, Error> {
    Ok(session.get(&at.clone().step("public-key")).await?.map(|found| object(found, name)))
}

async fn is_in(session: &Session, list: XPath, name: &str) -> Result<bool, Error> {
    let entries = session.get_all(&list.step("entry").step("@name")).await?;
    Ok(entries.iter().any(|entry| entry.attribute("name") == Some(name)))
}

/// The same of the running configuration; one that has no certificate is none there.
///
/// # Errors
/// What every request can end in.
pub(super) async fn running(session: &Session, at: &XPath) -> Result<Option<Element>, Error> {
    let Some((_, name)) = parts(at) else { return session.show(at).await };
    Ok(session.show(&at.clone().step("public-key")).await?.map(|found| object(found, &name)))
}

/// The list and the name, where the path leads to a certificate object.
fn parts(at: &XPath) -> Option<(XPath, String)> {
    let (list, name) = at.as_str().rsplit_once("/entry[@name=")?;
    let name = name.strip_suffix(']')?;
    let name = name.get(1..name.len().checked_sub(1)?)?;
    list.ends_with("/certificate").then(|| (XPath::absolute(list), name.to_owned()))
}

fn entry(name: &str) -> Element {
    let mut entry = Element::new("entry");
    entry.attributes.push(("name".to_owned(), name.to_owned()));
    entry
}

/// What was found is marked like the object that it is in.
fn object(found: Element, name: &str) -> Element {
    // Some answer with the object all the same.
    if found.name == "entry" {
        return found;
    }
    let mut entry = entry(name);
    entry.attributes.extend(found.attributes.iter().cloned());
    entry.with(found)
}
