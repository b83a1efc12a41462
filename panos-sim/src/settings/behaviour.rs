//! How devices differ from each other in what they answer.

use serde::{Deserialize, Serialize};

/// What a commit gets while another runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenBusy {
    /// It is queued (newer releases).
    #[default]
    Queue,
    /// It is refused with `Another commit/validate is in progress` (older releases).
    Refuse,
}

/// How deep the paths in the list of pending changes lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JournalShape {
    /// To the list that holds the changed object, with the action `EDIT` (measured on 11.1.13-h3 and 11.2.3).
    Container,
    /// To the object that holds the change.
    Entry,
    /// To the smallest thing that was made, changed or deleted (recorded on a Panorama).
    Leaf,
}

/// Whether an upload stands in the list of pending changes; nobody has published what a real device writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportJournal {
    /// As any other change of the same place.
    #[default]
    LikeEdits,
    /// Not at all, although it is pending.
    Nothing,
}

/// What a revert is answered that has nothing to revert. The text is known, its envelope is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NothingToRevert {
    /// As any other revert.
    #[default]
    Done,
    /// `There are no changes to revert`, as a success.
    Told,
    /// The same text as an error.
    Refused,
}

/// What a commit is answered while the automatic commit after a start is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenBooting {
    /// `A commit is in progress.`
    #[default]
    InProgress,
    /// `Commit job was not queued since auto-commit not yet finished`.
    NotQueued,
}

/// In which bytes replies are written; their header says UTF-8 in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// UTF-8 with a byte order mark in front.
    Utf8WithMark,
    /// What Latin-1 has a byte for is written as that byte, as where an old text is passed through.
    Latin1,
}

/// Uploads that this device does not take, and what it says to them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRefusal {
    /// `certificate`, `private-key` or `keypair`; `None` is any.
    #[serde(default)]
    pub category: Option<String>,
    /// `pem` or `pkcs12`; `None` is any.
    #[serde(default)]
    pub format: Option<String>,
    /// What is said.
    pub answer: ImportAnswer,
}

/// What an upload is refused with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportAnswer {
    /// `private key doesn't exist for csr` (published of 10.1).
    NoKeyForCsr,
    /// HTTP 400 `Request is not a valid XML` (recorded on 10.2.2-h2).
    NotXml,
    /// `Failed to extract certificate`.
    NoCertificate,
    /// `You need superuser privileges to do that`.
    Superuser,
}

/// What a Panorama has pushed to this firewall from a template.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pushed {
    /// Name of the template or template stack, which stands in `ptpl`.
    pub template: String,
    /// Certificates of the template.
    pub certificates: Vec<super::PreloadedCertificate>,
    /// Profiles of the template.
    pub profiles: Vec<super::Profile>,
    /// Profile the template binds the management interface to.
    pub management_profile: Option<String>,
}
