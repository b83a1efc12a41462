//! Applying: the plan's steps, one after the other, each undo noted before its step.

use std::path::Path;
use std::time::Duration;

use panos_xmlapi::{
    Address, CertificateEntry, Element, Error, Fingerprint, KeyExport, KeyPairImport, Reason, Refusal,
    Session, SystemInfo, XPath,
};
use tokio::time::Instant;

use super::accepted_forms::AcceptedForms;
use super::blockers::retry_while_locked;
use super::error::{Activity, InstallError};
use super::events::{Event, Events};
use super::names::ObjectName;
use super::objects;
use super::phases::Phase;
use super::places::{Sight, Spot};
use super::plan::{Plan, Step};
use super::references::Reference;
use super::request::{InstallRequest, Upload};
use super::retry::RetryPolicy;
use super::rollback::Undo;
use super::state::{CurrentInstall, DeviceState};
use super::upload::{self, UploadFile, UploadForm};
use crate::certificate::Bundle;
use crate::certificate::pkcs12;
use crate::host::fips;

/// A deployment in progress: what it works with, and what it has done so far.
pub struct PlanRunner<'a> {
    /// The device.
    pub session: &'a Session,
    /// Where it is told what happens.
    pub events: &'a Events,
    /// How long a device may be silent.
    pub retry_policy: &'a RetryPolicy,
    /// What the device was seen to be like. The administrator's name is noted as soon as it is known.
    pub state: DeviceState,
    /// How to take back what was done so far.
    pub undo: Vec<Undo>,
    /// How long the device may stay locked or busy.
    pub deadline: Instant,
    /// How long its commits usually take, where that is known.
    pub usual_commit: Option<Duration>,
    /// What the device says of itself.
    pub system: &'a SystemInfo,
    /// The device's address.
    pub device: &'a Address,
    /// Where it is remembered in which form it took an upload.
    pub state_dir: &'a Path,
    /// In which form it took the last one, where that was not the usual one.
    pub taken: Option<UploadForm>,
}

/// One certificate's part in a deployment.
#[derive(Debug)]
pub struct PlannedInstall<'a> {
    /// What is wanted.
    pub request: &'a InstallRequest,
    /// The certificate.
    pub bundle: &'a Bundle,
    /// What the device was seen to have of it.
    pub observed: CurrentInstall,
    /// What was decided.
    pub plan: Plan,
    /// The places of it as they were found; none where nothing is to be done.
    pub spots: Vec<Spot>,
    /// In which form the device took the upload.
    pub form: Option<UploadForm>,
    /// The objects that were made for intermediate certificates.
    pub issuers: Vec<(ObjectName, Fingerprint)>,
    /// The older objects that are gone.
    pub deleted: Vec<ObjectName>,
}

impl PlannedInstall<'_> {
    /// In which form the device got the certificate, now or, as far as is known, before.
    #[must_use]
    pub fn sent_as(&self, taken: Option<UploadForm>) -> UploadForm {
        let has_chain = !self.bundle.chain().is_empty();
        let usual = || upload::forms(self.request.upload, has_chain, taken).first().copied();
        self.form.or_else(usual).unwrap_or(UploadForm::Pkcs12(pkcs12::Container::Legacy))
    }
}

