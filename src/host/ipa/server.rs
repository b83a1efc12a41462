//! Questions to the IPA server, asked with its own command.

use super::acl::{CaAcl, USUAL_PROFILE};
use super::principal::Principal;
use super::{Enrolment, Ticket};
use crate::files;
use crate::host::certmonger::KeyType;
use crate::host::command::{self, CommandError};

/// The most that is read of a certificate profile.
const LIMIT: usize = 1 << 20;

/// What the server knows of a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// It is there.
    Yes {
        /// By which name: it may have been asked for by an alias.
        name: Principal,
        /// Which hosts may act for it.
        managers: Vec<String>,
    },
    /// It is not there.
    No {
        /// Whether its host is there.
        has_host: bool,
    },
    /// It could not be asked, with its words.
    CantTell(String),
}

/// What the server knows of a certificate profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileKnown {
    /// It exists.
    Yes {
        /// The type of key that it demands, where it could be read and demands one.
        demands: Option<&'static str>,
    },
    /// It does not.
    No,
    /// It could not be asked (no ticket, no server, no command), with its words.
    CantTell(String),
}

/// The server, and the ticket it is asked with.
pub struct Server<'a> {
    /// The ticket.
    pub ticket: &'a Ticket,
    /// Who we are.
    pub enrolment: &'a Enrolment,
}

/// An answer.
pub(super) enum Answer {
    Output(String),
    NotFound,
    CantTell(String),
}

impl Server<'_> {
    pub(super) async fn ask(&self, words: &[&str]) -> Answer {
        match command::ask("ipa", words, &self.ticket.environment()).await {
            Ok(said) if said.success => Answer::Output(said.output),
            // Of Kerberos, too, something can be "not found in" it.
            Ok(said) if said.complaint.ends_with(" not found") => Answer::NotFound,
            Ok(said) if said.complaint.is_empty() => match words.first() {
                // A search that finds nothing fails without a word.
                Some(search) if search.ends_with("-find") => Answer::NotFound,
                _ => Answer::CantTell("the command 'ipa' failed without a word".to_owned()),
            },
            Ok(said) => Answer::CantTell(said.complaint),
            Err(CommandError::Missing(program)) => {
                Answer::CantTell(format!("the program {program} is not installed"))
            }
            Err(error) => Answer::CantTell(error.to_string()),
        }
    }

    pub(super) async fn principal(&self, principal: &Principal) -> Known {
        let name = principal.to_string();
        let host = ["host-show", "--all", "--raw", principal.host()];
        if principal.is_host() {
            return match self.ask(&host).await {
                Answer::Output(entry) => known(principal.clone(), &entry),
                Answer::NotFound => Known::No { has_host: false },
                Answer::CantTell(why) => Known::CantTell(why),
            };
        }
        match self.ask(&["service-show", "--all", "--raw", &name]).await {
            Answer::Output(entry) => return known(principal.clone(), &entry),
            Answer::NotFound => {}
            Answer::CantTell(why) => return Known::CantTell(why),
        }
        // An alias is shown by no name but its entry's own; what is asked for by it is issued all the same (measured).
        if let Answer::Output(entries) = self.ask(&["service-find", "--all", "--raw", &name]).await
            && let Some(found) = entries.split("\n\n").find_map(|entry| by_alias(principal, entry))
        {
            return found;
        }
        Known::No { has_host: matches!(self.ask(&host).await, Answer::Output(_)) }
    }

    /// Whether a certificate profile exists, and which type of key it demands.
    pub async fn profile(&self, name: &str) -> ProfileKnown {
        // The configuration is written into a file; who may not read it may still see that the profile exists.
        let usual = (name == USUAL_PROFILE).then_some("RSA");
        if let Ok(folder) = tempfile::tempdir() {
            let file = folder.path().join("profile");
            let option = format!("--out={}", file.display());
            if let Answer::Output(_) = self.ask(&["certprofile-show", &option, "--", name]).await
                && let Ok((file, metadata)) = files::open(&file)
                && let Ok(text) = files::read(file, &metadata, LIMIT)
            {
                return ProfileKnown::Yes { demands: demanded(&String::from_utf8_lossy(&text)) };
            }
        }
        match self.ask(&["certprofile-show", "--", name]).await {
            Answer::Output(_) => ProfileKnown::Yes { demands: usual },
            Answer::NotFound => ProfileKnown::No,
            Answer::CantTell(why) => ProfileKnown::CantTell(why),
        }
    }

    /// All CA ACLs.
    pub(super) async fn acls(&self) -> Result<Vec<CaAcl>, String> {
        match self.ask(&["caacl-find", "--sizelimit=0"]).await {
            Answer::Output(text) => Ok(CaAcl::all(&text)),
            Answer::NotFound => Ok(Vec::new()),
            Answer::CantTell(why) => Err(why),
        }
    }
}

