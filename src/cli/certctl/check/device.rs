//! The way to a device: its name, its port, who answers there, and whether the key is good.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use panos_xmlapi::{
    Address, ClientOptions, Error, Hello, Host, IdentityError, Location, Reason, Serial, Session, Trust,
    hello,
};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::CheckTarget;
use super::finding::{CheckResult, quoted};
use super::sharing::Interface;
use super::{configuration, rights};
use crate::cli::arguments::PlaceArguments;
use crate::error::Exit;
use crate::host::keyfile::{self, KeyFile, KeyFileError};
use crate::host::worker;
use crate::install::error::{Activity, InstallError};
use crate::install::managed::through;
use crate::install::{probe, retry};
use crate::text::spoken;

/// How long a device may take to accept a connection.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How far clocks may be apart before certificates that were just issued are not valid yet.
const CLOCK: TimeDelta = TimeDelta::minutes(5);

/// Looks at everything that can be seen of a device without changing anything there; and what its management interface
/// shows, where that was accepted.
pub(super) async fn look(
    subject: &CheckTarget,
    place: &PlaceArguments,
    ipa: bool,
) -> (Vec<CheckResult>, Option<Interface>) {
    let (mut findings, mut shown) = (Vec::new(), None);
    match connection(subject, place, &mut findings, &mut shown).await {
        Ok((session, user)) => {
            let session = match &subject.location {
                Location::Managed(serial) => match managed(&session, serial).await {
                    Ok(session) => session,
                    Err(finding) => {
                        findings.push(*finding);
                        return (findings, shown);
                    }
                },
                _ => session,
            };
            let refused = |user: Option<&str>, reason: &Reason| bad_key(subject, place, user, reason);
            if let Some(seen) = rights::look(&session, user, refused, &mut findings).await {
                configuration::look(&session, subject, &seen, ipa, &mut findings).await;
            }
        }
        Err(finding) => findings.push(*finding),
    }
    (findings, shown)
}

/// The session of a firewall that Panorama manages.
async fn managed(panorama: &Session, serial: &Serial) -> Result<Session, Box<CheckResult>> {
    const CHECK: &str = "managed firewall";
    let looked = async {
        let system = panorama.system_info().await.map_err(InstallError::during(Activity::Looking))?;
        through(panorama, &system, serial).await
    };
    match looked.await {
        Ok((session, _)) => Ok(session),
        Err(failure) => Err(Box::new(CheckResult::of_failure(CHECK, &failure))),
    }
}

/// The steps before the first question that needs a key. What fails ends them.
async fn connection(
    subject: &CheckTarget,
    place: &PlaceArguments,
    findings: &mut Vec<CheckResult>,
    shown: &mut Option<Interface>,
) -> Result<(Session, Option<String>), Box<CheckResult>> {
    let device = &subject.target.device;
    findings.push(answers(device).await?);
    let limits = retry::limits();
    match hello(device, &subject.target.trust, limits).await {
        Ok(greeting) => {
            findings.extend(known(subject, place, &greeting));
            *shown = Some(Interface::new(device, &greeting));
        }
        Err(error) => {
            let refusal = match &error {
                Error::Unreachable { cause } if cause.starts_with("TLS failed") => unspoken(device).await,
                _ => None,
            };
            return Err(Box::new(refusal.unwrap_or_else(|| stranger(subject, place, &error))));
        }
    }
    let (session, user) = with_key(subject, place, limits)?;
    Ok((session, user))
}

