//! What the live rows show: the devices that are worked on, each in a row, and the sum of all below them.

use std::time::{Duration, Instant};

use panos_xmlapi::Address;

use super::{Doing, Work};

/// One after the other, so that it can be seen that the program is alive.
const SPINNER: [char; 4] = ['-', '\\', '|', '/'];

/// The devices, and how many are done.
#[derive(Debug, Default)]
pub(super) struct State {
    /// How many devices there are, where that is known.
    total: Option<usize>,
    /// Since when any of them has been worked on.
    since: Option<Instant>,
    done: usize,
    failed: usize,
    /// Those that are worked on, the first begun first.
    active: Vec<(Address, Work)>,
}

impl State {
    pub(super) fn of(total: Option<usize>) -> Self {
        Self { total, ..Self::default() }
    }

    pub(super) fn begin(&mut self, device: &Address, doing: &'static str) {
        self.since.get_or_insert_with(Instant::now);
        self.active.push((device.clone(), Work::begin(doing)));
    }

    pub(super) fn end(&mut self, device: &Address, failed: bool) {
        if let Some(at) = self.active.iter().position(|(other, _)| other == device) {
            self.active.remove(at);
            self.done += 1;
            self.failed += usize::from(failed);
        }
    }

    pub(super) fn with(&mut self, device: &Address, change: impl FnOnce(&mut Work)) {
        if let Some((_, work)) = self.active.iter_mut().find(|(other, _)| other == device) {
            change(work);
        }
    }

    /// Each device once, as the one of several that has come furthest has it: two requests for one device are two rows,
    /// and one run.
    pub(super) fn active(&self) -> Vec<(Address, Doing)> {
        let mut all: Vec<(Address, Doing)> = Vec::new();
        for (device, work) in &self.active {
            let doing = work.standing();
            match all.iter_mut().find(|(other, _)| other == device) {
                Some((_, known)) if *known < doing => *known = doing,
                Some(_) => {}
                None => all.push((device.clone(), doing)),
            }
        }
        all
    }

    /// Whether nothing is done at all.
    pub(super) fn is_idle(&self) -> bool {
        self.active.is_empty()
    }

    /// What is to be seen in so many rows: of a single device its own row, of several ones the sum as well.
    pub(super) fn rows(&self, fit: usize) -> Vec<String> {
        let Some(since) = self.since.filter(|_| !self.is_idle()) else { return Vec::new() };
        let spinner = spinner(since.elapsed());
        let is_single = self.active.len() == 1 && self.total.unwrap_or(self.done + 1) == 1;
        if let (true, Some((device, work))) = (is_single, self.active.first()) {
            return vec![format!("{spinner} {} s {device}: {work}", work.elapsed().as_secs())];
        }
        let shown = self.active.len().min(fit.saturating_sub(1));
        let is_held_up = |(_, work): &&(Address, Work)| shown < self.active.len() && work.is_held_up();
        let (held_up, others): (Vec<_>, Vec<_>) = self.active.iter().partition(is_held_up);
        let each = held_up.into_iter().chain(others).take(shown);
        let each = each.map(|(device, work)| format!("{:>6} s {device}: {work}", work.elapsed().as_secs()));
        each.chain([self.sum(spinner, since.elapsed(), shown)]).collect()
    }

    fn sum(&self, spinner: char, elapsed: Duration, shown: usize) -> String {
        let of = self.total.map_or_else(String::new, |total| format!(" of {total}"));
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let hidden = match self.active.len() - shown {
            0 => String::new(),
            hidden => format!(" ({hidden} not shown)"),
        };
        let (seconds, done, active) = (elapsed.as_secs(), self.done, self.active.len());
        format!("{spinner} {seconds:>4} s in all: {done}{of} done{failed}, {active} in progress{hidden}")
    }
}

fn spinner(elapsed: Duration) -> char {
    let at = elapsed.as_millis() / 250 % 4;
    SPINNER[usize::try_from(at).unwrap_or_default()]
}

/// Lines that somebody else has made, with the seconds since the first one.
#[derive(Debug, Default)]
pub(super) struct Told {
    since: Option<Instant>,
    lines: Vec<String>,
}

impl Told {
    /// Whether these are other lines than before.
    pub(super) fn tell(&mut self, lines: &[String]) -> bool {
        self.since.get_or_insert_with(Instant::now);
        let is_new = self.lines != lines;
        if is_new {
            self.lines = lines.to_vec();
        }
        is_new
    }

