//! Putting a key into a key file, beside what stands there already.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::error::KeyFileError;
use super::parse::{self, Entry, Line, Name};
use super::{KeyFile, LIMIT, LONGEST_KEY, contents};
use crate::files;

/// Whose key it is, and for which device.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'a> {
    /// The device's host name or address.
    pub host: &'a str,
    /// The administrator.
    pub username: &'a str,
    /// The key.
    pub key: &'a SecretString,
}

impl KeyFile {
    /// Whether a key could be put into a file, without doing it.
    ///
    /// # Errors
    /// A file that is there and can't be loaded; no directory for it that could be written to.
    pub fn can_store(path: &Path) -> Result<(), KeyFileError> {
        let (real, _) = as_it_is(path)?;
        let folder = real.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK)
            .map_err(|error| KeyFileError::Unwritable { path: path.to_owned(), source: error.into() })
    }

    /// Puts a key into a file, for one device and no other, in place of the key that the device had there. All else
    /// in the file stays as it is. The file is for its owner only afterwards, and either the old one or the new one.
    ///
    /// # Errors
    /// A key that is longer than any, or would not be read as it is; a file that is there and can't be loaded, or would
    /// not be read as before for any other device; a directory or file that can't be written. Then nothing has changed.
    pub fn store(path: &Path, new: &NewKey<'_>) -> Result<(), KeyFileError> {
        let io = |source: io::Error| KeyFileError::Unwritable { path: path.to_owned(), source };
        let unusable = |problem: String| KeyFileError::Unusable {
            path: path.to_owned(),
            host: parse::host(new.host),
            problem,
        };
        let length = new.key.expose_secret().len();
        if length > LONGEST_KEY {
            return Err(unusable(format!("has {length} bytes, at most {LONGEST_KEY} are taken")));
        }
        let (real, old) = as_it_is(path)?;
        let text = with_key(path, &old, new)?;
        // A key that would be read as another one, or as none, must not take the place of one that is good.
        if text.len() > LIMIT {
            return Err(KeyFileError::TooLarge { path: path.to_owned(), limit: LIMIT });
        }
        let before = Self {
            path: path.to_owned(),
            owner: rustix::process::geteuid().as_raw(),
            entries: known_entries(path, &old)?,
        };
        let wrong = std::cell::RefCell::new(None);
        let written = files::replace_checked(&real, &text, &|draft| {
            let refuse = |error: KeyFileError| {
                *wrong.borrow_mut() = Some(error);
                io::Error::other("the written key file could not be verified")
            };
            let to_be = Self::of_opened(path, draft).map_err(refuse)?;
            let same_key =
                to_be.key_for(new.host).is_ok_and(|key| key.expose_secret() == new.key.expose_secret());
            if !same_key || to_be.username_for(new.host) != Some(new.username) {
                return Err(refuse(unusable("would not be read from the file as it is".to_owned())));
            }
            match to_be.differs_for(&before, new.host) {
                Some(other) => Err(refuse(unusable(format!("would change the key for {other}")))),
                None => Ok(()),
            }
        });
        match (written, wrong.into_inner()) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(wrong)) => Err(wrong),
            (Err(error), None) => Err(io(error)),
        }
    }

    /// A device, other than the one for which a key was made, for which this file has another answer than the one before.
    fn differs_for(&self, before: &Self, made_for: &str) -> Option<String> {
        let made_for = parse::host(made_for);
        // One that no entry names stands for all of them.
        let nobody = "a device that is not named in it";
        let named = before.entries.iter().chain(&self.entries).flat_map(|entry| &entry.hosts);
        let all = named.map(String::as_str).filter(|host| *host != made_for).chain([nobody]);
        let answer = |file: &Self, host: &str| {
            let key = file.key_for(host).ok().map(|key| Zeroizing::new(key.expose_secret().to_owned()));
            (key, file.username_for(host).map(str::to_owned))
        };
        let mut differing = all.filter(|host| answer(before, host) != answer(self, host));
        differing.next().map(str::to_owned)
    }
}

