//! The steps that make and delete the objects of intermediate certificates.

use panos_xmlapi::{CertificateImport, Error, Reason};

use super::apply::{PlanRunner, PlannedInstall, may_be_the_form};
use super::change::Change;
use super::error::{Activity, InstallError};
use super::events::Event;
use super::issuers::{FormerIssuer, Issuer};
use super::places;
use super::plan::Step;
use super::rollback::Undo;

impl PlanRunner<'_> {
    /// Uploads an intermediate certificate. A device that does not take it gets on without: the certificate itself
    /// is what was asked for.
    pub(super) async fn import_issuer(
        &mut self,
        part: &mut PlannedInstall<'_>,
        issuer: &Issuer,
    ) -> Result<(), InstallError> {
        let Issuer { object, fingerprint, subject, pem } = issuer;
        let at = part.observed.place.certificate(object.as_str())?;
        self.undo.push(Undo::Delete { at: at.clone(), name: object.clone(), certificate: *fingerprint });
        let import = CertificateImport {
            name: object.to_string(),
            location: part.observed.place.clone(),
            pem: pem.clone(),
        };
        let attempt = async || self.session.import_certificate(&import).await;
        let refused = match self.change(Activity::Uploading, attempt).await {
            Ok(_) => None,
            Err(InstallError::Device { error: Error::Refused(refusal), .. }) if may_be_the_form(&refusal) => {
                Some(refusal.to_string())
            }
            Err(other) => return Err(other),
        };
        // The device's word is not enough, in either case.
        let now = places::candidate(self.session, &at).await?;
        match (now.is(&Change::Holds(*fingerprint)), now.is_there()) {
            (true, _) => {
                let (object, subject) = (object.clone(), subject.clone());
                self.events.tell(Event::IssuerImported { object: object.clone(), subject });
                part.issuers.push((object, *fingerprint));
                Ok(())
            }
            (false, true) => {
                Err(InstallError::ImportNotApplied(format!("holds something else as '{object}'")))
            }
            (false, false) => {
                let why = refused.unwrap_or_else(|| "it is not there afterwards".to_owned());
                self.events.warn(format!(
"the device does not take the intermediate certificate {subject} as an object of its own: {why}. Going on without it"
                ));
                Ok(())
            }
        }
    }

    /// Deletes the object of an intermediate certificate; it stays where a certificate that needs it has stayed.
    pub(super) async fn delete_issuer(
        &mut self,
        part: &mut PlannedInstall<'_>,
        former: &FormerIssuer,
    ) -> Result<(), InstallError> {
        let at = part.observed.place.certificate(former.object.as_str())?;
        let has_stayed = part
            .plan
            .steps
            .iter()
            .any(|step| matches!(step, Step::Delete(object) if !part.deleted.contains(object)));
        let before = part.spots.iter().find(|spot| spot.at == at);
        let is_ours = before.is_some_and(|spot| spot.before.is(&Change::Holds(former.fingerprint)));
        if has_stayed || !is_ours {
            return Ok(());
        }
        self.undo.push(Undo::Restore(former.object.clone()));
        match self.session.delete(&at).await {
            Ok(_) => {
                self.events.tell(Event::IssuerDeleted(former.object.clone()));
                part.deleted.push(former.object.clone());
                Ok(())
            }
            Err(Error::Refused(refusal)) if refusal.reason == Reason::InUse => {
                let (object, by) = (former.object.clone(), refusal.lines.join("; "));
                self.events.tell(Event::IssuerKept { object, by });
                Ok(())
            }
            Err(error) => Err(InstallError::during(Activity::Binding)(error)),
        }
    }
}
