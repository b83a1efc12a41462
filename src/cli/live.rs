//! The live line of a terminal: what is being done just now, and what is waited for. All else is printed in whole lines
//! above it. Where there is no terminal, nothing of it is written.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use panos_xmlapi::Address;

use crate::delivery::progress::{Progress, Watcher};
use crate::install::events::{Event, Wait};
use crate::text::escape_control;

/// How often the seconds are shown anew.
const TICK: Duration = Duration::from_millis(250);
/// The most devices that a line has room for.
const SHOWN_AT_ONCE: usize = 4;

/// The line that stands on the terminal now: there is one terminal.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints whole lines, with the live line out of the way.
pub fn aside<T>(print: impl FnOnce() -> T) -> T {
    let shown = locked(&SHOWN).clone();
    match shown {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// A line on a terminal that shows what is done and for how long; nothing elsewhere.
#[derive(Debug)]
pub struct StatusLine {
    is_visible: bool,
}

impl StatusLine {
    /// A line that is not shown yet: for a terminal that can take a line away again.
    #[must_use]
    pub fn new() -> Self {
        let term = std::env::var_os("TERM").unwrap_or_default();
        Self { is_visible: io::stderr().is_terminal() && !term.is_empty() && term != "dumb" }
    }

    /// Shows what is done.
    pub fn show(&self, text: &str) {
        if !self.is_visible {
            return;
        }
        let bar = locked(&SHOWN).get_or_insert_with(line).clone();
        let text = escape_control(text);
        if bar.message() != text {
            bar.set_message(text);
            bar.tick();
        }
    }

    /// Takes the line away; the next one counts anew.
    pub fn clear(&self) {
        let shown = locked(&SHOWN).take();
        if let Some(bar) = shown {
            bar.finish_and_clear();
        }
    }
}

impl Default for StatusLine {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One line, cut at the terminal's edge, without colours.
fn line() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let seconds = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{} s", state.elapsed().as_secs());
    };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {seconds} {wide_msg}") {
        bar.set_style(style.with_key("seconds", seconds).tick_chars("-\\|/ "));
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// What is being done on devices, for the live line, and for whoever interrupts it.
#[derive(Debug)]
pub struct Screen {
    line: Option<StatusLine>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many devices there are, where that is known.
    total: Option<usize>,
    done: usize,
    /// Those that are worked on, the first begun first.
    active: Vec<(Address, Work)>,
}

/// What is done on a device.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Work {
    doing: &'static str,
    job: Option<String>,
    percent: Option<u8>,
    waiting: Option<String>,
}

impl Screen {
    /// Of so many devices, where that is known. Whoever sees the lines of the log needs no other line.
    #[must_use]
    pub fn new(total: Option<usize>, verbose: u8) -> Arc<Self> {
        let line = (verbose == 0).then(StatusLine::new);
        Arc::new(Self { line, state: Mutex::new(State { total, ..State::default() }) })
    }

    /// Shows that something is done on a device, until the result is dropped.
    pub fn work_on<'a>(&'a self, device: &'a Address, doing: &'static str) -> Working<'a> {
        self.change(|state| state.begin(device, doing));
        Working { screen: self, device }
    }

    /// The devices that are worked on, each with its commit job if there is one.
    #[must_use]
    pub fn active(&self) -> Vec<(Address, Option<String>)> {
        let state = locked(&self.state);
        state.active.iter().map(|(device, work)| (device.clone(), work.job.clone())).collect()
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if let Some(line) = &self.line {
            line.clear();
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = locked(&self.state);
        change(&mut state);
        let Some(line) = &self.line else { return };
        match state.text() {
            Some(text) => line.show(&text),
            None => line.clear(),
        }
    }
}

/// Something that is being done on a device, until this is dropped.
#[derive(Debug)]
pub struct Working<'a> {
    screen: &'a Screen,
    device: &'a Address,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.screen.change(|state| state.end(self.device));
    }
}

impl Watcher for Screen {
    fn see(&self, device: &Address, progress: Progress<'_>) {
        self.change(|state| match progress {
            Progress::Taken => state.begin(device, "start"),
            Progress::Done => state.end(device),
            Progress::Reserving(holder) => {
                state.with(device, |work| {
                    work.waiting = Some(format!("another process works on it: {holder}"))
                });
            }
            Progress::Begun(_) => {
                state.with(device, |work| *work = Work { doing: "start", ..Work::default() });
            }
            Progress::Transaction(event) => state.with(device, |work| work.take(event)),
        });
    }
}

impl State {
    fn begin(&mut self, device: &Address, doing: &'static str) {
        self.active.push((device.clone(), Work { doing, ..Work::default() }));
    }

    fn end(&mut self, device: &Address) {
        let before = self.active.len();
        self.active.retain(|(other, _)| other != device);
        self.done += before - self.active.len();
    }

    fn with(&mut self, device: &Address, change: impl FnOnce(&mut Work)) {
        if let Some((_, work)) = self.active.iter_mut().find(|(other, _)| other == device) {
            change(work);
        }
    }

