//! What a proof is about to leave on a device for a minute, on the disk before it is there: whoever comes after a process
//! that died takes it back.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use panos_xmlapi::{Address, Fingerprint, Location, UnquotableName};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};

use crate::files::{self, ReadError};
use crate::install::change::Change;
use crate::install::upload::UploadForm;

const FOLDER: &str = "proofs";
const LIMIT: usize = 1 << 16;
/// All objects that a proof makes begin with it; what else a device has does not.
pub(super) const PREFIX: &str = "pan-prove-";

/// A proof, as far as somebody else has to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// A few random letters, which stand in the names and in the comments of the locks.
    pub id: String,
    /// The administrator.
    pub administrator: String,
    /// The places, and what was to be made of them.
    pub changes: BTreeMap<String, Change>,
}

impl Leftover {
    /// For a new proof.
    pub(super) fn new(administrator: &str) -> io::Result<Self> {
        let mut bytes = [0_u8; 4];
        SysRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
        let id = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { id, administrator: administrator.to_owned(), changes: BTreeMap::new() })
    }

    /// What stands in the comments of its locks.
    pub(super) fn comment(&self) -> String {
        format!("pan_certctl prove {}", self.id)
    }

    pub(super) fn object(&self, form: UploadForm) -> String {
        let short = match form {
            UploadForm::Pem => "pem",
            UploadForm::PemPlainKey => "plain",
            UploadForm::Pkcs12(crate::certificate::pkcs12::Container::Legacy) => "p12",
            UploadForm::Pkcs12(crate::certificate::pkcs12::Container::Modern) => "p12m",
        };
        format!("{PREFIX}{}-{short}", self.id)
    }

    pub(super) fn profile(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    pub(super) fn will_hold(
        &mut self,
        place: &Location,
        form: UploadForm,
        certificate: Fingerprint,
    ) -> Result<(), UnquotableName> {
        let at = place.certificate(&self.object(form))?;
        self.changes.insert(at.to_string(), Change::Holds(certificate));
        Ok(())
    }

    /// Which of the objects the profile names is known when one was taken.
    pub(super) fn will_bind(&mut self, place: &Location) -> Result<(), UnquotableName> {
        let at = place.profile(&self.profile())?;
        let change = Change::Names { element: "certificate".to_owned(), object: self.profile() };
        self.changes.insert(at.to_string(), change);
        Ok(())
    }
}

/// The file of a device.
#[derive(Debug)]
pub struct LeftoverFile {
    path: PathBuf,
}

impl LeftoverFile {
    /// For this device.
    #[must_use]
    pub fn of(state_dir: &Path, device: &Address) -> Self {
        Self { path: state_dir.join(FOLDER).join(format!("{device}.json")) }
    }

    /// What a proof that died may have left. Nothing where none did.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read(&self) -> io::Result<Option<Leftover>> {
        let text = match files::open(&self.path).and_then(|(file, about)| files::read(file, &about, LIMIT)) {
            Ok(text) => text,
            Err(ReadError::Missing) => return Ok(None),
            Err(ReadError::Io(error)) => return Err(error),
            Err(_) => return Err(io::Error::other("it is not a file that this program has written")),
        };
        serde_json::from_slice(&text).map(Some).map_err(io::Error::other)
    }

    /// On the disk, before the device is changed.
    pub(super) fn write(&self, leftover: &Leftover) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            files::make_directory(folder)?;
        }
        files::replace(&self.path, &serde_json::to_vec_pretty(leftover)?)
    }

    /// All was taken back.
    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