/// Runs an administrator's command. What is there by now was added by somebody else in between.
///
/// # Errors
/// The server's words.
pub async fn carry_out(ticket: &Ticket, words: &[String]) -> Result<(), String> {
    let Some((program, words)) = words.split_first() else { return Ok(()) };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match command::ask(program, &words, &ticket.environment()).await {
        Ok(said) if said.success || said.complaint.contains("already exists") => Ok(()),
        // Of members the command complains on standard output.
        Ok(said) if said.output.contains("already a member") => Ok(()),
        Ok(said) if said.complaint.is_empty() => {
            Err(said.output.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        Ok(said) => Err(said.complaint),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether the server has a certificate profile, asked with whatever ticket there is.
pub async fn certificate_profile(name: &str) -> ProfileKnown {
    let enrolment = Enrolment::read().ok();
    let ticket = match &enrolment {
        Some(enrolment) => Ticket::to_read(enrolment).await.ok(),
        None => None,
    };
    let (ticket, enrolment) = (ticket.unwrap_or_else(Ticket::usual), enrolment.unwrap_or_default());
    Server { ticket: &ticket, enrolment: &enrolment }.profile(name).await
}

impl ProfileKnown {
    /// The type of key that it demands, where another one is wanted.
    #[must_use]
    pub fn refuses(&self, wanted: KeyType) -> Option<&'static str> {
        let Self::Yes { demands: Some(demanded) } = self else { return None };
        (!demanded.eq_ignore_ascii_case(&wanted.to_string())).then_some(demanded)
    }
}

fn known(name: Principal, entry: &str) -> Known {
    Known::Yes { name, managers: managers(entry) }
}

fn by_alias(principal: &Principal, entry: &str) -> Option<Known> {
    let wanted = principal.to_string();
    let is_it = |value: &str| value.split('@').next().is_some_and(|name| name.eq_ignore_ascii_case(&wanted));
    values(entry, "krbprincipalname").any(is_it).then_some(())?;
    let name = values(entry, "krbcanonicalname").next().and_then(Principal::read)?;
    Some(known(name, entry))
}

fn values<'e>(entry: &'e str, attribute: &'static str) -> impl Iterator<Item = &'e str> {
    let lines = entry.lines().filter_map(|line| line.trim().split_once(':'));
    lines.filter(move |(name, _)| name.eq_ignore_ascii_case(attribute)).map(|(_, value)| value.trim())
}

/// The hosts that may act for an entry: `managedby: fqdn=HOST,cn=computers,…`.
fn managers(entry: &str) -> Vec<String> {
    let hosts =
        values(entry, "managedby").filter_map(|value| value.split(',').next()?.trim().split_once('='));
    hosts.filter(|(name, _)| name.eq_ignore_ascii_case("fqdn")).map(|(_, host)| host.to_owned()).collect()
}

/// The one type of key that a profile's configuration demands.
fn demanded(configuration: &str) -> Option<&'static str> {
    let setting = |name: &str| {
        let lines = configuration.lines().filter_map(|line| line.trim().split_once('='));
        lines.filter(|(key, _)| *key == name).map(|(_, value)| value.trim()).next()
    };
    let lines = configuration.lines().filter_map(|line| line.trim().split_once('='));
    let places = lines.filter(|(_, value)| *value == "keyConstraintImpl");
    let mut types =
        places.filter_map(|(key, _)| setting(&format!("{}.params.keyType", key.strip_suffix(".class_id")?)));
    types.find_map(|kind| ["RSA", "EC"].into_iter().find(|known| kind.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "  dn: krbprincipalname=HTTP/gp.example.com@EXAMPLE.COM,cn=services,cn=accounts,dc=example,dc=com\n  krbcanonicalname: HTTP/gp.example.com@EXAMPLE.COM\n  krbprincipalname: HTTP/gp.example.com@EXAMPLE.COM\n  krbprincipalname: HTTP/alias.example.com@EXAMPLE.COM\n  managedby: fqdn=gp.example.com,cn=computers,cn=accounts,dc=example,dc=com\n  managedby: fqdn=certs.example.com,cn=computers,cn=accounts,dc=example,dc=com\n";

    #[test]
    fn the_managers_of_a_service_are_read_from_its_raw_entry() {
        assert_eq!(managers(ENTRY), ["gp.example.com", "certs.example.com"]);
        assert!(managers("managedby: cn=other,dc=x\nnothing").is_empty());
    }

    #[test]
    fn an_alias_leads_to_its_entry_and_a_part_of_a_name_does_not() {
        let found = by_alias(&Principal::new("HTTP", "alias.example.com"), ENTRY);
        let name = Principal::new("HTTP", "gp.example.com");
        assert!(matches!(found, Some(Known::Yes { name: found, .. }) if found == name));
        assert_eq!(by_alias(&Principal::new("HTTP", "lias.example.com"), ENTRY), None);
    }

    #[test]
    fn the_type_of_key_is_that_of_the_key_constraint() {
        let text = |kind: &str| {
            format!(
                "policyset.s.2.constraint.params.keyType=EC\npolicyset.s.3.constraint.class_id=keyConstraintImpl\npolicyset.s.3.constraint.params.keyType={kind}\n"
            )
        };
        assert_eq!(demanded(&text("RSA")), Some("RSA"));
        assert_eq!(demanded(&text("EC")), Some("EC"));
        assert_eq!(demanded(&text("-")), None);
        assert_eq!(demanded("policyset.s.3.constraint.params.keyType=RSA"), None);
        let rsa = ProfileKnown::Yes { demands: Some("RSA") };
        assert_eq!((rsa.refuses(KeyType::Ec), rsa.refuses(KeyType::Rsa)), (Some("RSA"), None));
    }
}
