//! The devices known from before: by which HTTPS certificate each is recognised.
//!
//! `STATE/known_devices` has a line `FQDN[:PORT] SHA256` for each device. Where this program has remembered a new
//! certificate of the management interface, `before=SHA256` stands behind it: what the device was recognised by until
//! then, and is again where it shows that again. `pinned=SHA256,...` are certificates of the device from before that a
//! person has named: by them nothing is recognised, but who still names one of them means this line. Empty lines and
//! lines starting with `#` are kept as they are. Any other line is an error: a pin that is overlooked protects nobody.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use panos_xmlapi::{Address, Fingerprint};

use crate::files::{self, ReadError, UnsafeFile};
use crate::text::escape_control;

/// The file's name in the state directory.
pub const NAME: &str = "known_devices";
/// The most that is read of it; a line has a hundred bytes, and up to four hundred with all that it can say.
const LIMIT: usize = 4 << 20;
/// The most certificates from before that a line names because a person did; of more the latest.
const NAMED: usize = 4;

/// Why the known devices can't be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownDevicesError {
    /// Whoever can change it decides whom we trust.
    #[error("{} can be changed by other users (mode {mode:04o})", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("{} belongs to user id {owner}, must be owned by root or by user id {caller}", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who wants to read it.
        caller: u32,
    },
    /// A line that is neither empty, nor a comment, nor a device with its fingerprint.
    #[error("line {line} of {}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system failed, or the file is none.
    #[error("can't {action} {}: {problem}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
}

impl KnownDevicesError {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Open { path, .. } => Some(format!("chmod go-w {}", path.display())),
            Self::Owner { path, .. } => Some(format!("chown root: {}", path.display())),
            Self::Line { path, line, .. } => {
                Some(format!("mend or remove line {line} of {}", path.display()))
            }
            Self::File { .. } => None,
        }
    }
}

/// The devices known from before.
#[derive(Debug)]
pub struct KnownDevices {
    path: PathBuf,
    lines: Vec<Line>,
}

/// A line as it stands in the file, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    pin: Option<Pin>,
}

/// By which certificates a device is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pin {
    device: Address,
    certificate: Fingerprint,
    before: Option<Fingerprint>,
    /// Certificates from before that a person has named.
    named: Vec<Fingerprint>,
}

/// What stands before the fingerprint from before.
const BEFORE: &str = "before=";
/// What stands before those that a person has named.
const NAMES: &str = "pinned=";

impl Pin {
    /// By which the device is recognised.
    fn accepted(&self) -> impl Iterator<Item = Fingerprint> {
        std::iter::once(self.certificate).chain(self.before)
    }

    /// Those that a person has named, once this certificate has taken the place of what is known now.
    fn named(
        now: Option<&Self>,
        certificate: Fingerprint,
        before: Option<Fingerprint>,
        said: &[Fingerprint],
    ) -> Vec<Fingerprint> {
        let mut named = Vec::new();
        match (now, before) {
            // A person's word: it is the same device.
            (Some(now), None) => {
                named.extend(now.named.iter().copied().chain(now.before).chain([now.certificate]));
            }
            // The first one is a person's.
            (Some(now), Some(before)) if now.accepted().any(|one| one == before) => {
                let first = now.before.unwrap_or(now.certificate);
                named.extend(if now.named.is_empty() { vec![first] } else { now.named.clone() });
            }
            _ => {}
        }
        named.extend(said);
        let mut kept: Vec<Fingerprint> = Vec::new();
        for one in named.into_iter().rev().filter(|one| *one != certificate && Some(*one) != before) {
            if !kept.contains(&one) && kept.len() < NAMED {
                kept.insert(0, one);
            }
        }
        kept
    }
}

impl KnownDevices {
    /// Reads `known_devices` in this state directory; none is known where there is no such file.
    ///
    /// # Errors
    /// A file that can't be read, that others could have changed, or with a line that says nothing known.
    pub fn load(state_dir: &Path) -> Result<Self, KnownDevicesError> {
        Self::load_as(state_dir, rustix::process::geteuid().as_raw())
    }

    fn load_as(state_dir: &Path, caller: u32) -> Result<Self, KnownDevicesError> {
        let path = state_dir.join(NAME);
        let trouble = |trouble: ReadError| KnownDevicesError::File {
            action: "read",
            path: path.clone(),
            problem: trouble.to_string(),
        };
        let (file, metadata) = match files::open(&path) {
            Err(ReadError::Missing) => return Ok(Self { path, lines: Vec::new() }),
            other => other.map_err(trouble)?,
        };
        files::check_owner_and_mode(&metadata, caller, files::WRITE).map_err(|foreign| match foreign {
            UnsafeFile::Owner { owner, caller } => {
                KnownDevicesError::Owner { path: path.clone(), owner, caller }
            }
            UnsafeFile::Open { mode } => KnownDevicesError::Open { path: path.clone(), mode },
        })?;
        let contents = files::read(file, &metadata, LIMIT).map_err(trouble)?;
        let lines = read_lines(&contents).map_err(|(line, reason)| KnownDevicesError::Line {
            path: path.clone(),
            line,
            reason,
        })?;
        Ok(Self { path, lines })
    }

