//! Which form of an upload each device is known to take.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use panos_xmlapi::Address;

use super::upload::UploadForm;
use crate::files;

const FILE: &str = "upload_forms";
/// More than any number of devices needs.
const LIMIT: usize = 1 << 20;

/// Which form each device took last: `FQDN[:PORT] FORM` a line in `upload_forms` in the state directory. A hint: where it
/// is missing or wrong, an upload is tried once more.
#[derive(Debug)]
pub struct AcceptedForms {
    path: PathBuf,
}

impl AcceptedForms {
    /// In this state directory.
    #[must_use]
    pub fn below(state_dir: &Path) -> Self {
        Self { path: state_dir.join(FILE) }
    }

    /// What this device took last.
    #[must_use]
    pub fn of(&self, device: &Address) -> Option<UploadForm> {
        self.read().get(&device.to_string()).copied()
    }

    /// Notes that this device has taken this form.
    ///
    /// # Errors
    /// A file that can't be written: then it is as it was.
    pub fn remember(&self, device: &Address, form: UploadForm) -> io::Result<()> {
        let mut known = self.read();
        if known.insert(device.to_string(), form) == Some(form) {
            return Ok(());
        }
        let text: String = known.iter().map(|(device, form)| format!("{device} {}\n", form.word())).collect();
        files::replace(&self.path, text.as_bytes())
    }

    /// A line that can't be read says nothing.
    fn read(&self) -> BTreeMap<String, UploadForm> {
        let text = files::open(&self.path).and_then(|(file, metadata)| files::read(file, &metadata, LIMIT));
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        let line = |line: &str| {
            let (device, form) = line.split_once(' ')?;
            Some((device.to_owned(), form.trim().parse().ok()?))
        };
        text.lines().filter_map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_each_device_took_last_is_remembered_whatever_else_stands_in_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let forms = AcceptedForms::below(directory.path());
        let (one, two): (Address, Address) =
            ("fw1.example.com".parse().unwrap(), "fw2.example.com:8443".parse().unwrap());
        assert_eq!(forms.of(&one), None);
        for form in UploadForm::ALL {
            forms.remember(&one, form).unwrap();
            assert_eq!((forms.of(&one), forms.of(&two)), (Some(form), None));
        }
        std::fs::write(
            directory.path().join(FILE),
            "fw1.example.com a form of tomorrow\n\u{0}\nfw2.example.com:8443 pem\n",
        )
        .unwrap();
        assert_eq!((forms.of(&one), forms.of(&two)), (None, Some(UploadForm::Pem)));
    }
}
