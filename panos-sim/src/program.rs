//! `panos-sim`: one simulated device, or a pair, until it is told to stop.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use serde::Serialize;

use crate::{Administrator, ApiKey, Error, Host, PreloadedCertificate, Profile, Result, Settings, Simulator};

/// A simulated Palo Alto Networks firewall: the PAN-OS XML API over real TLS.
///
/// Prints one line of JSON with its addresses and the SHA-256 of its management certificate, then
/// runs until SIGTERM or SIGINT.
#[derive(Debug, Parser)]
#[command(name = "panos-sim", version)]
struct Options {
    /// Settings in TOML; the options below are laid over them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Address of the API and management port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Address of the second TLS port, which shows what the served profile is bound to
    #[arg(long, value_name = "ADDRESS:PORT")]
    service: Option<SocketAddr>,

    /// A superuser, in place of admin:admin; repeatable
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = pair)]
    admin: Vec<(String, String)>,

    /// An API key that is valid from the start; repeatable
    #[arg(long, value_name = "NAME:KEY", value_parser = pair)]
    api_key: Vec<(String, String)>,

    /// An SSL/TLS service profile, bound to a certificate or to nothing; repeatable
    #[arg(long, value_name = "NAME[=CERTIFICATE]")]
    profile: Vec<String>,

    /// A certificate that is there from the start: a PEM file with certificate, chain and key;
    /// repeatable
    #[arg(long, value_name = "NAME=FILE")]
    certificate: Vec<String>,

    /// The profile served on the second port; the first one if not said
    #[arg(long, value_name = "PROFILE")]
    served_profile: Option<String>,

    /// The profile the management interface is bound to
    #[arg(long, value_name = "PROFILE")]
    management_profile: Option<String>,

    /// Host name
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,

    /// Serial number
    #[arg(long, value_name = "NUMBER")]
    serial: Option<String>,

    /// Model, such as PA-440 or Panorama
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,

    /// PAN-OS version
    #[arg(long, value_name = "VERSION")]
    sw_version: Option<String>,

    /// How long a commit job runs
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    commit_seconds: Option<Duration>,

    /// Refuse PKCS#12 files that are not 3DES or RC2 with a SHA-1 MAC
    #[arg(long)]
    legacy_only: bool,

    /// Close the connection after each reply
    #[arg(long)]
    no_keep_alive: bool,

    /// Append each request as a line of JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    request_log: Option<PathBuf>,

    /// Write the management certificate to this file
    #[arg(long, value_name = "FILE")]
    write_cert: Option<PathBuf>,

    /// Settings of a second device in TOML, which becomes the passive peer
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,

    /// Settings of a firewall in TOML that this Panorama manages; repeatable
    #[arg(long, value_name = "FILE")]
    manage: Vec<PathBuf>,
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    text.split_once(':')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected two words with a colon between them".to_owned())
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= crate::seconds::LONGEST)
        .ok_or_else(|| "out of range".to_owned())
}

/// What the program prints when it is ready.
#[derive(Debug, Serialize)]
struct Ready {
    hostname: String,
    address: SocketAddr,
    service_address: SocketAddr,
    certificate_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<Box<Ready>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    managed: Vec<Ready>,
}

