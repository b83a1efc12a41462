//! The phases of a run.

/// The phases of a run, as they are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Name lookup, TCP, TLS and the first question.
    Connect,
    /// Looking at the device.
    Check,
    /// The upload.
    Import,
    /// The profiles.
    Bind,
    /// The commit job.
    Commit,
    /// Looking at the running configuration.
    Verify,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 6] =
        [Self::Connect, Self::Check, Self::Import, Self::Bind, Self::Commit, Self::Verify];

    /// The word for it, which stays the same: in the log, in records and in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Check => "check",
            Self::Import => "import",
            Self::Bind => "bind",
            Self::Commit => "commit",
            Self::Verify => "verify",
        }
    }
}
