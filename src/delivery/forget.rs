//! An installation, or one of its profiles, is looked after no more.

use super::engine::{DeliveryEngine, run_id};
use super::failure::DeliveryError;
use super::installation::Installation;
use super::leaving::{TakenIn, keep};
use super::lock::DeviceLock;
use super::spec::Requester;
use crate::install::names::ProfileName;

impl DeliveryEngine<'_> {
    /// An installation is not looked after any more, or no longer in one of its profiles; the device is left as it is.
    /// Whether there was one. `seen`: what was known when somebody decided on it.
    ///
    /// # Errors
    /// A state directory that can't be used; a record that can't be read, or that tells something else by now.
    pub async fn forget(
        &self,
        seen: &Installation,
        profile: Option<&ProfileName>,
    ) -> Result<bool, DeliveryError> {
        let key = &seen.key();
        let run = self.log.run(&run_id(), self.several);
        let lock =
            DeviceLock::acquire(self.state_dir, std::slice::from_ref(&key.device), self.lock_wait).await?;
        let TakenIn { records, leaving } = self.take_in(&key.device, &self.records, &run).await?;
        keep(&records, leaving, &self.records).await?;
        let Some(mut record) = self.records.read(key)? else { return Ok(false) };
        if !record.tells_the_same_as(seen) {
            return Err(DeliveryError::Changed);
        }
        let was_there = match profile {
            Some(profile) => {
                let was_bound = record.unbind(profile, self.records.now());
                self.records.write(&record)?;
                was_bound
            }
            None => {
                self.records.remove(key)?;
                true
            }
        };
        drop(lock);
        let who = Requester::current();
        let who = who.sudo_user.unwrap_or_else(|| format!("user id {}", who.uid));
        if was_there {
            let part =
                profile.map(|profile| format!("the SSL/TLS profile '{profile}' of ")).unwrap_or_default();
            run.say(&format!(
                "{key}: {part}the installation is forgotten, by {who}; the device is left as it is."
            ));
        }
        Ok(was_there)
    }
}

impl Installation {
    /// Whether whoever was told what is wanted, delivered and left on the device is told the same by this one.
    fn tells_the_same_as(&self, other: &Self) -> bool {
        let certificate = |record: &Self| {
            record
                .verified
                .as_ref()
                .map(|verified| (verified.object.clone(), verified.certificate.fingerprint))
        };
        let requests = |record: &Self| -> Vec<String> {
            record.requests.iter().map(|request| request.id.clone()).collect()
        };
        self.is_pending() == other.is_pending()
            && self.bindings == other.bindings
            && self.uncommitted_paths == other.uncommitted_paths
            && certificate(self) == certificate(other)
            && requests(self) == requests(other)
    }
}
