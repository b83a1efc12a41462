//! The intermediate certificates of a chain, as objects of their own on the device.
//!
//! What is known contradicts itself: some saw a device send the intermediates that were uploaded in one file with the
//! certificate, others saw it keep the first certificate of the file only, and send the issuers that it has as objects.
//! So both are done. An object is named after the fingerprint of what is in it, none is made where the device has the
//! certificate under whatever name, and none is deleted that has another name or another certificate in it.

use std::collections::BTreeMap;

use openssl::x509::X509;
use panos_xmlapi::{Element, Fingerprint, Location, Session, XPath};

use super::change::Change;
use super::error::{Activity, InstallError};
use super::names::ObjectName;
use super::places::{self, Sight};
use super::references::is_too_much;
use super::result::CreatedObject;
use crate::certificate::{HeldCertificate, subject_of};

/// An intermediate certificate that the device is to have as an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The object.
    pub object: ObjectName,
    /// The certificate in it.
    pub fingerprint: Fingerprint,
    /// `CN=…, O=…`, safe to print.
    pub subject: String,
    /// The certificate as PEM.
    pub pem: String,
}

/// An object that this program made for an intermediate certificate which is in no chain any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerIssuer {
    /// The object.
    pub object: ObjectName,
    /// The certificate in it.
    pub fingerprint: Fingerprint,
    /// The certificates on the device that it has issued, one by one, and for which no other object does.
    pub needed_by: Vec<Fingerprint>,
}

/// How the intermediate certificates of an install request stand on a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Issuers {
    /// Those of the chain that the device does not have.
    pub missing: Vec<Issuer>,
    /// Those that may go, unless something needs them.
    pub former: Vec<FormerIssuer>,
    /// Where their objects are, whether they are there or not.
    pub places: Vec<String>,
    /// What stands in these places, as far as it was looked at.
    pub sights: BTreeMap<String, Sight>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What is looked for.
pub struct ChainQuestion<'a> {
    /// Where the certificate and its issuers are to be.
    pub place: &'a Location,
    /// The intermediates of the certificate that is to be installed.
    pub chain: &'a [X509],
    /// The objects that were made for intermediates before and may be deleted.
    pub removable: Vec<&'a CreatedObject>,
    /// All certificates that are to be on the device after the transaction, intermediates included.
    pub wanted: &'a [HeldCertificate],
}

/// Looks which intermediates the device has, and which it has for nothing.
///
/// # Errors
/// A device that fails or refuses.
pub async fn look(session: &Session, question: &ChainQuestion<'_>) -> Result<Issuers, InstallError> {
    let mut issuers = Issuers::default();
    let is_former = |made: &&&CreatedObject| {
        made.object == ObjectName::of_issuer(made.fingerprint)
            && !question.wanted.iter().any(|wanted| wanted.fingerprint() == made.fingerprint)
    };
    let former: Vec<&CreatedObject> = question.removable.iter().filter(is_former).copied().collect();
    if question.chain.is_empty() && former.is_empty() {
        return Ok(issuers);
    }
    let place = question.place;
    let mut lists = vec![place.certificates()];
    if matches!(place, Location::Vsys(_)) {
        lists.push(Location::Shared.certificates());
    }
    let held = held_in(session, &lists).await?;
    for link in question.chain {
        let link_held = HeldCertificate::of(link).map_err(crate::certificate::BundleError::from)?;
        let fingerprint = link_held.fingerprint();
        let object = ObjectName::of_issuer(fingerprint);
        let at = place.certificate(object.as_str())?;
        issuers.places.push(at.to_string());
        if held.iter().flatten().any(|held| held.fingerprint() == fingerprint) {
            continue;
        }
        let sight = places::candidate_of_new(session, &at).await?;
        let subject = subject_of(link);
        if !sight.is_there() {
            let pem = link.to_pem().map_err(crate::certificate::BundleError::from)?;
            let pem = String::from_utf8_lossy(&pem).into_owned();
            issuers.missing.push(Issuer { object, fingerprint, subject, pem });
        } else if !sight.is(&Change::Holds(fingerprint)) {
            issuers.notes.push(format!(
                "WARNING: the intermediate certificate {subject} is not uploaded as an object of its own: '{object}' is something else on this device."
            ));
        }
        issuers.sights.insert(at.to_string(), sight);
    }
    if let (Some(here), false) = (held, former.is_empty()) {
        // What is shared is seen from every virtual system.
        let elsewhere = match place {
            Location::Shared => vec![XPath::device().step("vsys").step("entry").step("certificate")],
            // A firewall gets the certificates of all templates of its stack, and of the stack.
            _ if place.template_entry().is_some() => in_all_templates(),
            _ => Vec::new(),
        };
        let elsewhere = held_in(session, &elsewhere).await?;
        // Where not all of them can be looked at, nothing is deleted.
        let former = if elsewhere.is_some() { former } else { Vec::new() };
        let mut elsewhere = elsewhere.unwrap_or_default();
        if place.template_entry().is_some() {
            // Its own list is among those of all templates.
            for own in &here {
                if let Some(at) = elsewhere.iter().position(|other| other.fingerprint() == own.fingerprint())
                {
                    elsewhere.swap_remove(at);
                }
            }
        }
        for made in former {
            let at = place.certificate(made.object.as_str())?.to_string();
            issuers.places.push(at);
            issuers.former.extend(former_issuer(made, &here, &elsewhere, question.wanted));
        }
    }
    Ok(issuers)
}