    pub(super) fn rows(&self, fit: usize) -> Vec<String> {
        let Some(since) = self.since else { return Vec::new() };
        let (spinner, seconds) = (spinner(since.elapsed()), since.elapsed().as_secs());
        let Some((first, rest)) = self.lines.split_first() else { return Vec::new() };
        let hidden = self.lines.len().saturating_sub(fit);
        let first = match hidden {
            0 => format!("{spinner} {seconds} s {first}"),
            hidden => format!("{spinner} {seconds} s ({hidden} more not shown) {first}"),
        };
        let indent = " ".repeat(format!("{spinner} {seconds} s ").len());
        let rest = rest.iter().take(fit.saturating_sub(1)).map(|line| format!("{indent}{line}"));
        std::iter::once(first).chain(rest).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::install::events::{Event, Wait};
    use crate::install::phases::Phase;

    fn device(name: &str) -> Address {
        name.parse().unwrap()
    }

    #[test]
    fn the_row_tells_device_phase_progress_and_who_is_waited_for() {
        let commit = Event::PhaseBegun(Phase::Commit);
        let (job, half) = (
            Event::CommitJob("7".to_owned()),
            Event::CommitProgress { job: "7".to_owned(), percent: Some(45) },
        );
        let by = Some("jane holds a commit lock".to_owned());
        let lock = Event::Waiting(Wait::Device { refusal: "locked".to_owned(), by });
        let (mut state, fw1) = (State::of(Some(1)), device("fw1"));
        state.begin(&fw1, "start");
        assert_eq!(state.rows(20), ["- 0 s fw1: start"]);
        for (event, row) in [
            (commit, "fw1: commit"),
            (lock, "fw1: commit, waiting: jane holds a commit lock"),
            (Event::WaitOver, "fw1: commit"),
            (job, "fw1: commit (job 7)"),
            (half, "fw1: commit 45 % (job 7)"),
            (Event::CommitFailed(Vec::new()), "fw1: commit"),
            (Event::PuttingBack, "fw1: put back"),
        ] {
            state.with(&fw1, |work| work.take(&event));
            assert_eq!(state.rows(20), [format!("- 0 s {row}")]);
        }
        state.end(&fw1, false);
        assert_eq!(state.rows(20), Vec::<String>::new());
    }

    #[test]
    fn of_many_devices_those_in_progress_have_rows_as_far_as_there_is_room_and_all_are_counted() {
        let mut state = State::of(Some(500));
        for number in 0..60 {
            state.begin(&device(&format!("fw{number}")), "start");
        }
        for number in 0..10 {
            state.end(&device(&format!("fw{number}")), number < 3);
        }
        let rows = state.rows(20);
        assert_eq!(rows.len(), 20);
        assert_eq!((rows[0].as_str(), rows[18].as_str()), ("     0 s fw10: start", "     0 s fw28: start"));
        assert_eq!(rows[19], "-    0 s in all: 10 of 500 done, 3 failed, 50 in progress (31 not shown)");
        for number in 14..60 {
            state.end(&device(&format!("fw{number}")), false);
        }
        assert_eq!(state.rows(20).len(), 5);
        assert_eq!(state.rows(20)[4], "-    0 s in all: 56 of 500 done, 3 failed, 4 in progress");
        // A window of one row has the sum.
        assert_eq!(state.rows(1), ["-    0 s in all: 56 of 500 done, 3 failed, 4 in progress (4 not shown)"]);
    }

    #[test]
    fn who_is_held_up_is_shown_first_where_there_is_not_room_for_all() {
        let mut state = State::of(Some(500));
        for number in 0..5 {
            state.begin(&device(&format!("fw{number}")), "start");
        }
        state.with(&device("fw3"), |work| work.hold_up("jane holds a commit lock"));
        state.with(&device("fw4"), |work| work.wait_for("joe holds a commit lock".to_owned()));
        let rows = state.rows(3);
        let held_up = "     0 s fw3: start, waiting: jane holds a commit lock";
        assert_eq!(rows[..2], [held_up, "     0 s fw0: start"]);
        // Where there is room for all, none moves.
        assert_eq!((state.rows(6)[0].as_str(), state.rows(6)[3].as_str()), ("     0 s fw0: start", held_up));
    }

    #[test]
    fn where_nobody_knows_how_many_there_are_the_sum_comes_with_the_second_one() {
        let (mut state, fw1, fw2) = (State::of(None), device("fw1"), device("fw2"));
        state.begin(&fw1, "start");
        assert_eq!(state.rows(20), ["- 0 s fw1: start"]);
        state.begin(&fw2, "start");
        assert_eq!(state.rows(20)[2], "-    0 s in all: 0 done, 2 in progress");
        state.end(&fw1, false);
        assert_eq!(state.rows(20), ["     0 s fw2: start", "-    0 s in all: 1 done, 1 in progress"]);
    }

    #[test]
    fn lines_of_somebody_else_stand_below_each_other() {
        let mut told = Told::default();
        let lines: Vec<String> = (1..=5).map(|number| format!("fw{number}: in the queue")).collect();
        assert!(told.tell(&lines) && !told.tell(&lines));
        assert_eq!(told.rows(20)[..2], ["- 0 s fw1: in the queue", "      fw2: in the queue"]);
        assert_eq!(told.rows(20).len(), 5);
        assert_eq!(told.rows(2), ["- 0 s (3 more not shown) fw1: in the queue", "      fw2: in the queue"]);
    }
}
