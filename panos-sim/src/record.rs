//! What the simulator remembers of requests and connections. Never a secret's value.

use serde::{Deserialize, Serialize};

/// One request as it was received and answered. The values of `key`, `password` and `passphrase`
/// are nowhere in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RequestRecord {
    /// Counts from 1 for each simulator, without gaps, never reset.
    pub number: u64,
    /// Number of the connection it came on; counts from 1.
    pub connection: u64,
    /// HTTP method.
    pub method: String,
    /// Path of the URL.
    pub path: String,
    /// Query string with secrets' values replaced by `REDACTED`; empty if there was none.
    pub query: String,
    /// Size of the body in bytes.
    pub body_bytes: usize,
    /// `type` parameter: `keygen`, `config`, `op`, `commit`, `import`, `export`, `version`.
    pub r#type: Option<String>,
    /// `action` parameter.
    pub action: Option<String>,
    /// `cmd` parameter.
    pub cmd: Option<String>,
    /// `xpath` parameter.
    pub xpath: Option<String>,
    /// `element` parameter, unless it holds a private key.
    pub element: Option<String>,
    /// `category` parameter of an import or export.
    pub category: Option<String>,
    /// `format` parameter of an import or export.
    pub format: Option<String>,
    /// `certificate-name` parameter.
    pub certificate_name: Option<String>,
    /// `vsys` parameter.
    pub vsys: Option<String>,
    /// `target` parameter.
    pub target: Option<String>,
    /// How the caller showed who it is.
    pub credential: Credential,
    /// Whether `key=`, `password=` or `passphrase=` stood in the URL.
    pub secret_in_url: bool,
    /// The administrator the credential belongs to, when it was accepted.
    pub administrator: Option<String>,
    /// `User-Agent` header.
    pub user_agent: Option<String>,
    /// Whether the session cookie came back.
    pub session_cookie: bool,
    /// HTTP status of the reply; `None` when there was none (yet).
    pub http_status: Option<u16>,
    /// `status` of the reply's envelope.
    pub status: Option<String>,
    /// `code` of the reply's envelope.
    pub code: Option<String>,
    /// The injected fault that struck, in words.
    pub fault: Option<String>,
    /// Milliseconds from the simulator's start to the end of the request.
    pub received_ms: u64,
    /// Milliseconds from the simulator's start to the moment before the reply was sent.
    pub answered_ms: Option<u64>,
}

/// How a caller showed who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Credential {
    /// Not at all.
    #[default]
    None,
    /// `X-PAN-KEY` header.
    Header,
    /// `key` parameter, in the URL or the body.
    Parameter,
    /// `Authorization: Basic`.
    Basic,
    /// `user` and `password` of a key generation.
    Password,
}

/// A file with a private key as it was uploaded: what a test looks for where it should not be.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadRecord {
    /// The passphrase that came with it.
    pub passphrase: String,
    /// The file.
    pub file: Vec<u8>,
}

impl std::fmt::Debug for UploadRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UploadRecord({} bytes)", self.file.len())
    }
}

/// One TCP connection to the API port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ConnectionRecord {
    /// Counts from 1.
    pub number: u64,
    /// Whether the TLS handshake was completed.
    pub handshake_completed: bool,
    /// SHA-256, hexadecimal, of the certificate that was shown.
    pub certificate_fingerprint: Option<String>,
    /// Bytes of application data received (after decryption). 0 proves that the caller said
    /// nothing to this certificate.
    pub application_bytes: u64,
    /// Whether it has ended.
    pub closed: bool,
}
