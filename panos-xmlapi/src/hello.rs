//! The first words with a device, before any key is sent: who answers there, and what time it is for it.

use chrono::{DateTime, Utc};

use super::address::Address;
use super::error::Error;
use super::fingerprint::Fingerprint;
use super::operation::Operation;
use super::reply::Reply;
use super::transport::{ClientOptions, Transport};
use super::trust::Trust;

/// What a device tells to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The HTTPS certificate that was shown and accepted.
    pub certificate: Fingerprint,
    /// SHA-256 over its public key.
    pub key: Fingerprint,
    /// The device's clock, where its web server tells it: the header `Date`, which web servers send, but no recorded
    /// reply has kept.
    pub clock: Option<DateTime<Utc>>,
}

/// Asks a device for its version without a key, which it may refuse; what counts is that it answers.
///
/// # Errors
/// No connection; an identity that is not trusted; an answer that is none of the XML API.
pub async fn hello(address: &Address, trust: &Trust, options: ClientOptions) -> Result<Hello, Error> {
    let operation = Operation::Version;
    let transport = Transport::new(address, trust, None, options)?;
    let answer = transport.send(operation, transport.post().form(&[("type", "version")])).await?;
    // How a device refuses a request without a key was not seen: only what it calls a success has to be a reply.
    match answer.status {
        200 => {
            Reply::parse(&answer.body).map_err(|problem| Error::InvalidReply { operation, problem })?;
        }
        400 | 403 => {}
        status => return Err(Error::Status { operation, status }),
    }
    let seen = transport.verifier().seen();
    let seen = seen.ok_or_else(|| Error::Setup("no certificate was seen".to_owned()))?;
    Ok(Hello { certificate: seen.certificate, key: seen.key, clock: answer.date })
}
