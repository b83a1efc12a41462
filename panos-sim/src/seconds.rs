//! Durations in a configuration file: seconds, with a fraction where wanted.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// For `#[serde(with = "seconds")]`.
pub(crate) fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_f64(value.as_secs_f64())
}

/// Longer than any test, and short enough to be added to any moment.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// For `#[serde(with = "seconds")]`; refuses negative values and those beyond [`LONGEST`].
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(input)?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| D::Error::custom(format_args!("{seconds} is no number of seconds")))
}
