//! As `seconds`, for a value that can be absent.
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Seconds(#[serde(with = "crate::seconds")] Duration);

pub(super) fn serialize<S: Serializer>(v: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    v.map(Seconds).serialize(out)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<Seconds>::deserialize(input)?.map(|seconds| seconds.0))
}
