//! What a deployment is about, and what was done.

use tokio::sync::OnceCell;

use super::apply::Part;
use super::failure::Failure;
use super::look::Want;
use super::observe::Situation;
use super::patience::Patience;
use super::request::Wish;
use crate::certificate::Bundle;
use crate::delivery::{Ledger, Left, Record, Records};
use crate::host::log::RunLog;
use crate::panos::NextIdentity;

/// One certificate that is to be delivered.
pub struct Delivery {
    /// What is wanted.
    pub wish: Wish,
    /// The certificate, or why it can't be used: that is recorded like any other failure.
    pub bundle: Result<Bundle, Failure>,
    /// Its record.
    pub record: Record,
}

/// What a transaction is about.
pub(super) struct Affair<'a> {
    /// The wishes with their certificates.
    pub(super) wants: Vec<Want<'a>>,
    /// Their records.
    pub(super) ledger: Ledger<'a>,
    /// How the last run left each of them.
    pub(super) lefts: Vec<Left>,
    /// The records as runs left them that may have left something on the device as well.
    pub(super) leftovers: Vec<Record>,
    /// By which certificates devices are recognised from the commit on, as it was decided before it, and as runs that
    /// died have decided.
    pub(super) next: Vec<NextIdentity>,
    /// Where it is told.
    pub(super) log: &'a RunLog,
}

/// What was done on one device.
pub(super) struct Done<'a> {
    /// Each certificate's part in it.
    pub(super) parts: Vec<Part<'a>>,
    /// What the device was seen to be like before.
    pub(super) situation: Situation,
    /// Whether anything was committed.
    pub(super) committed: bool,
    /// Why a part is not as it should be after the commit.
    pub(super) unproven: Vec<Option<Failure>>,
    /// Whether the management interface presents one of the certificates: asked once.
    pub(super) managements: OnceCell<bool>,
    /// For each part, whether its endpoints answered before anything was changed.
    pub(super) answering: Vec<Vec<bool>>,
}

impl<'a> Affair<'a> {
    pub(super) fn new(
        members: Vec<&'a mut Delivery>,
        before: &[&Record],
        records: &'a Records,
        log: &'a RunLog,
    ) -> Self {
        let (mut wants, mut entries) = (Vec::new(), Vec::new());
        for Delivery { wish, bundle, record } in members {
            // What has no certificate has failed before.
            if let Ok(bundle) = bundle {
                wants.push(Want { wish, bundle, made: record.made.clone() });
                entries.push(record);
            }
        }
        let leftovers = before.iter().filter(|record| !record.touches.is_empty());
        let leftovers = leftovers.map(|record| (*record).clone()).collect();
        let lefts = before.iter().map(|record| record.left()).collect();
        Self { wants, ledger: Ledger::new(records, entries), lefts, leftovers, next: Vec::new(), log }
    }

    /// The first wish speaks for all where they are the same.
    pub(super) fn wish(&self) -> &'a Wish {
        self.wants[0].wish
    }

    pub(super) fn patience(&self) -> &'a Patience {
        &self.wish().patience
    }

    pub(super) fn was_interrupted(&self) -> bool {
        self.lefts.contains(&Left::InTheMiddle)
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
    pub(super) async fn note_touches(&mut self, parts: &[Part<'_>]) -> Result<(), Failure> {
        for (at, part) in parts.iter().enumerate() {
            let touches = part.plan.touches(&part.observed.place)?;
            if let Some(record) = self.ledger.entry(at) {
                record.touches.extend(touches);
                record.touches.sort();
                record.touches.dedup();
            }
        }
        Ok(self.ledger.save().await?)
    }
}