/// Whether the name has an address, and something listens there.
async fn answers(device: &Address) -> Result<CheckResult, Box<CheckResult>> {
    const CHECK: &str = "address";
    let failed =
        |text: String, advice: &str| Box::new(CheckResult::failed(CHECK, Exit::Device, text).advise(advice));
    let host = match device.host() {
        Host::Name(name) => name.clone(),
        Host::Ip(ip) => ip.to_string(),
    };
    let addresses: Vec<_> = match lookup_host((host.as_str(), device.port())).await {
        Ok(found) => found.collect(),
        Err(error) => {
            let advice = "correct the name, or add it to DNS or to /etc/hosts";
            return Err(failed(format!("the name {host} has no address: {error}"), advice));
        }
    };
    let mut trouble = String::new();
    for address in &addresses {
        match timeout(TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(CheckResult::ok(CHECK, format!("{address} accepts connections"))),
            Ok(Err(error)) => trouble = format!("{address}: {error}"),
            Err(_) => trouble = format!("{address}: no answer within {} seconds", TIMEOUT.as_secs()),
        }
    }
    let advice = "check the port, and that the device's management interface permits HTTPS from this machine";
    Err(failed(format!("can't connect to {trouble}"), advice))
}

/// The device was accepted: by what, and what time it is there.
fn known(subject: &CheckTarget, place: &PlaceArguments, greeting: &Hello) -> Vec<CheckResult> {
    const CHECK: &str = "identity";
    let seen = greeting.certificate.colons();
    let identity = match &subject.target.trust {
        Trust::Ca { .. } => CheckResult::ok(CHECK, format!("its certificate is valid (SHA-256 {seen})")),
        Trust::Pinned(_) => {
            CheckResult::ok(CHECK, format!("its certificate is the pinned one (SHA-256 {seen})"))
        }
        Trust::DangerousAcceptAny => {
            CheckResult::warning(CHECK, "not verified: whoever answers gets the API key and the private key")
                .advise("leave --insecure out, and pin the certificate:")
                .run(pin(&subject.target.device, place))
        }
    };
    let clock = greeting.clock.map(|clock| clock_finding(clock, Utc::now()));
    std::iter::once(identity).chain(clock).collect()
}

fn clock_finding(clock: DateTime<Utc>, now: DateTime<Utc>) -> CheckResult {
    const CHECK: &str = "clock";
    let apart = clock - now;
    let length = spoken(apart);
    if apart.abs() <= CLOCK {
        return CheckResult::ok(CHECK, "the device's clock agrees with this machine's");
    }
    let way = if apart > TimeDelta::zero() { "ahead of" } else { "behind" };
    let text = format!(
        "the device's clock is {length} {way} this machine's; certificates may appear expired or not yet valid"
    );
    CheckResult::failed(CHECK, Exit::Certificate, text).advise(
        "set NTP servers on the device (Device > Setup > Services), and look at this machine's clock too",
    )
}

/// Who takes everything has an understanding with the device, and this program has none.
async fn unspoken(device: &Address) -> Option<CheckResult> {
    let way = probe::speaks(device, TIMEOUT).await?;
    let text = format!(
        "the device speaks {way}; this program speaks TLS 1.2 and 1.3 with ECDHE and AES-GCM or ChaCha20, with keys of RSA (2048 to 8192 bits), EC (P-256, P-384, P-521) or Ed25519"
    );
    let finding = CheckResult::failed("TLS", Exit::Device, text);
    Some(finding.advise(
        "give the management interface an SSL/TLS service profile with TLSv1.2 or higher as Max Version, ECDHE and AES-GCM allowed, and a certificate with such a key (Device > Setup > Management > General Settings)",
    ))
}

/// The device was not accepted, or is none.
fn stranger(subject: &CheckTarget, place: &PlaceArguments, error: &Error) -> CheckResult {
    let device = &subject.target.device;
    match error {
        Error::Identity(rejection) => {
            let finding = CheckResult::failed("identity", Exit::Identity, rejection.to_string());
            let typed = subject.options.pin.is_some();
            match rejection {
                IdentityError::PinMismatch { .. } if typed => finding
                    .advise("if the certificate was replaced on purpose, correct the pin, on the command line or in the configuration file"),
                IdentityError::PinMismatch { .. } => finding
                    .advise("if the certificate was replaced on purpose:")
                    .run(pin(device, place)),
                _ => finding
                    .advise("name the CA that has issued it with --ca-file, or trust exactly this certificate:")
                    .run(pin(device, place)),
            }
        }
        Error::Setup(_) => CheckResult::failed("identity", Exit::Usage, error.to_string()),
        _ => CheckResult::failed("address", Exit::Device, error.to_string())
            .advise("check that this is the address and port of the management interface of a PAN-OS device"),
    }
}