    /// Where the file is, or would be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The certificate by which this device is recognised.
    #[must_use]
    pub fn pin_of(&self, device: &Address) -> Option<Fingerprint> {
        self.pin(device).map(|pin| pin.certificate)
    }

    /// All certificates by which this device is recognised: the latest one, and the one from before.
    #[must_use]
    pub fn pins_of(&self, device: &Address) -> Vec<Fingerprint> {
        self.pin(device).map(|pin| pin.accepted().collect()).unwrap_or_default()
    }

    /// By which certificates this device is recognised besides the one that a person says it is recognised by, if one
    /// does: by none then, unless this program, or a person, has put what is known into that one's place.
    #[must_use]
    pub fn besides(&self, said: Option<Fingerprint>, device: &Address) -> Vec<Fingerprint> {
        let is_meant = |pin: &&Pin| {
            said.is_none_or(|said| pin.accepted().chain(pin.named.iter().copied()).any(|one| one == said))
        };
        self.pin(device).filter(is_meant).map(|pin| pin.accepted().collect()).unwrap_or_default()
    }

    /// All devices that are recognised by a certificate of their own.
    pub fn devices(&self) -> impl Iterator<Item = &Address> {
        self.lines.iter().filter_map(|line| line.pin.as_ref()).map(|pin| &pin.device)
    }

    /// From now on recognises this device by no certificate of its own. Whether there was one.
    ///
    /// # Errors
    /// As [`KnownDevices::remember`].
    pub fn forget(&mut self, device: &Address) -> Result<bool, KnownDevicesError> {
        // Nothing is made where nothing is known.
        if self.pin(device).is_none() { Ok(false) } else { self.change(device, |now| now.map(|_| None)) }
    }

    /// The devices that are recognised by this certificate.
    pub fn all_with(&self, certificate: Fingerprint) -> impl Iterator<Item = &Address> {
        let pins = self.lines.iter().filter_map(|line| line.pin.as_ref());
        pins.filter(move |pin| pin.certificate == certificate).map(|pin| &pin.device)
    }

    fn pin(&self, device: &Address) -> Option<&Pin> {
        self.lines.iter().filter_map(|line| line.pin.as_ref()).find(|pin| pin.device == *device)
    }

    /// From now on recognises this device by this certificate, in the file as well, and by the one from before, where
    /// there is one. `said` are those from before that a person has named elsewhere: who says one of them means this
    /// one. What other processes have written there since it was read is kept, and known here afterwards.
    ///
    /// # Errors
    /// As [`KnownDevices::load`]; a directory or file that can't be written: then the file is as it was.
    pub fn remember(
        &mut self,
        device: &Address,
        certificate: Fingerprint,
        before: Option<Fingerprint>,
        said: &[Fingerprint],
    ) -> Result<(), KnownDevicesError> {
        let before = before.filter(|before| *before != certificate);
        let next = |now: Option<&Pin>| {
            let named = Pin::named(now, certificate, before, said);
            let pin = Pin { device: device.clone(), certificate, before, named };
            (now != Some(&pin)).then_some(Some(pin))
        };
        self.change(device, next).map(drop)
    }

    /// Where the device shows the certificate from before again, it is recognised by that one alone. Whether it does.
    ///
    /// # Errors
    /// As [`KnownDevices::remember`].
    pub fn fall_back(&mut self, device: &Address, shown: Fingerprint) -> Result<bool, KnownDevicesError> {
        let back = |now: Option<&Pin>| {
            let now = now.filter(|now| now.before == Some(shown))?;
            let named = now.named.iter().copied().filter(|one| *one != shown).collect();
            Some(Pin { device: now.device.clone(), certificate: shown, before: None, named })
        };
        // Usually there is nothing to write.
        if back(self.pin(device)).is_none() {
            return Ok(false);
        }
        self.change(device, |now| back(now).map(Some))
    }

