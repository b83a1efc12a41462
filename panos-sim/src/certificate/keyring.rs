//! Private keys, found by the opaque text that stands for them in the configuration.

use std::collections::HashMap;

use super::PrivateKey;

/// All private keys the device has ever been given. In the configuration each appears as a blob
/// "encrypted with the master key"; renames, reverts and commits move the blob, not the key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring(HashMap<String, PrivateKey>);

impl Keyring {
    /// Keeps a key; returns its blob.
    pub(crate) fn keep(&mut self, key: PrivateKey) -> String {
        let blob = key.blob().to_owned();
        self.0.insert(blob.clone(), key);
        blob
    }

    pub(crate) fn find(&self, blob: &str) -> Option<&PrivateKey> {
        self.0.get(blob.trim())
    }

    /// Takes over what another device knows (HA synchronisation, same master key).
    pub(crate) fn learn(&mut self, other: &Self) {
        let keys = other.0.iter();
        self.0.extend(keys.map(|(blob, key)| (blob.clone(), key.clone())));
    }
}
