//! Before anything is asked for: no profile is taken that another installation claims, unless somebody says so.

use std::path::Path;

use chrono::Utc;

use super::arguments::UsageError;
use super::report;
use crate::delivery::InstallationKey;
use crate::delivery::claims::{self, Claim};
use crate::install::names::ProfileName;
use crate::install::problem::Problem;

/// Refuses profiles that another installation claims, or tells what is taken over. Records that can't be read here
/// are those of root: whoever delivers looks again.
///
/// # Errors
/// The first device with such a profile.
pub(super) fn check<'k>(
    program: &str,
    wanted: impl Iterator<Item = (&'k InstallationKey, &'k [ProfileName])>,
    state_dir: &Path,
    take_over: bool,
) -> Result<(), UsageError> {
    let wanted: Vec<_> = wanted.collect();
    let devices = wanted.iter().map(|(key, _)| &key.device).collect();
    let Ok(all) = claims::known(state_dir, &devices, Utc::now()) else { return Ok(()) };
    for (key, profiles) in wanted {
        let claimed = claims::claims(key, profiles, &all);
        if claimed.is_empty() {
            continue;
        }
        if !take_over {
            let problem = claims::problem(&claimed);
            let what = format!("{}: {}", key.device, problem.what);
            return Err(UsageError::Claimed(Box::new(Problem { what, ..problem })));
        }
        for Claim { profile, by } in claimed {
            let (device, other) = (&key.device, &by.spec.name);
            let what =
                format!("WARNING: {device}: the SSL/TLS profile '{profile}' is taken over from '{other}'");
            let advice = format!(
                "the renewals of '{other}' may still ask for it, and are refused there: run pan_getcert for it without this profile, or pan_certctl forget {other} --device {device}"
            );
            report::problem(program, &what, Some(&advice));
        }
    }
    Ok(())
}