    /// Changes what is known of one device, or takes its line out; whether anything was written.
    fn change(
        &mut self,
        device: &Address,
        change: impl FnOnce(Option<&Pin>) -> Option<Option<Pin>>,
    ) -> Result<bool, KnownDevicesError> {
        let path = self.path.clone();
        let bad = |error: io::Error| KnownDevicesError::File {
            action: "write",
            path: path.clone(),
            problem: ReadError::from(error).to_string(),
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        files::make_directory(folder).map_err(bad)?;
        // Of two processes, each of which reads, changes and replaces the file, one would undo the other.
        let alone = lock(folder).map_err(bad)?;
        *self = Self::load(folder)?;
        let pin = change(self.pin(device));
        let changed = pin.is_some();
        if let Some(pin) = pin {
            let mut lines = self.lines.clone();
            let is_its = |line: &Line| line.pin.as_ref().is_some_and(|pin| pin.device == *device);
            match (pin.map(Line::pinning), lines.iter_mut().find(|line| is_its(line))) {
                (Some(line), Some(old)) => *old = line,
                (Some(line), None) => lines.push(line),
                (None, _) => lines.retain(|line| !is_its(line)),
            }
            let text: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
            if text.len() > LIMIT {
                // It would not be read again, and no device would be recognised.
                return Err(bad(io::Error::other(format!("it would have more than {} KiB", LIMIT / 1024))));
            }
            files::replace(&path, text.as_bytes()).map_err(bad)?;
            self.lines = lines;
        }
        drop(alone);
        Ok(changed)
    }
}

impl Line {
    fn pinning(pin: Pin) -> Self {
        let before = pin.before.map(|before| format!(" {BEFORE}{before}")).unwrap_or_default();
        let named: Vec<String> = pin.named.iter().map(Fingerprint::to_string).collect();
        let named = if named.is_empty() { String::new() } else { format!(" {NAMES}{}", named.join(",")) };
        Self { text: format!("{} {}{before}{named}", pin.device, pin.certificate), pin: Some(pin) }
    }

    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches('\r');
        let mut words = text.split_whitespace();
        let print = |word: &str| word.parse::<Fingerprint>().map_err(|error| error.to_string());
        let unknown = || format!("'{}' is not 'FQDN[:PORT] SHA256'", shortened(text));
        let pin = match (words.next(), words.next()) {
            (None, _) => None,
            (Some(word), _) if word.starts_with('#') => None,
            (Some(device), Some(certificate)) => {
                let mut rest = words.peekable();
                let mut behind =
                    |word: &str| rest.next_if(|next| next.starts_with(word)).map(|next| &next[word.len()..]);
                let (before, named) = (behind(BEFORE), behind(NAMES));
                if rest.next().is_some() {
                    return Err(unknown());
                }
                let device = device.parse::<Address>().map_err(|error| error.to_string())?;
                let certificate = print(certificate)?;
                let before = before.map(print).transpose()?;
                let named = named.map(|named| named.split(',').map(print).collect()).transpose()?;
                Some(Pin { device, certificate, before, named: named.unwrap_or_default() })
            }
            _ => return Err(unknown()),
        };
        Ok(Self { text: text.to_owned(), pin })
    }
}

fn shortened(text: &str) -> String {
    escape_control(&text.chars().take(100).collect::<String>())
}

/// All lines, or the number of the first bad one and what is wrong with it.
fn read_lines(contents: &[u8]) -> Result<Vec<Line>, (usize, String)> {
    let mut lines: Vec<Line> = Vec::new();
    let whole = contents.strip_suffix(b"\n").unwrap_or(contents);
    if whole.is_empty() {
        return Ok(lines);
    }
    for (number, bytes) in whole.split(|byte| *byte == b'\n').enumerate() {
        let text = std::str::from_utf8(bytes).map_err(|_| (number + 1, "it is not UTF-8 text".to_owned()))?;
        let line = Line::read(text).map_err(|reason| (number + 1, reason))?;
        if let Some(Pin { device, .. }) = &line.pin {
            let names_it = |other: &Line| other.pin.as_ref().is_some_and(|known| known.device == *device);
            if let Some(before) = lines.iter().position(names_it) {
                return Err((number + 1, format!("line {} names {device} as well", before + 1)));
            }
        }
        lines.push(line);
    }
    Ok(lines)
}

/// How long another process is waited for. It only reads, changes and replaces one small file.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked: a wait for a lock itself has no end.
const LOCK_LOOK: Duration = Duration::from_millis(20);

/// A lock that is given back when it is dropped.
fn lock(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!("{NAME}.lock"));
    let file = files::open_lock(&path)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_LOOK),
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(io::Error::other(format!(
                    "another process has held the lock on {path} for {} seconds; which one says: fuser {path}",
                    LOCK_WAIT.as_secs()
                )));
            }
        }
    }
}

#[cfg(test)]
#[path = "known_devices_tests.rs"]
mod tests;
