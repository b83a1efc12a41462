//! Who uses a certificate or a profile by its name.

use crate::{
    refusal::Refusal,
    xml::{Element, Path, Step},
};

/// A place that names a certificate.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) path: Path,
    /// The name it holds.
    pub(crate) name: String,
}

impl Place {
    /// The way devices write it in messages: ` shared -> ssl-tls-service-profile -> P -> …`.
    pub(crate) fn words(&self) -> String {
        let mut words: Vec<&str> = self.path.steps.iter().map(Step::word).collect();
        // A list's item is the name itself; the message says where it stands.
        if matches!(self.path.steps.last(), Some(Step::Text(..) | Step::Entry(..))) {
            words.pop();
        }
        words.retain(|word| !["config", "devices", "localhost.localdomain"].contains(word));
        format!(" {}", words.join(" -> "))
    }
}

/// Leaves that hold a certificate's name, wherever they stand.
const LEAVES: [&str; 11] = [
    "certificate",
    "local-certificate",
    "client-certificate",
    "cookie-encryption-certificate",
    "satellite-certificate",
    "ssl-inbound-inspection",
    "ocsp-verify-cert",
    "signing-certificate",
    "request-signing-certificate",
    "cookie-encrypt-decrypt-cert",
    "issuing-certificate",
];

/// Leaves that hold one only below this parent.
const BELOW: [(&str, &str); 2] = [("local-certificate", "name"), ("client-certificate", "local")];

/// Lists of names, and the two-way choices between an RSA and an ECDSA certificate.
const PARENTS: [&str; 7] = [
    "trusted-root-CA",
    "ssl-exclude-cert",
    "certificates",
    "CA",
    "root-ca",
    "forward-trust-certificate",
    "forward-untrust-certificate",
];

/// All places that name a certificate.
pub(crate) fn refer_to_certificate(tree: &Element) -> Vec<Place> {
    places(tree, &|element, parent| {
        let text = element.text.trim();
        let is_leaf = element.children.is_empty() && !text.is_empty();
        match element.get("name") {
            Some(name) => ["CA", "root-ca", "ssl-exclude-cert"].contains(&parent).then(|| name.to_owned()),
            None if is_leaf
                && (LEAVES.contains(&element.name.as_str())
                    || PARENTS.contains(&parent)
                    || BELOW.contains(&(parent, element.name.as_str()))) =>
            {
                Some(text.to_owned())
            }
            None => None,
        }
    })
}

/// All places that name an SSL/TLS service profile.
pub(crate) fn refer_to_profile(tree: &Element) -> Vec<Place> {
    places(tree, &|element, _| {
        let text = element.text.trim();
        (element.name == "ssl-tls-service-profile" && !text.is_empty()).then(|| text.to_owned())
    })
}

/// Says which name an element holds, if it is a reference; the second is its parent's name.
type Rule<'a> = &'a dyn Fn(&Element, &str) -> Option<String>;

fn places(tree: &Element, rule: Rule<'_>) -> Vec<Place> {
    let mut found = Vec::new();
    walk(tree, &Path::of(vec![Step::to(tree)]), rule, &mut found);
    found
}

fn walk(element: &Element, path: &Path, rule: Rule<'_>, found: &mut Vec<Place>) {
    for child in &element.children {
        let below = path.then(Step::to(child));
        if let Some(name) = rule(child, &element.name) {
            found.push(Place { path: below.clone(), name });
        }
        walk(child, &below, rule, found);
    }
}

/// What kind of named object a path leads to.
fn kind(path: &Path) -> Option<(&'static str, Path)> {
    let (_, above) = path.steps.split_last()?;
    let (list, base) = above.split_last()?;
    let kind = match list.word() {
        "certificate" => "Certificate",
        "ssl-tls-service-profile" => "SSL/TLS Service Profile",
        _ => return None,
    };
    Some((kind, Path::of(base.to_vec())))
}

/// References to the object at `path`, which is called `name`: those below the same virtual
/// system or template, or from anywhere when it is shared.
fn users(tree: &Element, path: &Path, name: &str) -> Vec<Place> {
    let Some((kind, base)) = kind(path) else {
        return Vec::new();
    };
    let all = match kind {
        "Certificate" => refer_to_certificate(tree),
        _ => refer_to_profile(tree),
    };
    let everywhere = base.steps.len() == 2;
    all.into_iter().filter(|place| place.name == name && (everywhere || base.contains(&place.path))).collect()
}

/// Code 10 when somebody still uses the object.
pub(super) fn refuse_if_used(tree: &Element, path: &Path, doomed: &Element) -> Result<(), Refusal> {
    let (Some(name), Some((kind, _))) = (doomed.get("name"), kind(path)) else {
        return Ok(());
    };
    let users = users(tree, path, name);
    if users.is_empty() {
        return Ok(());
    }
    let mut lines = vec![
        format!("Failed to delete {kind} - {name}."),
        format!("{name} cannot be deleted because of references from:"),
    ];
    lines.extend(users.iter().map(Place::words));
    Err(Refusal::cdata(10, lines))
}

/// Lets references follow a renamed object.
pub(super) fn follow_rename(tree: &mut Element, path: &Path, old: &str, new: &str) {
    for place in users(tree, path, old) {
        let Some(element) = place.path.first_mut(tree) else {
            continue;
        };
        match element.attributes.iter_mut().find(|(name, _)| name == "name") {
            Some((_, value)) => new.clone_into(value),
            None => new.clone_into(&mut element.text),
        }
    }
}
