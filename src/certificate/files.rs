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

/// Where a certificate or a key is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// In a directory, by the common name.
    Directory(&'a Path),
    /// In this very file.
    File(&'a Path),
}

impl<'a> Place<'a> {
    /// The file that was named, else the directory.
    #[must_use]
    pub fn of(file: Option<&'a PathBuf>, directory: &'a Path) -> Self {
        file.map_or(Self::Directory(directory), |file| Self::File(file))
    }
}

impl Source {
    /// Finds the files for a common name in two directories.
    pub fn locate(common_name: &str, certificate_dir: &Path, key_dir: &Path) -> Result<Self, BundleError> {
        Self::find(common_name, Place::Directory(certificate_dir), Place::Directory(key_dir))
    }

    /// Finds the files for a common name.
    ///
    /// In a directory the certificate is `NAME.crt`, else `NAME.pem`, and the key `NAME.key`. In a live directory, one whose
    /// path contains the common name, they are `cert.pem` and `privkey.pem` where these are there, and `chain.pem` is the
    /// chain then. A certificate file that was named brings its chain, where it holds further certificates. Certificate and
    /// key are judged apart, as each has its options.
    pub fn find(common_name: &str, certificate: Place<'_>, key: Place<'_>) -> Result<Self, BundleError> {
        let in_live = |dir: &Path, file: &str| is_live_folder(dir, common_name).then(|| dir.join(file));
        let is_there = |path: &PathBuf| !is_absent(path);
        let (certificates, chain) = match certificate {
            Place::File(file) => (vec![file.to_owned()], holds_chain(file).then(|| file.to_owned())),
            Place::Directory(dir) => {
                let live = in_live(dir, "cert.pem");
                let chain = live.as_ref().filter(|path| is_there(path)).map(|_| dir.join("chain.pem"));
                let usual = Self::certificates(common_name, dir);
                (live.into_iter().chain(usual).collect(), chain.filter(is_there))
            }
        };
        let keys = match key {
            Place::File(file) => vec![file.to_owned()],
            Place::Directory(dir) => {
                let usual = dir.join(format!("{common_name}.key"));
                in_live(dir, "privkey.pem").into_iter().chain([usual]).collect()
            }
        };
        Ok(Self {
            certificate: first_present(certificates, Role::Certificate)?,
            key: first_present(keys, Role::Key)?,
            chain,
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

/// Whether a certificate file holds intermediate certificates after the certificate. One that can't be read is an error
/// of its own later on.
fn holds_chain(file: &Path) -> bool {
    read_pem(file, Role::Certificate).is_ok_and(|pem| pem::certificates_begun(&pem) > 1)
}

/// certbot's are called after the name, and may have more folders below; other clients put the name higher up.
fn is_live_folder(folder: &Path, common_name: &str) -> bool {
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let path = path.to_string_lossy().to_lowercase();
    !common_name.is_empty() && path.contains(&common_name.to_lowercase())
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
    fn the_whole_path_makes_a_live_folder_and_only_what_is_in_it_counts() {
        let (_top, above) = folder_with("gp.example.com", &["gp.example.com.crt", "gp.example.com.key"]);
        // certmonger's files lie in a folder that is called after the host.
        let source = Source::locate(NAME, &above, &above).unwrap();
        assert_eq!((source.certificate, source.chain), (above.join("gp.example.com.crt"), None));
        assert_eq!(source.key, above.join("gp.example.com.key"));
        let folder = above.join("current");
        std::fs::create_dir(&folder).unwrap();
        for file in ["cert.pem", "privkey.pem", "chain.pem"] {
            std::fs::write(folder.join(file), "x").unwrap();
        }
        let source = Source::locate(NAME, &folder, &folder).unwrap();
        assert_eq!((source.certificate, source.key), (folder.join("cert.pem"), folder.join("privkey.pem")));
        assert_eq!(source.chain, Some(folder.join("chain.pem")));
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
    fn a_file_that_was_named_is_the_only_one_that_counts() {
        let (_top, folder) =
            folder_with("gp.example.com", &["cert.pem", "privkey.pem", "chain.pem", "a.cer"]);
        let file = folder.join("a.cer");
        let source = Source::find(NAME, Place::File(&file), Place::Directory(&folder)).unwrap();
        assert_eq!((source.certificate, source.key), (file.clone(), folder.join("privkey.pem")));
        assert_eq!(source.chain, None);
        let source = Source::find(NAME, Place::Directory(&folder), Place::File(&file)).unwrap();
        assert_eq!((source.certificate, source.key), (folder.join("cert.pem"), file));
        let gone = folder.join("gone.cer");
        let error =
            Source::find(NAME, Place::File(&gone), Place::Directory(&folder)).unwrap_err().to_string();
        assert_eq!(error, format!("certificate file not found: {}", gone.display()));
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
