//! Whether the API key is good, and what its administrator may do.

use chrono::TimeDelta;
use panos_xmlapi::{AdminRole, Error, Location, Reason, Right, Session, SystemInfo};

use super::finding::CheckResult;
use crate::error::Exit;
use crate::text::spoken;

/// The four rights that an installation needs.
const NEEDED: [Right; 4] = [Right::Configuration, Right::OperationalRequests, Right::Commit, Right::Import];

/// What a device let us see on the way.
pub(super) struct Seen {
    /// What it is, where it told.
    pub(super) system: Option<SystemInfo>,
    /// Whether the configuration can be read.
    pub(super) configuration: bool,
}

/// Tries what can be tried without changing anything, and reads the rest from the administrator's role.
/// Nothing where the device does not take the key.
pub(super) async fn look(
    session: &Session,
    user: Option<String>,
    refused: impl Fn(Option<&str>, &Reason) -> CheckResult,
    findings: &mut Vec<CheckResult>,
) -> Option<Seen> {
    let system = match session.system_info().await {
        Ok(system) => Some(system),
        Err(error) => match missing(&error) {
            Some(()) => None,
            None => {
                findings.push(match &error {
                    Error::Refused(refusal)
                        if matches!(refusal.reason, Reason::InvalidKey | Reason::KeyExpired) =>
                    {
                        refused(user.as_deref(), &refusal.reason)
                    }
                    _ => CheckResult::failed("key", Exit::Device, error.to_string()),
                });
                return None;
            }
        },
    };
    let place = system.as_ref().map_or(Location::Shared, SystemInfo::default_location);
    let configuration = match session.get(&place.profiles()).await {
        Ok(_) => true,
        Err(error) if missing(&error).is_some() => false,
        Err(error) => {
            findings.push(CheckResult::failed("key", Exit::Device, error.to_string()));
            return None;
        }
    };
    let administrator = match &system {
        Some(_) => session.current_administrator().await.ok().flatten().or(user),
        None => user,
    };
    let role = match (&administrator, configuration) {
        (Some(name), true) => session.admin_role(name).await.ok().flatten(),
        _ => None,
    };
    let whose = administrator.as_deref().map(|name| format!(" of '{name}'")).unwrap_or_default();
    findings.push(CheckResult::ok("key", format!("the device accepts the API key{whose}")));
    let tried = |right: Right| match right {
        Right::Configuration => Some(configuration),
        Right::OperationalRequests => Some(system.is_some()),
        Right::Commit | Right::Import | Right::Export => None,
    };
    findings.extend(judge(tried, role.as_ref(), administrator.as_deref()));
    if configuration {
        findings.extend(lifetime(session).await);
    }
    Some(Seen { system, configuration })
}

/// Whether a request failed for want of a right.
fn missing(error: &Error) -> Option<()> {
    match error {
        Error::Refused(refusal) => matches!(refusal.reason, Reason::PermissionMissing(_)).then_some(()),
        _ => None,
    }
}

fn judge(
    tried: impl Fn(Right) -> Option<bool>,
    role: Option<&AdminRole>,
    administrator: Option<&str>,
) -> Vec<CheckResult> {
    const CHECK: &str = "rights";
    let granted = |right: Right| tried(right).or_else(|| role.map(|role| role.allows(right)));
    let of = |wanted: Option<bool>| NEEDED.into_iter().filter(move |right| granted(*right) == wanted);
    let names = |rights: &[Right]| rights.iter().map(Right::to_string).collect::<Vec<_>>().join(", ");
    let mut findings = Vec::new();
    let present: Vec<Right> = of(Some(true)).collect();
    if !present.is_empty() {
        let text = match role {
            Some(role) => format!("{} (role '{}')", names(&present), role.name()),
            None => names(&present),
        };
        findings.push(CheckResult::ok(CHECK, text));
    }
    findings.extend(of(Some(false)).map(|right| lacking(right, role)));
    let unknown: Vec<Right> = of(None).collect();
    if !unknown.is_empty() {
        let why = match administrator {
            None => {
                "the device does not report the key's owner; set api_username=NAME in the key file".to_owned()
            }
            Some(name) => format!("'{name}' has no role in the device's configuration that could be read"),
        };
        let text = format!("can't determine whether it has {}: {why}", names(&unknown));
        findings.push(CheckResult::warning(CHECK, text));
    }
    if let Some(AdminRole::Everything { role }) = role {
        let text = format!("the role is '{role}', which may do far more than an installation needs");
        findings.push(CheckResult::warning(CHECK, text).advise(
            "give the administrator a custom role with these four XML API rights and nothing else (Device > Admin Roles)",
        ));
    }
    findings
}

fn lacking(right: Right, role: Option<&AdminRole>) -> CheckResult {
    let finding =
        CheckResult::failed("rights", Exit::Refused, format!("the XML API right '{right}' is missing"));
    let advice = format!(
        "enable '{right}' on the XML API tab of the administrator's role (Device > Admin Roles), and commit"
    );
    let finding = finding.advise(advice);
    let word = match right {
        Right::Configuration => "config",
        Right::OperationalRequests => "op",
        Right::Commit => "commit",
        Right::Import => "import",
        Right::Export => "export",
    };
    match role {
        Some(AdminRole::Custom { role, .. }) => finding.advise(format!(
            "on the device's command line: set shared admin-role \"{role}\" role device xmlapi {word} enable"
        )),
        _ => finding,
    }
}

/// Keys that end are not renewed by anybody.
async fn lifetime(session: &Session) -> Option<CheckResult> {
    let minutes = session.key_lifetime().await.ok()??;
    let length = spoken(TimeDelta::try_minutes(i64::try_from(minutes).ok()?)?);
    Some(
        CheckResult::warning("key", format!("the device lets its API keys expire {length} after they were made"))
            .advise("run 'pan_certctl keygen' again before that, or have no lifetime (Device > Setup > Management > Authentication Settings)"),
    )
}
