//! SIGINT and SIGTERM: the work is dropped where it stands, and it is told what goes on without us.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// How long what is being written may take to be written.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// What has ended the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// Somebody ended the process.
    Terminate,
}

impl Signal {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The code of a shell for a program that was ended by it.
    fn exit(self) -> i32 {
        128 + self.kind().as_raw_value()
    }

    fn kind(self) -> SignalKind {
        match self {
            Self::Interrupt => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
        }
    }
}

/// Does the work. A signal ends it, and the program: `tell` says what goes on without us.
///
/// All that has to be on the disk before a step is there already, as for a process that is killed.
pub fn run<T>(runtime: Runtime, work: impl Future<Output = T>, tell: impl FnOnce(Signal)) -> T {
    let ended = runtime.block_on(async {
        tokio::select! {
            biased;
            signal = arrival() => Err(signal),
            done = work => Ok(done),
        }
    });
    match ended {
        Ok(done) => done,
        Err(signal) => {
            tell(signal);
            // A name that is being looked up must not keep us.
            runtime.shutdown_timeout(LAST_WRITES);
            std::process::exit(signal.exit())
        }
    }
}

async fn arrival() -> Signal {
    tokio::select! {
        signal = one(Signal::Interrupt) => signal,
        signal = one(Signal::Terminate) => signal,
    }
}

/// Whoever started us in the background, or with nohup, wants us to ignore it: then it is not asked for.
async fn one(wanted: Signal) -> Signal {
    if is_ignored(wanted) {
        return std::future::pending().await;
    }
    match signal(wanted.kind()) {
        Ok(mut stream) => stream.recv().await,
        Err(_) => std::future::pending().await,
    };
    wanted
}

fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal.kind().as_raw_value() - 1)) != 0
}