impl PlanRunner<'_> {
    /// Walks the steps of one part, all but the commit.
    ///
    /// # Errors
    /// The first failure. What was done is to be put back.
    pub async fn make(&mut self, part: &mut PlannedInstall<'_>) -> Result<(), InstallError> {
        let steps = part.plan.steps.clone();
        for step in &steps {
            match step {
                Step::Import { object, replaces } => {
                    self.events.begin(Phase::Import);
                    part.form = Some(self.import(part, object, *replaces).await?);
                }
                Step::ImportIssuer(issuer) => {
                    self.events.begin(Phase::Import);
                    self.import_issuer(part, issuer).await?;
                }
                Step::Bind { profiles, to } => {
                    self.events.begin(Phase::Bind);
                    self.bind(part, profiles, to).await?;
                }
                Step::Rebind { uses, to } => {
                    self.events.begin(Phase::Bind);
                    self.rebind(uses, to).await?;
                }
                Step::Delete(object) => self.delete(part, object).await?,
                Step::DeleteIssuer(former) => self.delete_issuer(part, former).await?,
                Step::Commit(_) => {}
            }
        }
        Ok(())
    }

    async fn import(
        &mut self,
        part: &PlannedInstall<'_>,
        object: &ObjectName,
        replaces: bool,
    ) -> Result<UploadForm, InstallError> {
        let at = part.observed.place.certificate(object.as_str())?;
        self.undo.push(match replaces {
            true => Undo::Restore(object.clone()),
            false => Undo::Delete { at, name: object.clone(), certificate: part.bundle.fingerprint() },
        });
        let forms = upload::forms(part.request.upload, !part.bundle.chain().is_empty(), self.taken);
        let (reply, form) = self.upload_in_turn(part, object, forms).await?;
        self.events.tell(Event::Uploaded(reply));
        self.read_back(part, object, replaces).await?;
        self.events.tell(Event::Imported(object.clone()));
        self.remember(part, form);
        Ok(form)
    }

    /// What a device took is tried first the next time, where the choice is left to this program.
    fn remember(&mut self, part: &PlannedInstall<'_>, form: UploadForm) {
        let first = upload::forms(part.request.upload, !part.bundle.chain().is_empty(), self.taken);
        if part.request.upload != Upload::Auto || first.first() == Some(&form) {
            return;
        }
        self.taken = Some(form);
        if let Err(error) = AcceptedForms::below(self.state_dir).remember(self.device, form) {
            self.events
                .trouble(format!("in which form the device took the upload is not remembered: {error}"));
        }
    }

    /// Tries one form after the other, as long as it may be the form that the device does not take. Of several
    /// refusals all are told, the most telling one first.
    async fn upload_in_turn(
        &self,
        part: &PlannedInstall<'_>,
        object: &ObjectName,
        forms: Vec<UploadForm>,
    ) -> Result<(String, UploadForm), InstallError> {
        let mut refusals: Vec<(&str, Refusal)> = Vec::new();
        let mut unmade = None;
        let fips = fips::is_on() && part.request.upload == Upload::Auto;
        if fips {
            self.events.tell(Event::FipsMode);
        }
        let forms: Vec<UploadForm> =
            forms.into_iter().filter(|form| !fips || form.container().is_none()).collect();
        for (at, form) in forms.iter().enumerate() {
            let next = forms.get(at + 1).map(|next| next.in_words());
            let refusal = match self.upload(part, object, *form).await {
                Ok(reply) => return Ok((reply, *form)),
                Err(InstallError::Device { error: Error::Refused(refusal), .. }) => refusal,
                // Where the system forbids an algorithm, another form may do without it.
                Err(InstallError::Pkcs12(error)) if next.is_some() => {
                    let next = next.unwrap_or_default();
                    self.events.tell(Event::FormNotMade { why: error.to_string(), next });
                    unmade = Some(error);
                    continue;
                }
                Err(other) => return Err(other),
            };
            let goes_on = may_be_the_form(&refusal);
            if let (true, Some(next)) = (goes_on, next) {
                self.events.tell(Event::FormRefused { why: refusal.to_string(), next });
            }
            refusals.push((form.in_words(), refusal));
            if !goes_on {
                break;
            }
        }
        match (refusals.is_empty(), unmade) {
            (true, Some(error)) => Err(error.into()),
            _ => {
                Err(InstallError::during(Activity::Uploading)(Error::Refused(Refusal::of_several(refusals))))
            }
        }
    }

    /// Uploads in one form. The device's reply.
    async fn upload(
        &self,
        part: &PlannedInstall<'_>,
        object: &ObjectName,
        form: UploadForm,
    ) -> Result<String, InstallError> {
        let key_export = self.system.blocks_private_keys().then_some(part.request.key_export);
        // Got anew for each attempt, and gone while a locked or busy device is waited for.
        let attempt = async || match UploadFile::of(part.bundle, form) {
            Ok(file) => self.session.import(&import_of(part, object, &file, key_export)).await.map(Ok),
            Err(error) => Ok(Err(error)),
        };
        let reply = self.change(Activity::Uploading, attempt).await??;
        Ok(reply.as_xml())
    }

    /// The device's word is not enough: the object has to be there, with this very certificate.
    async fn read_back(
        &mut self,
        part: &PlannedInstall<'_>,
        object: &ObjectName,
        replaces: bool,
    ) -> Result<(), InstallError> {
        let path = part.observed.place.certificate(object.as_str())?;
        let found = objects::candidate(self.session, &path)
            .await
            .map_err(InstallError::during(Activity::Uploading))?;
        let entry = found
            .and_then(|result| CertificateEntry::read_all(&result).into_iter().next())
            .ok_or_else(|| InstallError::ImportNotApplied(format!("has no certificate '{object}'")))?;
        let wanted = part.bundle.fingerprint();
        match entry.public_key.as_deref().map(crate::certificate::fingerprint_of_pem) {
            Some(Ok(found)) if found == wanted => {}
            Some(Ok(found)) => {
                return Err(InstallError::ImportNotApplied(format!(
                    "holds the fingerprint {found} as '{object}', not {wanted}"
                )));
            }
            _ => {
                return Err(InstallError::ImportNotApplied(format!(
                    "holds no readable certificate '{object}'"
                )));
            }
        }
        // The mark on an object that was there before may be an older one.
        let may_be_ours = !replaces || self.state.asked;
        if self.state.administrator.is_none() && may_be_ours {
            self.state.administrator = entry.uncommitted_admin;
        }
        Ok(())
    }

    async fn bind(
        &mut self,
        part: &PlannedInstall<'_>,
        profiles: &[(String, Option<String>)],
        to: &ObjectName,
    ) -> Result<(), InstallError> {
        // Where a profile has gone since it was looked at, `set` would make a new one with nothing else in it.
        let place = &part.observed.place;
        let now =
            self.session.get(&place.profiles()).await.map_err(InstallError::during(Activity::Binding))?;
        for (name, _) in profiles {
            let (at, sight) = (place.profile(name)?, Sight::of_entry(now.as_ref(), name));
            if !sight.is_there() {
                return Err(InstallError::ProfileVanished(name.clone()));
            }
            // Somebody works on it just now: what was decided was decided for another state.
            let before = part.spots.iter().find(|spot| spot.at == at);
            if before.is_some_and(|spot| spot.before.content != sight.content) && !self.has_bound(&at, &sight)
            {
                let who = sight.marks.first().map(|mark| mark.administrator.clone());
                return Err(InstallError::ChangedMeanwhile { at: at.to_string(), who });
            }
        }
        let mut entries = Vec::new();
        for (profile, now) in profiles {
            let at = place.profile(profile)?;
            let made = Some(to.to_string());
            self.undo.push(Undo::RestoreBinding { at, profile: profile.clone(), to: now.clone(), made });
            let mut entry = Element::new("entry").with(Element::new("certificate").with_text(to.as_str()));
            entry.attributes.push(("name".to_owned(), profile.clone()));
            entries.push(entry);
        }
        // One request for all profiles; `set` merges, so that nothing but the certificate is touched.
        let at = place.profiles();
        self.change(Activity::Binding, async || self.session.set_all(&at, &entries).await).await?;
        for (profile, _) in profiles {
            self.events.tell(Event::ProfileUpdated(profile.clone()));
        }
        Ok(())
    }

    /// Whether this run has bound the profile already, for another certificate that claims it too.
    fn has_bound(&self, profile: &XPath, now: &Sight) -> bool {
        self.undo.iter().any(|undo| {
            matches!(undo, Undo::RestoreBinding { at, made: Some(made), .. }
                if at == profile && now.text("certificate") == Some(made))
        })
    }

    async fn rebind(&mut self, uses: &[Reference], to: &ObjectName) -> Result<(), InstallError> {
        for place in uses {
            self.undo.push(Undo::RestoreReference { place: place.clone(), made: to.to_string() });
            let element = Element::new(place.element).with_text(to.as_str());
            self.change(Activity::Binding, async || self.session.set(&place.at, &element).await).await?;
            self.events.tell(Event::PlaceUpdated(place.label.to_string()));
        }
        Ok(())
    }

    /// Deletes an older object; whether something still refers to it is for the device to say.
    async fn delete(
        &mut self,
        part: &mut PlannedInstall<'_>,
        object: &ObjectName,
    ) -> Result<(), InstallError> {
        self.undo.push(Undo::Restore(object.clone()));
        let path = part.observed.place.certificate(object.as_str())?;
        match self.session.delete(&path).await {
            Ok(true) => {
                self.events.tell(Event::OlderDeleted(object.clone()));
                part.deleted.push(object.clone());
            }
            Ok(false) => part.deleted.push(object.clone()),
            Err(Error::Refused(refusal)) if refusal.reason == Reason::InUse => {
                let (object, by) = (object.clone(), refusal.lines.join("; "));
                self.events.tell(Event::OlderKept { object, by });
            }
            Err(error) => return Err(InstallError::during(Activity::Binding)(error)),
        }
        Ok(())
    }

    /// A change, made as soon as no lock is in its way.
    pub(super) async fn change<T>(
        &self,
        doing: Activity,
        request: impl AsyncFnMut() -> Result<T, Error>,
    ) -> Result<T, InstallError> {
        retry_while_locked(self.session, self.events, self.deadline, request)
            .await
            .map_err(InstallError::during(doing))
    }
}

/// The upload of a file.
fn import_of(
    part: &PlannedInstall<'_>,
    object: &ObjectName,
    file: &UploadFile,
    key_export: Option<KeyExport>,
) -> KeyPairImport {
    KeyPairImport {
        name: object.to_string(),
        location: part.observed.place.clone(),
        format: file.format,
        file: file.file.clone(),
        passphrase: file.passphrase.secret().clone(),
        key_export,
    }
}

/// Refusals that have nothing to do with the file are not answered by another file.
pub(super) fn may_be_the_form(refusal: &Refusal) -> bool {
    let is_about_more = refusal.says("certificate-name") || refusal.says("is expired");
    !is_about_more
        && matches!(
            refusal.reason,
            Reason::Other | Reason::Invalid | Reason::Malformed | Reason::NotPossible | Reason::Internal
        )
}
