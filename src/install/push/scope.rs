//! Whose changes are pushed: our own, and why that may be refused.
//!
//! The vendor documents five cases in which a push of one administrator's changes does not work; what Panorama says in
//! them is not known. So what is said of a refusal is a likely reason, and nothing is pushed for others on the strength
//! of it.

use std::collections::BTreeMap;
use std::fmt;

use panos_xmlapi::{ManagedDevice, Reason, Refusal, Session, SystemInfo};

use crate::text::some_of;

/// The first release that pushes one administrator's changes.
const SELECTIVE: (u16, u16) = (10, 2);

/// The likely reason why a push of our own changes is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Likely {
    /// Panorama, or a firewall, is older than 10.2; which, in words.
    OldRelease(String),
    /// No full push was made to a firewall since Panorama was upgraded to 10.2.
    FirstFullPush,
    /// The Panorama pair has failed over since the last full push.
    Failover,
    /// The version that a firewall got last is not kept any more.
    AuditWindow,
    /// The administrator's role does not allow it.
    Role,
    /// Panorama does not tell who we are.
    NoAdministrator,
    /// It can't be told.
    Unknown,
}

impl fmt::Display for Likely {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldRelease(what) => write!(f, "{what}; 10.2 is the first release that can do this"),
            Self::FirstFullPush => f.write_str(
                "likely because no full push was made to a firewall since Panorama was upgraded to 10.2",
            ),
            Self::Failover => f.write_str(
                "likely because the Panorama pair has failed over and no full push was made since",
            ),
            Self::AuditWindow => f.write_str(
                "likely because the version that a firewall got last is older than those that Panorama keeps (max-audit-versions)",
            ),
            Self::Role => f.write_str("likely because the administrator's role does not allow it"),
            Self::NoAdministrator => f.write_str("Panorama does not tell which administrator the API key belongs to"),
            Self::Unknown => f.write_str(
                "likely one of: no full push since Panorama was upgraded to 10.2, a failover of the Panorama pair, a version that is not kept any more, or the administrator's role",
            ),
        }
    }
}

/// A push of our own changes that can't be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectiveRefusal {
    /// The template stack.
    pub stack: String,
    /// Panorama's words; nothing where it was not asked, because it can't.
    pub words: Option<String>,
    /// Why, as far as it can be told.
    pub likely: Likely,
    /// What a full push would carry besides, in words.
    pub others: String,
}

impl fmt::Display for SelectiveRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stack, words, likely, others } = self;
        match words {
            Some(words) => write!(
                f,
                "a push of only our own changes to the template stack '{stack}' is refused: {words}; {likely}; {others}"
            ),
            None => write!(
                f,
                "a push of only our own changes to the template stack '{stack}' is not possible: {likely}; {others}"
            ),
        }
    }
}

/// The administrator whose changes alone are pushed.
///
/// # Errors
/// Why that can't be.
pub(super) fn own_changes(
    administrator: Option<&str>,
    panorama: &SystemInfo,
    targets: &[&ManagedDevice],
) -> Result<String, Likely> {
    if let Some(version) = panorama.version().filter(|version| *version < SELECTIVE) {
        return Err(Likely::OldRelease(format!("Panorama runs {}.{}", version.0, version.1)));
    }
    let old = targets.iter().filter(|device| device.version().is_some_and(|version| version < SELECTIVE));
    let old: Vec<String> = old
        .map(|device| format!("{} runs {}", device.serial, device.sw_version.as_deref().unwrap_or_default()))
        .collect();
    if !old.is_empty() {
        return Err(Likely::OldRelease(some_of(&old, ", ")));
    }
    administrator.map(str::to_owned).ok_or(Likely::NoAdministrator)
}

/// What a refusal most likely means.
pub(super) fn likely(refusal: &Refusal) -> Likely {
    let likely = likely_by_words(&refusal.lines);
    match (&likely, &refusal.reason) {
        (Likely::Unknown, Reason::PermissionMissing(_)) => Likely::Role,
        _ => likely,
    }
}

