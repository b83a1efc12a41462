//! The live rows of a terminal: what is being done just now on each device, and what is waited for. All else is
//! printed in whole lines above them. Where there is no terminal, nothing of it is written.

mod display;
mod state;
mod work;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use panos_xmlapi::Address;

use self::display::Display;
pub use self::display::aside;
use self::state::State;
pub use self::work::Doing;
use self::work::Work;
use crate::delivery::progress::{Progress, Watcher};

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows on a terminal that show what is done and for how long; nothing elsewhere.
#[derive(Debug)]
pub struct StatusLine {
    display: Display,
    text: Arc<Mutex<state::Told>>,
}

impl StatusLine {
    /// A line that is not shown yet.
    #[must_use]
    pub fn new() -> Self {
        let text = Arc::<Mutex<state::Told>>::default();
        let told = Arc::clone(&text);
        Self { display: Display::of(Arc::new(move |fit| locked(&told).rows(fit))), text }
    }

    /// Shows what is done: a line, or several.
    pub fn show(&self, text: &str) {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if locked(&self.text).tell(&lines) {
            self.display.refresh();
        }
    }

    /// Takes the line away; the next one counts anew.
    pub fn clear(&self) {
        self.display.clear();
        *locked(&self.text) = state::Told::default();
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

/// What is being done on devices, for the live rows, and for whoever interrupts it.
#[derive(Debug)]
pub struct Screen {
    display: Option<Display>,
    state: Arc<Mutex<State>>,
}

impl Screen {
    /// Of so many devices, where that is known. Whoever sees the lines of the log needs no other line.
    #[must_use]
    pub fn new(total: Option<usize>, verbose: u8) -> Arc<Self> {
        let state = Arc::new(Mutex::new(State::of(total)));
        let shown = Arc::clone(&state);
        let display = (verbose == 0).then(|| Display::of(Arc::new(move |fit| locked(&shown).rows(fit))));
        Arc::new(Self { display, state })
    }

    /// Shows that something is done on a device, until the result is dropped.
    pub fn work_on<'a>(&'a self, device: &'a Address, doing: &'static str) -> Working<'a> {
        self.change(|state| state.begin(device, doing));
        Working { screen: self, device, failed: false }
    }

    /// The devices that are worked on, each once, with what is done there.
    #[must_use]
    pub fn active(&self) -> Vec<(Address, Doing)> {
        locked(&self.state).active()
    }

    /// Takes the rows away.
    pub fn clear(&self) {
        if let Some(display) = &self.display {
            display.clear();
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let is_idle = {
            let mut state = locked(&self.state);
            change(&mut state);
            state.is_idle()
        };
        match &self.display {
            Some(display) if is_idle => display.clear(),
            Some(display) => display.refresh(),
            None => {}
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Something that is being done on a device, until this is dropped.
#[derive(Debug)]
pub struct Working<'a> {
    screen: &'a Screen,
    device: &'a Address,
    failed: bool,
}

impl Working<'_> {
    /// It is over, and whether it has failed.
    pub fn end(mut self, failed: bool) {
        self.failed = failed;
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.screen.change(|state| state.end(self.device, self.failed));
    }
}

impl Watcher for Screen {
    fn see(&self, device: &Address, progress: Progress<'_>) {
        self.change(|state| match progress {
            Progress::Taken => state.begin(device, "start"),
            Progress::Done { failed } => state.end(device, failed),
            Progress::Reserving(holder) => {
                state.with(device, |work| work.reserve(format!("another process works on it: {holder}")));
            }
            Progress::Begun(_) => state.with(device, Work::begin_run),
            Progress::Transaction(event) => state.with(device, |work| work.take(event)),
        });
    }
}
