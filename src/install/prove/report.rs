//! What was learnt of a device.

use serde::Serialize;

use crate::install::upload::UploadForm;

/// What a device made of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// The model.
    pub model: Option<String>,
    /// The release.
    pub release: Option<String>,
    /// Each form of upload.
    pub forms: Vec<FormReport>,
    /// How the list of pending changes tells of an upload: `container`, `entry`, `element`, or `not listed`.
    pub uploads_listed: JournalEntry,
    /// How it tells of the profile.
    pub profile_listed: JournalEntry,
    /// Whether the device would commit it.
    pub valid: bool,
    /// The lines of the validation.
    pub validation: Vec<String>,
    /// Whether the revert alone took the certificates away again.
    pub revert_took_certificates: bool,
    /// How long configuration and commits were locked.
    pub seconds: f64,
}

/// What a device made of one form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormReport {
    /// Which.
    #[serde(serialize_with = "word")]
    pub form: UploadForm,
    /// Whether it was taken: what was read back is what was uploaded.
    pub taken: bool,
    /// The device's words, or why it could not be tried.
    pub answer: String,
    /// How many certificates the object holds in `public-key`; two were uploaded, leaf and intermediate.
    pub certificates: Option<usize>,
    /// Whether the object has a private key that this administrator can see.
    pub has_private_key: Option<bool>,
}

fn word<S: serde::Serializer>(form: &UploadForm, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(form.word())
}

/// How a pending change is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JournalEntry {
    /// By the list that holds the object.
    Container,
    /// By the object.
    Entry,
    /// By the elements in it.
    Element,
    /// Not at all.
    NotListed,
}

impl std::fmt::Display for JournalEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Container => "by the list that holds it",
            Self::Entry => "by its entry",
            Self::Element => "by the elements in it",
            Self::NotListed => "not listed",
        })
    }
}
