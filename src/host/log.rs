//! The log file: one event a line, `[2023-04-27 15:15:33+00:00]: TEXT`, appended and never rewritten.
//!
//! Lines are written directly, each with one `write`, so that nothing is lost at the end of a short run and
//! lines of several processes don't mix. The file is opened anew by each run, which is all that logrotate's
//! `create` needs.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Local};
use rustix::fs::OFlags;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::files;
use crate::text::is_printable;

/// Where it is unless somebody says otherwise.
pub const LOG_FILE: &str = "/var/log/pan_instcert.log";
/// The longest line, in bytes, its end included.
pub const LINE_LIMIT: usize = 4096;
/// Owner may write, group may read.
const MODE: u32 = 0o640;
const TARGET: &str = "pan_log";

/// The log can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file can't be opened for appending.
    #[error("can't write the log file {}: {cause}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// A log was opened before in this process.
    #[error("the log was opened twice")]
    Twice(#[from] TryInitError),
}

/// How much a person watching wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only results.
    Quiet,
    /// The lines of the log as well.
    Log,
    /// Requests too.
    Debug,
}

impl From<u8> for Verbosity {
    fn from(count: u8) -> Self {
        match count {
            0 => Self::Quiet,
            1 => Self::Log,
            _ => Self::Debug,
        }
    }
}

/// An open log. Runs write through [`Log::run`].
#[derive(Debug, Clone)]
pub struct Log {
    /// Held (shared) by everyone who writes to this file, so that a run can tell whether it is alone.
    presence: Arc<File>,
    verbosity: Verbosity,
}

/// One run for one device: its lines can be told from others by a short id.
#[derive(Debug, Clone)]
pub struct RunLog {
    log: Log,
    id: String,
    always_tagged: bool,
    /// Lines with their times that are not written yet, while it is open whether anybody needs them.
    held: Arc<Mutex<Option<Vec<Held>>>>,
}

/// A line that is not written yet, and when it was said.
type Held = (DateTime<Local>, String);

impl Log {
    /// Opens the log file, makes it (mode 0640) where it is missing, and directs all lines there.
    ///
    /// # Errors
    /// A file that can't be appended to.
    pub fn open(path: &Path, verbosity: Verbosity) -> Result<Self, LogError> {
        let named = path;
        let bad = |cause: io::Error| LogError::Open { path: named.to_owned(), cause };
        let path = &files::settled(path).map_err(|unsettled| bad(io::Error::other(unsettled.to_string())))?;
        // For root the path is free of links by now; one that appears in this moment is not followed. The appender
        // would make the file readable for everybody, and wait for the reader of a FIFO.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | files::unfollowed();
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.append(true).mode(MODE).custom_flags(flags);
        // Names are shown, and told to other programs, as text: another name would be another file.
        match path.file_name().map(std::ffi::OsStr::to_str) {
            Some(Some(_)) => {}
            Some(None) => return Err(bad(io::Error::other("its name is not UTF-8 text"))),
            None => return Err(bad(io::Error::other("it has no name"))),
        }
        let presence = match options.clone().create_new(true).open(path) {
            // Whatever the umask: certmonger and systemd units bring one of their own.
            Ok(new) => new.set_permissions(Permissions::from_mode(MODE)).map(|()| new),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.create(true).open(path),
            Err(error) => Err(error),
        }
        .map_err(bad)?;
        let opened = presence.metadata().map_err(bad)?;
        if !opened.is_file() {
            return Err(bad(io::Error::other("it is not a regular file")));
        }
        // Nor may it have got another name in that moment, or be another file than the one that has this name.
        files::still_there(path, &opened).map_err(|trouble| bad(trouble.into()))?;
        presence.try_lock_shared().ok();
        // The appender opens a path. This one leads to the file that was opened and looked at, whatever has become of
        // its name since.
        let appender = RollingFileAppender::builder()
            .rotation(Rotation::NEVER)
            .filename_prefix(presence.as_raw_fd().to_string())
            .build("/proc/self/fd")
            .map_err(|error| bad(io::Error::other(error.to_string())))?;
        tracing_subscriber::registry().with(Lines { appender, verbosity }).try_init()?;
        Ok(Self { presence: Arc::new(presence), verbosity })
    }

