//! Applying: the plan's steps, one after the other, each undo noted before its step.

use futures_util::future::join;
use secrecy::SecretSlice;
use tokio::time::Instant;

use super::busy::while_blocked;
use super::failure::{Doing, Failure};
use super::fate::{Fate, Inquiry};
use super::names::ObjectName;
use super::observe::Observed;
use super::plan::{Plan, Step};
use super::record::{Record, Records};
use super::request::{CommitScope, ContainerChoice, Upload, Wish};
use super::undo::{Aftermath, Undo};
use super::uses::Use;
use crate::certificate::Bundle;
use crate::certificate::pkcs12::{self, Container, Passphrase};
use crate::host::log::RunLog;
use crate::install::stopwatch::{Phase, Stopwatch};
use crate::panos::certificates::{CertificateEntry, ServiceProfile};
use crate::panos::commit::{Commit, Enqueued, Scope};
use crate::panos::error::{Error, Reason, Refusal};
use crate::panos::import::{Format, KeyPairImport};
use crate::panos::job::Job;
use crate::panos::session::Session;
use crate::panos::wait::JobEnd;
use crate::panos::xml::Element;

/// How often a commit is asked for whose request got lost on the way.
const ATTEMPTS: u32 = 3;

/// A deployment in progress: what it works with, and what it has done so far.
pub struct Application<'a> {
    /// The device.
    pub session: &'a Session,
    /// What is wanted.
    pub wish: &'a Wish,
    /// The certificate.
    pub bundle: &'a Bundle,
    /// What the device was seen to have.
    pub observed: &'a Observed,
    /// Where it is told.
    pub log: &'a RunLog,
    /// How to take back what was done so far.
    pub undo: Vec<Undo>,
    /// The older objects that are gone.
    pub deleted: Vec<ObjectName>,
    /// The installation's record, which learns the commit job as soon as there is one.
    pub record: &'a mut Record,
    /// Where it is kept.
    pub records: &'a Records,
    /// The administrator's name, as soon as it is known.
    pub administrator: Option<String>,
}

