//! Whom a certificate is for, as FreeIPA names it.

use std::fmt;

/// A principal that certificates are for: a host's service, or the host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    service: String,
    host: String,
}

impl Principal {
    /// The service of a host; `host` is the host itself.
    #[must_use]
    pub fn new(service: &str, host: &str) -> Self {
        Self { service: service.to_owned(), host: host.to_ascii_lowercase() }
    }

    /// From `SERVICE/HOST`, with or without a realm.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let name = text.split('@').next()?;
        name.split_once('/').map(|(service, host)| Self::new(service, host))
    }

    /// The same service of another host.
    #[must_use]
    pub fn of(&self, host: &str) -> Self {
        Self::new(&self.service, host)
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is the host itself.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.service == "host"
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.host)
    }
}
