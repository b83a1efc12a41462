//! Variables of the environment that would have OpenSSL load somebody else's settings or code.
//!
//! What else redirects TLS elsewhere (`SSL_CERT_FILE`, `SSL_CERT_DIR`, `https_proxy` and their like) has no say here.

use std::env;
use std::path::{Path, PathBuf};

use crate::files;

/// Files and folders that OpenSSL loads when it is first used.
const LOADED: [&str; 4] = ["OPENSSL_CONF", "OPENSSL_CONF_INCLUDE", "OPENSSL_MODULES", "OPENSSL_ENGINES"];
/// With it nothing is loaded; everybody may write it, and it stays empty.
const NOTHING: &str = "/dev/null";

/// The environment makes OpenSSL load what somebody else could have written.
#[derive(Debug, thiserror::Error)]
#[error("the environment has {variable}={}, which OpenSSL would load: {problem}", .path.display())]
pub struct BadSurroundings {
    variable: &'static str,
    path: PathBuf,
    problem: String,
}

impl BadSurroundings {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        format!("See who set it, then run it with: env -u {}", self.variable)
    }
}

/// Looks at the environment, before OpenSSL does.
///
/// # Errors
/// A variable that names what others could have written.
pub fn check() -> Result<(), BadSurroundings> {
    for variable in LOADED {
        let Some(path) = env::var_os(variable).filter(|path| !path.is_empty() && path != NOTHING) else {
            continue;
        };
        let path = PathBuf::from(path);
        believed(&path).map_err(|problem| BadSurroundings { variable, path, problem })?;
    }
    Ok(())
}

fn believed(path: &Path) -> Result<(), String> {
    let place = files::settled(path).map_err(|unsettled| unsettled.to_string())?;
    match std::fs::metadata(place) {
        Ok(metadata) => files::only_ours(&metadata).map_err(|foreign| foreign.to_string()),
        Err(_) => Ok(()),
    }
}
