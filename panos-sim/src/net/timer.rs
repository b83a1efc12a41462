//! Lets jobs end and configurations arrive while nobody asks.

use std::sync::Arc;

use tokio::time::sleep_until;

use crate::shared::Shared;

/// Runs for ever; stopped by dropping it.
pub(crate) async fn keep_time(shared: Arc<Shared>) {
    let arrivals = shared.device(|device, _| device.ha.as_ref().map(|ha| ha.arrivals()));
    loop {
        let due = shared.device(|device, _| device.next_event());
        let timer = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let arrival = async {
            match &arrivals {
                Some(arrivals) => arrivals.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            () = arrival => {}
            () = shared.timer.notified() => {}
        }
    }
}
