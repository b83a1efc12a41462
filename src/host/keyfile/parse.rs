//! The lines of a key file.

use std::net::Ipv6Addr;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::LONGEST_KEY;
use super::error::KeyFileError;

/// What the lines with one tag say together.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) tag: Option<String>,
    pub(super) hosts: Vec<String>,
    pub(super) username: Option<String>,
    pub(super) key: Option<SecretString>,
}

impl Entry {
    pub(super) fn is_for_any_host(&self) -> bool {
        self.tag.is_none() && self.hosts.is_empty()
    }

    pub(super) fn same_key(&self, other: &Self) -> bool {
        let (one, two) = (self.key.as_ref(), other.key.as_ref());
        one.map(ExposeSecret::expose_secret) == two.map(ExposeSecret::expose_secret)
    }
}

/// Reads the lines; at least one of them has to hold a key.
pub(super) fn entries(path: &Path, contents: &[u8]) -> Result<Vec<Entry>, KeyFileError> {
    let contents = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
    if contents.trim_ascii().is_empty() {
        return Err(KeyFileError::Empty { path: path.to_owned() });
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in contents.split(|byte| *byte == b'\n').enumerate() {
        let Some(Line { name, tag, value }) = Line::of(line) else {
            continue;
        };
        let position = entries.iter().position(|entry| entry.tag == tag).unwrap_or_else(|| {
            entries.push(Entry { tag, ..Entry::default() });
            entries.len() - 1
        });
        let entry = &mut entries[position];
        match name {
            Name::ApiKey => add_key(entry, value).map_err(|wrong| wrong.at(path, number + 1))?,
            Name::Hostname => entry.hosts.push(host(&String::from_utf8_lossy(value))),
            Name::Username => entry.username = Some(String::from_utf8_lossy(value).into_owned()),
        }
    }
    if entries.iter().any(|entry| entry.key.is_some()) {
        Ok(entries)
    } else {
        Err(KeyFileError::NoKey { path: path.to_owned() })
    }
}

/// A host as it is compared: lower case, no port, no brackets, no final dot, addresses in one spelling.
pub(super) fn host(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let bare = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _port)) => inside,
        None => match text.split_once(':') {
            Some((name, port)) if !port.contains(':') => name,
            _ => &text,
        },
    };
    match bare.parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => bare.trim_end_matches('.').to_owned(),
    }
}

pub(super) enum Name {
    ApiKey,
    Hostname,
    Username,
}

pub(super) struct Line<'a> {
    pub(super) name: Name,
    pub(super) tag: Option<String>,
    pub(super) value: &'a [u8],
}

impl<'a> Line<'a> {
    /// Nothing for names that are not used and whatever else pan-python passes over. A comment is no special
    /// case: what stands before its `=`, if it has one, begins with `#` and is no name.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii();
        let equals = line.iter().position(|byte| *byte == b'=')?;
        let (left, value) =
            (std::str::from_utf8(&line[..equals]).ok()?.trim(), line[equals + 1..].trim_ascii());
        let (name, tag) = match left.split_once('%') {
            Some((name, tag)) if is_tag(tag) => (name, Some(tag.to_owned())),
            Some(_) => return None,
            None => (left, None),
        };
        let name = match name {
            "api_key" => Name::ApiKey,
            "hostname" => Name::Hostname,
            "api_username" => Name::Username,
            _ => return None,
        };
        Some(Self { name, tag, value: unquoted(value) })
    }
}

fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whoever had a shell read the file may have quoted the value; no key or name has quotes of its own.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inside @ .., b'"'] | [b'\'', inside @ .., b'\''] => inside,
        _ => value,
    }
}

enum WrongKey {
    Impossible,
    Second,
}

impl WrongKey {
    fn at(self, path: &Path, line: usize) -> KeyFileError {
        let path = path.to_owned();
        match self {
            Self::Impossible => KeyFileError::BadKey { path, line },
            Self::Second => KeyFileError::TwoKeys { path, line },
        }
    }
}

fn add_key(entry: &mut Entry, value: &[u8]) -> Result<(), WrongKey> {
    let text = std::str::from_utf8(value).map_err(|_| WrongKey::Impossible)?;
    // What else there were could end the HTTP header that carries it, or be a sentence instead of a key.
    if text.is_empty() || text.len() > LONGEST_KEY || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(WrongKey::Impossible);
    }
    match &entry.key {
        Some(known) if known.expose_secret() != text => Err(WrongKey::Second),
        Some(_) => Ok(()),
        None => {
            entry.key = Some(SecretString::from(text));
            Ok(())
        }
    }
}
