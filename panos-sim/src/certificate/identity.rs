//! A certificate with its chain and private key, ready to be served.

use std::sync::{Arc, OnceLock};

use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    pkey::{PKey, Private},
    ssl::{SslAcceptor, SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslVersion},
    x509::{X509, X509Ref},
};

/// What a TLS port shows.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Leaf first. Never empty.
    chain: Vec<X509>,
    key: PKey<Private>,
    /// Made once: that costs more than a handshake.
    server: Arc<OnceLock<SslContext>>,
}

impl Identity {
    /// `None` for an empty chain. The key may belong to another certificate: a device lets that
    /// happen, and then nobody can connect.
    pub(crate) fn new(chain: Vec<X509>, key: PKey<Private>) -> Option<Self> {
        (!chain.is_empty()).then(|| Self { chain, key, server: Arc::default() })
    }

    pub(crate) fn leaf(&self) -> &X509Ref {
        &self.chain[0]
    }

    /// Whether both show the same and sign with the same key.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let der = |identity: &Self| -> Vec<_> {
            (identity.chain.iter()).map(|c| c.to_der().unwrap_or_default()).collect()
        };
        self.key.public_eq(&other.key) && der(self) == der(other)
    }

    /// A TLS server with this certificate; an error if the key is not the certificate's.
    pub(crate) fn server(&self) -> Result<SslContext, ErrorStack> {
        if let Some(server) = self.server.get() {
            return Ok(server.clone());
        }
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        builder.set_certificate(self.leaf())?;
        for certificate in &self.chain[1..] {
            builder.add_extra_chain_cert(certificate.clone())?;
        }
        builder.set_private_key(&self.key)?;
        builder.check_private_key()?;
        // Whoever comes again gets a whole handshake.
        builder.set_options(SslOptions::NO_TICKET);
        builder.set_num_tickets(0)?;
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        let server = builder.build().into_context();
        Ok(self.server.get_or_init(|| server).clone())
    }
}

/// SHA-256 of a certificate, lower-case hexadecimal.
pub(crate) fn fingerprint(certificate: &X509Ref) -> String {
    certificate
        .digest(MessageDigest::sha256())
        .map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect())
        .unwrap_or_default()
}
