//! What was found good lately, so that it is not tried again: known by a hash, and the oldest forgotten first.

use std::sync::{Mutex, MutexGuard, PoisonError};

use panos_xmlapi::Fingerprint;

/// The latest `KEPT` of them, in this process.
pub(super) struct Recent<const KEPT: usize>(Mutex<Vec<Fingerprint>>);

impl<const KEPT: usize> Recent<KEPT> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(super) fn contains(&self, one: &Fingerprint) -> bool {
        self.all().contains(one)
    }

    pub(super) fn add(&self, one: Fingerprint) {
        let mut all = self.all();
        if all.len() >= KEPT {
            all.remove(0);
        }
        all.push(one);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Fingerprint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
