//! Lines of several runs, told apart.
//!
//! A run bears its id only while it is not alone, so it may begin without one and show it later, and the other
//! way round.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, FixedOffset};

use super::lines::{Event, Line};
use super::outcome::Outcome;
use super::{PHASES, Run, RunOutcome, Unended};

/// The most runs that are taken for alive at once: those of some fleets that are worked on at the same time. Of more, the
/// one unheard of for longest has ended.
const OPEN: usize = 4096;
/// The most certificates that are kept of a run.
const CERTIFICATES: usize = 100;
const COMMIT: usize = 4;
const TOTAL: usize = PHASES.len() - 1;

/// The runs whose end was not read yet.
#[derive(Default)]
pub(super) struct RunAssembler {
    tagged: HashMap<u32, Open>,
    /// The tags of these, by when they were last heard of.
    order: BTreeMap<u64, u32>,
    /// The one that began without an id and has not shown it yet.
    untagged: Option<Open>,
    /// The one before that, which has written no end.
    left: Option<Open>,
    /// Which run was the last one to begin on each device, by its first line.
    on_devices: HashMap<String, u64>,
    /// How many lines were taken: the clock by which runs are heard of.
    count: u64,
}

struct Open {
    run: Run,
    heard: u64,
    end: bool,
    left_to_commit: bool,
    left_to_push: bool,
    /// Another run has begun on its device, which only one run has at a time.
    is_overtaken: bool,
    /// It has told the times of its phases, as it does at its very end.
    told_times: bool,
    /// What the device has said on the way.
    outcome: Outcome,
    /// The problem, and whether its line named the device: then it is the one the run ended with.
    problem: Option<(String, bool)>,
}

impl RunAssembler {
    /// Takes a line; runs that have ended by it are handed on.
    pub(super) fn take(&mut self, line: &Line<'_>, done: &mut impl FnMut(Run)) {
        self.count += 1;
        let told = line.event().and_then(|event| Some((event, line.time()?)));
        match told {
            Some((Event::Again { device, times, since, problem }, time)) => {
                done(series(device, times, since, problem, time));
            }
            Some((Event::Start, time)) => self.start(line.tag, time, done),
            told => {
                let count = self.count;
                let Some(open) = self.whose(line.tag) else { return };
                open.outcome.is_over();
                let Some((event, time)) = told else { return };
                let is_over = matches!(event, Event::Phases(_));
                let begins_on = match &event {
                    Event::Device(device) => Some((device.clone(), open.run.line)),
                    _ => None,
                };
                open.take(event, time);
                if is_over {
                    self.close(line.tag, count, done);
                }
                if let Some((device, run)) = begins_on {
                    self.begins_on(device, run);
                }
            }
        }
    }

    /// A line without a time: more of what a device said, if the line before was such a one.
    pub(super) fn more(&mut self, text: &[u8]) {
        if let Some(open) = self.untagged.as_mut().filter(|open| open.heard == self.count) {
            open.outcome.more(&String::from_utf8_lossy(text));
        }
    }

    /// There are no more lines.
    pub(super) fn finish(self, done: &mut impl FnMut(Run)) {
        self.tagged.into_values().chain(self.untagged).chain(self.left).map(Open::into_run).for_each(done);
    }

    fn start(&mut self, tag: Option<u32>, time: DateTime<FixedOffset>, done: &mut impl FnMut(Run)) {
        let new = Open::begun(tag, time, self.count);
        let before = match tag {
            Some(tag) => {
                let before = self.remove(tag);
                self.insert(tag, new);
                before
            }
            // It may be known in a moment what became of that one.
            None => match self.untagged.replace(new) {
                Some(before) => self.left.replace(before),
                None => None,
            },
        };
        before.map(Open::into_run).into_iter().for_each(&mut *done);
        if self.tagged.len() > OPEN {
            let silent = self.order.first_key_value().map(|(_, tag)| *tag);
            silent.and_then(|tag| self.remove(tag)).map(Open::into_run).into_iter().for_each(done);
        }
    }

    /// Whoever was at this device before and has written no end yet was killed.
    fn begins_on(&mut self, device: String, run: u64) {
        let before = self.on_devices.insert(device, run).filter(|before| *before != run);
        if self.on_devices.len() > OPEN {
            self.on_devices.clear();
        }
        let Some(before) = before else { return };
        let mut open = self.tagged.values_mut().chain(&mut self.untagged).chain(&mut self.left);
        if let Some(overtaken) = open.find(|open| open.run.line == before) {
            overtaken.is_overtaken = true;
        }
    }

    fn insert(&mut self, tag: u32, open: Open) {
        self.order.insert(open.heard, tag);
        self.tagged.insert(tag, open);
    }

    fn remove(&mut self, tag: u32) -> Option<Open> {
        let open = self.tagged.remove(&tag)?;
        self.order.remove(&open.heard);
        Some(open)
    }

