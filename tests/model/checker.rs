//! The model: which steps there are in each state, and what has to hold.

use super::explore::Model;
use super::run::{At, Reply, can_be_lost, can_go_on, crash, go_on};
use super::world::{OFF, Scenario, World};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A process goes on.
    Goes(usize, Reply),
    /// A process dies.
    Dies(usize),
    /// The commit job ends; whether well.
    JobEnds(bool),
    /// The clock jumps, and is so many hours off.
    Clock(i64),
    /// Everybody sleeps for a while.
    Night,
    /// The certificate, or its renewal, comes into the file.
    FileComes,
    JaneCommits,
    JaneReverts,
}

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn first(&self) -> World {
        World::new(self)
    }

    fn digest(&self, state: &World) -> u64 {
        state.digest(self)
    }

    fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        let has_fault = world.troubles.faults > 0;
        for who in 0..3 {
            let at = world.processes[who].at;
            if can_go_on(world, self, who) {
                actions.push(Action::Goes(who, Reply::InTime));
            }
            // Whoever dies instead of being told was not told.
            let is_at_work = !matches!(at, At::Start | At::Idle | At::Over | At::Answer);
            if has_fault && is_at_work {
                actions.push(Action::Dies(who));
                let (never, too_late) = can_be_lost(at);
                if never {
                    actions.push(Action::Goes(who, Reply::Never));
                }
                if too_late && can_go_on(world, self, who) {
                    actions.push(Action::Goes(who, Reply::TooLate));
                }
            }
        }
        if world.device.is_committing() {
            actions.push(Action::JobEnds(true));
            if has_fault {
                actions.push(Action::JobEnds(false));
            }
        } else if has_fault && !world.jane_is_done && world.device.has_own_changes() {
            actions.extend([Action::JaneCommits, Action::JaneReverts]);
        }
        // A jump that nobody sees before the next one may as well come later.
        let is_seen = world.processes.iter().enumerate().any(|(who, process)| {
            let would = world.holder.is_none() && (world.is_pending() || !world.queue.is_empty());
            match process.at {
                At::Idle => would,
                at => reads_the_clock(at) && can_go_on(world, self, who),
            }
        });
        if world.off != 0 && is_seen {
            actions.push(Action::Clock(0));
        }
        if world.troubles.jumps > 0 && is_seen {
            actions.extend([OFF, -OFF].into_iter().filter(|off| *off != world.off).map(Action::Clock));
        }
        let comes = match world.file {
            None => true,
            Some(certificate) => self.renewal && certificate == 1,
        };
        if comes {
            actions.push(Action::FileComes);
        }
        let sleeps =
            world.off == 0 && !comes && world.is_quiet() && !world.is_due(self) && world.is_pending();
        if sleeps {
            actions.push(Action::Night);
        }
        actions
    }

    fn after(&self, world: &World, action: Action) -> World {
        let mut next = world.clone();
        if costs_a_fault(action) {
            next.troubles.faults -= 1;
        }
        match action {
            Action::Goes(who, reply) => go_on(&mut next, self, who, reply),
            Action::Dies(who) => crash(&mut next, who),
            Action::JobEnds(succeeds) => next.device.end_job(succeeds),
            Action::Clock(off) => {
                next.troubles.jumps -= u8::from(off != 0);
                next.off = off;
            }
            Action::Night => next.sleeps(),
            Action::FileComes => next.file = Some(next.file.map_or(1, |certificate| certificate + 1)),
            Action::JaneCommits => {
                next.jane_is_done = true;
                next.device.jane_commits();
            }
            Action::JaneReverts => {
                next.jane_is_done = true;
                next.device.jane_reverts();
            }
        }
        if matches!(action, Action::JobEnds(_) | Action::JaneCommits | Action::JaneReverts) {
            next.look_at_device(self);
        }
        next
    }

    fn is_regular(&self, action: Action) -> bool {
        !costs_a_fault(action) && !matches!(action, Action::Clock(OFF | NEGATIVE))
    }

    fn violation(&self, world: &World) -> Option<String> {
        world.violation(self)
    }

    fn is_done(&self, world: &World) -> bool {
        world.is_done()
    }

    fn tell(&self, world: &World, action: Action) -> String {
        let name = |who: usize| ["the first caller", "the second caller", "the worker"][who];
        match action {
            Action::Goes(who, reply) => {
                let reply = match reply {
                    Reply::InTime => "",
                    Reply::Never => ": no answer",
                    Reply::TooLate => ": took effect, and the answer got lost",
                };
                format!("{}: {}{reply}", name(who), doing(world.processes[who].at))
            }
            Action::Dies(who) => {
                format!("{} dies before this: {}", name(who), doing(world.processes[who].at))
            }
            Action::JobEnds(true) => "the commit job succeeds".to_owned(),
            Action::JobEnds(false) => "the commit job fails".to_owned(),
            Action::Clock(0) => "the clock is right again".to_owned(),
            Action::Clock(off) => format!("the clock jumps, and is {} days off", off / 24),
            Action::Night => "time passes".to_owned(),
            Action::FileComes => "the certificate comes into its file".to_owned(),
            Action::JaneCommits => "a colleague commits all that is pending".to_owned(),
            Action::JaneReverts => "a colleague takes back all that is pending".to_owned(),
        }
    }
}

/// Whether the next step depends on the time.
fn reads_the_clock(at: At) -> bool {
    matches!(at, At::Start | At::Lock | At::Select | At::Finish)
}

const NEGATIVE: i64 = -OFF;

fn costs_a_fault(action: Action) -> bool {
    match action {
        Action::Goes(_, reply) => reply != Reply::InTime,
        Action::Dies(_) | Action::JobEnds(false) | Action::JaneCommits | Action::JaneReverts => true,
        Action::JobEnds(true) | Action::Clock(_) | Action::Night | Action::FileComes => false,
    }
}

fn doing(at: At) -> String {
    match at {
        At::Start => "takes a number, and writes a request into the queue".to_owned(),
        At::Idle => "takes the device's lock, and lists the queue".to_owned(),
        At::Over => "is over".to_owned(),
        At::Lock => "takes the device's lock, and lists the queue".to_owned(),
        At::TakeIn(at) => format!("makes effect {} of taking in durable", at + 1),
        At::Select => "chooses what is due, and takes a number".to_owned(),
        At::Save(_) => "writes a record: begun".to_owned(),
        At::Settle => "takes back what an earlier run has left".to_owned(),
        At::Look => "looks at the device, and decides".to_owned(),
        At::Note(_) => "writes a record: paths that may be left uncommitted".to_owned(),
        At::Request(at) => format!("puts request {} of the plan: import or binding", at + 1),
        At::Commit(attempt) => format!("asks for the commit ({attempt})"),
        At::Inquire(_) => "looks up what became of the commit".to_owned(),
        At::NoteJob(_) => "writes a record: the job".to_owned(),
        At::Poll => "looks at the job".to_owned(),
        At::Conclude => "reads the running configuration: did the commit take place".to_owned(),
        At::Verify => "reads the running configuration: does it run it".to_owned(),
        At::Needed => "puts the candidate configuration back".to_owned(),
        At::Finish => "decides how the run ended, and writes the record".to_owned(),
        At::Write(_) => "writes a record: how the run ended".to_owned(),
        At::Answer => "is told how its request ended".to_owned(),
    }
}
