//! What the server has to know before it grants a request, what of that is missing, and the commands that add it.

use futures_util::future::join_all;

use super::acl::{USUAL_CA, USUAL_PROFILE, Wanted};
use super::principal::Principal;
use super::server::{Answer, Known, ProfileKnown, Server};
use crate::error::Exit;
use crate::host::certmonger::KeyType;

/// What a request asks the server for.
#[derive(Debug, Clone)]
pub struct Needs {
    /// Whom the certificate is for.
    pub principal: Principal,
    /// Its further DNS names.
    pub names: Vec<String>,
    /// The certificate profile, where one is named.
    pub profile: Option<String>,
    /// The issuing CA, where one is named.
    pub issuer: Option<String>,
    /// The type of key, where it is known.
    pub key_type: Option<KeyType>,
}

impl Needs {
    /// The names besides that of the principal.
    fn further(&self) -> impl Iterator<Item = &String> {
        self.names.iter().filter(|name| !name.eq_ignore_ascii_case(self.principal.host()))
    }

    /// The command that shows what of it is missing, and adds it.
    #[must_use]
    pub fn enroll_command(&self) -> Vec<String> {
        let principal = self.principal.to_string();
        let service = principal.strip_prefix("HTTP/").unwrap_or(&principal);
        let mut command = words(["pan_certctl", "enroll", "--service", service]);
        let kind = self.key_type.filter(|kind| *kind != KeyType::Rsa).map(|kind| kind.to_string());
        for (option, value) in self
            .further()
            .map(|name| ("--san", name))
            .chain(self.profile.iter().map(|profile| ("-T", profile)))
            .chain(kind.iter().map(|kind| ("-G", kind)))
            .chain(self.issuer.iter().map(|issuer| ("-X", issuer)))
        {
            command.extend([option.to_owned(), value.clone()]);
        }
        command
    }
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As the request needs it.
    Good,
    /// The request would be refused.
    Missing,
    /// It could not be asked.
    CantTell,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// A word for it that stays the same.
    pub what: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// In words.
    pub text: String,
    /// An administrator's commands that add what is missing, in their order, word by word.
    pub commands: Vec<Vec<String>>,
    /// What else to do.
    pub advice: Option<String>,
    /// Why it could not be asked.
    reason: Option<String>,
}

const PROFILE: &str = "certificate profile";

impl Found {
    fn new(what: &'static str, standing: Standing, text: String) -> Self {
        Self { what, standing, text, commands: Vec::new(), advice: None, reason: None }
    }

    fn missing(what: &'static str, text: String, commands: Vec<Vec<String>>) -> Self {
        Self { commands, ..Self::new(what, Standing::Missing, text) }
    }

    /// The code of a request that would be refused for it: the certificate profile and the type of key have their own.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.what == PROFILE { Exit::KeyType } else { Exit::Certificate }
    }
}

/// Looks at all of it, and changes nothing.
pub async fn examine(server: &Server<'_>, needs: &Needs) -> Vec<Found> {
    let own = needs.principal.clone();
    let mut asked = vec![own.clone()];
    for name in needs.further() {
        let principal = own.of(name);
        if !asked.contains(&principal) {
            asked.push(principal);
        }
    }
    let principals = join_all(asked.iter().map(|principal| server.principal(principal)));
    let (known, acls, profile, ca) =
        tokio::join!(principals, server.acls(), look_at_profile(server, needs), look_at_ca(server, needs));
    // What the first one is called by, too, needs no principal of its own.
    let main = known.first().and_then(name_of);
    let is_alias = |other: &Known| main.is_some() && name_of(other) == main;
    let mut found = Vec::new();
    let mut subjects = Vec::new();
    for (position, (principal, known)) in asked.iter().zip(&known).enumerate() {
        let what = if position == 0 { "service principal" } else { "SAN principal" };
        if position > 0 && is_alias(known) {
            continue;
        }
        found.push(judge(what, principal, known, &server.enrolment.host));
        subjects.push(name_of(known).cloned().unwrap_or_else(|| principal.clone()));
    }
    found.extend(profile);
    found.extend(ca);
    let wanted = Wanted::new(needs.issuer.as_deref(), needs.profile.as_deref());
    found.push(match acls {
        Ok(acls) => {
            let refused = wanted.refused(&acls, &subjects);
            let names =
                |all: &[&Principal]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let what = format!("the certificate profile {} with the CA {}", wanted.profile, wanted.ca);
            match refused.as_slice() {
                [] => {
                    let all: Vec<&Principal> = subjects.iter().collect();
                    Found::new("CA ACL", Standing::Good, format!("{} may use {what}", names(&all)))
                }
                _ => {
                    let disabled = wanted.disabled(&acls, &refused);
                    let disabled = disabled
                        .map(|acl| format!(" ('{}' would, and is disabled)", acl.name))
                        .unwrap_or_default();
                    let text = format!(
                        "no enabled CA ACL lets {} use {what}{disabled}: the request would be denied",
                        names(&refused)
                    );
                    Found::missing("CA ACL", text, wanted.commands(&acls, &refused))
                }
            }
        }
        Err(why) => {
            let text = format!("the CA ACLs can't be read: {why}");
            Found { reason: Some(why), ..Found::new("CA ACL", Standing::CantTell, text) }
        }
    });
    once(found)
}

/// All that an administrator has to type, each command once.
#[must_use]
pub fn commands(found: &[Found]) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = Vec::new();
    for words in found.iter().flat_map(|found| &found.commands) {
        if !commands.contains(words) {
            commands.push(words.clone());
        }
    }
    commands
}

