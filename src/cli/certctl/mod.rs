//! `pan_certctl`: look after what was installed.

pub mod adopt;
pub mod certmonger;
pub mod check;
pub mod enroll;
pub mod forget;
pub mod inventory;
pub mod keygen;
pub mod known;
pub mod list_devices;
pub mod log;
pub mod pin;
pub mod prove;
pub mod reach;
pub mod renew;
pub mod retry;
pub mod selection;
pub mod status;
pub mod terminal;
pub mod unpin;
mod verbs;
pub mod verify;
pub mod when;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::arguments::{self, PlaceArguments, UsageError};
use super::examples;
use crate::error::Exit;

const NAME: &str = "pan_certctl";

/// Look after the certificates that are on Palo Alto Networks firewalls.
#[derive(Debug, Parser)]
#[command(
    name = NAME,
    version,
    propagate_version = true,
    help_template = verbs::TEMPLATE,
    after_help = arguments::short_end(NAME),
    after_long_help = arguments::long_end(&examples::CERTCTL),
    max_term_width = 100,
    args_override_self = true
)]
pub struct Arguments {
    #[command(flatten)]
    place: PlaceArguments,

    #[command(subcommand)]
    verb: Verb,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check everything an installation needs; changes nothing
    #[command(after_help = arguments::short_end("pan_certctl check"), after_long_help = arguments::exit_code_help())]
    Check(Box<check::CheckArguments>),

    /// List all certificates on the devices, the next to expire first
    #[command(after_help = arguments::short_end("pan_certctl inventory"), after_long_help = arguments::exit_code_help())]
    Inventory(inventory::InventoryArguments),

    /// Show what FreeIPA lacks for a certificate (host, service, who manages it, CA ACL), and add it after a yes
    #[command(after_help = arguments::short_end("pan_certctl enroll"), after_long_help = arguments::exit_code_help())]
    Enroll(enroll::EnrollArguments),

    /// Make an API key for a device, try it, and put it into the key file; asks for the password without showing
    /// it, or reads it from standard input
    #[command(after_help = arguments::short_end("pan_certctl keygen"), after_long_help = arguments::exit_code_help())]
    Keygen(keygen::KeygenArguments),

    /// Show a device's HTTPS certificate and, after confirmation, trust it
    #[command(after_help = arguments::short_end("pan_certctl pin"), after_long_help = arguments::exit_code_help())]
    Pin(pin::PinArguments),

    /// Trust a device no longer by the certificate that was pinned
    #[command(after_help = arguments::short_end("pan_certctl unpin"), after_long_help = arguments::exit_code_help())]
    Unpin(unpin::UnpinArguments),

    /// List all devices that are known here, and what there is for each: settings, API key, trust, certificates
    #[command(after_help = arguments::short_end("pan_certctl list-devices"), after_long_help = arguments::exit_code_help())]
    ListDevices(list_devices::ListDevicesArguments),

    /// Try on a firewall what an installation needs, with a throw-away certificate, and take all of it back within a
    /// minute; nothing is committed
    #[command(after_help = arguments::short_end("pan_certctl prove"), after_long_help = arguments::exit_code_help())]
    Prove(prove::ProveArguments),

    /// Show the last runs of pan_instcert: when, for which device, how they ended, and how long each phase took
    #[command(after_help = arguments::short_end("pan_certctl log"), after_long_help = arguments::exit_code_help())]
    Log(log::LogArguments),

    /// Show installations and pending work; the exit code is suitable for monitoring
    #[command(after_help = arguments::short_end("pan_certctl status"), after_long_help = arguments::exit_code_help())]
    Status(status::StatusArguments),

    /// Show one certificate: names, issuer, dates, next renewal, devices and how they stand, last attempts
    #[command(after_help = arguments::short_end("pan_certctl show"), after_long_help = arguments::exit_code_help())]
    Show(status::show::ShowArguments),

    /// Have certmonger ask for the next certificate now, and wait until it is installed on all devices
    #[command(after_help = arguments::short_end("pan_certctl renew"), after_long_help = arguments::exit_code_help())]
    Renew(renew::RenewArguments),

    /// Install everything that is due (run by the systemd worker)
    #[command(after_help = arguments::short_end("pan_certctl retry"), after_long_help = arguments::exit_code_help())]
    Retry(retry::RetryArguments),

    /// Compare devices with the recorded installations and the certificate files
    #[command(after_help = arguments::short_end("pan_certctl verify"), after_long_help = arguments::exit_code_help())]
    Verify(verify::VerifyArguments),

    /// Look after what certmonger renews with a post-save command of the bash scripts: record it, exchange the command,
    /// deliver nothing
    #[command(after_help = arguments::short_end("pan_certctl adopt"), after_long_help = arguments::exit_code_help())]
    Adopt(adopt::AdoptArguments),

    /// Look after an installation, or one of its profiles, no more; what is on the device stays as it is
    #[command(after_help = arguments::short_end("pan_certctl forget"), after_long_help = arguments::exit_code_help())]
    Forget(forget::ForgetArguments),
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    arguments::run(NAME, run)
}

fn run(arguments: &Arguments) -> Result<Exit, UsageError> {
    match &arguments.verb {
        Verb::Check(check) => check::run(check, &arguments.place),
        Verb::Inventory(inventory) => inventory::run(inventory, &arguments.place),
        Verb::Enroll(enroll) => enroll::run(enroll),
        Verb::Keygen(keygen) => keygen::run(keygen, &arguments.place),
        Verb::Pin(pin) => pin::run(pin, &arguments.place),
        Verb::Unpin(unpin) => unpin::run(unpin, &arguments.place),
        Verb::ListDevices(list) => list_devices::run(list, &arguments.place),
        Verb::Prove(prove) => prove::run(prove, &arguments.place),
        Verb::Log(log) => log::run(log, &arguments.place),
        Verb::Status(status) => status::run(status, &arguments.place),
        Verb::Show(show) => status::show::run(show, &arguments.place),
        Verb::Renew(renew) => renew::run(renew, &arguments.place),
        Verb::Retry(retry) => retry::run(retry, &arguments.place),
        Verb::Verify(verify) => verify::run(verify, &arguments.place),
        Verb::Adopt(adopt) => adopt::run(adopt, &arguments.place),
        Verb::Forget(forget) => forget::run(forget, &arguments.place),
    }
}
