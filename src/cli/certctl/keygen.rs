//! `pan_certctl keygen`: an API key for each device, proven before it takes an old one's place.

use std::io::{self, IsTerminal as _, Read as _};

use chrono::{Local, TimeDelta};
use clap::Args;
use panos_xmlapi::{Address, Error, Reason, Session, hello};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::NAME;
use super::reach::ReachOptions;
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::report;
use crate::error::Exit;
use crate::host::keyfile::{KeyFile, NewKey};
use crate::install::error::{Activity, InstallError};
use crate::install::request::Target;
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

    /// Devices
    #[arg(value_name = "FQDN[:PORT]", required = true)]
    devices: Vec<String>,
}

/// Makes a key for each device, tries it, and writes it down. The password is asked for once, and not before the devices
/// are known to be the right ones.
///
/// # Errors
/// A device or user that is not valid; no password; a key file that can't be used.
pub fn run(arguments: &KeygenArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let devices = resolve::devices(&arguments.devices)?;
    let user = arguments.login.as_str();
    if user.is_empty() || user.len() > 255 || user.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let shown = user.escape_debug();
        return Err(UsageError::Other(format!("'{shown}' is not the name of an administrator")));
    }
    let config = Config::load(place.config.as_deref())?;
    let target = |device: &Address| {
        resolve::whole_device((&arguments.reach).into(), &config, device, &place.state_dir)
    };
    let targets: Vec<Target> = devices.iter().map(target).collect::<Result<_, _>>()?;
    // What stands in the way of writing it is better known before a password is asked for.
    targets.iter().try_for_each(|target| KeyFile::can_store(&target.key_file))?;
    let runtime = arguments::event_loop()?;
    let (mut each, mut reached) = (Vec::new(), Vec::new());
    for target in &targets {
        match runtime.block_on(hello(&target.device, &target.trust, retry::limits())) {
            Ok(_) => reached.push(target),
            Err(error) => each.push(tell(&target.device, user, error)),
        }
    }
    let mut told = Vec::new();
    if !reached.is_empty() {
        let names: Vec<String> = reached.iter().map(|target| target.device.to_string()).collect();
        let password = password(user, &names.join(", "))?;
        for target in reached {
            let (exit, made) = make(target, user, &password, &runtime, arguments.json)?;
            each.push(exit);
            told.extend(made);
        }
    }
    let exit = Exit::of_all(&each);
    if arguments.json {
        report::json_of_devices(NAME, exit, targets.len(), &told);
    }
    Ok(exit)
}

/// One device's key.
fn make(
    target: &Target,
    user: &str,
    password: &SecretString,
    runtime: &Runtime,
    is_json: bool,
) -> Result<(Exit, Option<Value>), UsageError> {
    let device = &target.device;
    let host = device.host().to_string();
    let made = runtime.block_on(async {
        let limits = retry::limits();
        let key = Session::generate_key(device, &target.trust, user, password, limits).await?;
        let session = Session::new(device, &target.trust, &key, limits)?;
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
        Err(error) => return Ok((tell(device, user, error), None)),
    };
    KeyFile::store(&target.key_file, &NewKey { host: &host, username: user, key: &key })?;
    let made = Made { device, user, file: target.key_file.display().to_string(), lifetime };
    if is_json {
        return Ok((Exit::Done, Some(made.json())));
    }
    made.say(lacks_rights);
    Ok((Exit::Done, None))
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

    fn json(&self) -> Value {
        let Self { device, user, file, .. } = self;
        json!({ "device": device, "administrator": user, "key_file": file, "expires": self.end() })
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
fn password(user: &str, devices: &str) -> Result<SecretString, UsageError> {
    let bad = |error: &dyn std::fmt::Display| UsageError::Other(format!("no password: {error}"));
    let text = if io::stdin().is_terminal() {
        let terminal = console::Term::stderr();
        let asked = format!("Password of '{user}' on {devices}: ");
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
