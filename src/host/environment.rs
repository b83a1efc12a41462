//! The variables of the environment that our libraries read, and what is done about each. What could make a run load
//! somebody else's settings or code, hang or break is refused before anything is done; all others have no such power.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::files;

/// With it OpenSSL loads nothing; everybody may write it, and it stays empty.
const NOTHING: &str = "/dev/null";
/// The largest file that is read because a variable names it.
const LARGEST: u64 = 1 << 20;
/// Where time zones are looked for.
const ZONES: [&str; 4] =
    ["/usr/share/zoneinfo", "/share/zoneinfo", "/etc/zoneinfo", "/usr/share/lib/zoneinfo"];

/// What is done about a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It names a file that is read: only an ordinary one that nobody else could have written.
    File,
    /// It names a directory from which code or settings are loaded: only one that nobody else could have written.
    Directory,
    /// A time zone. It may name a file: then as [`Treatment::File`].
    Zone,
    /// It can only break a run: it is refused wherever it is set.
    Unset,
    /// Read, and without any power: a number or a word with a bound, or text that is shown escaped.
    Harmless,
    /// Not read in any run, because the library was told so, or handed on only where that is safe.
    Ignored,
    /// Read by the dynamic loader or by glibc before the first line of ours. Nobody can be kept from running his own code
    /// with his own rights; sudo, systemd and certmonger hand none of these on.
    Loader,
}

/// All of them, by who reads them.
pub const VARIABLES: [(&str, Treatment); 67] = [
    // OpenSSL.
    ("OPENSSL_CONF", Treatment::File),
    ("OPENSSL_CONF_INCLUDE", Treatment::Directory),
    ("OPENSSL_MODULES", Treatment::Directory),
    ("OPENSSL_ENGINES", Treatment::Directory),
    ("OPENSSL_ia32cap", Treatment::Unset),
    ("OPENSSL_armcap", Treatment::Unset),
    ("OPENSSL_ppccap", Treatment::Unset),
    ("OPENSSL_s390xcap", Treatment::Unset),
    ("OPENSSL_riscvcap", Treatment::Unset),
    ("OPENSSL_TRACE", Treatment::Ignored),
    ("OPENSSL_MALLOC_FAILURES", Treatment::Ignored),
    ("RANDFILE", Treatment::Ignored),
    ("CTLOG_FILE", Treatment::Ignored),
    ("QLOGDIR", Treatment::Ignored),
    ("SSL_CERT_FILE", Treatment::Ignored),
    ("SSL_CERT_DIR", Treatment::Ignored),
    // rustls: keys of connections are never written down.
    ("SSLKEYLOGFILE", Treatment::Ignored),
    // reqwest: a device is spoken to, and no proxy.
    ("http_proxy", Treatment::Ignored),
    ("https_proxy", Treatment::Ignored),
    ("all_proxy", Treatment::Ignored),
    ("no_proxy", Treatment::Ignored),
    ("HTTP_PROXY", Treatment::Ignored),
    ("HTTPS_PROXY", Treatment::Ignored),
    ("ALL_PROXY", Treatment::Ignored),
    ("NO_PROXY", Treatment::Ignored),
    ("REQUEST_METHOD", Treatment::Ignored),
    // chrono, and getcert, to which it is handed on.
    ("TZ", Treatment::Zone),
    ("TZDIR", Treatment::Ignored),
    // glibc's resolver, in this process. Its numbers have bounds of their own.
    ("HOSTALIASES", Treatment::File),
    ("LOCALDOMAIN", Treatment::Harmless),
    ("RES_OPTIONS", Treatment::Harmless),
    // glibc and the loader.
    ("LD_PRELOAD", Treatment::Loader),
    ("LD_LIBRARY_PATH", Treatment::Loader),
    ("LD_AUDIT", Treatment::Loader),
    ("LD_DEBUG_OUTPUT", Treatment::Loader),
    ("GLIBC_TUNABLES", Treatment::Loader),
    ("GCONV_PATH", Treatment::Ignored),
    ("LOCPATH", Treatment::Ignored),
    ("NLSPATH", Treatment::Ignored),
    ("LANG", Treatment::Harmless),
    ("LC_ALL", Treatment::Harmless),
    ("TMPDIR", Treatment::Harmless),
    // The standard library and tokio.
    ("RUST_BACKTRACE", Treatment::Harmless),
    ("RUST_LIB_BACKTRACE", Treatment::Harmless),
    ("RUST_MIN_STACK", Treatment::Unset),
    ("RUST_LOG", Treatment::Ignored),
    ("TOKIO_WORKER_THREADS", Treatment::Ignored),
    // clap, console and indicatif: how something looks.
    ("NO_COLOR", Treatment::Harmless),
    ("CLICOLOR", Treatment::Harmless),
    ("CLICOLOR_FORCE", Treatment::Harmless),
    ("COLORTERM", Treatment::Harmless),
    ("TERM", Treatment::Harmless),
    ("COLUMNS", Treatment::Harmless),
    ("LINES", Treatment::Harmless),
    ("CI", Treatment::Harmless),
    // Our own programs.
    ("PATH", Treatment::Harmless),
    ("JOURNAL_STREAM", Treatment::Harmless),
    ("SUDO_USER", Treatment::Harmless),
    ("KRB5CCNAME", Treatment::Ignored),
    ("DBUS_SYSTEM_BUS_ADDRESS", Treatment::Ignored),
    ("DBUS_SESSION_BUS_ADDRESS", Treatment::Ignored),
    // What the programs that we start would read: they get an environment of their own.
    ("KRB5_CONFIG", Treatment::Ignored),
    ("KRB5_KTNAME", Treatment::Ignored),
    ("KRB5_TRACE", Treatment::Ignored),
    ("XDG_CONFIG_HOME", Treatment::Ignored),
    ("HOME", Treatment::Ignored),
    ("CERTMONGER_CONFIG_DIR", Treatment::Ignored),
];