/// The lists of certificates of all templates and stacks.
fn in_all_templates() -> Vec<XPath> {
    let lists = ["template", "template-stack"].map(|kind| {
        let config = XPath::device().step(kind).step("entry").step("config");
        let vsys = config.clone().step("devices").step("entry").step("vsys").step("entry");
        [config.step("shared").step("certificate"), vsys.step("certificate")]
    });
    lists.concat()
}

/// Nothing where the device does not have it any more, or where what is to be installed needs it.
fn former_issuer(
    made: &CreatedObject,
    here: &[HeldCertificate],
    elsewhere: &[HeldCertificate],
    wanted: &[HeldCertificate],
) -> Option<FormerIssuer> {
    let own = here.iter().find(|held| held.fingerprint() == made.fingerprint)?;
    let is_another = |other: &&HeldCertificate| other.fingerprint() != own.fingerprint();
    let does = |other: &HeldCertificate| is_another(&other) && other.does_for(own);
    if !here.iter().chain(wanted).any(does) && wanted.iter().any(|wanted| own.has_issued(wanted)) {
        return None;
    }
    let needed_by = match here.iter().any(does) {
        true => Vec::new(),
        false => {
            let needs = |other: &&HeldCertificate| is_another(other) && own.has_issued(other);
            here.iter().chain(elsewhere).filter(needs).map(HeldCertificate::fingerprint).collect()
        }
    };
    Some(FormerIssuer { object: made.object.clone(), fingerprint: made.fingerprint, needed_by })
}

impl Issuers {
    /// Those that nothing needs once certificates with these fingerprints are gone, each as often as it is there.
    #[must_use]
    pub fn unneeded(&self, going: &[Fingerprint]) -> Vec<FormerIssuer> {
        let (mut going, mut rest, mut found) = (going.to_vec(), self.former.clone(), Vec::new());
        loop {
            let (free, needed): (Vec<FormerIssuer>, Vec<FormerIssuer>) =
                rest.into_iter().partition(|former| is_free(former, &going));
            if free.is_empty() {
                return found;
            }
            going.extend(free.iter().map(|former| former.fingerprint));
            found.extend(free);
            rest = needed;
        }
    }
}

fn is_free(former: &FormerIssuer, going: &[Fingerprint]) -> bool {
    let mut going = going.to_vec();
    former.needed_by.iter().all(|user| match going.iter().position(|gone| gone == user) {
        Some(at) => {
            going.swap_remove(at);
            true
        }
        None => false,
    })
}

/// The certificates in these lists: without names and without private keys, in one request for each list. Nothing where
/// that is more than can be read.
async fn held_in(session: &Session, lists: &[XPath]) -> Result<Option<Vec<HeldCertificate>>, InstallError> {
    let mut held = Vec::new();
    for list in lists {
        let found = match session.get_all(&list.clone().step("entry").step("public-key")).await {
            Ok(found) => found,
            Err(error) if is_too_much(&error) => return Ok(None),
            Err(error) => return Err(InstallError::during(Activity::Looking)(error)),
        };
        let read = |element: &Element| HeldCertificate::of_pem(&element.text()).ok();
        held.extend(found.iter().filter_map(read));
    }
    Ok(Some(held))
}
