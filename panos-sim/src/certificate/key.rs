//! A private key as a device keeps it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use openssl::{
    base64,
    error::ErrorStack,
    pkey::{PKey, PKeyRef, Private},
    sha,
};

/// The bytes of a private key; see `recent.rs` for why it is not OpenSSL's object.
#[derive(Clone)]
pub(crate) struct PrivateKey(Arc<Parts>);

struct Parts {
    der: Vec<u8>,
    /// Made when it is asked for, which few keys are.
    blob: OnceLock<String>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl PrivateKey {
    pub(crate) fn of(key: &PKeyRef<Private>) -> Result<Self, ErrorStack> {
        Ok(Self(Arc::new(Parts { der: key.private_key_to_der()?, blob: OnceLock::new() })))
    }

    /// OpenSSL's object, a new one at each call.
    pub(crate) fn pkey(&self) -> Result<PKey<Private>, ErrorStack> {
        PKey::private_key_from_der(&self.0.der)
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Whether both are of the same pair.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let public_eq = || Ok::<_, ErrorStack>(self.pkey()?.public_eq(&*other.pkey()?));
        self.0.der == other.0.der || public_eq().unwrap_or(false)
    }

    /// What stands for it in the configuration. The same key has the same blob every time.
    pub(super) fn blob(&self) -> &str {
        self.0.blob.get_or_init(|| {
            let pem = self.pkey().and_then(|key| key.private_key_to_pem_pkcs8()).unwrap_or_default();
            let outer = base64::encode_block(&sha::sha1(&pem));
            // All begin alike, as all texts do that were encrypted, with the same key and the same start.
            let start = sha::sha256(b"panos-sim");
            let rest = sha::sha512(&[b"panos-sim".as_slice(), &self.0.der].concat());
            let inner = base64::encode_block(&[start.as_slice(), &rest].concat());
            format!("-AQ=={outer}{inner}")
        })
    }
}
