//! What a deployment is about, and what was done.

use std::path::Path;
use std::time::Duration;

use panos_xmlapi::{Location, NextIdentity};
use tokio::sync::OnceCell;

use super::apply::PlannedInstall;
use super::assess::Item;
use super::error::InstallError;
use super::events::Events;
use super::journal::{Entry, Journal};
use super::push::{LeftToPush, PushPlan};
use super::recover::InterruptedRun;
use super::request::InstallRequest;
use super::result::LastRun;
use super::retry::RetryPolicy;
use super::state::DeviceState;
use super::ways;

/// The longest description: one client that is in use cuts there; the documentation says 512 characters.
const DESCRIPTION_LIMIT: usize = 255;

/// What a transaction is about, and how the runs before have left the device.
pub struct TransactionInput<'a> {
    /// The requests with their certificates: all can share a commit.
    pub items: Vec<Item<'a>>,
    /// How the last run left each of them.
    pub last_runs: Vec<LastRun>,
    /// What runs that did not come to their end may have left uncommitted.
    pub interrupted: Option<InterruptedRun>,
    /// How long the device's commits usually take, where that is known.
    pub usual_commit: Option<Duration>,
    /// The same of its pushes, on Panorama.
    pub usual_push: Option<Duration>,
    /// The certificates of other runs whose push is left to a person.
    pub left: &'a [LeftToPush],
    /// The directory of the file of known devices.
    pub state_dir: &'a Path,
    /// The run's id: it stands in the commit's description on the device.
    pub run: &'a str,
    /// Who has asked for it, in words: stands there too.
    pub asked_by: String,
}

/// What a transaction is about.
pub(super) struct Transaction<'a> {
    /// The requests with their certificates.
    pub(super) wants: Vec<Item<'a>>,
    /// What has to be on the disk before a step.
    pub(super) journal: &'a mut dyn Journal,
    /// How the last run left each of them.
    pub(super) lefts: Vec<LastRun>,
    /// What runs that did not come to their end may have left uncommitted.
    pub(super) interrupted: Option<InterruptedRun>,
    /// How long the device's commits usually take, where that is known.
    pub(super) usual_commit: Option<Duration>,
    /// The same of its pushes, on Panorama.
    pub(super) usual_push: Option<Duration>,
    /// The certificates of other runs whose push is left to a person.
    pub(super) left: &'a [LeftToPush],
    /// The directory of the file of known devices.
    pub(super) state_dir: &'a Path,
    /// By which certificates devices are recognised from the commit on, as it was decided before it, and as runs that
    /// died have decided.
    pub(super) next: Vec<NextIdentity>,
    /// The run's id.
    run: &'a str,
    /// Who has asked for it, in words.
    asked_by: String,
    /// Where it is told what happens.
    pub(super) events: &'a Events,
}

/// What was done on one device.
pub(super) struct DeviceResult<'a> {
    /// Each certificate's part in it.
    pub(super) parts: Vec<PlannedInstall<'a>>,
    /// What the device was seen to be like before.
    pub(super) state: DeviceState,
    /// Whether anything was committed.
    pub(super) committed: bool,
    /// Why a part is not as it should be after the commit.
    pub(super) unproven: Vec<Option<InstallError>>,
    /// Whether the management interface presents one of the certificates: asked once.
    pub(super) managements: OnceCell<bool>,
    /// What follows the commit, for each part.
    pub(super) after: Vec<AfterCommit>,
    /// For each part, whether its endpoints answered before anything was changed.
    pub(super) answering: Vec<Vec<bool>>,
}

/// What is to follow for one certificate.
pub(super) enum AfterCommit {
    /// Nothing: it is where it is used.
    Nothing,
    /// A push.
    Push(PushPlan),
    /// Pushed, to all firewalls or not; whether anything was pushed in this run.
    Pushed {
        /// Whether it was done in this run.
        now: bool,
    },
    /// A person pushes.
    LeftToPush,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(input: TransactionInput<'a>, journal: &'a mut dyn Journal, events: &'a Events) -> Self {
        let TransactionInput {
            items: wants,
            last_runs: lefts,
            interrupted,
            usual_commit,
            usual_push,
            left,
            state_dir,
            run,
            asked_by,
        } = input;
        let next = Vec::new();
        Self {
            wants,
            journal,
            lefts,
            interrupted,
            usual_commit,
            usual_push,
            left,
            state_dir,
            next,
            run,
            asked_by,
            events,
        }
    }

    /// The first install request speaks for all where they are the same.
    pub(super) fn request(&self) -> &'a InstallRequest {
        self.wants[0].request
    }

    pub(super) fn retry_policy(&self) -> &'a RetryPolicy {
        &self.request().retry_policy
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
        let request = self.request();
        let (object, run, by) = (&request.object, self.run, &self.asked_by);
        let rest = format!(" as {object}{more} (run {run}, asked for by {by})");
        let room = DESCRIPTION_LIMIT.saturating_sub("pan_getcert: ".len() + rest.chars().count());
        let name: String = request.common_name.as_str().chars().take(room).collect();
        format!("pan_getcert: {name}{rest}")
    }

    /// On Panorama, what the commit is limited to: requests that share one are in the same template or stack.
    pub(super) fn locations(&self) -> Vec<Location> {
        let place = &self.request().location;
        place.commit_scope().map(|_| place.clone()).into_iter().collect()
    }

    /// What stands in the journal of changes now may be ours.
    pub(super) async fn note_uncommitted(
        &mut self,
        parts: &[PlannedInstall<'_>],
    ) -> Result<(), InstallError> {
        for (item, part) in parts.iter().enumerate() {
            if part.request.push.max_failures.is_some() && part.observed.place.template_entry().is_some() {
                let (certificate, object) = (part.bundle.fingerprint(), &part.request.object);
                let back = ways::way_back(&part.plan, certificate, object, self.wants[item].back.as_ref());
                self.wants[item].back.clone_from(&back);
                self.journal.note(Entry::WayBack { item, back: back.map(Box::new) });
            }
            let changes = part.plan.changes(&part.observed.place, part.bundle.fingerprint())?;
            let changes = changes.into_iter().map(|(at, change)| (at.to_string(), change)).collect();
            self.journal.note(Entry::Uncommitted { item, changes });
        }
        Ok(self.journal.sync().await?)
    }
}