/// Runs the program; 0 when it was told to stop, 1 when it could not run, 2 for wrong options.
pub fn main() -> ExitCode {
    let options = Options::parse();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where there is no standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "panos-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    let peer = options.peer.as_deref().map(read).transpose()?;
    let managed = options.manage.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let certificate_file = options.write_cert.clone();
    let settings = settings(options)?;
    let hostname = settings.hostname.clone();
    let (device, peer) = match peer {
        None => (Simulator::start(settings)?, None),
        Some(second) => {
            let name = second.hostname.clone();
            let (first, second) = Simulator::pair(settings, second)?;
            (first, Some((name, second)))
        }
    };
    // Hundreds of firewalls need no threads of their own; a Panorama, which works on all of them at once, has one.
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(managed.len());
    let hosts = (0..processors).map(|_| Host::start()).collect::<Result<Vec<_>>>()?;
    let mut firewalls = Vec::new();
    for (settings, host) in managed.into_iter().zip(hosts.iter().cycle()) {
        let name = settings.hostname.clone();
        let firewall = Simulator::start_on(host, settings)?;
        device.manage(&firewall);
        // A firewall is connected to both members of a Panorama pair.
        peer.iter().for_each(|(_, peer)| peer.manage(&firewall));
        firewalls.push((name, firewall));
    }
    if let Some(path) = certificate_file {
        std::fs::write(&path, device.certificate_pem()).map_err(file_error(&path))?;
    }
    // Before the line is printed: whoever reads it may send the signal at once.
    let stop = StopSignal::new()?;
    let mut ready = ready(hostname, &device);
    ready.peer = peer.as_ref().map(|(name, peer)| Box::new(self::ready(name.clone(), peer)));
    ready.managed = firewalls.iter().map(|(name, firewall)| self::ready(name.clone(), firewall)).collect();
    let line = serde_json::to_string(&ready).unwrap_or_default();
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(file_error(Path::new("standard output")))?;
    stop.wait();
    Ok(())
}

fn ready(hostname: String, device: &Simulator) -> Ready {
    Ready {
        hostname,
        address: device.address(),
        service_address: device.service_address(),
        certificate_sha256: device.certificate_fingerprint(),
        peer: None,
        managed: Vec::new(),
    }
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::File { path, cause }
}

fn read(path: &Path) -> Result<Settings> {
    let text = std::fs::read_to_string(path).map_err(file_error(path))?;
    Settings::from_toml(&text)
}

/// The settings file with the options laid over it.
fn settings(options: Options) -> Result<Settings> {
    let mut settings = match &options.config {
        Some(path) => read(path)?,
        None => Settings::default(),
    };
    fn lay<T>(over: &mut T, option: Option<T>) {
        if let Some(value) = option {
            *over = value;
        }
    }
    lay(&mut settings.listen, options.listen);
    lay(&mut settings.service_listen, options.service);
    lay(&mut settings.hostname, options.hostname);
    lay(&mut settings.serial, options.serial);
    lay(&mut settings.model, options.model);
    lay(&mut settings.sw_version, options.sw_version);
    lay(&mut settings.commit_duration, options.commit_seconds);
    settings.served_profile = options.served_profile.or(settings.served_profile);
    settings.management_profile = options.management_profile.or(settings.management_profile);
    settings.request_log = options.request_log.or(settings.request_log);
    settings.legacy_only |= options.legacy_only;
    settings.keep_alive &= !options.no_keep_alive;
    if !options.admin.is_empty() {
        let admins = options.admin.iter();
        settings.administrators =
            admins.map(|(name, password)| Administrator::superuser(name, password)).collect();
    }
    let keys = options.api_key.into_iter();
    settings.api_keys.extend(keys.map(|(administrator, key)| ApiKey { administrator, key }));
    for profile in &options.profile {
        settings.profiles.push(match profile.split_once('=') {
            Some((name, certificate)) => Profile::bound(name, certificate),
            None => Profile::unbound(profile),
        });
    }
    for certificate in &options.certificate {
        let (name, file) = certificate
            .split_once('=')
            .ok_or_else(|| Error::Settings(format!("no file for certificate {certificate:?}")))?;
        settings.certificates.push(PreloadedCertificate {
            name: name.to_owned(),
            certificate: file.to_owned(),
            key: Some(file.to_owned()),
            vsys: None,
        });
    }
    Ok(settings)
}

/// SIGTERM and SIGINT, caught from the moment it is made.
struct StopSignal {
    runtime: tokio::runtime::Runtime,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(Error::Thread)?;
        let inside = runtime.enter();
        let terminate = signal(SignalKind::terminate()).map_err(Error::Thread)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(Error::Thread)?;
        drop(inside);
        Ok(Self { runtime, terminate, interrupt })
    }

    fn wait(mut self) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        });
    }
}
