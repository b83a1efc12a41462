//! Work on many devices at once.

use std::future::Future;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::host::open_files;

/// How many devices are worked on at once where nobody says otherwise. Nearly all of the time is waiting for them, and
/// for their commit jobs, which costs a connection's memory; with fewer, one that is silent would keep others waiting.
/// Much more, and a slow machine would not come round to each handshake before the device gives up.
pub const USUAL: u16 = 500;

/// Does all of this, so much of it at once; what came of each, in its order. What takes long keeps nothing else waiting.
pub async fn all<F: Future>(work: impl IntoIterator<Item = F>, at_once: u16) -> Vec<F::Output> {
    let numbered = work.into_iter().enumerate().map(|(number, work)| async move { (number, work.await) });
    let at_once = open_files::devices_at_once(usize::from(at_once));
    let mut done: Vec<_> = stream::iter(numbered).buffer_unordered(at_once).collect().await;
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, came_of_it)| came_of_it).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn one_that_takes_long_keeps_no_other_waiting_and_all_are_told_in_their_order() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let done = &Cell::new(0);
        let (last, slow) = oneshot::channel();
        let (mut last, mut slow) = (Some(last), Some(slow));
        // The first one waits for the hundredth, with room for two.
        let work: Vec<_> = (0..100)
            .map(|number| {
                let (slow, last) = (
                    if number == 0 { slow.take() } else { None },
                    if number == 99 { last.take() } else { None },
                );
                async move {
                    if let Some(slow) = slow {
                        slow.await.unwrap();
                    }
                    if let Some(last) = last {
                        last.send(()).unwrap();
                    }
                    done.set(done.get() + 1);
                    number
                }
            })
            .collect();
        let all = async { tokio::time::timeout(Duration::from_secs(10), all(work, 2)).await.unwrap() };
        assert_eq!(runtime.block_on(all), (0..100).collect::<Vec<_>>());
        assert_eq!(done.get(), 100);
    }
}