    /// The run of a line, which is heard of by that.
    fn whose(&mut self, tag: Option<u32>) -> Option<&mut Open> {
        let count = self.count;
        // Whoever writes without an id is alone: the last one heard of.
        let latest = || self.order.last_key_value().map(|(_, tag)| *tag);
        let tag = if self.untagged.is_some() { tag } else { tag.or_else(latest) };
        match tag {
            Some(tag) => {
                // An id never seen before is that of the run that began alone and is not alone any more.
                if !self.tagged.contains_key(&tag)
                    && let Some(mut open) = self.untagged.take()
                {
                    open.run.id = Some(id(tag));
                    self.insert(tag, open);
                }
                let open = self.tagged.get_mut(&tag)?;
                self.order.remove(&open.heard);
                self.order.insert(count, tag);
                open.heard = count;
                Some(open)
            }
            None => {
                let open = self.untagged.as_mut()?;
                open.heard = count;
                Some(open)
            }
        }
    }

    /// Closes the run that was heard of just now.
    fn close(&mut self, tag: Option<u32>, count: u64, done: &mut impl FnMut(Run)) {
        let tag = tag.or_else(|| self.order.get(&count).copied());
        let closed = match tag {
            Some(tag) => self.remove(tag),
            None => self.untagged.take(),
        };
        closed.map(Open::into_run).into_iter().for_each(done);
    }
}

impl Open {
    fn begun(tag: Option<u32>, time: DateTime<FixedOffset>, heard: u64) -> Self {
        let run = Run {
            id: tag.map(id),
            begun: time,
            ended: time,
            certificates: Vec::new(),
            device: None,
            ending: RunOutcome::NotEnded(Unended::Unknown),
            seconds: [None; PHASES.len()],
            times: 1,
            line: heard,
        };
        Self {
            run,
            heard,
            end: false,
            left_to_commit: false,
            left_to_push: false,
            is_overtaken: false,
            told_times: false,
            outcome: Outcome::default(),
            problem: None,
        }
    }

    fn take(&mut self, event: Event, time: DateTime<FixedOffset>) {
        // After its end only its times are its own; without them the next run's first words may follow.
        if self.end && !matches!(event, Event::Phases(_)) {
            return;
        }
        self.run.ended = time;
        match event {
            Event::Certificate(name) => {
                if self.run.certificates.len() < CERTIFICATES {
                    self.run.certificates.push(name);
                }
            }
            Event::Device(device) => {
                self.run.device.get_or_insert(device);
            }
            Event::CommitTook(seconds) => self.run.seconds[COMMIT] = Some(seconds),
            Event::LeftToCommit => self.left_to_commit = true,
            Event::LeftToPush => self.left_to_push = true,
            Event::End(device) => {
                self.run.device = Some(device);
                self.end = true;
            }
            Event::Error(device, problem) => {
                let names_device = device.is_some();
                self.run.device = self.run.device.take().or(device);
                // The first line that names the device is the failure; the second one is the advice.
                if self.problem.as_ref().is_none_or(|(_, final_one)| names_device && !final_one) {
                    self.problem = Some((problem, names_device));
                }
            }
            Event::Phases(seconds) => {
                self.run.seconds = seconds;
                self.told_times = true;
            }
            Event::Upload(said) => self.outcome.upload(said),
            Event::Commit(said) => self.outcome.commit(said),
            Event::Start | Event::Again { .. } => {}
        }
    }

    fn into_run(self) -> Run {
        let mut run = self.run;
        let problem = self.problem.map(|(problem, _)| problem);
        run.ending = match (self.end, self.left_to_commit, problem) {
            (true, true, _) => RunOutcome::LeftToCommit,
            (true, false, _) if self.left_to_push => RunOutcome::LeftToPush,
            // This program says that it ended only where all is proven.
            (true, false, _) if self.told_times => RunOutcome::Done,
            // The scripts that came before said so whatever had happened.
            (true, false, problem) => self.outcome.ending(problem),
            (false, _, Some(problem)) => RunOutcome::Failed(problem),
            (false, _, None) if self.is_overtaken => RunOutcome::NotEnded(Unended::Killed),
            (false, _, None) => RunOutcome::NotEnded(Unended::Unknown),
        };
        // The scripts that came before wrote no times of their own.
        if !matches!(run.ending, RunOutcome::NotEnded(_)) && run.seconds[TOTAL].is_none() {
            let seconds = (run.ended - run.begun).to_std();
            run.seconds[TOTAL] = seconds.ok().map(|time| time.as_secs_f64());
        }
        run
    }
}

fn id(tag: u32) -> String {
    format!("{tag:06x}")
}

fn series(
    device: String,
    times: u64,
    since: DateTime<FixedOffset>,
    problem: String,
    time: DateTime<FixedOffset>,
) -> Run {
    let mut run = Open::begun(None, since, 0).run;
    run.ended = time;
    run.device = Some(device);
    run.ending = RunOutcome::Failed(problem);
    run.times = times;
    run
}