    /// A run. Where one process works on several devices, each line has to say which.
    #[must_use]
    pub fn run(&self, id: &str, several_devices: bool) -> RunLog {
        let (log, id, held) = (self.clone(), id.to_owned(), Arc::default());
        RunLog { log, id, always_tagged: several_devices, held }
    }

    /// Whether another process writes to the same file.
    fn has_company(&self) -> bool {
        let alone = self.presence.try_lock().is_ok();
        self.presence.try_lock_shared().ok();
        !alone
    }
}

impl RunLog {
    /// Writes one line.
    pub fn say(&self, text: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(lines) => lines.push((Local::now(), text.to_owned())),
            None => self.write(Local::now(), text),
        }
    }

    /// Keeps lines back from now on: a run that fails as it did many times before has nothing new to tell. Where
    /// somebody watches, nothing is kept back.
    pub fn hold(&self) {
        if self.log.verbosity == Verbosity::Quiet {
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        }
    }

    /// Writes what was kept back, each line with the time at which it was said.
    pub fn release(&self) {
        let lines = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        lines.into_iter().flatten().for_each(|(at, text)| self.write(at, &text));
    }

    /// Throws away what was kept back; whether there was anything.
    #[must_use]
    pub fn discard(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    fn write(&self, at: DateTime<Local>, text: &str) {
        let at = at.timestamp_millis();
        if self.always_tagged || self.log.has_company() {
            tracing::info!(target: TARGET, at, "[{}]: {text}", self.id);
        } else {
            tracing::info!(target: TARGET, at, "{text}");
        }
    }

    /// Writes one line that begins with `ERROR: `.
    pub fn error(&self, text: &str) {
        self.say(&format!("ERROR: {text}"));
    }

    /// The short id that tells this run from others.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

struct Lines {
    appender: RollingFileAppender,
    verbosity: Verbosity,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut message = Message { text: String::new(), at: Local::now() };
        event.record(&mut message);
        let kept = event.metadata().target() == TARGET;
        if kept {
            let line = line(message.at, &message.text);
            // A full disk must not keep a certificate from being delivered; the record tells of the run.
            let _ = io::Write::write_all(&mut self.appender.make_writer(), line.as_bytes());
        }
        let shown = if kept { self.verbosity >= Verbosity::Log } else { self.verbosity >= Verbosity::Debug };
        if shown && (kept || event.metadata().target().starts_with("pancert")) {
            let _ =
                io::Write::write_all(&mut io::stderr().lock(), line(message.at, &message.text).as_bytes());
        }
    }
}

struct Message {
    text: String,
    at: DateTime<Local>,
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.text, "{value:?}");
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if let ("at", Some(at)) = (field.name(), DateTime::from_timestamp_millis(value)) {
            self.at = at.with_timezone(&Local);
        }
    }
}

/// A whole line: nothing in `text` can end it early or steer a terminal.
fn line(at: DateTime<Local>, text: &str) -> String {
    let mut line = format!("[{}]: ", at.format("%Y-%m-%d %H:%M:%S%:z"));
    let limit = LINE_LIMIT - "…\n".len();
    for character in text.chars() {
        let before = line.len();
        if is_printable(character) {
            line.push(character);
        } else {
            line.extend(character.escape_default());
        }
        if line.len() > limit {
            line.truncate(before);
            line.push('…');
            break;
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_forge_a_line() {
        let forged = line(Local::now(), "a\n[2026-01-01 00:00:00+00:00]: END\r\x1b[2K\u{2028}b\u{202e}c");
        assert_eq!(forged.matches('\n').count(), 1);
        assert!(forged.ends_with("\\u{2028}b\\u{202e}c\n"), "{forged}");
        assert!(!forged.contains('\x1b') && !forged.contains('\r'));
    }

    #[test]
    fn a_line_is_at_most_4_kib_and_cut_between_characters() {
        for text in ["x".repeat(9000), "é".repeat(9000), "\n".repeat(9000)] {
            let cut = line(Local::now(), &text);
            assert!(cut.len() <= LINE_LIMIT && cut.ends_with("…\n"), "{}", cut.len());
        }
        assert!(line(Local::now(), "short").ends_with("]: short\n"));
    }
}
