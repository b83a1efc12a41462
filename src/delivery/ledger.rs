//! The records of one delivery: changed together, written beside the event loop.

use super::error::StoreError;
use super::installation::Installation;
use super::store::InstallationStore;

/// The records that one delivery is about.
pub struct Ledger<'a> {
    records: &'a InstallationStore,
    entries: Vec<&'a mut Installation>,
}

impl<'a> Ledger<'a> {
    /// Of these records.
    #[must_use]
    pub fn new(records: &'a InstallationStore, entries: Vec<&'a mut Installation>) -> Self {
        Self { records, entries }
    }

    /// The records, in the order they were given in.
    #[must_use]
    pub fn entries(&self) -> &[&'a mut Installation] {
        &self.entries
    }

    /// Changes each record.
    pub fn each(&mut self, mut change: impl FnMut(&mut Installation)) {
        self.entries.iter_mut().for_each(|record| change(record));
    }

    /// One record.
    pub fn entry(&mut self, index: usize) -> Option<&mut Installation> {
        self.entries.get_mut(index).map(|record| &mut **record)
    }

    /// Where the records lie.
    #[must_use]
    pub fn records(&self) -> &'a InstallationStore {
        self.records
    }

    /// Writes them all. A disk takes longer than a request, so nothing else waits for it.
    ///
    /// # Errors
    /// The first one that can't be written.
    pub async fn save(&self) -> Result<(), StoreError> {
        let texts: Vec<Installation> = self.entries.iter().map(|record| (**record).clone()).collect();
        self.records.write_in_background(texts).await
    }
}
