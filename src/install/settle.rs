//! Settling: what a run that died has left pending on the device is taken back before anything else is done.

use tokio::time::Instant;

use super::connect::connect;
use super::failure::{Doing, Failure};
use super::fate::await_commits;
use super::observe::unless_unknown;
use super::plan::{Plan, Step};
use super::request::Wish;
use crate::fingerprint::Fingerprint;
use crate::host::log::RunLog;
use crate::panos::changes::PendingChange;
use crate::panos::job::Job;
use crate::panos::xpath::{Place, Unquotable};

impl Plan {
    /// Everything that the steps change, as it stands in a device's journal of changes.
    ///
    /// # Errors
    /// A name with both kinds of quotes.
    pub fn touches(&self, place: &Place) -> Result<Vec<String>, Unquotable> {
        let mut paths = Vec::new();
        for step in &self.steps {
            match step {
                Step::Import { object, .. } | Step::Delete(object) => {
                    paths.push(place.certificate(object.as_str())?);
                }
                Step::Bind { profiles, .. } => {
                    for (profile, _) in profiles {
                        paths.push(place.profile(profile)?);
                    }
                }
                Step::Rebind { uses, .. } => paths.extend(uses.iter().map(|place| place.at.clone())),
                Step::Commit(_) => {}
            }
        }
        Ok(paths.iter().map(ToString::to_string).collect())
    }
}

/// Takes back what an earlier run has changed in these places and not committed; first its commit, if it had
/// begun one, comes to its end. It was one whole that this run may not want: with another certificate, say, or
/// with other profiles.
///
/// Where the administrator has other changes pending, nothing is done: a revert would take those as well.
///
/// # Errors
/// A device that fails or refuses.
pub(super) async fn settle(
    wish: &Wish,
    wanted: Fingerprint,
    touches: &[String],
    log: &RunLog,
) -> Result<(), Failure> {
    let look = Failure::while_doing(Doing::Looking);
    let (session, user) = connect(wish, wanted)?;
    let Some(administrator) = unless_unknown(session.own_name().await).map_err(look)?.flatten().or(user)
    else {
        return Ok(());
    };
    let deadline = Instant::now() + wish.commit_timeout;
    let own_job = |job: &Job| job.user.as_ref() == Some(&administrator);
    await_commits(&session, wish, deadline, own_job).await?;
    let changes = unless_unknown(session.pending_changes().await).map_err(look)?.unwrap_or_default();
    let own: Vec<&PendingChange> = changes.iter().filter(|change| change.owner == administrator).collect();
    let left = |change: &&&PendingChange| touches.iter().any(|path| change.xpath.starts_with(path));
    let ours = own.iter().filter(left).count();
    if ours == 0 {
        return Ok(());
    }
    if ours < own.len() {
        log.say(&format!(
            "WARNING: an earlier run has left {ours} uncommitted changes; they stay, because '{administrator}' has others as well."
        ));
        return Ok(());
    }
    session.revert_changes_of(&administrator).await.map_err(look)?;
    log.say(&format!(
        "An earlier run did not come to its end: its {ours} uncommitted changes were taken back."
    ));
    Ok(())
}
