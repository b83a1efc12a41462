//! The little of the schema that is checked: SSL/TLS service profiles.

use crate::{
    refusal::Refusal,
    xml::{Element, Path, Step},
};

const PROFILE: [&str; 2] = ["certificate", "protocol-settings"];

const PROTOCOL_SETTINGS: [&str; 17] = [
    "min-version",
    "max-version",
    "keyxchg-algo-rsa",
    "keyxchg-algo-dhe",
    "keyxchg-algo-ecdhe",
    "enc-algo-3des",
    "enc-algo-rc4",
    "enc-algo-aes-128-cbc",
    "enc-algo-aes-128-gcm",
    "enc-algo-aes-256-cbc",
    "enc-algo-aes-256-gcm",
    "enc-algo-chacha20-poly1305",
    "enc-algo-aes-128-ccm",
    "auth-algo-sha1",
    "auth-algo-sha256",
    "auth-algo-sha384",
    "allow-algorithm",
];

/// Refuses unknown elements where the schema is known.
pub(super) fn check_children(parent: &Path, elements: &[Element]) -> Result<(), Refusal> {
    let names: Vec<&str> = parent.steps.iter().map(Step::word).collect();
    let Some(at) = names.iter().position(|n| *n == "ssl-tls-service-profile") else {
        return Ok(());
    };
    match &names[at + 1..] {
        [] => elements
            .iter()
            .try_for_each(|entry| check_profile(entry.get("name").unwrap_or("?"), &entry.children)),
        [profile] => check_profile(profile, elements),
        [profile, "protocol-settings"] => check_names(profile, &PROTOCOL_SETTINGS, elements),
        _ => Ok(()),
    }
}

fn check_profile(profile: &str, children: &[Element]) -> Result<(), Refusal> {
    check_names(profile, &PROFILE, children)?;
    children
        .iter()
        .filter(|child| child.name == "protocol-settings")
        .try_for_each(|child| check_names(profile, &PROTOCOL_SETTINGS, &child.children))
}

fn check_names(profile: &str, known: &[&str], elements: &[Element]) -> Result<(), Refusal> {
    let unknown = (elements.iter()).find(|element| !known.contains(&element.name.as_str()));
    match unknown {
        None => Ok(()),
        Some(element) => Err(Refusal::cdata(
            12,
            vec![
                format!(" ssl-tls-service-profile -> {profile} -> {} unexpected here", element.name),
                " ssl-tls-service-profile is invalid".to_owned(),
            ],
        )),
    }
}
