//! The options of the verbs that go through everything that is recorded.

use clap::Args;
use panos_xmlapi::{Address, HTTPS};

use crate::cli::arguments::UsageError;
use crate::cli::at_once;
use crate::text::some_of;

/// Which devices, how many at once, and how it is told.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Only this device (can be repeated)
    #[arg(long, value_name = "FQDN[:PORT]")]
    device: Vec<String>,

    /// Devices worked on at once
    #[arg(long, value_name = "N", default_value_t = at_once::USUAL, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,

    /// What came of it as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Whether a device is the one that was named; without a port it is meant on any port.
#[must_use]
pub fn is_meant(named: &Address, device: &Address) -> bool {
    named.host() == device.host() && (named.port() == HTTPS || named.port() == device.port())
}

/// A filter that leaves nothing is more likely misspelt than meant: what there is to choose from.
#[must_use]
pub fn nothing_matches(wanted: &str, there: impl Iterator<Item = String>) -> UsageError {
    let mut there: Vec<String> = there.collect();
    there.sort();
    there.dedup();
    let there = if there.is_empty() { "nothing at all".to_owned() } else { some_of(&there, ", ") };
    UsageError::Other(format!("nothing matches {wanted}; there is: {there}"))
}

impl Selection {
    /// Those of these devices that were named, without a port on any port; all where none was named.
    ///
    /// # Errors
    /// A name that is not valid, or that none of them has.
    pub fn among(&self, known: &[Address]) -> Result<Vec<Address>, UsageError> {
        let mut chosen = Vec::new();
        for text in &self.device {
            let named: Address = text.parse()?;
            let meant = known.iter().filter(|device| is_meant(&named, device));
            let before = chosen.len();
            chosen.extend(meant.cloned());
            if chosen.len() == before {
                let there = known.iter().map(ToString::to_string);
                return Err(nothing_matches(&format!("--device {named}"), there));
            }
        }
        if self.device.is_empty() {
            chosen.extend_from_slice(known);
        }
        chosen.sort();
        chosen.dedup();
        Ok(chosen)
    }

    /// Whether only some devices are meant.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        !self.device.is_empty()
    }

    /// How many devices are worked on at once.
    #[must_use]
    pub fn at_once(&self) -> u16 {
        self.concurrency
    }
}
