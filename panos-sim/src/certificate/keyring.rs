//! Private keys, found by the opaque text that stands for them in the configuration.

use std::collections::HashMap;

use openssl::{
    base64,
    pkey::{PKey, Private},
    sha,
};

/// All private keys the device has ever been given. In the configuration each appears as a blob
/// "encrypted with the master key"; renames, reverts and commits move the blob, not the key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring(HashMap<String, PKey<Private>>);

impl Keyring {
    /// Keeps a key; returns its blob. The same key has the same blob every time.
    pub(crate) fn keep(&mut self, key: PKey<Private>) -> String {
        let der = key.private_key_to_der().unwrap_or_default();
        let pem = key.private_key_to_pem_pkcs8().unwrap_or_default();
        let outer = base64::encode_block(&sha::sha1(&pem));
        // All begin alike, as all texts do that were encrypted, with the same key and the same start.
        let start = sha::sha256(b"panos-sim");
        let rest = sha::sha512(&[b"panos-sim".as_slice(), &der].concat());
        let inner = base64::encode_block(&[start.as_slice(), &rest].concat());
        let blob = format!("-AQ=={outer}{inner}");
        self.0.insert(blob.clone(), key);
        blob
    }

    pub(crate) fn find(&self, blob: &str) -> Option<&PKey<Private>> {
        self.0.get(blob.trim())
    }

    /// Takes over what another device knows (HA synchronisation, same master key).
    pub(crate) fn learn(&mut self, other: &Self) {
        let keys = other.0.iter();
        self.0.extend(keys.map(|(blob, key)| (blob.clone(), key.clone())));
    }
}
