//! What is tried, one step after the other, between the locks.

use std::cell::RefCell;
use std::time::Duration;

use panos_xmlapi::{
    CertificateEntry, Commit, CommitReply, Element, Error, Fingerprint, JobOutcome, KeyExport, KeyPairImport,
    LockKind, PendingChange, Session, XPath,
};
use tokio::time::Instant;

use super::before::{Places, Readiness, check_own_changes};
use super::error::ProveError;
use super::leftover::Leftover;
use super::material::{MaterialError, Pair, Pairs};
use super::report::{FormReport, JournalEntry, Proof};
use crate::certificate::fingerprint_of_pem;
use crate::install::error::{Activity, InstallError};
use crate::install::places::{Relation, relation};
use crate::install::upload::UploadForm;

/// How long others may be kept from working.
pub(super) const TIME: Duration = Duration::from_secs(45);

pub(super) struct Steps<'a> {
    pub(super) session: &'a Session,
    pub(super) ready: &'a Readiness,
    pub(super) left: &'a Leftover,
    pub(super) tell: &'a dyn Fn(&str),
    pub(super) until: Instant,
    /// What was there before.
    pub(super) before: &'a RefCell<Option<Places>>,
}

impl Steps<'_> {
    /// All of it, within the time.
    pub(super) async fn work(&self, pairs: Pairs) -> Result<Proof, ProveError> {
        let worked = tokio::time::timeout_at(self.until, self.try_all(pairs)).await;
        worked.unwrap_or(Err(ProveError::TooSlow(TIME.as_secs())))
    }

    async fn try_all(&self, pairs: Pairs) -> Result<Proof, ProveError> {
        let (session, looking) = (self.session, InstallError::during(Activity::Looking));
        (self.tell)("locking configuration and commits");
        for kind in [LockKind::Commit, LockKind::Config] {
            session.take_lock(kind, &self.left.comment()).await.map_err(looking)?;
        }
        // Somebody may have begun between the first look and the lock.
        check_own_changes(session, &self.ready.administrator).await?;
        *self.before.borrow_mut() = Some(Places::look(session, &self.ready.place).await?);
        let mut forms = Vec::new();
        for (form, pair) in pairs {
            (self.tell)(&format!("uploading: {form}"));
            forms.push(self.upload(form, pair).await?);
        }
        let object = forms.iter().find(|form| form.taken).map(|form| form.form);
        if let Some(form) = object {
            (self.tell)("making an SSL/TLS service profile that nothing uses");
            self.bind(form).await?;
        }
        let changes = session.pending_changes().await.map_err(looking)?;
        let own: Vec<&PendingChange> =
            changes.iter().filter(|change| change.owner == self.ready.administrator).collect();
        (self.tell)("asking whether it would be committed");
        let (valid, validation) = match object {
            Some(_) => self.validate().await?,
            None => (false, vec!["not asked: no form was taken".to_owned()]),
        };
        let place = &self.ready.place;
        let listed = |list: XPath, name: &str| {
            let at = list.clone().entry(name).map(|at| at.to_string()).unwrap_or_default();
            shape(&own, list.as_str(), &at)
        };
        Ok(Proof {
            model: self.ready.model.clone(),
            release: self.ready.release.clone(),
            uploads_listed: object.map_or(JournalEntry::NotListed, |form| {
                listed(place.certificates(), &self.left.object(form))
            }),
            profile_listed: listed(place.profiles(), &self.left.profile()),
            forms,
            valid,
            validation,
            revert_took_certificates: false,
            seconds: 0.0,
        })
    }

    async fn upload(
        &self,
        form: UploadForm,
        pair: Result<Pair, MaterialError>,
    ) -> Result<FormReport, ProveError> {
        let not = |answer: String| FormReport {
            form,
            taken: false,
            answer,
            certificates: None,
            has_private_key: None,
        };
        let pair = match pair {
            Ok(pair) => pair,
            Err(why) => return Ok(not(format!("this machine can't make it: {why}"))),
        };
        let Pair { form, fingerprint, format, file, passphrase } = pair;
        let import = KeyPairImport {
            name: self.left.object(form),
            location: self.ready.place.clone(),
            format,
            file,
            passphrase: passphrase.secret().clone(),
            key_export: Some(KeyExport::Blocked),
        };
        let answer = match self.session.import(&import).await {
            Ok(reply) => reply.messages.join(" "),
            Err(Error::Refused(refusal)) => return Ok(not(refusal.to_string())),
            Err(error) => return Err(InstallError::during(Activity::Uploading)(error).into()),
        };
        let at = self.ready.place.certificate(&import.name).map_err(InstallError::from)?;
        let found = self.session.get(&at).await.map_err(InstallError::during(Activity::Looking))?;
        let Some(entry) = found.as_ref().map(CertificateEntry::read) else {
            return Ok(not(format!("{answer} (but no object was made)")));
        };
        let pem = entry.public_key.unwrap_or_default();
        Ok(FormReport {
            form,
            taken: holds(&pem, fingerprint),
            answer,
            certificates: Some(count_certificates(&pem)),
            has_private_key: Some(entry.has_private_key),
        })
    }

    async fn bind(&self, form: UploadForm) -> Result<(), ProveError> {
        let (place, binding) = (&self.ready.place, InstallError::during(Activity::Binding));
        let mut entry = Element::new("entry");
        entry.attributes.push(("name".to_owned(), self.left.profile()));
        let least = Element::new("min-version").with_text("tls1-2");
        let entry = entry
            .with(Element::new("protocol-settings").with(least))
            .with(Element::new("certificate").with_text(&self.left.object(form)));
        self.session.set(&place.profiles(), &entry).await.map_err(binding)?;
        let at = place.profile(&self.left.profile()).map_err(InstallError::from)?;
        let found = self.session.get(&at).await.map_err(InstallError::during(Activity::Looking))?;
        match found.and_then(|profile| profile.word_of("certificate")) {
            Some(name) if name == self.left.object(form) => Ok(()),
            _ => Err(InstallError::ProfileVanished(self.left.profile()).into()),
        }
    }

    async fn validate(&self) -> Result<(bool, Vec<String>), ProveError> {
        let commit = Commit::of(&self.ready.administrator);
        let job = match self.session.validate(&commit).await {
            Ok(CommitReply::Job(job)) => job,
            Ok(CommitReply::NoChanges(words)) => return Ok((false, vec![words])),
            Err(Error::Refused(refusal)) => return Ok((false, vec![refusal.to_string()])),
            Err(error) => return Err(InstallError::during(Activity::Committing)(error).into()),
        };
        Ok(match self.session.wait_for_job(&job, self.until, |_| {}).await {
            JobOutcome::Done(job) => (true, lines(job.details)),
            JobOutcome::Failed(job) => (false, lines(job.details)),
            JobOutcome::NotFound => (false, vec!["the device does not know the job any more".to_owned()]),
            JobOutcome::TimedOut(_) => return Err(ProveError::TooSlow(TIME.as_secs())),
            JobOutcome::Unavailable(error) => {
                return Err(InstallError::during(Activity::Committing)(error).into());
            }
        })
    }
}

fn lines(details: Vec<String>) -> Vec<String> {
    details.into_iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// How a change at this place, which stands in this list, is listed.
fn shape(own: &[&PendingChange], list: &str, at: &str) -> JournalEntry {
    let mut found = JournalEntry::NotListed;
    for change in own {
        match relation(&change.xpath, at) {
            Relation::Within if change.xpath.replace('"', "'") == at => return JournalEntry::Entry,
            Relation::Within => found = JournalEntry::Element,
            Relation::Around if relation(&change.xpath, list) != Relation::Apart => {
                found = JournalEntry::Container;
            }
            Relation::Around | Relation::Apart => {}
        }
    }
    found
}

fn count_certificates(pem: &str) -> usize {
    pem.matches("-----BEGIN CERTIFICATE-----").count()
}

fn holds(pem: &str, certificate: Fingerprint) -> bool {
    fingerprint_of_pem(pem).is_ok_and(|found| found == certificate)
}