/// A session with the key that is for this device.
fn with_key(
    subject: &CheckTarget,
    place: &PlaceArguments,
    limits: ClientOptions,
) -> Result<(Session, Option<String>), Box<CheckResult>> {
    const CHECK: &str = "key file";
    let target = &subject.target;
    let host = target.device.host().to_string();
    let failed = |error: KeyFileError| {
        let path = error.path().to_string_lossy().into_owned();
        let finding = CheckResult::failed(CHECK, Exit::Key, error.to_string());
        Box::new(match &error {
            KeyFileError::Open { .. } => finding.run(format!("chmod 600 {}", quoted(&path))),
            KeyFileError::Owner { .. } => finding.run(format!("chown root: {}", quoted(&path))),
            KeyFileError::Missing { .. } | KeyFileError::Empty { .. } | KeyFileError::NoKey { .. } => finding
                .advise("make a key, with the name of the device's API administrator:")
                .template(keygen(subject, place, None)),
            KeyFileError::NotForHost { host, .. } => finding
                .advise("make a key for it, with the name of the device's API administrator:")
                .template(keygen(subject, place, None))
                .advise(format!(
                    "or, if the key is meant for it, add a line hostname={host} to the key's entry"
                )),
            _ => error.advice().into_iter().fold(finding, CheckResult::advise),
        })
    };
    let keys = KeyFile::load(&target.key_file).map_err(failed)?;
    let key = keys.key_for(&host).map_err(failed)?;
    let user = keys.username_for(&host).map(str::to_owned);
    let session = Session::new(&target.device, &target.trust, key, limits);
    let session =
        session.map_err(|error| Box::new(CheckResult::failed(CHECK, Exit::Key, error.to_string())))?;
    Ok((session, user))
}

/// What a device says to a key that it does not like.
fn bad_key(
    subject: &CheckTarget,
    place: &PlaceArguments,
    user: Option<&str>,
    reason: &Reason,
) -> CheckResult {
    let why = match reason {
        Reason::KeyExpired => "it has expired",
        _ => "the device does not know it, or its administrator has no XML API rights",
    };
    let path = subject.target.key_file.display();
    let finding =
        CheckResult::failed("key", Exit::Refused, format!("the API key in {path} is refused: {why}"));
    match user {
        Some(user) => finding.run(keygen(subject, place, Some(user))),
        None => finding
            .advise("make a new one, with the name of the device's API administrator:")
            .template(keygen(subject, place, None)),
    }
}

fn pin(device: &Address, place: &PlaceArguments) -> String {
    format!("pan_certctl pin {device}{}", state_dir(place))
}

/// The command that makes a key: with a place to fill in where the administrator is not known.
fn keygen(subject: &CheckTarget, place: &PlaceArguments, user: Option<&str>) -> String {
    let target = &subject.target;
    let user = user.map_or("ADMINISTRATOR".into(), quoted);
    let file = match target.key_file.to_str() {
        Some(keyfile::DEFAULT) | None => String::new(),
        Some(path) => format!(" -k {}", quoted(path)),
    };
    let trust: String = match &subject.options {
        options if options.insecure => " --insecure".to_owned(),
        options if options.pin.is_some() => format!(" --pin {}", options.pin.as_deref().unwrap_or_default()),
        options => options
            .ca_file
            .iter()
            .map(|file| format!(" --ca-file {}", quoted(&file.to_string_lossy())))
            .collect(),
    };
    format!("pan_certctl keygen {} -l {user}{file}{trust}{}", target.device, state_dir(place))
}

fn state_dir(place: &PlaceArguments) -> String {
    match place.state_dir.to_str() {
        Some(worker::STATE_DIR) | None => String::new(),
        Some(path) => format!(" --state-dir {}", quoted(path)),
    }
}
