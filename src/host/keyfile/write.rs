//! Putting a key into a key file, beside what stands there already.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::error::KeyFileError;
use super::parse::{self, Line, Name};
use super::{KeyFile, contents};
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
    /// A file that is there and can't be loaded; no folder for it that could be written to.
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
    /// A file that is there and can't be loaded; a folder or file that can't be written: then nothing has changed.
    pub fn store(path: &Path, new: &NewKey<'_>) -> Result<(), KeyFileError> {
        let io = |source: io::Error| KeyFileError::Unwritable { path: path.to_owned(), source };
        let (real, old) = as_it_is(path)?;
        let text = with_key(path, &old, new)?;
        // A key that would be read as another one, or as none, must not take the place of one that is good.
        let owner = rustix::process::geteuid().as_raw();
        let to_be = Self { path: path.to_owned(), owner, entries: parse::entries(path, &text)? };
        if to_be.key_for(new.host)?.expose_secret() != new.key.expose_secret() {
            return Err(io(io::Error::other("it would not be read as it was made")));
        }
        files::replace(&real, &text).map_err(io)
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

/// The file's text with the key in it.
fn with_key(path: &Path, old: &[u8], new: &NewKey<'_>) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let wanted = parse::host(new.host);
    let entries = match parse::entries(path, old) {
        Ok(entries) => entries,
        Err(KeyFileError::Empty { .. } | KeyFileError::NoKey { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
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
