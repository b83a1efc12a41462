//! Whether this machine is in FIPS mode.

/// Where the kernel tells it.
const SWITCH: &str = "/proc/sys/crypto/fips_enabled";

/// Whether it is: then algorithms that are not approved, such as those of PKCS#12, are not to be used.
#[must_use]
pub fn is_on() -> bool {
    std::fs::read_to_string(SWITCH).is_ok_and(|text| text.trim() == "1")
}
