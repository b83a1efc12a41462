//! What can happen at one request of a deployment, and to the deployment with it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use pancert::install::result::Outcome;
use panos_sim::{Fault, Simulator, What, When};

use super::inside;
use super::scene::{self, Shape};
use super::world::{Ended, World};

/// Before or after the device has done what the request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// What happens at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection ends.
    Dropped(Moment),
    /// HTTP 503.
    Status(Moment),
    /// The key is refused.
    Forbidden,
    /// Bytes that are no HTTP.
    Garbage(Moment),
    /// A page that is no API reply.
    Page(Moment),
    /// The connection ends in the middle of the reply.
    HalfAReply,
    /// The same for this request and the next one.
    Twice(Moment),
    /// No answer to this request.
    Silence(Moment),
    /// Nothing but dropped connections from this request on, until the run has ended.
    Away(Moment),
    /// The device restarts; the candidate configuration survives, or does not.
    Reboot { keeps_candidate: bool },
    /// The program dies.
    Killed(Moment),
    /// The program dies, and the commit of the next one is refused.
    KilledThenRefused(Moment),
}

impl Trouble {
    pub const ALL: [Self; 20] = {
        use Moment::{After, Before};
        [
            Self::Dropped(Before),
            Self::Dropped(After),
            Self::Status(Before),
            Self::Status(After),
            Self::Forbidden,
            Self::Garbage(Before),
            Self::Garbage(After),
            Self::Page(Before),
            Self::Page(After),
            Self::HalfAReply,
            Self::Twice(Before),
            Self::Twice(After),
            Self::Silence(Before),
            Self::Silence(After),
            Self::Away(Before),
            Self::Away(After),
            Self::Reboot { keeps_candidate: true },
            Self::Reboot { keeps_candidate: false },
            Self::Killed(Before),
            Self::Killed(After),
        ]
    };
    pub const AFTER_A_DEATH: [Self; 2] =
        [Self::KilledThenRefused(Moment::Before), Self::KilledThenRefused(Moment::After)];

    /// Whether it strikes the program dead.
    pub fn kills(self) -> bool {
        matches!(self, Self::Killed(_) | Self::KilledThenRefused(_))
    }

    /// Whether the device may be in between when the run has ended: then the next run settles it.
    pub fn may_leave_work(self) -> bool {
        self.kills() || matches!(self, Self::Away(_))
    }

    /// Whether it needs a shorter retry policy than the program has.
    fn takes_long(self) -> bool {
        matches!(self, Self::Silence(_) | Self::Away(_) | Self::Twice(_))
    }

    fn fault(self, request: u64) -> Fault {
        let (what, moment, times) = match self {
            Self::Dropped(moment) => (What::Close, moment, 1),
            Self::Status(moment) => (What::Status(503), moment, 1),
            Self::Forbidden => (What::Forbidden, Moment::Before, 1),
            Self::Garbage(moment) => (What::Garbage, moment, 1),
            Self::Page(moment) => (What::Html, moment, 1),
            Self::HalfAReply => (What::TruncatedBody, Moment::After, 1),
            Self::Twice(moment) => (What::Status(502), moment, 2),
            Self::Away(moment) => (What::Close, moment, u32::MAX),
            Self::Reboot { keeps_candidate } => {
                let outage = Duration::from_millis(100);
                (What::Reboot { outage, keeps_candidate }, Moment::After, 1)
            }
            Self::Silence(moment) | Self::Killed(moment) | Self::KilledThenRefused(moment) => {
                (What::Silence, moment, 1)
            }
        };
        let fault = Fault::new(When::Nth(request), what).times(times);
        if moment == Moment::After { fault.after_effect() } else { fault }
    }
}

/// How a run ended, and what it told.
#[derive(Debug)]
pub struct Told {
    /// The exit code; none where it was killed.
    pub code: Option<i32>,
    /// What it said to the person, or to its caller.
    pub words: String,
    /// Its lines in the log.
    pub log: Vec<String>,
}

/// Runs a deployment that meets this trouble at its n-th request.
pub fn meet(world: &World, shape: Shape, trouble: Trouble, request: u64) -> Result<Told, String> {
    world.device.inject(trouble.fault(request));
    let told = if trouble.kills() {
        kill_at(world, shape, request)?;
        Told { code: None, words: String::new(), log: world.log() }
    } else if trouble.takes_long() {
        inside(world, shape)
    } else {
        outside(world, shape)
    };
    if !world.device.requests().iter().any(|request| request.fault.is_some()) {
        return Err("the trouble never came".to_owned());
    }
    world.device.clear_faults();
    Ok(told)
}

/// A run of the program, with the log's lines of this run only.
pub fn outside(world: &World, shape: Shape) -> Told {
    let before = world.log().len();
    let Ended { code, stdout, stderr } = scene::install(world, shape);
    Told { code, words: stdout + &stderr, log: world.log().split_off(before) }
}

fn inside(world: &World, shape: Shape) -> Told {
    let own = scene::arguments(world, shape);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let arguments = [&["--insecure", "--commit-timeout", "2"], own.as_slice()].concat();
    let (outcome, log) = inside::deliver(world, &arguments);
    let (code, words) = match &outcome.outcome {
        Outcome::Failed(problem) => (i32::from(problem.exit.code()), problem.to_string()),
        end => (0, format!("{end:?}")),
    };
    Told { code: Some(code), words, log }
}

/// Lets the program come as far as this request, which is not answered, and kills it there.
fn kill_at(world: &World, shape: Shape, request: u64) -> Result<(), String> {
    // A scene may have begun with requests of its own.
    let before = world.device.requests().iter().map(|record| record.number).max().unwrap_or(0);
    let mut program =
        scene::command(world, shape).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The administrator is noted when the device has done, or not done, what it was asked for.
    let arrived = wait_until(|| recorded(&world.device, before + request));
    program.kill().unwrap();
    program.wait().unwrap();
    if arrived { Ok(()) } else { Err(format!("request {request} never came")) }
}

fn recorded(device: &Simulator, request: u64) -> bool {
    device.requests().iter().any(|record| record.number == request && record.administrator.is_some())
}

/// Whether something comes about within a time that is long enough for a busy machine.
pub fn wait_until(mut happens: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !happens() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}