fn likely_by_words(lines: &[String]) -> Likely {
    let text = lines.join(" ").to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["unexpected here"]) {
        Likely::OldRelease("Panorama does not know the request".to_owned())
    } else if has(&["before 10.2", "older than 10.2"]) {
        Likely::OldRelease("a firewall is older".to_owned())
    } else if has(&["failover", "fail over", "versions differ"]) {
        Likely::Failover
    } else if has(&["audit", "not kept", "no longer available"]) {
        Likely::AuditWindow
    } else if has(&["role", "permi", "privilege", "not authorized"]) {
        Likely::Role
    } else if has(&["full push", "full commit", "upgrade"]) {
        Likely::FirstFullPush
    } else {
        Likely::Unknown
    }
}

/// Whether the lines of a failed job say that it failed for being a push of one administrator's changes.
pub(super) fn says_selective(lines: &[String]) -> bool {
    let text = lines.join(" ").to_ascii_lowercase();
    ["selected changes", "selective push", "full push", "administrator-level push", "admin level push"]
        .iter()
        .any(|words| text.contains(words))
}

/// What a full push would carry of others, in words.
pub(super) async fn others_changes(session: &Session, own: Option<&str>) -> String {
    let changes = match session.unpushed_changes().await {
        Ok(Some(changes)) => changes,
        Ok(None) => {
            return "what a full push would carry of others can't be read from Panorama's answer".to_owned();
        }
        Err(error) => return format!("what a full push would carry of others can't be told: {error}"),
    };
    let mut of_others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for change in changes.into_iter().filter(|change| Some(change.owner.as_str()) != own) {
        of_others.entry(change.owner).or_default().push(change.place);
    }
    if of_others.is_empty() {
        return "a full push would carry nobody else's changes".to_owned();
    }
    let each: Vec<String> = of_others
        .into_iter()
        .map(|(owner, places)| format!("of {owner}: {}", some_of(&places, ", ")))
        .collect();
    format!("a full push would also carry the changes {}", some_of(&each, "; "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use panos_xmlapi::Operation;

    fn refused(reason: Reason, text: &str) -> Likely {
        likely(&Refusal { operation: Operation::Push, reason, code: None, lines: vec![text.to_owned()] })
    }

    #[test]
    fn own_changes_take_a_release_that_knows_them_everywhere_and_a_name() {
        let panorama =
            |version: &str| SystemInfo { sw_version: Some(version.into()), ..SystemInfo::default() };
        let firewall = |version: &str| ManagedDevice {
            serial: "001".into(),
            sw_version: Some(version.into()),
            hostname: None,
            connected: None,
            model: None,
            multi_vsys: None,
            ha_state: None,
            ha_peer_serial: None,
        };
        let (old, new) = (firewall("10.1.14-h2"), firewall("10.2.0"));
        assert_eq!(own_changes(Some("me"), &panorama("11.1.4"), &[&new]), Ok("me".to_owned()));
        assert_eq!(own_changes(None, &panorama("11.1.4"), &[&new]), Err(Likely::NoAdministrator));
        let told = own_changes(Some("me"), &panorama("11.1.4"), &[&new, &old]).unwrap_err().to_string();
        assert!(told.starts_with("001 runs 10.1.14-h2; 10.2 is the first release"), "{told}");
        let told = own_changes(Some("me"), &panorama("9.1.8"), &[&new]).unwrap_err().to_string();
        assert!(told.starts_with("Panorama runs 9.1;"), "{told}");
    }

    #[test]
    fn each_of_the_five_cases_is_recognised_by_its_words_and_nothing_is_guessed_without_them() {
        for (text, expected) in [
            ("001: a full push to the device is required once after the upgrade", Likely::FirstFullPush),
            (
                "the configuration versions differ after the failover, a full push is required",
                Likely::Failover,
            ),
            ("outside of the audit window", Likely::AuditWindow),
            ("You don't have permission to do this", Likely::Role),
            ("something else", Likely::Unknown),
        ] {
            assert_eq!(refused(Reason::Other, text), expected, "{text}");
        }
        let old = refused(Reason::Invalid, "commit-all -> template-stack -> admin unexpected here");
        assert!(matches!(old, Likely::OldRelease(_)));
        assert_eq!(refused(Reason::PermissionMissing(None), "no"), Likely::Role);
    }
}
