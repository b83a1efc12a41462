//! The records of one delivery, as the transaction's journal: changed together, written in the background.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use panos_xmlapi::{Address, NextIdentity};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::installation::Installation;
use super::leaving::{Leaving, write_and_release};
use super::store::InstallationStore;
use super::turn::Turn;
use crate::files::instead_of_state_dir;
use crate::install::journal::{Entry, Journal, JournalError};
use crate::install::result::CreatedObject;

/// The records that one transaction is about.
pub(super) struct RecordJournal<'a> {
    records: &'a InstallationStore,
    entries: Vec<&'a mut Installation>,
    slots: Option<Arc<Semaphore>>,
    /// Held until the transaction is over.
    slot: Option<OwnedSemaphorePermit>,
    /// The device's turn among many.
    turn: Arc<Turn>,
    /// Requests that leave the queue with the first write.
    leaving: Mutex<Leaving>,
    /// Whether the job of the records is this run's.
    has_committed: bool,
}

impl<'a> RecordJournal<'a> {
    pub(super) fn new(
        records: &'a InstallationStore,
        entries: Vec<&'a mut Installation>,
        turn: Arc<Turn>,
    ) -> Self {
        Self {
            records,
            entries,
            slots: None,
            slot: None,
            turn,
            leaving: Mutex::default(),
            has_committed: false,
        }
    }

    /// With requests that are in the records, and leave the queue when those are on the disk.
    pub(super) fn releasing(self, leaving: Leaving) -> Self {
        Self { leaving: Mutex::new(leaving), ..self }
    }

    /// With a limit on how many devices are changed at the same time.
    pub(super) fn within(self, slots: Option<Arc<Semaphore>>) -> Self {
        Self { slots, ..self }
    }

    /// Changes each record; whether any is another one now.
    fn each(&mut self, change: impl Fn(&mut Installation)) -> bool {
        let mut is_new = false;
        for record in &mut self.entries {
            let before = record.clone();
            change(record);
            is_new |= **record != before;
        }
        is_new
    }

    fn one(&mut self, item: usize, change: impl FnOnce(&mut Installation)) -> bool {
        self.entries.get_mut(item).is_some_and(|record| {
            change(record);
            true
        })
    }
}

impl Journal for RecordJournal<'_> {
    fn note(&mut self, entry: Entry) -> bool {
        let at = self.records.now();
        match entry {
            Entry::Uncommitted { item, changes } => {
                // What an earlier run had left is settled by now, its job with it.
                let is_earlier = !self.has_committed;
                self.one(item, |record| {
                    record.job = record.job.take().filter(|_| !is_earlier);
                    record.note_changes(changes);
                })
            }
            Entry::RolledBack => self.each(|record| record.forget_uncommitted()),
            Entry::NextIdentities(next) => self.each(|record| record.next_identities.clone_from(&next)),
            Entry::IdentityKept(kept) => {
                self.each(|record| record.next_identities.retain(|next| *next != kept))
            }
            Entry::IdentitiesVoid(device) => {
                self.each(|record| record.next_identities.retain(|next| *next.device() != device))
            }
            Entry::Push { item, state } => self.one(item, |record| record.push = Some(*state)),
            Entry::WayBack { item, back } => {
                self.one(item, |record| record.way_back = back.map(|back| *back))
            }
            Entry::CommitStarted(job) => {
                self.has_committed = true;
                self.each(|record| record.job = Some(job.clone()))
            }
            Entry::Verified { item, created, issuers, deleted } => self.one(item, |record| {
                record.forget_uncommitted();
                record.created_issuers.retain(|created| !deleted.contains(&created.object));
                for (object, fingerprint) in issuers {
                    record.note_issuer(CreatedObject { object, fingerprint, at });
                }
                record.created_objects.retain(|created| !deleted.contains(&created.object));
                if let Some((object, fingerprint)) = created {
                    record.note_created(CreatedObject { object, fingerprint, at });
                }
            }),
        }
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        let records: Vec<Installation> = self.entries.iter().map(|record| (**record).clone()).collect();
        let leaving = std::mem::take(&mut *self.leaving.lock().unwrap_or_else(PoisonError::into_inner));
        async move {
            write_and_release(self.records, records, leaving).await.map_err(|error| JournalError {
                what: error.to_string(),
                advice: Some(instead_of_state_dir().to_owned()),
            })
        }
        .boxed()
    }

    fn turn(&mut self) -> BoxFuture<'_, ()> {
        async move {
            if let Some(slots) = self.slots.take() {
                // Nobody closes it.
                self.slot = slots.acquire_owned().await.ok();
            }
        }
        .boxed()
    }

    fn stand_back(&self) -> BoxFuture<'_, ()> {
        self.turn.stand_back().boxed()
    }

    fn next_identities(&self, devices: &[&Address]) -> Vec<NextIdentity> {
        self.records.next_identities(devices)
    }
}
