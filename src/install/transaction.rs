//! What a deployment is about, and what was done.

use tokio::sync::OnceCell;

use super::apply::PlannedInstall;
use super::assess::Item;
use super::error::InstallError;
use super::request::InstallRequest;
use super::result::LastRun;
use super::retry::RetryPolicy;
use super::state::DeviceState;
use crate::certificate::Bundle;
use crate::delivery::{Installation, InstallationStore, Ledger};
use crate::host::log::RunLog;
use crate::panos::NextIdentity;

/// One certificate that is to be delivered.
pub struct Delivery {
    /// What is wanted.
    pub wish: InstallRequest,
    /// The certificate, or why it can't be used: that is recorded like any other failure.
    pub bundle: Result<Bundle, InstallError>,
    /// Its record.
    pub record: Installation,
}

/// What a transaction is about.
pub(super) struct Transaction<'a> {
    /// The wishes with their certificates.
    pub(super) wants: Vec<Item<'a>>,
    /// Their records.
    pub(super) ledger: Ledger<'a>,
    /// How the last run left each of them.
    pub(super) lefts: Vec<LastRun>,
    /// The records as runs left them that may have left something on the device as well.
    pub(super) leftovers: Vec<Installation>,
    /// By which certificates devices are recognised from the commit on, as it was decided before it, and as runs that
    /// died have decided.
    pub(super) next: Vec<NextIdentity>,
    /// Where it is told.
    pub(super) log: &'a RunLog,
}

/// What was done on one device.
pub(super) struct DeviceResult<'a> {
    /// Each certificate's part in it.
    pub(super) parts: Vec<PlannedInstall<'a>>,
    /// What the device was seen to be like before.
    pub(super) situation: DeviceState,
    /// Whether anything was committed.
    pub(super) committed: bool,
    /// Why a part is not as it should be after the commit.
    pub(super) unproven: Vec<Option<InstallError>>,
    /// Whether the management interface presents one of the certificates: asked once.
    pub(super) managements: OnceCell<bool>,
    /// For each part, whether its endpoints answered before anything was changed.
    pub(super) answering: Vec<Vec<bool>>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(
        members: Vec<&'a mut Delivery>,
        before: &[&Installation],
        records: &'a InstallationStore,
        log: &'a RunLog,
    ) -> Self {
        let (mut wants, mut entries) = (Vec::new(), Vec::new());
        for Delivery { wish, bundle, record } in members {
            // What has no certificate has failed before.
            if let Ok(bundle) = bundle {
                wants.push(Item { wish, bundle, made: record.created_objects.clone() });
                entries.push(record);
            }
        }
        let leftovers = before.iter().filter(|record| !record.uncommitted_paths.is_empty());
        let leftovers = leftovers.map(|record| (*record).clone()).collect();
        let lefts = before.iter().map(|record| record.last_run()).collect();
        Self { wants, ledger: Ledger::new(records, entries), lefts, leftovers, next: Vec::new(), log }
    }

    /// The first wish speaks for all where they are the same.
    pub(super) fn wish(&self) -> &'a InstallRequest {
        self.wants[0].wish
    }

    pub(super) fn patience(&self) -> &'a RetryPolicy {
        &self.wish().patience
    }

    pub(super) fn was_interrupted(&self) -> bool {
        self.lefts.contains(&LastRun::Interrupted)
    }

    /// What stands beside the commit on the device.
    pub(super) fn description(&self) -> String {
        let more = match self.wants.len() {
            1 => String::new(),
            several => format!(" and {} more", several - 1),
        };
        let wish = self.wish();
        format!("pan_getcert: {} as {}{more} (run {})", wish.common_name, wish.object, self.log.id())
    }

    /// What stands in the journal of changes now may be ours.
    pub(super) async fn note_uncommitted(
        &mut self,
        parts: &[PlannedInstall<'_>],
    ) -> Result<(), InstallError> {
        for (at, part) in parts.iter().enumerate() {
            let touches = part.plan.touches(&part.observed.place)?;
            if let Some(record) = self.ledger.entry(at) {
                record.note_uncommitted(touches);
            }
        }
        Ok(self.ledger.save().await?)
    }
}
