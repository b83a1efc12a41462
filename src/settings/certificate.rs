//! Which certificate is meant, as it is typed, and where it is found.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

/// Where certificates are unless somebody says otherwise.
pub const CERT_DIR: &str = "/etc/ssl/certs";
/// Where keys are unless somebody says otherwise.
pub const KEY_DIR: &str = "/etc/ssl/private";

/// Which certificate, under which name.
#[derive(Debug, Clone, Args)]
pub struct CertificateArguments {
    /// Common name, a DNS name
    ///
    /// It becomes the file names and, unless -n is given, the object's name.
    #[arg(short = 'c', long, value_name = "CERT_CN", help_heading = "Certificate")]
    pub common_name: String,

    /// The object's name [default: CERT_CN]
    #[arg(short = 'n', long, value_name = "CERT_NAME", help_heading = "Certificate")]
    pub cert_name: Option<String>,

    /// Append _YYYY, the year of the day of installation, to the name
    #[arg(short = 'Y', long, help_heading = "Certificate", hide_short_help = true)]
    pub year: bool,

    /// Certificate directory
    #[arg(
        short = 'C',
        long,
        value_name = "DIR",
        default_value = CERT_DIR,
        help_heading = "Certificate",
        hide_short_help = true
    )]
    pub cert_dir: PathBuf,

    /// Key directory
    #[arg(
        short = 'K',
        long,
        value_name = "DIR",
        default_value = KEY_DIR,
        help_heading = "Certificate",
        hide_short_help = true
    )]
    pub key_dir: PathBuf,

    /// Take an SSL/TLS service profile that another installation claims: it gives the profile up once this certificate
    /// is verified there
    #[arg(long, help_heading = "Device", hide_short_help = true)]
    pub take_over: bool,

    /// Talk to a certmonger on the session bus
    #[arg(long, help_heading = "Delivery", hide_short_help = true)]
    pub session_bus: bool,

    /// Restrict to what the section delegated of the configuration file allows; must be the first argument in sudo rules
    #[arg(long, help_heading = "Delivery", hide_short_help = true)]
    pub delegated: bool,
}

/// A certificate and its key by the names of their files, for every layout that the directories don't cover.
#[derive(Debug, Clone, Default, Args)]
pub struct FileArguments {
    /// Certificate file, with its chain if it holds one; instead of -C
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "cert_dir",
        help_heading = "Certificate",
        hide_short_help = true
    )]
    pub cert_file: Option<PathBuf>,

    /// Private key file of the certificate; instead of -K
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "key_dir",
        help_heading = "Certificate",
        hide_short_help = true
    )]
    pub cert_key: Option<PathBuf>,
}

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The intermediate certificates, if any are installed with it.
    pub chain: Option<PathBuf>,
}
