//! A certificate with its chain and private key, ready to be served.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, Weak},
};

use openssl::{
    error::ErrorStack,
    sha::sha256,
    ssl::{SslAcceptor, SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslVersion},
    x509::X509,
};

use super::{
    PrivateKey,
    recent::{Digest, digest},
};

/// What a TLS port shows.
#[derive(Debug, Clone)]
pub(crate) struct Identity(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    /// As DER, leaf first. Never empty.
    chain: Vec<Vec<u8>>,
    key: PrivateKey,
    fingerprint: String,
    /// Of all that is in it.
    digest: Digest,
}

impl Identity {
    /// `None` for an empty chain. The key may belong to another certificate: a device lets that
    /// happen, and then nobody can connect.
    pub(crate) fn new(chain: &[X509], key: PrivateKey) -> Option<Self> {
        let chain: Vec<Vec<u8>> = chain.iter().map(|one| one.to_der()).collect::<Result<_, _>>().ok()?;
        let fingerprint = hexadecimal(&sha256(chain.first()?));
        let digest = digest([key.der()].into_iter().chain(chain.iter().map(Vec::as_slice)));
        Some(Self(Arc::new(Parts { chain, key, fingerprint, digest })))
    }

    /// SHA-256 of the leaf, lower-case hexadecimal.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// The leaf as PEM.
    pub(crate) fn pem(&self) -> Option<String> {
        String::from_utf8(X509::from_der(&self.0.chain[0]).ok()?.to_pem().ok()?).ok()
    }

    /// Whether both show the same and sign with the same key.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
            || (self.0.chain == other.0.chain && self.0.key.is_same_as(&other.0.key))
    }

    /// A TLS server with this certificate, for this thread; an error if the key is not the certificate's.
    pub(crate) fn server(&self) -> Result<SslContext, ErrorStack> {
        SERVERS.with_borrow_mut(|servers| {
            if let Some(known) = servers.get_mut(&self.0.digest) {
                // Whoever used it last keeps it.
                known.user = Arc::downgrade(&self.0);
                return Ok(known.server.clone());
            }
            let server = self.0.server()?;
            if servers.len() >= UNUSED {
                servers.retain(|_, known| known.user.strong_count() > 0);
            }
            let user = Arc::downgrade(&self.0);
            servers.insert(self.0.digest, Prepared { server: server.clone(), user });
            Ok(server)
        })
    }
}

/// A TLS server, and whose identity it last served as.
struct Prepared {
    server: SslContext,
    user: Weak<Parts>,
}

/// From so many on, servers go away whose identity no device has any more.
const UNUSED: usize = 64;

thread_local! {
    /// What this thread's devices serve with, by all that is in their identities: to make one costs more than a handshake.
    static SERVERS: RefCell<HashMap<Digest, Prepared>> = RefCell::default();
}

impl Parts {
    fn server(&self) -> Result<SslContext, ErrorStack> {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        let (leaf, above) = self.chain.split_at(1);
        for leaf in leaf {
            builder.set_certificate(&*X509::from_der(leaf)?)?;
        }
        for certificate in above {
            builder.add_extra_chain_cert(X509::from_der(certificate)?)?;
        }
        builder.set_private_key(&*self.key.pkey()?)?;
        builder.check_private_key()?;
        // Whoever comes again gets a whole handshake.
        builder.set_options(SslOptions::NO_TICKET);
        builder.set_num_tickets(0)?;
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        Ok(builder.build().into_context())
    }
}

/// In lower case.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