/// Where a key file really is, and what is in it; nothing where there is none yet. A link stays one: what it leads to is
/// replaced.
fn as_it_is(path: &Path) -> Result<(PathBuf, Zeroizing<Vec<u8>>), KeyFileError> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match contents(&real, rustix::process::geteuid().as_raw()) {
        Ok((old, _)) => Ok((real, old)),
        Err(KeyFileError::Missing { .. }) => Ok((real, Zeroizing::default())),
        Err(error) => Err(error),
    }
}

/// The entries of a file that need not have any.
fn known_entries(path: &Path, old: &[u8]) -> Result<Vec<Entry>, KeyFileError> {
    match parse::entries(path, old) {
        Err(KeyFileError::Empty { .. } | KeyFileError::NoKey { .. }) => Ok(Vec::new()),
        entries => entries,
    }
}

/// The file's text with the key in it.
fn with_key(path: &Path, old: &[u8], new: &NewKey<'_>) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let wanted = parse::host(new.host);
    let entries = known_entries(path, old)?;
    let names_it =
        |tag: &Option<String>| entries.iter().any(|entry| entry.tag == *tag && entry.hosts.contains(&wanted));
    let names_others = |tag: &Option<String>| {
        entries.iter().any(|entry| entry.tag == *tag && entry.hosts.iter().any(|host| *host != wanted))
    };
    let goes = |line: &[u8]| {
        let Some(line) = Line::of(line) else { return false };
        let is_its_host = matches!(line.name, Name::Hostname)
            && parse::host(&String::from_utf8_lossy(line.value)) == wanted;
        names_it(&line.tag) && (is_its_host || !names_others(&line.tag))
    };
    let tag = free_tag(&wanted, old);
    let key = new.key.expose_secret();
    // Room for all of it from the start: a vector that grows leaves copies behind that nobody wipes.
    let mut text = Zeroizing::new(Vec::with_capacity(old.len() + key.len() + 1024));
    for line in old.split_inclusive(|byte| *byte == b'\n').filter(|line| !goes(line)) {
        text.extend_from_slice(line);
    }
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    for (name, value) in [("api_key", key), ("hostname", &wanted), ("api_username", new.username)] {
        for part in [name, "%", &tag, "=", value, "\n"] {
            text.extend_from_slice(part.as_bytes());
        }
    }
    Ok(text)
}

