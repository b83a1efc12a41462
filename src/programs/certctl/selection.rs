//! The options of the verbs that go through everything that is recorded.

use clap::Args;

use crate::panos::Address;
use crate::programs::arguments::UsageError;

/// Which devices, how many at once, and how it is told.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Only this device; repeatable
    #[arg(long, value_name = "FQDN[:PORT]")]
    device: Vec<String>,

    /// Devices worked on at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,

    /// What came of it as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

impl Selection {
    /// The devices; none means all.
    ///
    /// # Errors
    /// A name that is not valid.
    pub fn devices(&self) -> Result<Vec<Address>, UsageError> {
        self.device.iter().map(|text| Ok(text.parse()?)).collect()
    }

    /// How many devices are worked on at once.
    #[must_use]
    pub fn at_once(&self) -> usize {
        usize::from(self.concurrency)
    }
}
