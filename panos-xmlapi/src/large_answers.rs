//! Of the large answers that a process reads, a few at a time: hundreds of devices may send theirs in the same moment, and
//! each takes its memory from its first byte until it is read as XML.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// An answer of no more bytes waits for no turn. A job's state, a certificate, a profile: nearly all of them.
pub(super) const SMALL: usize = 64 * 1024;
/// How many larger ones are read at once.
const AT_ONCE: usize = 16;
/// A device that pauses for longer in the middle of its answer has no turn any more, so that no other waits for it.
const PAUSE: Duration = Duration::from_millis(250);
/// And how long a turn is at most: one that sends slowly reads on beside the others.
const LONGEST: Duration = Duration::from_secs(1);

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// The turn to read the rest of a large answer. It is the next one's when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: SemaphorePermit<'static>,
    ends: Instant,
}

impl Turn {
    /// Waits for a turn. The device notices nothing but that its answer is taken slowly.
    pub(super) async fn next() -> Option<Self> {
        let permit = TURNS.acquire().await.ok()?;
        Some(Self { _permit: permit, ends: Instant::now() + LONGEST })
    }

    /// Until when the next piece has to come.
    pub(super) fn deadline(&self) -> Instant {
        self.ends.min(Instant::now() + PAUSE)
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }
}
