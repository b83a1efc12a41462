//! What it means where a certificate object is named: what the name is used for, and what is no name of one at all.

/// Places that name a certificate for another purpose than to present it to clients, by the end of their path, and what
/// that is. A word in capitals is any one element; entries are left out. What comes first counts.
const KINDS: [(&[&str], &str); 24] = [
    (&["api", "key", "certificate"], "API keys: another one ends every API key of the device"),
    (
        &["secure-conn-client", "certificate-type", "local", "certificate"],
        "the client certificate of its connection to Panorama or a log collector",
    ),
    (
        &["secure-conn-client", "certificate-type", "scep", "ANY"],
        "the client certificate of its connection to Panorama or a log collector",
    ),
    (
        &["request-signing-certificate"],
        "SAML: requests are signed with it, the identity provider has to know another one",
    ),
    (
        &["signing-certificate"],
        "SAML: requests are signed with it, the identity provider has to know another one",
    ),
    (&["saml-idp", "certificate"], "SAML: the identity provider's own certificate"),
    (&["forward-trust-certificate", "ANY"], "decryption: a CA that issues certificates for trusted sites"),
    (
        &["forward-untrust-certificate", "ANY"],
        "decryption: a CA that issues certificates for untrusted sites",
    ),
    (&["forward-trust-certificate"], "decryption: a CA that issues certificates for trusted sites"),
    (&["forward-untrust-certificate"], "decryption: a CA that issues certificates for untrusted sites"),
    (&["trusted-root-CA", "member"], "decryption: a trusted CA"),
    (&["root-ca-exclude-list", "member"], "decryption: a CA that is not trusted"),
    (&["ssl-exclude-cert"], "decryption: a server that is left out"),
    (
        &["ssl-inbound-inspection", "certificates", "member"],
        "decryption: inbound inspection of the server that has this key",
    ),
    (&["ssl-inbound-inspection"], "decryption: inbound inspection of the server that has this key"),
    (&["certificate-profile", "CA"], "a CA that certificates of others are verified by"),
    (&["ocsp-verify-cert"], "the verification of OCSP answers"),
    (
        &["cookie-encrypt-decrypt-cert"],
        "GlobalProtect: cookies are encrypted with it, portal and gateway need the same one",
    ),
    (&["client-certificate", "local"], "GlobalProtect: a client certificate"),
    (&["issuing-certificate"], "GlobalProtect: the CA of satellites"),
    (&["root-ca", "member"], "GlobalProtect: a trusted CA"),
    (&["root-ca"], "GlobalProtect: a trusted CA"),
    (
        &["global-protect-satellite", "external-ca", "local-certificate"],
        "GlobalProtect: this firewall's certificate as a satellite",
    ),
    (&["scep", "ANY"], "SCEP"),
];

/// Entries of these lists are named like the certificate that they refer to.
const LISTS_OF_NAMES: [&str; 3] = ["CA", "root-ca", "ssl-exclude-cert"];

/// Elements whose text is something else, though it may read like the name of a certificate, which is often a DNS name.
const OTHER_TEXTS: [&str; 28] = [
    "ssl-tls-service-profile",
    "certificate-profile",
    "authentication-profile",
    "description",
    "comment",
    "comments",
    "display-name",
    "fqdn",
    "hostname",
    "domain",
    "host",
    "server",
    "address",
    "server-address",
    "url",
    "id",
    "common-name",
    "common-name-int",
    "subject",
    "subject-int",
    "issuer",
    "tag",
    "gateway",
    "portal",
    "interface",
    "zone",
    "login-banner",
    "phash",
];

/// Lists of objects of their own: an entry that is named like a certificate is none.
const OBJECTS: [&str; 1] = ["certificate"];

/// What the name of a certificate is used for at this path of element names, without those of entries.
#[must_use]
pub(super) fn purpose(path: &[&str]) -> Option<&'static str> {
    let fits = |end: &[&str]| {
        path.len() >= end.len()
            && path[path.len() - end.len()..]
                .iter()
                .zip(end)
                .all(|(is, wanted)| is == wanted || *wanted == "ANY")
    };
    KINDS.iter().find(|(end, _)| fits(end)).map(|(_, purpose)| *purpose)
}

/// Whether an entry of this list refers to the certificate of its name.
#[must_use]
pub(super) fn is_list_of_names(list: &str) -> bool {
    LISTS_OF_NAMES.contains(&list)
}

/// Whether the entries of this list are certificates themselves.
#[must_use]
pub(super) fn is_list_of_objects(list: &str) -> bool {
    OBJECTS.contains(&list)
}

/// Whether a text at this path could name a certificate.
#[must_use]
pub(super) fn may_name_a_certificate(path: &[&str]) -> bool {
    let Some(element) = path.last() else { return false };
    let list = if *element == "member" { path.iter().rev().nth(1) } else { Some(element) };
    !list.is_some_and(|word| OTHER_TEXTS.contains(word))
}

/// Whether it is a place that is given the new certificate: an SSL/TLS service profile or an IKE gateway.
#[must_use]
pub(super) fn is_rebound(path: &[&str]) -> bool {
    let ends = |end: &[&str]| path.ends_with(end);
    let gateway = ["ike", "gateway", "authentication", "certificate", "local-certificate"];
    ends(&["ssl-tls-service-profile", "certificate"])
        || ends(&gateway)
        || (ends(&["local-certificate", "name"]) && path[..path.len() - 1].ends_with(&gateway))
}
