//! The numbers of the runs of one process, each higher than that of all that was asked for until then.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot::{self, Sender};

use super::error::StoreError;
use super::files::in_background;
use super::queue::Queue;

/// Gives numbers to runs. Each time it is written how many were given, which a disk takes milliseconds for: whoever waits
/// for that meanwhile is served together the next time, so that a fleet begins in some of these times, not in hundreds.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    waiting: Mutex<Vec<Sender<u64>>>,
    turn: tokio::sync::Mutex<()>,
}

impl Numbers {
    /// The next number.
    ///
    /// # Errors
    /// As [`Queue::next_numbers`].
    pub(super) async fn next(&self, queue: &Queue) -> Result<u64, StoreError> {
        let (sender, mut number) = oneshot::channel();
        self.lock().push(sender);
        let turn = self.turn.lock().await;
        // Somebody who was before us may have taken one for us. Where that failed, our turn has come.
        if let Ok(number) = number.try_recv() {
            return Ok(number);
        }
        let mut waiting = std::mem::take(&mut *self.lock());
        waiting.retain(|sender| !sender.is_closed());
        // After a failure ours is not among them.
        let (count, queue) = (waiting.len().saturating_add(1), queue.clone());
        let taking = in_background(move || queue.next_numbers(count)).await;
        let folder = std::path::Path::new("sequence");
        let first = taking.unwrap_or_else(|error| Err(StoreError::new("write", folder, error)))?;
        for (number, sender) in (first + 1..).zip(waiting) {
            // One that is not waited for any more is left out.
            let _ = sender.send(number);
        }
        drop(turn);
        Ok(number.try_recv().unwrap_or(first))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Sender<u64>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::future::join_all;

    use super::*;

    #[test]
    fn many_get_numbers_of_their_own_and_higher_ones_than_were_given_before() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, numbers) = (Queue::below(folder.path()), Numbers::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..2 {
            let before = queue.last_number();
            let all = join_all((0..100).map(|_| numbers.next(&queue)));
            let mut given: Vec<u64> = runtime.block_on(all).into_iter().map(Result::unwrap).collect();
            given.sort_unstable();
            given.dedup();
            assert_eq!(given.len(), 100);
            assert!(given[0] > before && queue.last_number() >= given[99]);
        }
    }
}
