//! Where the files are: certmonger's layout, or the live directory of an ACME client.

use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use super::error::{BundleError, Role};
use super::pem::{self, Shape};
use crate::files::{self, ReadError};

/// The most that is read of any of the files: far more than a chain has, far less than memory.
pub(super) const LIMIT: usize = 1 << 20;

/// The files a bundle is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The certificate; its first PEM block is the one that is installed.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// The intermediate certificates, if any are to be installed with it.
    pub chain: Option<PathBuf>,
}

impl Source {
    /// Finds the files for a common name in the two directories.
    ///
    /// The certificate is `NAME.crt`, else `NAME.pem`, and the key `NAME.key`. In a live directory, one
    /// whose own name contains the common name, they are `cert.pem` and `privkey.pem`, and `chain.pem`
    /// is the chain if it is there. The two directories are judged apart, as each has its option.
    pub fn locate(common_name: &str, certificate_dir: &Path, key_dir: &Path) -> Result<Self, BundleError> {
        let live = is_live_folder(certificate_dir, common_name);
        let certificates = if live {
            vec![certificate_dir.join("cert.pem")]
        } else {
            Self::certificates(common_name, certificate_dir).to_vec()
        };
        let key = if is_live_folder(key_dir, common_name) {
            key_dir.join("privkey.pem")
        } else {
            key_dir.join(format!("{common_name}.key"))
        };
        Ok(Self {
            certificate: first_present(certificates, Role::Certificate)?,
            key: first_present(vec![key], Role::Key)?,
            chain: live.then(|| certificate_dir.join("chain.pem")).filter(|path| !is_absent(path)),
        })
    }

    /// Where certmonger's certificate for a common name may be in a folder: the first one that is there counts.
    #[must_use]
    pub fn certificates(common_name: &str, folder: &Path) -> [PathBuf; 2] {
        ["crt", "pem"].map(|ending| folder.join(format!("{common_name}.{ending}")))
    }

    /// The same files with another chain, where one was named; it replaces the live directory's.
    #[must_use]
    pub fn with_chain(mut self, chain: Option<PathBuf>) -> Self {
        self.chain = chain.or(self.chain);
        self
    }
}

fn is_live_folder(folder: &Path, common_name: &str) -> bool {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase());
    name.is_some_and(|name| !common_name.is_empty() && name.contains(&common_name.to_lowercase()))
}

/// A file that can't be looked at counts as present: reading it gives the better error.
fn first_present(candidates: Vec<PathBuf>, role: Role) -> Result<PathBuf, BundleError> {
    let present = candidates.iter().find(|path| !is_absent(path)).cloned();
    present.ok_or(BundleError::Missing { role, tried: candidates })
}

fn is_absent(path: &Path) -> bool {
    path.metadata().is_err_and(|error| matches!(ReadError::from(error), ReadError::Missing))
}

/// Reads a PEM file whole; the caller looks for what it needs in it.
pub(super) fn read_pem(path: &Path, role: Role) -> Result<Zeroizing<Vec<u8>>, BundleError> {
    let path_buf = || path.to_path_buf();
    let mut contents = files::open_owned_by_other(path)
        .and_then(|(file, metadata)| files::read(file, &metadata, LIMIT))
        .map_err(|trouble| match trouble {
            ReadError::Missing => BundleError::Missing { role, tried: vec![path_buf()] },
            ReadError::Denied => BundleError::Unreadable { role, path: path_buf() },
            ReadError::NotAFile(found) => BundleError::NotAFile { role, path: path_buf(), found },
            ReadError::TooLarge => BundleError::TooLarge { role, path: path_buf(), limit: LIMIT },
            other => BundleError::Io { role, path: path_buf(), source: other.into() },
        })?;
    files::remove_marks(&mut contents);
    if contents.trim_ascii().is_empty() {
        return Err(BundleError::Empty { role, path: path_buf() });
    }
    match pem::shape(&contents) {
        Shape::Pem => Ok(contents),
        Shape::Der => Err(BundleError::Der { role, path: path_buf() }),
        Shape::Other => Err(BundleError::NotPem { role, path: path_buf() }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NAME: &str = "gp.example.com";

    fn folder_with(name: &str, files: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for file in files {
            std::fs::write(folder.join(file), "x").unwrap();
        }
        (top, folder)
    }

    #[test]
    fn crt_comes_before_pem_and_pem_serves_where_there_is_no_crt() {
        let (_top, both) =
            folder_with("certs", &["gp.example.com.crt", "gp.example.com.pem", "gp.example.com.key"]);
        let source = Source::locate(NAME, &both, &both).unwrap();
        assert_eq!(source.certificate, both.join("gp.example.com.crt"));
        assert_eq!(source.key, both.join("gp.example.com.key"));
        assert_eq!(source.chain, None);

        let (_top, pem) = folder_with("certs", &["gp.example.com.pem", "gp.example.com.key"]);
        assert_eq!(Source::locate(NAME, &pem, &pem).unwrap().certificate, pem.join("gp.example.com.pem"));
    }

    #[test]
    fn a_folder_whose_own_name_contains_the_common_name_is_a_live_folder() {
        let (_top, live) = folder_with("GP.example.com-0001", &["cert.pem", "privkey.pem", "chain.pem"]);
        let source = Source::locate(NAME, &live.join(""), &live).unwrap();
        assert_eq!(source.certificate, live.join("cert.pem"));
        assert_eq!(source.key, live.join("privkey.pem"));
        assert_eq!(source.chain, Some(live.join("chain.pem")));
    }

    #[test]
    fn only_the_last_component_makes_a_live_folder() {
        let (_top, above) = folder_with("gp.example.com", &[]);
        let folder = above.join("certs");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("gp.example.com.crt"), "x").unwrap();
        std::fs::write(folder.join("gp.example.com.key"), "x").unwrap();
        let source = Source::locate(NAME, &folder, &folder).unwrap();
        assert_eq!(source.certificate, folder.join("gp.example.com.crt"));
    }

    #[test]
    fn a_live_folder_without_a_chain_gives_the_leaf_alone_and_a_named_chain_wins() {
        let (_top, live) = folder_with("gp.example.com", &["cert.pem", "privkey.pem"]);
        let source = Source::locate(NAME, &live, &live).unwrap();
        assert_eq!(source.chain, None);
        let named = source.with_chain(Some("/a/chain".into()));
        assert_eq!(named.clone().with_chain(None).chain, Some("/a/chain".into()));
        assert_eq!(named.with_chain(Some("/b".into())).chain, Some("/b".into()));
    }

    #[test]
    fn certificate_and_key_folder_are_judged_apart() {
        let (_top, live) = folder_with("gp.example.com", &["cert.pem"]);
        let (_top2, keys) = folder_with("private", &["gp.example.com.key"]);
        assert_eq!(Source::locate(NAME, &live, &keys).unwrap().key, keys.join("gp.example.com.key"));
    }

    #[test]
    fn what_is_missing_is_named_with_every_place_that_was_tried() {
        let (_top, folder) = folder_with("certs", &[]);
        let error = Source::locate(NAME, &folder, &folder).unwrap_err().to_string();
        let (crt, pem) = (folder.join("gp.example.com.crt"), folder.join("gp.example.com.pem"));
        assert_eq!(error, format!("certificate file not found: {} or {}", crt.display(), pem.display()));
        std::fs::write(&crt, "x").unwrap();
        let error = Source::locate(NAME, &folder, &folder).unwrap_err().to_string();
        assert!(
            error.starts_with("private key file not found: ") && error.ends_with("/gp.example.com.key"),
            "{error}"
        );
    }
}
