//! A device that is too busy for a question is asked again.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use reqwest::RequestBuilder;
use tokio::time::Instant;

use super::error::{Error, Refusal};
use super::operation::Operation;
use super::session::{Exchange, Session};

const REVERT: Operation = Operation::Op("revert config");

/// How long questions are put again that a busy device refuses, and who is told of it.
#[derive(Clone)]
pub(super) struct WhileBusy {
    until: Instant,
    tell: Arc<dyn Fn(&Refusal) + Send + Sync>,
}

/// The first pause before a busy device is asked again, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Session {
    /// From now on a question, or a revert, that the device refuses because it is busy is put again until this
    /// time. `tell` learns the first refusal of each question. Other requests are for the caller to repeat.
    pub fn wait_while_busy(&self, until: Instant, tell: impl Fn(&Refusal) + Send + Sync + 'static) {
        let busy = WhileBusy { until, tell: Arc::new(tell) };
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = Some(busy);
    }

    pub(super) async fn exchange(
        &self,
        operation: Operation,
        request: RequestBuilder,
    ) -> Result<Exchange, Error> {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(busy) = busy.filter(|_| operation.is_read_only() || operation == REVERT) else {
            let answer = self.send(operation, request).await?;
            return self.read(operation, &answer);
        };
        let (mut request, mut pause, mut told) = (request, FIRST_PAUSE, false);
        loop {
            let again = request.try_clone();
            let answer = self.send(operation, request).await?;
            let exchange = self.read(operation, &answer)?;
            let (Some(again), Some(refusal)) = (again, exchange.busy()) else { return Ok(exchange) };
            if Instant::now() >= busy.until {
                return Ok(exchange);
            }
            if !told {
                (busy.tell)(&refusal);
                told = true;
            }
            tokio::time::sleep_until((Instant::now() + pause).min(busy.until)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            request = again;
        }
    }
}
