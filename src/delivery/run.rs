//! One run: what is made of its events. The lines of the log, the times of its phases, and what a person sees who
//! watches.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use panos_xmlapi::Address;
use tokio::sync::Semaphore;

use super::event_log;
use super::progress::{Progress, Watcher};
use super::turn::Turn;
use crate::host::log::RunLog;
use crate::install::events::{Event, EventSink, Events};
use crate::install::phases::Phase;

/// A run for one device.
pub(super) struct Run {
    /// Where its lines go.
    pub(super) log: RunLog,
    begun: Instant,
    sink: Arc<RunSink>,
    /// What its transactions tell.
    pub(super) events: Events,
    /// Room for the devices that are changed at the same time, where that is limited.
    pub(super) slots: Option<Arc<Semaphore>>,
}

/// Gets the events of a run's transactions.
struct RunSink {
    log: RunLog,
    device: Address,
    watcher: Arc<dyn Watcher>,
    /// Over while nothing but the commit is waited for.
    turn: Arc<Turn>,
    spent: Mutex<Vec<(Phase, Duration)>>,
    commit: Mutex<JobTime>,
    push: Mutex<JobTime>,
}

/// The job that is waited for, and how long the last one took: a commit that has succeeded, or a push that is over.
#[derive(Debug, Default)]
struct JobTime {
    since: Option<Instant>,
    took: Option<Duration>,
}

impl Run {
    /// Begins a run.
    pub(super) fn begin(
        log: &RunLog,
        device: &Address,
        watcher: &Arc<dyn Watcher>,
        turn: &Arc<Turn>,
    ) -> Self {
        let (log, device, watcher) = (log.clone(), device.clone(), Arc::clone(watcher));
        let (spent, commit, push) = (Mutex::default(), Mutex::default(), Mutex::default());
        let turn = Arc::clone(turn);
        let sink = RunSink { log: log.clone(), device, watcher, turn, spent, commit, push };
        let sink = Arc::new(sink);
        let events = Events::into_sink(Arc::<RunSink>::clone(&sink));
        Self { log, begun: Instant::now(), sink, events, slots: None }
    }

    /// The device's turn among many.
    pub(super) fn turn(&self) -> Arc<Turn> {
        Arc::clone(&self.sink.turn)
    }

    /// With a limit on how many devices are changed at the same time.
    pub(super) fn within(self, slots: Option<Arc<Semaphore>>) -> Self {
        Self { slots, ..self }
    }

    /// Each phase with its seconds, 0 where it was not reached, and the total until now.
    pub(super) fn phases(&self) -> Vec<(&'static str, f64)> {
        let times = self.sink.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = |wanted: Phase| -> f64 {
            let times = times.iter().filter(|(phase, _)| *phase == wanted);
            times.map(|(_, time)| *time).sum::<Duration>().as_secs_f64()
        };
        let total = ("total", self.begun.elapsed().as_secs_f64());
        Phase::ALL.iter().map(|phase| (phase.name(), spent(*phase))).chain(std::iter::once(total)).collect()
    }

    /// How long the last commit job took that has succeeded, if there was one.
    pub(super) fn commit_time(&self) -> Option<Duration> {
        self.sink.commit.lock().unwrap_or_else(PoisonError::into_inner).took
    }

    /// How long the last push job took that is over, if there was one.
    pub(super) fn push_time(&self) -> Option<Duration> {
        self.sink.push.lock().unwrap_or_else(PoisonError::into_inner).took
    }
}

impl EventSink for RunSink {
    fn take(&self, event: &Event) {
        if let Event::PhaseEnded { phase, took } = event {
            self.spent.lock().unwrap_or_else(PoisonError::into_inner).push((*phase, *took));
        }
        let mut commit = self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::CommitJob(_) => {
                commit.since = Some(Instant::now());
                self.turn.is_over();
            }
            Event::CommitSucceeded { .. } => {
                let took = commit.since.take().map(|since| since.elapsed());
                commit.took = took.or(commit.took);
            }
            // It goes on.
            Event::CommitProgress { percent: Some(..100), .. } => self.turn.is_over(),
            Event::CommitFailed(_) | Event::CommitJobGone(_) => commit.since = None,
            _ => {}
        }
        drop(commit);
        let mut push = self.push.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::PushJob { .. } => push.since = Some(Instant::now()),
            Event::PushEnded { .. } => {
                let took = push.since.take().map(|since| since.elapsed());
                push.took = took.or(push.took);
            }
            _ => {}
        }
        drop(push);
        event_log::lines(event).iter().for_each(|line| self.log.say(line));
        self.watcher.see(&self.device, Progress::Transaction(event));
    }
}
