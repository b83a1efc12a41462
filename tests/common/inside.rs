//! A deployment through the library, with less patience than the program has.

use std::sync::OnceLock;
use std::time::Duration;

use clap::Parser;
use pancert::host::log::{Log, Verbosity};
use pancert::install::deliver::{self, Outcome};
use pancert::install::patience::Patience;
use pancert::install::record::Records;
use pancert::install::request::Existing;
use pancert::panos::transport::Limits;
use pancert::programs::arguments::CertificateArguments;
use pancert::programs::options::DeviceOptions;
use pancert::programs::wishes::{self, Named, Prepared};

use super::world::{NAME, World};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    certificate: CertificateArguments,
    #[command(flatten)]
    device: DeviceOptions,
}

/// A device that is given up after a second or two.
pub fn short_patience() -> Patience {
    let milliseconds = Duration::from_millis;
    let limits = Limits {
        connect: milliseconds(1500),
        pause: milliseconds(1500),
        total: milliseconds(3000),
        ..Limits::default()
    };
    Patience { limits, pauses: [20, 50, 100, 200].map(milliseconds).to_vec(), served: milliseconds(500) }
}

/// Delivers with these further arguments; how it ended, and the log's lines.
pub fn deliver(world: &World, run: &str, arguments: &[&str]) -> (Outcome, Vec<String>) {
    let (folder, key) = (world.folder.path().to_str().unwrap(), world.path(".panrc"));
    let words = ["-c", NAME, "-C", folder, "-K", folder, "-k", key.to_str().unwrap()];
    let line = Line::parse_from(["pan_instcert"].iter().chain(&words).chain(arguments));
    let named = Named::of(&line.certificate).unwrap();
    let device = world.target().parse().unwrap();
    let Prepared { mut wish, bundle, .. } = wishes::prepare(
        &named,
        &line.certificate,
        &line.device,
        Existing::Keep,
        &device,
        world.path("state").as_path(),
    )
    .unwrap();
    wish.patience = short_patience();
    let records = Records::below(&world.path("state"));
    let (log, file) = shared_log();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(deliver::deliver(&wish, bundle, &records, &log.run(run, true)));
    let tag = format!("[{run}]: ");
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(&tag)).map(|(_, text)| text.to_owned());
    (outcome, lines.collect())
}

/// A process has one log; here all threads write to it.
fn shared_log() -> (&'static Log, &'static std::path::Path) {
    static LOG: OnceLock<(Log, tempfile::TempDir, std::path::PathBuf)> = OnceLock::new();
    let (log, _, file) = LOG.get_or_init(|| {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("log");
        (Log::open(&file, Verbosity::Quiet).unwrap(), folder, file)
    });
    (log, file)
}
