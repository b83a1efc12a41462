//! When a device of many is begun: a few at a time, as fast as this machine and the devices are.
//!
//! Each device has its work before the commit, and then its commit job, for which it is only waited. Were all begun at
//! once, each would come to its commit when the last one does, and nothing would be done while all of them commit. Begun
//! one after the other, the commits of the first run while the others are worked on; and fewer connections, with what
//! is sent on them, are in memory at the same time. The whole is over when the commit of the last one is: so whoever has
//! come to its commit lets the others begin first, and is looked after when they have.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;

/// How many devices are before their commit at the same time, besides those that take longer than the next constant says.
const AT_THE_BEGINNING: usize = 64;
/// After so many pauses of this length a device makes room for the next one, whatever it does: a slow or silent one keeps
/// no other waiting, and five hundred of them have begun after six seconds. Where this machine is the slow one, each of
/// the pauses gets longer, and no more are begun than it can keep up with.
const PAUSES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(20);
/// So long a device whose commit is under way does without being asked for it, for the sake of those that wait.
const LONGEST_STANDING_BACK: Duration = Duration::from_secs(6);

/// Gives devices their turn to begin.
#[derive(Debug)]
pub(super) struct Turns {
    begin: Room,
    end: Room,
    /// How many wait for their turn to begin.
    waiting: watch::Sender<usize>,
    longest_standing_back: Duration,
}

/// Room for some devices.
#[derive(Debug, Clone)]
struct Room {
    places: Arc<Semaphore>,
    pause: Duration,
}

impl Default for Turns {
    fn default() -> Self {
        Self::new(AT_THE_BEGINNING, PAUSE)
    }
}

/// A device's turn: it may begin. The next device's comes when this one is over or dropped, or has lasted long enough.
#[derive(Debug)]
pub struct Turn {
    lasts: Mutex<Option<Place>>,
    end: Room,
    waiting: watch::Receiver<usize>,
    longest_standing_back: Duration,
}

/// A device's place in a room: free when this is dropped, or after some time.
type Place = oneshot::Sender<()>;

impl Room {
    fn new(places: usize, pause: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), pause }
    }

    async fn place(&self) -> Place {
        // Nobody closes it.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (taken, mut left) = oneshot::channel();
        let pause = self.pause;
        tokio::spawn(async move {
            for _ in 0..PAUSES {
                if timeout(pause, &mut left).await.is_ok() {
                    break;
                }
            }
            drop(place);
        });
        taken
    }
}

/// One that waits for its turn.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn begin(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Only that nobody waits any more is news to somebody.
        self.0.send_if_modified(|count| {
            *count -= 1;
            *count == 0
        });
    }
}

impl Turns {
    fn new(room: usize, pause: Duration) -> Self {
        let (begin, end) = (Room::new(room, pause), Room::new(room, pause));
        let waiting = watch::Sender::new(0);
        Self { begin, end, waiting, longest_standing_back: LONGEST_STANDING_BACK }
    }

    /// Waits for a turn.
    pub(super) async fn next(&self) -> Turn {
        let waiting = Waiting::begin(&self.waiting);
        let place = self.begin.place().await;
        drop(waiting);
        Turn {
            lasts: Mutex::new(Some(place)),
            end: self.end.clone(),
            waiting: self.waiting.subscribe(),
            longest_standing_back: self.longest_standing_back,
        }
    }
}

impl Turn {
    /// The device needs little of this machine from now on.
    pub(super) fn is_over(&self) {
        self.lasts.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// For a device whose commit is under way. Returns when no other one waits to be begun, or after some seconds; and
    /// then as its turn comes, which lasts until [`Turn::is_over`].
    pub(super) async fn stand_back(&self) {
        let mut waiting = self.waiting.clone();
        // Whoever gives the turns is not gone while one of them lasts; and then nobody waits.
        let _ = timeout(self.longest_standing_back, waiting.wait_for(|count| *count == 0)).await;
        let place = self.end.place().await;
        *self.lasts.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn turns(pause: Duration) -> Turns {
        Turns::new(2, pause)
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
    fn whose_commit_is_under_way_stands_back_until_all_others_have_begun() {
        in_time(async {
            let turns = turns(Duration::from_secs(3600));
            let (first, second) = (turns.next().await, turns.next().await);
            first.stand_back().await;
            let mut third = Box::pin(turns.next());
            assert!((&mut third).now_or_never().is_none());
            let mut back = Box::pin(first.stand_back());
            assert!((&mut back).now_or_never().is_none());
            drop(second);
            third.await;
            back.await;
            // Whoever does not wait any more because it was given up keeps nobody back either.
            let fourth = turns.next().await;
            drop(Box::pin(turns.next()).now_or_never());
            first.stand_back().await;
            drop(fourth);
        });
    }

    #[test]
    fn nobody_stands_back_for_long() {
        in_time(async {
            let longest_standing_back = Duration::from_millis(5);
            let turns = Turns { longest_standing_back, ..turns(Duration::from_secs(3600)) };
            let (first, _second) = (turns.next().await, turns.next().await);
            let mut third = Box::pin(turns.next());
            assert!((&mut third).now_or_never().is_none());
            first.stand_back().await;
            assert!((&mut third).now_or_never().is_none());
        });
    }

    #[test]
    fn those_that_stood_back_go_on_a_few_at_a_time() {
        in_time(async {
            let turns = turns(Duration::from_secs(3600));
            let mut all = Vec::new();
            for _ in 0..3 {
                let turn = turns.next().await;
                turn.is_over();
                all.push(turn);
            }
            all[0].stand_back().await;
            all[1].stand_back().await;
            assert!(all[2].stand_back().now_or_never().is_none());
            all[0].is_over();
            all[2].stand_back().await;
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