impl Application<'_> {
    /// Walks the plan.
    ///
    /// # Errors
    /// The first failure, and what it means for the candidate configuration.
    pub async fn walk(&mut self, plan: &Plan, watch: &mut Stopwatch) -> Result<(), (Failure, Aftermath)> {
        for step in &plan.steps {
            match step {
                Step::Import { object, replaces } => {
                    watch.begin(Phase::Import);
                    self.import(object, *replaces).await.map_err(put_back)?;
                }
                Step::Bind { profiles, to } => {
                    watch.begin(Phase::Bind);
                    self.bind(profiles, to).await.map_err(put_back)?;
                }
                Step::Rebind { uses, to } => {
                    watch.begin(Phase::Bind);
                    self.rebind(uses, to).await.map_err(put_back)?;
                }
                Step::Delete(object) => self.delete(object).await.map_err(put_back)?,
                Step::Commit(scope) => {
                    watch.begin(Phase::Commit);
                    self.commit(*scope).await?;
                }
            }
        }
        Ok(())
    }

    fn inquiry(&self) -> Inquiry<'_> {
        let (session, wish, place) = (self.session, self.wish, &self.observed.place);
        Inquiry { session, wish, place, wanted: self.bundle.fingerprint() }
    }

    async fn import(&mut self, object: &ObjectName, replaces: bool) -> Result<(), Failure> {
        self.undo.push(if replaces { Undo::Restore(object.clone()) } else { Undo::Delete(object.clone()) });
        let reply = match self.wish.upload {
            Upload::Pem => self.upload(object, None).await?,
            Upload::Pkcs12(ContainerChoice::Only(container)) => self.upload(object, Some(container)).await?,
            Upload::Pkcs12(ContainerChoice::Auto) => match self.upload(object, Some(Container::Legacy)).await
            {
                Err(Failure::Device { error: Error::Refused(refusal), .. })
                    if may_be_the_container(&refusal) =>
                {
                    self.log.say(&format!(
                        "{refusal}; trying once more with modern algorithms (PBES2, AES-256)."
                    ));
                    self.upload(object, Some(Container::Modern)).await?
                }
                other => other?,
            },
        };
        self.log.say(&format!("XML API output for keypair: {reply}"));
        self.read_back(object).await?;
        self.log.say(&format!("Finished uploading certificate: {object}"));
        Ok(())
    }

    /// Uploads in one form; PEM where no container is named. The device's reply.
    async fn upload(&self, object: &ObjectName, container: Option<Container>) -> Result<String, Failure> {
        let passphrase = Passphrase::random()?;
        let with_chain = !self.bundle.chain().is_empty();
        let (format, file) = match container {
            Some(container) => {
                (Format::Pkcs12, pkcs12::write(self.bundle, container, &passphrase, with_chain)?)
            }
            None => (Format::Pem, self.bundle.to_pem_keypair()?),
        };
        let import = KeyPairImport {
            name: object.to_string(),
            vsys: self.observed.place.vsys().map(str::to_owned),
            format,
            file: SecretSlice::from(file),
            passphrase: passphrase.secret().clone(),
            key_export: self.wish.key_export,
        };
        let reply = self.change(Doing::Uploading, async || self.session.import(&import).await).await?;
        Ok(reply.as_xml())
    }

    /// The device's word is not enough: the object has to be there, with this very certificate.
    async fn read_back(&mut self, object: &ObjectName) -> Result<(), Failure> {
        let path = self.observed.place.certificate(object.as_str())?;
        let found = self.session.get(&path).await.map_err(Failure::while_doing(Doing::Uploading))?;
        let entry = found
            .and_then(|result| CertificateEntry::read_all(&result).into_iter().next())
            .ok_or_else(|| Failure::NotTaken(format!("has no certificate '{object}'")))?;
        let wanted = self.bundle.fingerprint();
        match entry.public_key.as_deref().map(crate::certificate::fingerprint_of_pem) {
            Some(Ok(found)) if found == wanted => {}
            Some(Ok(found)) => {
                return Err(Failure::NotTaken(format!(
                    "holds the fingerprint {found} as '{object}', not {wanted}"
                )));
            }
            _ => return Err(Failure::NotTaken(format!("holds no readable certificate '{object}'"))),
        }
        if self.administrator.is_none() {
            self.administrator = entry.changed_by;
        }
        Ok(())
    }

    async fn bind(&mut self, profiles: &[(String, Option<String>)], to: &ObjectName) -> Result<(), Failure> {
        // Where a profile has gone since it was looked at, `set` would make a new one with nothing else in it.
        let place = &self.observed.place;
        let now = self.session.get(&place.profiles()).await.map_err(Failure::while_doing(Doing::Binding))?;
        let now = now.map(|result| ServiceProfile::read_all(&result)).unwrap_or_default();
        let is_gone = |name: &&String| !now.iter().any(|profile| profile.name == **name);
        if let Some(gone) = profiles.iter().map(|(name, _)| name).find(is_gone) {
            return Err(Failure::ProfileVanished(gone.clone()));
        }
        let mut entries = Vec::new();
        for (profile, now) in profiles {
            self.undo.push(Undo::BindBack { profile: profile.clone(), to: now.clone() });
            let mut entry = Element::new("entry").with(Element::new("certificate").with_text(to.as_str()));
            entry.attributes.push(("name".to_owned(), profile.clone()));
            entries.push(entry);
        }
        // One request for all profiles; `set` merges, so that nothing but the certificate is touched.
        let at = self.observed.place.profiles();
        self.change(Doing::Binding, async || self.session.set_all(&at, &entries).await).await?;
        for (profile, _) in profiles {
            self.log.say(&format!("Successfully updated SSL/TLS Profile {profile}"));
        }
        Ok(())
    }

    async fn rebind(&mut self, uses: &[Use], to: &ObjectName) -> Result<(), Failure> {
        for place in uses {
            self.undo.push(Undo::GiveBack(place.clone()));
            let element = Element::new(place.element).with_text(to.as_str());
            self.change(Doing::Binding, async || self.session.set(&place.at, &element).await).await?;
            self.log.say(&format!("Successfully updated {}", place.label));
        }
        Ok(())
    }

    /// Deletes an older object; whether something still refers to it is for the device to say.
    async fn delete(&mut self, object: &ObjectName) -> Result<(), Failure> {
        self.undo.push(Undo::Restore(object.clone()));
        let path = self.observed.place.certificate(object.as_str())?;
        match self.session.delete(&path).await {
            Ok(true) => {
                self.log.say(&format!("Deleted the older certificate: {object}"));
                self.deleted.push(object.clone());
            }
            Ok(false) => self.deleted.push(object.clone()),
            Err(Error::Refused(refusal)) if refusal.reason == Reason::InUse => {
                self.log.say(&format!(
                    "The older certificate {object} stays, it is in use: {}",
                    refusal.lines.join("; ")
                ));
            }
            Err(error) => return Err(Failure::while_doing(Doing::Binding)(error)),
        }
        Ok(())
    }

    async fn commit(&mut self, scope: CommitScope) -> Result<(), (Failure, Aftermath)> {
        let scope = match (scope, &self.administrator) {
            (CommitScope::OwnChanges, Some(name)) => Scope::Administrator(name.clone()),
            (CommitScope::OwnChanges, None) => return Err(put_back(Failure::AdministratorUnknown)),
            _ => Scope::Everybody,
        };
        let description =
            format!("pan_getcert: {} as {} (run {})", self.wish.common_name, self.wish.object, self.log.id());
        let commit = Commit { scope, description };
        self.log.say("Starting commit, please be patient.");
        // Should the management interface be bound to this object, its web server restarts with the new
        // certificate in the middle of the commit: a certificate that is ours, so nobody else can show it.
        self.session.also_accept(self.bundle.fingerprint());
        let begun = Instant::now();
        let deadline = begun + self.wish.commit_timeout;
        match self.enqueue(&commit, deadline).await? {
            Enqueued::NothingToDo(words) => {
                self.log.say(&format!("commit: nothing to commit: \"{words}\""));
                // Because it runs already, because a job does it just now, or because the change is lost.
                self.inquiry().conclude(deadline).await?;
            }
            Enqueued::Job(id) => {
                // Should this process die while it waits, the record says which job to ask about.
                self.record.job = Some(id.clone());
                let noting = self.records.write_aside(&self.wish.device, self.record);
                let (noted, ended) = join(noting, self.follow(&id, deadline)).await;
                // The commit goes on all the same; the record is written once more at the end.
                if let Err(error) = noted {
                    self.log.error(&error.to_string());
                }
                ended?;
            }
        }
        self.log.say(&format!("The commit took {} seconds to complete.", begun.elapsed().as_secs()));
        Ok(())
    }

    /// Asks for the commit, for as long as the device is busy or locked.
    async fn enqueue(&self, commit: &Commit, deadline: Instant) -> Result<Enqueued, (Failure, Aftermath)> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let ask = async || self.session.commit(commit).await;
            let error = match while_blocked(self.session, self.log, deadline, ask).await {
                Ok(enqueued) => return Ok(enqueued),
                Err(error) if super::undo::may_have_taken_effect(&error) => error,
                Err(error) => return Err(put_back(Failure::while_doing(Doing::Committing)(error))),
            };
            self.log.say(&format!("{error}; looking up whether the commit was begun."));
            match self.inquiry().fate(commit, deadline).await {
                Ok(Fate::Job(id)) => return Ok(Enqueued::Job(id)),
                Ok(Fate::Running) => return Ok(Enqueued::NothingToDo("it runs already".to_owned())),
                Ok(Fate::Nothing(_)) if attempt < ATTEMPTS => {}
                Ok(Fate::Nothing(lack)) => return Err(put_back(Failure::NotCommitted(lack))),
                Err(failure) => {
                    let unknown = Failure::CommitUnknown { lost: error, since: Box::new(failure) };
                    return Err((unknown, Aftermath::LeaveAlone));
                }
            }
        }
    }

    /// A change, made as soon as no lock is in its way.
    async fn change<T>(
        &self,
        doing: Doing,
        request: impl AsyncFnMut() -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.wish.commit_timeout;
        while_blocked(self.session, self.log, deadline, request).await.map_err(Failure::while_doing(doing))
    }

    async fn follow(&self, id: &str, deadline: Instant) -> Result<(), (Failure, Aftermath)> {
        let mut told = None;
        let end = self
            .session
            .wait_for_job(id, deadline, |job| {
                if job.progress != told {
                    tracing::debug!("job {id}: {:?} {:?}", job.status, job.progress);
                    told.clone_from(&job.progress);
                }
            })
            .await;
        match end {
            JobEnd::Done(job) => {
                self.tell_success(&job);
                Ok(())
            }
            JobEnd::Failed(job) => {
                let lines = job.details.clone();
                self.log.say(&format!("commit: failure: \"{}\"", lines.join("; ")));
                Err(put_back(Failure::CommitFailed { job: id.to_owned(), lines }))
            }
            JobEnd::Forgotten => {
                self.log.say(&format!(
                    "The device does not know job {id} any more; its running configuration decides."
                ));
                self.inquiry().conclude(deadline).await
            }
            JobEnd::StillOpen(error) => {
                let seconds = self.wish.commit_timeout.as_secs();
                Err((Failure::CommitOpen { job: id.to_owned(), seconds, error }, Aftermath::LeaveAlone))
            }
            JobEnd::Barred(error) => {
                Err((Failure::while_doing(Doing::Committing)(error), Aftermath::LeaveAlone))
            }
        }
    }

    fn tell_success(&self, job: &Job) {
        const USUAL: &str = "Configuration committed successfully";
        let words = match job.details.iter().find(|line| line.as_str() == USUAL) {
            Some(line) => line.clone(),
            None => job.details.join("; "),
        };
        self.log.say(&format!("commit: success: \"{words}\""));
        for warning in &job.warnings {
            self.log.say(&format!("commit: warning: \"{warning}\""));
        }
    }
}

fn put_back(failure: Failure) -> (Failure, Aftermath) {
    (failure, Aftermath::PutBack)
}

/// Refusals that have nothing to do with the file are not answered by another file.
fn may_be_the_container(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason,
        Reason::Other | Reason::Invalid | Reason::Malformed | Reason::NotPossible | Reason::Internal
    )
}
