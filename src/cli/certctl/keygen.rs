//! `pan_certctl keygen`: an API key for one device, proven before it takes an old one's place.

use std::io::{self, IsTerminal as _, Read as _};

use chrono::{Local, TimeDelta};
use clap::Args;
use panos_xmlapi::{Address, Error, Reason, Session};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde_json::json;

use super::NAME;
use super::reach::ReachOptions;
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::report;
use crate::error::Exit;
use crate::host::keyfile::{KeyFile, NewKey};
use crate::install::error::{Activity, InstallError};
use crate::install::retry;
use crate::settings::config::Config;
use crate::settings::resolve;
use crate::text::spoken;

/// The longest password, in bytes.
const LONGEST: u64 = 4096;

/// Whose key, and where it goes.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct KeygenArguments {
    /// The API administrator on the device
    #[arg(short = 'l', long = "login", value_name = "USER")]
    login: String,

    #[command(flatten)]
    reach: ReachOptions,

    /// What was done as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// The device
    #[arg(value_name = "FQDN[:PORT]")]
    device: String,
}

/// Makes a key, tries it, and writes it down.
///
/// # Errors
/// A device or user that is not valid; no password; a key file that can't be used.
pub fn run(arguments: &KeygenArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let device: Address = arguments.device.parse()?;
    let user = arguments.login.as_str();
    if user.is_empty() || user.len() > 255 || user.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let shown = user.escape_debug();
        return Err(UsageError::Other(format!("'{shown}' is not the name of an administrator")));
    }
    let config = Config::load(place.config.as_deref())?;
    let options = resolve::options_for(&(&arguments.reach).into(), &config, &device);
    let target = resolve::target(&options, &device, &place.state_dir)?;
    // What stands in the way of writing it is better known before a password is asked for.
    KeyFile::can_store(&target.key_file)?;
    let password = password(user, &device)?;
    let host = device.host().to_string();
    let made = arguments::event_loop()?.block_on(async {
        let limits = retry::limits();
        let key = Session::generate_key(&device, &target.trust, user, &password, limits).await?;
        drop(password);
        let session = Session::new(&device, &target.trust, &key, limits)?;
        let lacks_rights = match session.system_info().await {
            Ok(_) => false,
            Err(Error::Refused(refusal)) if matches!(refusal.reason, Reason::PermissionMissing(_)) => true,
            Err(error) => return Err(error),
        };
        let lifetime = session.key_lifetime().await.ok().flatten();
        Ok((key, lacks_rights, lifetime))
    });
    let (key, lacks_rights, lifetime) = match made {
        Ok(made) => made,
        Err(error) => return Ok(tell(&device, user, error)),
    };
    KeyFile::store(&target.key_file, &NewKey { host: &host, username: user, key: &key })?;
    let made = Made { device: &device, user, file: target.key_file.display().to_string(), lifetime };
    if arguments.json {
        made.json()
    } else {
        made.say(lacks_rights)
    }
    Ok(Exit::Done)
}

struct Made<'a> {
    device: &'a Address,
    user: &'a str,
    file: String,
    /// Minutes.
    lifetime: Option<u64>,
}

impl Made<'_> {
    /// How long the key is good for.
    fn length(&self) -> Option<TimeDelta> {
        TimeDelta::try_minutes(i64::try_from(self.lifetime?).ok()?)
    }

    /// When the key is over.
    fn end(&self) -> Option<String> {
        Some(Local::now().checked_add_signed(self.length()?)?.format("%Y-%m-%d %H:%M").to_string())
    }

    fn say(&self, lacks_rights: bool) {
        let Self { device, user, file, .. } = self;
        report::line(&format!(
            "{device}: accepts the new API key of '{user}'; it is in {file}, for this device only."
        ));
        if lacks_rights {
            let what = format!("{device}: '{user}' lacks the XML API right 'Operational Requests'");
            report::problem(
                NAME,
                &what,
                Some(&format!("see what else is missing: pan_certctl check {device}")),
            );
        }
        if let (Some(length), Some(end)) = (self.length(), self.end()) {
            let length = spoken(length);
            let what = format!("WARNING: {device} lets API keys expire after {length}: this one on {end}");
            report::problem(
                NAME,
                &what,
                Some("it is not renewed automatically; run this command again before then"),
            );
        }
    }

    fn json(&self) {
        let Self { device, user, file, .. } = self;
        let told =
            json!({ "device": device, "administrator": user, "key_file": file, "expires": self.end() });
        report::json(NAME, &told);
    }
}

fn tell(device: &Address, user: &str, error: Error) -> Exit {
    let advice = match &error {
        Error::Identity(_) => Some(format!(
            "nothing was sent; trust the issuing CA with --ca-file FILE, or exactly this certificate: pan_certctl pin {device}"
        )),
        Error::Refused(refusal) if refusal.reason == Reason::InvalidKey => {
            Some(format!("check the password of '{user}', and that the role allows the XML API at all"))
        }
        _ => None,
    };
    let failure = InstallError::during(Activity::Looking)(error);
    let advice = advice.or_else(|| failure.advice());
    report::problem(NAME, &format!("{device}: {failure}; no key was written"), advice.as_deref());
    failure.exit()
}

/// The password, typed without echo, or the first line of standard input.
fn password(user: &str, device: &Address) -> Result<SecretString, UsageError> {
    let bad = |error: &dyn std::fmt::Display| UsageError::Other(format!("no password: {error}"));
    let text = if io::stdin().is_terminal() {
        let terminal = console::Term::stderr();
        let asked = format!("Password of '{user}' on {device}: ");
        terminal.write_str(&asked).map_err(|error| bad(&error))?;
        Zeroizing::new(terminal.read_secure_line().map_err(|error| bad(&error))?)
    } else {
        // Room for all of it from the start: a text that grows leaves copies behind that nobody wipes.
        let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize + 1));
        io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(|error| bad(&error))?;
        text
    };
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(bad(&"there was none"));
    }
    Ok(SecretString::from(line))
}
