//! The records of one delivery: changed together, written beside the event loop.

use super::installation::Record;
use super::store::{RecordError, Records};

/// The records that one delivery is about.
pub struct Ledger<'a> {
    records: &'a Records,
    entries: Vec<&'a mut Record>,
}

impl<'a> Ledger<'a> {
    /// Of these records.
    #[must_use]
    pub fn new(records: &'a Records, entries: Vec<&'a mut Record>) -> Self {
        Self { records, entries }
    }

    /// The records, in the order they were given in.
    #[must_use]
    pub fn entries(&self) -> &[&'a mut Record] {
        &self.entries
    }

    /// Changes each record.
    pub fn each(&mut self, mut change: impl FnMut(&mut Record)) {
        self.entries.iter_mut().for_each(|record| change(record));
    }

    /// One record.
    pub fn entry(&mut self, index: usize) -> Option<&mut Record> {
        self.entries.get_mut(index).map(|record| &mut **record)
    }

    /// Where the records lie.
    #[must_use]
    pub fn records(&self) -> &'a Records {
        self.records
    }

    /// Writes them all. A disk takes longer than a request, so nothing else waits for it.
    ///
    /// # Errors
    /// The first one that can't be written.
    pub async fn save(&self) -> Result<(), RecordError> {
        let texts: Vec<Record> = self.entries.iter().map(|record| (**record).clone()).collect();
        self.records.write_aside(texts).await
    }
}