/// The environment has what a run must not rest on.
#[derive(Debug, thiserror::Error)]
#[error("the environment has {variable}={shown}{problem}")]
pub struct UnsafeEnvironment {
    variable: &'static str,
    shown: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Loaded(String),
    Breaks,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded(why) => write!(f, ", which would be read: {why}"),
            Self::Breaks => f.write_str(", which can only break a run"),
        }
    }
}

impl UnsafeEnvironment {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        format!("unset it: env -u {}", self.variable)
    }
}

/// Looks at the environment, before any library does.
///
/// # Errors
/// A variable that names what others could have written or what never ends, or that can only break a run.
pub fn check() -> Result<(), UnsafeEnvironment> {
    for (variable, treatment) in VARIABLES {
        let Some(value) = env::var_os(variable).filter(|value| !value.is_empty()) else { continue };
        let judged = match treatment {
            Treatment::File if value == NOTHING => Ok(()),
            Treatment::File => ordinary_file(Path::new(&value)).map_err(Problem::Loaded),
            Treatment::Directory if value == NOTHING => Ok(()),
            Treatment::Directory => directory(Path::new(&value)).map_err(Problem::Loaded),
            Treatment::Zone => zone(&value).map_err(Problem::Loaded),
            Treatment::Unset => Err(Problem::Breaks),
            Treatment::Harmless | Treatment::Ignored | Treatment::Loader => Ok(()),
        };
        let shown = || value.to_string_lossy().chars().take(200).collect();
        judged.map_err(|problem| UnsafeEnvironment { variable, shown: shown(), problem })?;
    }
    Ok(())
}

/// What lies at a path; nothing where nothing is there that could be opened.
fn found(path: &Path) -> Result<Option<Metadata>, String> {
    let place = files::settled(path).map_err(|unsettled| unsettled.to_string())?;
    match std::fs::metadata(place) {
        Ok(metadata) => {
            files::check_owner(&metadata).map_err(|foreign| foreign.to_string())?;
            Ok(Some(metadata))
        }
        Err(_) => Ok(None),
    }
}

fn ordinary_file(path: &Path) -> Result<(), String> {
    match found(path)? {
        // Opening a FIFO waits for a writer, and some devices have no end.
        Some(metadata) if !metadata.is_file() => Err("it is not a file".to_owned()),
        Some(metadata) if metadata.len() > LARGEST => {
            Err(format!("it holds more than {} KiB", LARGEST / 1024))
        }
        _ => Ok(()),
    }
}

fn directory(path: &Path) -> Result<(), String> {
    match found(path)? {
        Some(metadata) if !metadata.is_dir() && !metadata.is_file() => {
            Err("it is neither a directory nor a file".to_owned())
        }
        _ => Ok(()),
    }
}

/// A time zone is the name of a file, with or without a colon before it, or else a rule like `CET-1CEST`.
fn zone(value: &OsStr) -> Result<(), String> {
    let name = value.as_bytes();
    let name = Path::new(OsStr::from_bytes(name.strip_prefix(b":").unwrap_or(name)));
    let places: Vec<PathBuf> = if name.is_absolute() {
        vec![name.to_owned()]
    } else {
        ZONES.iter().map(|folder| Path::new(folder).join(name)).collect()
    };
    // A directory can be opened, and not be read.
    let mut files = places.iter().filter(|path| !path.is_dir() && path.metadata().is_ok());
    files.try_for_each(|path| ordinary_file(path))
}