/// Where nothing could be asked, for the same reason, that is said once.
fn once(found: Vec<Found>) -> Vec<Found> {
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        let is_same = |other: &Found| one.reason.is_some() && other.reason == one.reason;
        if !kept.iter().any(is_same) {
            kept.push(one);
        }
    }
    kept
}

fn name_of(known: &Known) -> Option<&Principal> {
    match known {
        Known::Yes { name, .. } => Some(name),
        Known::No { .. } | Known::CantTell(_) => None,
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

fn manage(principal: &Principal, host: &str) -> Vec<String> {
    let (name, hosts) = (principal.to_string(), format!("--hosts={host}"));
    match principal.is_host() {
        true => words(["ipa", "host-add-managedby", principal.host(), &hosts]),
        false => words(["ipa", "service-add-host", &name, &hosts]),
    }
}

/// Whether a principal is known to the server, and this machine may act for it.
fn judge(what: &'static str, principal: &Principal, known: &Known, host: &str) -> Found {
    let is_own = |name: &Principal| name.is_host() && name.host().eq_ignore_ascii_case(host);
    match known {
        Known::Yes { name, managers } => {
            let ours = managers.iter().any(|manager| manager.eq_ignore_ascii_case(host)) || is_own(name);
            let by = if managers.is_empty() { "nobody".to_owned() } else { managers.join(", ") };
            let shown = if name == principal {
                name.to_string()
            } else {
                format!("{principal} (an alias of {name})")
            };
            if ours {
                return Found::new(what, Standing::Good, format!("{shown} is managed by {host}"));
            }
            let text = format!("{shown} is managed by {by}, not by {host}: the request would be denied");
            Found::missing(what, text, vec![manage(name, host)])
        }
        Known::No { has_host } => {
            let text = format!("{principal} is not known to the server: the request would be denied");
            let mut commands = Vec::new();
            if !has_host {
                commands.push(words(["ipa", "host-add", principal.host(), "--force"]));
            }
            if !principal.is_host() {
                commands.push(words(["ipa", "service-add", &principal.to_string(), "--force"]));
            }
            // A host manages itself, and a service of its own.
            if !principal.host().eq_ignore_ascii_case(host) {
                commands.push(manage(principal, host));
            }
            Found::missing(what, text, commands)
        }
        Known::CantTell(why) => {
            let text = format!("whether {principal} is managed by {host} can't be told: {why}");
            let verb = if principal.is_host() { "host-show" } else { "service-show" };
            let shown = if principal.is_host() { principal.host().to_owned() } else { principal.to_string() };
            let advice = Some(format!("check manually: ipa {verb} {shown}"));
            Found { advice, reason: Some(why.clone()), ..Found::new(what, Standing::CantTell, text) }
        }
    }
}

async fn look_at_profile(server: &Server<'_>, needs: &Needs) -> Option<Found> {
    // What every server has, and what certmonger makes by itself.
    if needs.profile.is_none() && needs.key_type.is_none_or(|kind| kind == KeyType::Rsa) {
        return None;
    }
    let name = needs.profile.as_deref().unwrap_or(USUAL_PROFILE);
    let known = server.profile(name).await;
    let refused = needs.key_type.and_then(|wanted| known.refuses(wanted));
    Some(match (known, refused) {
        (ProfileKnown::No, _) => Found {
            advice: Some("correct -T; the profiles there are: ipa certprofile-find".to_owned()),
            ..Found::new(
                PROFILE,
                Standing::Missing,
                format!("the server has no certificate profile '{name}'"),
            )
        },
        (ProfileKnown::CantTell(why), _) => {
            let text =
                format!("whether the server has the certificate profile '{name}' can't be told: {why}");
            Found { reason: Some(why), ..Found::new(PROFILE, Standing::CantTell, text) }
        }
        (ProfileKnown::Yes { .. }, Some(demanded)) => Found {
            advice: Some(format!("use -G {demanded}, or name another certificate profile with -T")),
            ..Found::new(
                PROFILE,
                Standing::Missing,
                format!("'{name}' takes {demanded} keys only: the request would be refused"),
            )
        },
        (ProfileKnown::Yes { demands }, None) => {
            let demands = demands.map(|kind| format!(", for {kind} keys")).unwrap_or_default();
            Found::new(PROFILE, Standing::Good, format!("'{name}' exists{demands}"))
        }
    })
}

/// Whether a sub-CA is there. Whether it is disabled, FreeIPA tells only when a certificate is asked for.
async fn look_at_ca(server: &Server<'_>, needs: &Needs) -> Option<Found> {
    const CHECK: &str = "issuing CA";
    let name = needs.issuer.as_deref().filter(|name| *name != USUAL_CA)?;
    Some(match server.ask(&["ca-show", "--", name]).await {
        Answer::Output(_) => Found::new(CHECK, Standing::Good, format!("the server has the CA '{name}'")),
        Answer::NotFound => {
            let subject = format!("--subject=CN={name},O={}", server.enrolment.realm);
            let text = format!("the server has no CA '{name}': the request would be refused");
            Found::missing(CHECK, text, vec![words(["ipa", "ca-add", name, &subject])])
        }
        Answer::CantTell(why) => Found::new(
            CHECK,
            Standing::CantTell,
            format!("whether the server has the CA '{name}' can't be told: {why}"),
        ),
    })
}
