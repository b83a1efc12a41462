//! Records and requests, put together as they would be when the requests are taken in.

use std::path::Path;

use chrono::Utc;
use panos_xmlapi::Address;

use super::installation::{self, Row, Shared};
use crate::cli::certctl::selection::is_meant;
use crate::delivery::gate::Gate;
use crate::delivery::survey::{Surveyed, survey};
use crate::delivery::{InstallSpec, Installation, StoreError, UnresolvedSpec};
use crate::settings::config::Config;
use crate::settings::resolve;

/// What lies in a state directory beside the installations.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What was asked for and can't be read as a request yet.
    pub(super) unresolved: Vec<UnresolvedSpec>,
    /// What could not be read, now or before, in words.
    pub(super) troubles: Vec<String>,
}

/// Which installations are wanted.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// By the common name, in any case.
    pub(super) certificate: Option<String>,
    /// On this device; on port 443 it is meant with any port.
    pub(super) device: Option<Address>,
}

impl Filter {
    pub(super) fn wants(&self, order: &InstallSpec) -> bool {
        self.wants_named(order.common_name.as_str(), &order.device)
    }

    pub(super) fn wants_named(&self, common_name: &str, on: &Address) -> bool {
        self.certificate.as_ref().is_none_or(|name| common_name.eq_ignore_ascii_case(name))
            && self.device.as_ref().is_none_or(|device| is_meant(device, on))
    }
}

/// Reads a state directory; one that is missing has nothing in it. Whoever looks at a record says whether its row is
/// wanted; of what is not wanted nothing is kept.
///
/// # Errors
/// Directories that can't be read.
pub(super) fn below(
    state_dir: &Path,
    mut shared: Shared,
    mut wants: impl FnMut(&Installation) -> bool,
) -> Result<(Vec<Row>, Found), StoreError> {
    let (now, gate) = (Utc::now(), Gate::default());
    let mut rows = Vec::new();
    let mut on_one = OneDevice::default();
    let seen = survey(state_dir, now, |Surveyed { record, is_queued }| {
        if on_one.device.as_ref() != Some(&record.spec.device) {
            on_one.end(&mut rows);
            on_one.device = Some(record.spec.device.clone());
        }
        let mut row = Row::of(&record, is_queued, &mut shared);
        // Only of those without a profile it matters.
        row.is_where_used = row.profiles.is_empty() && is_where_used(&record);
        row.hold = gate.hold(&record, state_dir, now).map(Box::new);
        on_one.rows.push((row, wants(&record)));
    })?;
    on_one.end(&mut rows);
    let mut aside = seen.aside;
    aside.sort();
    let aside = aside.iter().map(|path| {
        let path = path.display();
        format!("{path} could not be read and was moved aside; inspect it, then delete it")
    });
    let troubles = aside.chain(seen.errors.iter().map(ToString::to_string)).collect();
    let unresolved = seen.unresolved.into_iter().map(|queued| queued.spec).collect();
    Ok((rows, Found { unresolved, troubles }))
}

/// Those of one device, which may contradict each other.
#[derive(Default)]
struct OneDevice {
    device: Option<Address>,
    /// With whether they are wanted.
    rows: Vec<(Row, bool)>,
}

impl OneDevice {
    fn end(&mut self, all: &mut Vec<Row>) {
        let (mut rows, wanted): (Vec<Row>, Vec<bool>) = self.rows.drain(..).unzip();
        installation::find_faults(&mut rows);
        all.extend(rows.into_iter().zip(wanted).filter_map(|(row, is_wanted)| is_wanted.then_some(row)));
    }
}

/// Whether its profiles are those that use the object already.
fn is_where_used(record: &Installation) -> bool {
    let config = Config::shared(record.spec.options.config.as_deref()).unwrap_or_default();
    resolve::options_for(&record.spec.options.device, &config, &record.spec.destination()).where_used
}
