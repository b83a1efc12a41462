//! An installation that we run ourselves: it ends with us.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// How long it may take to end: what it is writing is written.
const LAST_WRITES: Duration = Duration::from_secs(3);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// A process that is told to end when nobody waits for it any more, and is waited for then.
struct Ending(Child);

/// Runs it to its end. Dropped before, the process gets SIGTERM, and is gone when the records are read for what is told.
///
/// # Errors
/// It could not be started, or not be waited for.
pub(super) async fn status(command: &mut Command) -> std::io::Result<ExitStatus> {
    let mut running = Ending(command.spawn()?);
    running.0.wait().await
}

impl Drop for Ending {
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let Some(pid) = pid else { return };
        // What sudo runs as root is not ours to end: it goes on, and that is said.
        if kill_process(pid, Signal::TERM).is_err() {
            return;
        }
        let begun = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && begun.elapsed() < LAST_WRITES {
            std::thread::sleep(LOOK);
        }
    }
}
