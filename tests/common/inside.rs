//! A deployment through the library, with a shorter retry policy than the program has.

use std::sync::OnceLock;
use std::time::Duration;

use panos_xmlapi::ClientOptions;

use pancert::cli::installer::Arguments;
use pancert::delivery::engine::{DeliveryEngine, Selection};
use pancert::delivery::{InstallSpec, Queue};
use pancert::host::log::{Log, Verbosity};
use pancert::install::result::RunResult;
use pancert::install::retry::RetryPolicy;

use super::world::{NAME, World};

/// A device that is given up after a second or two.
pub fn short_retry_policy() -> RetryPolicy {
    let milliseconds = Duration::from_millis;
    let limits = ClientOptions {
        connect_timeout: milliseconds(1500),
        idle_timeout: milliseconds(1500),
        request_timeout: milliseconds(3000),
        ..ClientOptions::default()
    };
    RetryPolicy {
        limits,
        pauses: [20, 50, 100, 200].map(milliseconds).to_vec(),
        served: milliseconds(500),
        sync: milliseconds(2000),
    }
}

/// Orders and delivers with these further arguments; how it ended, and the log's lines.
pub fn deliver(world: &World, arguments: &[&str]) -> (RunResult, Vec<String>) {
    let mut specs = [order(world, arguments)];
    let state = world.path("state");
    Queue::below(&state).put(&mut specs).unwrap();
    let [spec] = specs;
    let (log, file) = shared_log();
    let mut engine = DeliveryEngine::new(log, &state, true);
    engine.retry_policy = short_retry_policy();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reports = runtime.block_on(engine.serve(&spec.device, Selection::DueOrTransient)).unwrap();
    let report = reports.into_iter().find(|report| report.record.key() == spec.key()).unwrap();
    let tag = format!("[{}]: ", report.record.run_id);
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(&tag)).map(|(_, text)| text.to_owned());
    (report.result, lines.collect())
}

/// A request for [`NAME`] with these further arguments.
pub fn order(world: &World, arguments: &[&str]) -> InstallSpec {
    let (folder, key) = (world.folder.path().to_str().unwrap(), world.path(".panrc"));
    let words = ["-b", "-c", NAME, "-C", folder, "-K", folder, "-k", key.to_str().unwrap()];
    let words: Vec<&str> = words.iter().chain(arguments).copied().collect();
    request(&world.path("state"), &words, &world.target())
}

/// What the program makes of these words for one device.
pub fn request(state: &std::path::Path, words: &[&str], device: &str) -> InstallSpec {
    let words: Vec<String> = words.iter().chain([&device]).map(|word| (*word).to_owned()).collect();
    let arguments = Arguments::of_words(&words).unwrap();
    let mut requests = arguments.requests(state, std::path::Path::new(""), false).unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0).0
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