/// A tag made of the host's name that no line has yet.
fn free_tag(host: &str, old: &[u8]) -> String {
    let base: String = host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let text = String::from_utf8_lossy(old);
    let is_taken = |tag: &str| text.contains(&format!("%{tag}"));
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|tag| !is_taken(tag)).unwrap_or(base)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn stored(old: Option<&str>, host: &str) -> (String, KeyFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".panrc");
        if let Some(old) = old {
            files::replace(&path, old.as_bytes()).unwrap();
        }
        let key = SecretString::from("NEW==");
        KeyFile::store(&path, &NewKey { host, username: "cert", key: &key }).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        (std::fs::read_to_string(&path).unwrap(), KeyFile::load(&path).unwrap())
    }

    fn key(file: &KeyFile, host: &str) -> String {
        file.key_for(host).map_or("none".into(), |key| key.expose_secret().to_owned())
    }

    #[test]
    fn a_new_file_has_the_key_for_this_device_only() {
        let (text, file) = stored(None, "FW1.example.com");
        assert_eq!(
            text,
            "api_key%fw1-example-com=NEW==\nhostname%fw1-example-com=fw1.example.com\napi_username%fw1-example-com=cert\n"
        );
        assert_eq!(
            (key(&file, "fw1.example.com"), key(&file, "fw2.example.com")),
            ("NEW==".into(), "none".into())
        );
        assert_eq!(file.username_for("fw1.example.com"), Some("cert"));
    }

    #[test]
    fn what_else_is_in_the_file_stays() {
        let old = "# ours\napi_key=ANY\n\napi_key%b=B\nhostname%b=fw2.example.com\napi_password%b=x";
        let (text, file) = stored(Some(old), "fw1.example.com");
        assert!(text.starts_with(&format!("{old}\n")), "{text}");
        let keys = ["fw1.example.com", "fw2.example.com", "fw3.example.com"].map(|host| key(&file, host));
        assert_eq!(keys, ["NEW==", "B", "ANY"]);
    }

    #[test]
    fn the_old_key_of_the_device_goes_and_other_devices_keep_it() {
        let old = "api_key%a=OLD\nhostname%a=fw1.example.com\nhostname%a=fw2.example.com\n";
        let (text, file) = stored(Some(old), "fw1.example.com");
        assert_eq!([key(&file, "fw1.example.com"), key(&file, "fw2.example.com")], ["NEW==", "OLD"]);
        assert!(text.contains("OLD"));
        // An untagged entry that lost its only device would be for every device.
        let (text, file) =
            stored(Some("api_key=OLD\nhostname=fw1.example.com\napi_username=x\n"), "fw1.example.com");
        assert!(!text.contains("OLD") && !text.contains("=x\n"), "{text}");
        assert_eq!(key(&file, "fw9.example.com"), "none");
    }

    #[test]
    fn it_can_be_done_again_and_again_and_addresses_have_tags_too() {
        let (once, _) = stored(None, "fw1.example.com");
        let (twice, file) = stored(Some(&once), "fw1.example.com");
        assert_eq!(twice.lines().count(), 3, "{twice}");
        assert_eq!(key(&file, "fw1.example.com"), "NEW==");
        let (text, file) = stored(None, "[2001:db8::1]");
        assert_eq!(key(&file, "2001:DB8::1"), "NEW==", "{text}");
    }

    #[test]
    fn a_key_that_would_not_be_read_as_it_is_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".panrc");
        files::replace(&path, b"api_key=OLD\nhostname=fw1\n").unwrap();
        for key in ["two words", "\"quoted\"", "", "line\nend"] {
            let key = SecretString::from(key);
            let new = NewKey { host: "fw1", username: "x", key: &key };
            assert!(KeyFile::store(&path, &new).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "api_key=OLD\nhostname=fw1\n");
        }
    }

    #[test]
    fn a_key_that_is_longer_than_any_or_a_file_that_would_be_leaves_all_others_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".panrc");
        let store = |length: usize| {
            let key = SecretString::from("k".repeat(length));
            KeyFile::store(&path, &NewKey { host: "fw1", username: "x", key: &key })
        };
        let old = "api_key%b=B\nhostname%b=fw2\n";
        files::replace(&path, old.as_bytes()).unwrap();
        for length in [LONGEST_KEY + 1, 60_000, LIMIT] {
            let said = store(length).unwrap_err();
            assert!(said.to_string().contains("at most 4096"), "{said}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), old);
        }
        store(LONGEST_KEY).unwrap();
        assert_eq!(key(&KeyFile::load(&path).unwrap(), "fw2"), "B");
        // A file that is as large as any may be.
        let full = format!("{old}{}\n", "#".repeat(LIMIT - old.len() - 1));
        files::replace(&path, full.as_bytes()).unwrap();
        assert!(matches!(store(100), Err(KeyFileError::TooLarge { .. })));
        assert_eq!(key(&KeyFile::load(&path).unwrap(), "fw2"), "B");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn what_would_be_read_as_another_administrator_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".panrc");
        let key = SecretString::from("NEW==");
        for username in ["'quoted'", "line\napi_key%b=MINE"] {
            files::replace(&path, b"api_key%b=B\nhostname%b=fw2\n").unwrap();
            let new = NewKey { host: "fw1", username, key: &key };
            assert!(KeyFile::store(&path, &new).is_err(), "{username}");
            assert_eq!(std::fs::read(&path).unwrap(), b"api_key%b=B\nhostname%b=fw2\n");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".panrc");
        std::fs::write(&path, "api_key=OLD\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let key = SecretString::from("NEW==");
        let new = NewKey { host: "fw1", username: "x", key: &key };
        assert!(matches!(KeyFile::store(&path, &new), Err(KeyFileError::Open { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "api_key=OLD\n");
        assert!(matches!(
            KeyFile::store(Path::new("/nonexistent/.panrc"), &new),
            Err(KeyFileError::Unwritable { .. })
        ));
    }
}
