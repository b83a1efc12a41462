//! Why a simulator could not be started or told something.

use std::path::PathBuf;

/// A fault in the simulator's own settings or surroundings; what a *client* does wrong is answered
/// over the wire instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A port could not be bound.
    #[error("could not listen on {address}: {cause}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The thread or its runtime could not be started.
    #[error("could not start the simulator's thread: {0}")]
    Thread(std::io::Error),
    /// A file named in the settings could not be read or written.
    #[error("could not use {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The settings contradict themselves or name something that is not there.
    #[error("settings: {0}")]
    Settings(String),
    /// The configuration file is not what it should be.
    #[error("configuration file: {0}")]
    Toml(#[from] toml::de::Error),
    /// A certificate or key could not be made or read.
    #[error("certificate or key: {0}")]
    OpenSsl(#[from] openssl::error::ErrorStack),
    /// An element handed to the simulator is no well-formed XML, or an XPath is outside the subset.
    #[error("{0}")]
    Xml(String),
}