    /// The line; none where nothing is done.
    fn text(&self) -> Option<String> {
        let shown = self.active.iter().take(SHOWN_AT_ONCE);
        let each: Vec<String> = shown.map(|(device, work)| format!("{device}: {work}")).collect();
        let more = match self.active.len().saturating_sub(each.len()) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let count = match self.total {
            Some(1) => String::new(),
            Some(total) => format!("{} of {total} done; ", self.done),
            None if self.done > 0 || self.active.len() > 1 => format!("{} done; ", self.done),
            None => String::new(),
        };
        (!each.is_empty()).then(|| format!("{count}{}{more}", each.join("; ")))
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.doing)?;
        if let Some(percent) = self.percent {
            write!(f, " {percent} %")?;
        }
        if let Some(job) = &self.job {
            write!(f, " (job {job})")?;
        }
        self.waiting.as_ref().map_or(Ok(()), |waiting| write!(f, ", waiting: {waiting}"))
    }
}

impl Work {
    fn take(&mut self, event: &Event) {
        match event {
            Event::PhaseBegun(phase) => *self = Self { doing: phase.name(), ..Self::default() },
            Event::PhaseEnded { .. } => {}
            Event::Waiting(wait) => self.waiting = Some(waiting(wait)),
            Event::PuttingBack => *self = Self { doing: "put back", ..Self::default() },
            Event::CommitJob(job) => self.job = Some(job.clone()),
            Event::CommitProgress { job, percent } => {
                (self.job, self.percent, self.waiting) = (Some(job.clone()), *percent, None);
            }
            Event::CommitSucceeded { .. } | Event::CommitFailed(_) | Event::CommitJobGone(_) => {
                *self = Self { doing: self.doing, ..Self::default() };
            }
            _ => self.waiting = None,
        }
    }
}

fn waiting(wait: &Wait) -> String {
    match wait {
        Wait::Device { by: Some(by), .. } => by.clone(),
        Wait::Device { refusal, by: None } => refusal.clone(),
        Wait::PendingChange(found) => found.clone(),
        Wait::EarlierJob(job) => format!("commit job {job}, which was there before, is still running"),
        Wait::PeerSync => "the HA peer gets the configuration".to_owned(),
        Wait::Endpoints(endpoints) => {
            let all: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            format!("the new certificate at {}", all.join(", "))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::install::phases::Phase;

    fn seen(total: Option<usize>, what: &[(&str, Progress<'_>)]) -> Option<String> {
        let screen = Screen { line: None, state: Mutex::new(State { total, ..State::default() }) };
        for (device, progress) in what {
            let device = device.parse().unwrap();
            match progress {
                Progress::Taken => screen.see(&device, Progress::Taken),
                Progress::Done => screen.see(&device, Progress::Done),
                Progress::Reserving(holder) => screen.see(&device, Progress::Reserving(holder)),
                Progress::Begun(names) => screen.see(&device, Progress::Begun(names)),
                Progress::Transaction(event) => screen.see(&device, Progress::Transaction(event)),
            }
        }
        locked(&screen.state).text()
    }

    #[test]
    fn the_line_tells_device_phase_progress_and_who_is_waited_for() {
        let commit = Event::PhaseBegun(Phase::Commit);
        let (job, half) = (
            Event::CommitJob("7".to_owned()),
            Event::CommitProgress { job: "7".to_owned(), percent: Some(45) },
        );
        let by = Some("jane holds a commit lock".to_owned());
        let lock = Event::Waiting(Wait::Device { refusal: "locked".to_owned(), by });
        let done = Event::CommitFailed(Vec::new());
        let back = Event::PuttingBack;
        let mut what = vec![("fw1", Progress::Taken)];
        assert_eq!(seen(Some(1), &what).unwrap(), "fw1: start");
        for (event, line) in [
            (&commit, "fw1: commit"),
            (&lock, "fw1: commit, waiting: jane holds a commit lock"),
            (&Event::WaitOver, "fw1: commit"),
            (&job, "fw1: commit (job 7)"),
            (&half, "fw1: commit 45 % (job 7)"),
            (&done, "fw1: commit"),
            (&back, "fw1: put back"),
        ] {
            what.push(("fw1", Progress::Transaction(event)));
            assert_eq!(seen(Some(1), &what).unwrap(), line);
        }
        what.push(("fw1", Progress::Done));
        assert_eq!(seen(Some(1), &what), None);
    }

    #[test]
    fn of_many_devices_those_that_are_worked_on_are_shown_and_the_rest_counted() {
        let names = ["fw1", "fw2", "fw3", "fw4", "fw5", "fw6", "fw7"];
        let mut what: Vec<_> = names.iter().map(|name| (*name, Progress::Taken)).collect();
        what.push(("fw1", Progress::Done));
        assert_eq!(
            seen(Some(500), &what).unwrap(),
            "1 of 500 done; fw2: start; fw3: start; fw4: start; fw5: start; and 2 more"
        );
        assert!(seen(None, &what).unwrap().starts_with("1 done; fw2: start"));
    }
}
