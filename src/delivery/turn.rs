//! When a device of many is begun: a few at a time, as fast as this machine and the devices are.
//!
//! Each device has its work before the commit, and then its commit job, for which it is only waited. Were all begun at
//! once, each would come to its commit when the last one does, and nothing would be done while all of them commit. Begun
//! one after the other, the commits of the first run while the others are worked on; and fewer connections, with what
//! is sent on them, are in memory at the same time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// How many devices are before their commit at the same time, besides those that take longer than the next constant says.
const AT_THE_BEGINNING: usize = 32;
/// After so many pauses of this length a device makes room for the next one, whatever it does: a slow or silent one keeps
/// no other waiting, and five hundred of them have begun after six seconds. Where this machine is the slow one, each of
/// the pauses gets longer, and no more are begun than it can keep up with.
const PAUSES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// Gives devices their turn to begin.
#[derive(Debug)]
pub(super) struct Turns {
    room: Arc<Semaphore>,
    pause: Duration,
}

impl Default for Turns {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(AT_THE_BEGINNING)), pause: PAUSE }
    }
}

/// A device's turn: it may begin. The next device's comes when this one is over or dropped, or has lasted long enough.
#[derive(Debug)]
pub struct Turn(Mutex<Option<oneshot::Sender<()>>>);

impl Turns {
    /// Waits for a turn.
    pub(super) async fn next(&self) -> Turn {
        // Nobody closes it.
        let room = Arc::clone(&self.room).acquire_owned().await;
        let (turn, mut over) = oneshot::channel();
        let pause = self.pause;
        tokio::spawn(async move {
            for _ in 0..PAUSES {
                if timeout(pause, &mut over).await.is_ok() {
                    break;
                }
            }
            drop(room);
        });
        Turn(Mutex::new(Some(turn)))
    }
}

impl Turn {
    /// The device needs little of this machine from now on.
    pub(super) fn is_over(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn turns(pause: Duration) -> Turns {
        Turns { room: Arc::new(Semaphore::new(2)), pause }
    }

    fn in_time(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { timeout(Duration::from_secs(10), work).await }).unwrap();
    }

    #[test]
    fn the_next_device_begins_when_one_is_over_or_dropped_and_not_before() {
        in_time(async {
            let turns = turns(Duration::from_secs(3600));
            let (first, second) = (turns.next().await, turns.next().await);
            assert!(turns.next().now_or_never().is_none());
            first.is_over();
            let third = turns.next().await;
            assert!(turns.next().now_or_never().is_none());
            drop(second);
            let fourth = turns.next().await;
            assert!(turns.next().now_or_never().is_none());
            drop((third, fourth));
        });
    }

    #[test]
    fn a_device_that_takes_long_keeps_no_other_waiting() {
        in_time(async {
            let turns = turns(Duration::from_millis(1));
            let mut begun = Vec::new();
            for _ in 0..10 {
                begun.push(turns.next().await);
            }
        });
    }
}
