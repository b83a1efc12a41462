//! A deployment through the library, with less patience than the program has.

use std::sync::OnceLock;
use std::time::Duration;

use chrono::Utc;
use pancert::delivery::engine::{Courier, Which};
use pancert::delivery::{Asker, Order, Queue};
use pancert::host::log::{Log, Verbosity};
use pancert::install::deliver::Outcome;
use pancert::install::patience::Patience;
use pancert::panos::ClientOptions;

use super::world::{NAME, World};

/// A device that is given up after a second or two.
pub fn short_patience() -> Patience {
    let milliseconds = Duration::from_millis;
    let limits = ClientOptions {
        connect_timeout: milliseconds(1500),
        idle_timeout: milliseconds(1500),
        request_timeout: milliseconds(3000),
        ..ClientOptions::default()
    };
    Patience {
        limits,
        pauses: [20, 50, 100, 200].map(milliseconds).to_vec(),
        served: milliseconds(500),
        sync: milliseconds(2000),
    }
}

/// Orders and delivers with these further arguments; how it ended, and the log's lines.
pub fn deliver(world: &World, run: &str, arguments: &[&str]) -> (Outcome, Vec<String>) {
    let order = order(world, run, arguments);
    let state = world.path("state");
    Queue::below(&state).put(&order).unwrap();
    let (log, file) = shared_log();
    let mut courier = Courier::new(log, &state, true);
    courier.patience = short_patience();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reports = runtime.block_on(courier.serve(&order.device, Which::Owed)).unwrap();
    let report = reports.into_iter().find(|report| report.record.order.name == order.name).unwrap();
    let tag = format!("[{}]: ", report.record.run);
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(&tag)).map(|(_, text)| text.to_owned());
    (report.outcome, lines.collect())
}

/// An order for [`NAME`] with these further arguments.
pub fn order(world: &World, run: &str, arguments: &[&str]) -> Order {
    let (folder, key) = (world.folder.path().to_str().unwrap(), world.path(".panrc"));
    let words = ["-b", "-c", NAME, "-C", folder, "-K", folder, "-k", key.to_str().unwrap()];
    let device = world.target();
    let words = words.iter().chain(arguments).map(|word| (*word).to_owned()).chain([device.clone()]);
    Order {
        id: run.to_owned(),
        at: Utc::now(),
        by: Asker { uid: 0, sudo_user: None },
        common_name: NAME.parse().unwrap(),
        name: NAME.parse().unwrap(),
        device: device.parse().unwrap(),
        peer: None,
        served: Vec::new(),
        files: None,
        profiles: Vec::new(),
        certificate: None,
        words: words.collect(),
    }
}

/// A process has one log; here all threads write to it.
pub fn shared_log() -> (&'static Log, &'static std::path::Path) {
    static LOG: OnceLock<(Log, tempfile::TempDir, std::path::PathBuf)> = OnceLock::new();
    let (log, _, file) = LOG.get_or_init(|| {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("log");
        (Log::open(&file, Verbosity::Quiet).unwrap(), folder, file)
    });
    (log, file)
}
