//! The whole of it: what is to be pushed is pushed, followed and proven, stack by stack.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use panos_xmlapi::{Location, ManagedDevice, Refusal, Session, StackMembers, SystemInfo};
use tokio::time::Instant;

use super::follow::{Follower, PushOrder, Pushed};
use super::goal::PushGoal;
use super::plan::{LeftToPush, PushPlan, decide};
use super::policy::PushPolicy;
use super::prove;
use super::scope::{SelectiveRefusal, likely, others_changes, own_changes};
use super::state::Standing;
use crate::install::error::{Activity, InstallError};
use crate::install::events::{Event, Events};
use crate::install::journal::{Entry, Journal};
use crate::install::problem::Problem;
use crate::install::retry::RetryPolicy;

/// How many firewalls are looked at at once: vendors advise against more than five connections to one device.
const AT_ONCE: usize = 5;

/// Decides what is pushed for a change at this location, given all template stacks; nothing where the location needs no
/// push.
///
/// # Errors
/// A push that can't be as it was asked for.
pub fn of_stacks(
    known: &[StackMembers],
    location: &Location,
    policy: &PushPolicy,
) -> Result<Option<PushPlan>, InstallError> {
    if location.template_entry().is_none() {
        return Ok(None);
    }
    Ok(Some(decide(known, location, policy)?))
}

/// A Panorama that pushes.
pub struct Pusher<'a> {
    /// The Panorama.
    pub session: &'a Session,
    /// What it is.
    pub system: &'a SystemInfo,
    /// Whose changes are pushed; unknown where it does not tell.
    pub administrator: Option<String>,
    /// What stands beside the job.
    pub description: String,
    /// How long a job may take, its firewalls included.
    pub time: Duration,
    /// How long a job usually takes, where that is known.
    pub usual: Option<Duration>,
    /// What else a push carries along.
    pub left: &'a [LeftToPush],
    /// How long a device may be silent.
    pub retry_policy: &'a RetryPolicy,
    /// Where it is told what happens.
    pub events: &'a Events,
}

/// The firewalls as Panorama knows them.
type Known = BTreeMap<String, ManagedDevice>;

impl Pusher<'_> {
    /// Brings what is open to where it belongs. What became of it is in the goals.
    ///
    /// `is_new`: whether Panorama has committed just now. Where it had committed before, a firewall may have it already: it
    /// is looked at first, so that what a run that died has pushed is not pushed again.
    pub async fn push(&self, goals: &mut [PushGoal<'_>], is_new: bool, journal: &mut dyn Journal) {
        let Some(known) = self.firewalls(goals, Activity::Pushing).await else { return };
        let follower = Follower {
            session: self.session,
            events: self.events,
            usual: self.usual,
            retry_policy: self.retry_policy,
        };
        if !is_new {
            if let Err(failure) = follower.await_earlier(Instant::now() + self.time).await {
                return troubled(goals, &failure);
            }
            let mut here = open(goals);
            here.retain(|serial| is_connected(&known, serial));
            self.prove(goals, &here).await;
        }
        if is_new {
            split_pairs(goals, &known).into_iter().for_each(|warning| self.events.warn(warning));
        }
        note(goals, journal);
        // On the disk before anything is pushed: who asks meanwhile how it stands is told.
        if let Err(error) = journal.sync().await {
            return troubled(goals, &error.into());
        }
        let stacks: BTreeSet<String> = goals.iter().flat_map(|goal| goal.state.stacks.clone()).collect();
        let mut pushed = Vec::new();
        for stack in &stacks {
            if goals.iter().any(|goal| goal.is_stopped_after(&pushed)) {
                break;
            }
            pushed.push(stack);
            self.push_stack(stack, goals, &known, (&follower, &mut *journal)).await;
            note(goals, journal);
        }
        for goal in goals.iter() {
            self.events.tell(Event::PushStands {
                summary: goal.state.summary(),
                open: goal.state.open.iter().map(ToString::to_string).collect(),
            });
        }
    }

    /// Only looks at the firewalls.
    pub async fn examine(&self, goals: &mut [PushGoal<'_>]) {
        let Some(known) = self.firewalls(goals, Activity::Looking).await else { return };
        let here = connected(goals, open(goals), &known);
        self.prove(goals, &here).await;
    }

    /// The firewalls as Panorama knows them, with their names noted; nothing where it does not say.
    async fn firewalls(&self, goals: &mut [PushGoal<'_>], activity: Activity) -> Option<Known> {
        let during = InstallError::during(activity);
        let asked = async || self.session.managed_devices().await.map_err(during);
        match self.retry_policy.retry(asked).await {
            Ok(devices) => {
                let known = by_serial(devices);
                name(goals, &known);
                Some(known)
            }
            Err(failure) => {
                troubled(goals, &failure);
                None
            }
        }
    }

    /// Notes how it stands with each firewall.
    pub fn note(&self, goals: &[PushGoal<'_>], journal: &mut dyn Journal) {
        note(goals, journal);
    }

    /// Pushes one stack to those firewalls that lack something and are connected, and looks at them.
    async fn push_stack(
        &self,
        stack: &str,
        goals: &mut [PushGoal<'_>],
        known: &Known,
        (follower, journal): (&Follower<'_>, &mut dyn Journal),
    ) {
        // To what a local object overrides, a push changes nothing.
        let lacks = |standing: &Standing| !matches!(standing, Standing::Overridden { .. });
        let open = goals.iter().flat_map(|goal| &goal.state.open);
        let wanted = open.filter(|device| device.stack == stack && lacks(&device.standing));
        let wanted = wanted.map(|device| device.serial.clone()).collect();
        let targets = connected(goals, wanted, known);
        if targets.is_empty() {
            return;
        }
        for carried in self.left.iter().filter_map(|left| left.carried_by(stack)) {
            self.events.warn(format!("{carried}."));
        }
        let devices: Vec<&ManagedDevice> = targets.iter().filter_map(|serial| known.get(serial)).collect();
        let everybody = goals.iter().all(|goal| goal.everybody);
        let mut order = PushOrder {
            stack,
            only: &targets,
            administrator: None,
            description: format!("{}, stack {stack}", self.description),
            time: self.time,
        };
        let (words, likely) = match own_changes(self.administrator.as_deref(), self.system, &devices) {
            Ok(administrator) => {
                order.administrator = Some(administrator);
                match self.carry_out(&order, goals, (follower, &mut *journal)).await {
                    Some(refusal) => (Some(refusal.to_string()), likely(&refusal)),
                    None => return,
                }
            }
            Err(likely) => (None, likely),
        };
        let others = others_changes(self.session, self.administrator.as_deref()).await;
        let refusal = SelectiveRefusal { stack: stack.to_owned(), words, likely, others };
        if !everybody {
            self.events.trouble(refusal.to_string());
            for goal in concerned(goals, stack) {
                goal.refusals.push(refusal.clone());
            }
            return;
        }
        self.events
            .warn(format!("{refusal}; everybody's committed changes are pushed (--push-all-changes)."));
        order.administrator = None;
        // Where an answer is lost, its job is not taken for that of the push that was refused.
        order.description.push_str(", everybody's changes");
        if let Some(refusal) = self.carry_out(&order, goals, (follower, journal)).await {
            troubled_in(goals, stack, &InstallError::during(Activity::Pushing)(refusal.into()));
        }
    }

    /// One push to its end; the refusal where Panorama does not make it.
    async fn carry_out(
        &self,
        order: &PushOrder<'_>,
        goals: &mut [PushGoal<'_>],
        (follower, journal): (&Follower<'_>, &mut dyn Journal),
    ) -> Option<Refusal> {
        let stack = order.stack;
        match follower.push(order, journal).await {
            Ok(Pushed::Over(results)) => self.conclude(goals, (stack, order.only), results).await,
            Ok(Pushed::Refused(refusal)) => return Some(refusal),
            Err(failure) => troubled_in(goals, stack, &failure),
        }
        None
    }

    /// What became of a push, on each firewall that was meant.
    async fn conclude(
        &self,
        goals: &mut [PushGoal<'_>],
        (stack, targets): (&str, &BTreeSet<String>),
        mut results: BTreeMap<String, Option<Standing>>,
    ) {
        concerned(goals, stack).for_each(|goal| goal.was_pushed = true);
        for serial in targets {
            // What is not told of was sent, as far as anybody knows.
            results.entry(serial.clone()).or_insert(Some(Standing::Unconfirmed));
        }
        results.retain(|serial, _| targets.contains(serial));
        // The list of those that are connected is asked again only where it can tell something.
        let is_odd = |standing: &Option<Standing>| standing.is_some();
        let known = match results.values().any(is_odd) {
            true => self.session.managed_devices().await.map(by_serial).ok(),
            false => None,
        };
        let mut to_look = BTreeSet::new();
        for (serial, standing) in results {
            let is_away = known.as_ref().is_some_and(|known| !is_connected(known, &serial));
            let standing = match standing {
                Some(standing) if is_away => Some(Standing::NotConnected {
                    ever: known.as_ref().is_none_or(|known| was_connected(known, &serial)),
                    sent: standing == Standing::Unconfirmed,
                }),
                None => {
                    to_look.insert(serial.clone());
                    Some(Standing::NotProven { why: String::new() })
                }
                Some(Standing::Unconfirmed | Standing::NotConnected { .. }) => {
                    to_look.insert(serial.clone());
                    Some(Standing::Unconfirmed)
                }
                failed => failed,
            };
            set(goals, &serial, &standing);
        }
        self.prove(goals, &to_look).await;
    }

    /// Looks at these firewalls themselves, some at a time.
    async fn prove(&self, goals: &mut [PushGoal<'_>], serials: &BTreeSet<String>) {
        let total = serials.len();
        let mut seen = Vec::new();
        {
            let goals: &[PushGoal<'_>] = goals;
            let looks = serials.iter().map(|serial| async move {
                let open =
                    |goal: &&PushGoal<'_>| goal.state.open.iter().any(|device| device.serial == *serial);
                let open: Vec<&PushGoal<'_>> = goals.iter().filter(open).collect();
                let seen = prove::look(self.session, serial, &open, self.retry_policy).await;
                let items: Vec<usize> = open.iter().map(|goal| goal.item).collect();
                (serial.clone(), items.into_iter().zip(seen).collect::<Vec<_>>())
            });
            let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
            while let Some(one) = looks.next().await {
                seen.push(one);
                self.events.tell(Event::PushLooked { seen: seen.len(), total });
            }
        }
        for (serial, of_each) in seen {
            for (item, standing) in of_each {
                let Some(goal) = goals.iter_mut().find(|goal| goal.item == item) else { continue };
                let before = goal.state.open.iter().find(|device| device.serial == serial);
                let standing = match (standing, before.map(|device| &device.standing)) {
                    // Nothing was pushed there in vain yet.
                    (
                        Some(Standing::NotProven { .. }),
                        Some(known @ (Standing::Waiting | Standing::Failed { .. })),
                    ) => Some(known.clone()),
                    // Its own word is not in yet: what is missing may still come. From an earlier run, it has not.
                    (Some(Standing::NotProven { .. }), Some(Standing::Unconfirmed)) => {
                        Some(if goal.was_pushed { Standing::Unconfirmed } else { Standing::Waiting })
                    }
                    // It has got what was pushed, or may have.
                    (
                        Some(Standing::NotConnected { ever, .. }),
                        Some(Standing::NotProven { .. } | Standing::Unconfirmed),
                    ) => Some(Standing::NotConnected { ever, sent: true }),
                    (standing, _) => standing,
                };
                goal.state.set(&serial, standing);
            }
        }
    }
}

fn by_serial(devices: Vec<ManagedDevice>) -> Known {
    devices.into_iter().map(|device| (device.serial.clone(), device)).collect()
}

fn is_connected(known: &Known, serial: &str) -> bool {
    known.get(serial).is_some_and(ManagedDevice::is_connected)
}

/// One that was never connected is missing, or lacks what it tells when it connects.
fn was_connected(known: &Known, serial: &str) -> bool {
    known.get(serial).is_some_and(|device| device.hostname.is_some() || device.sw_version.is_some())
}

/// Notes the names that Panorama tells.
fn name(goals: &mut [PushGoal<'_>], known: &Known) {
    for goal in goals {
        for device in &mut goal.state.open {
            let Some(found) = known.get(&device.serial) else { continue };
            device.hostname.clone_from(&found.hostname);
            let named = found.hostname.clone().map(|hostname| (device.serial.clone(), hostname));
            goal.hostnames.extend(named);
        }
    }
}

/// Pairs of firewalls of which only one member is pushed to: after a failover the other one serves what it had.
fn split_pairs(goals: &[PushGoal<'_>], known: &Known) -> Vec<String> {
    let states = goals.iter().map(|goal| &goal.state);
    let meant: BTreeSet<&String> = states
        .flat_map(|state| state.open.iter().map(|device| &device.serial).chain(&state.proven))
        .collect();
    let split = meant.iter().filter_map(|serial| {
        let peer = known.get(*serial)?.ha_peer_serial.as_ref()?;
        (known.contains_key(peer) && !meant.contains(peer)).then(|| {
            format!("the firewall {serial} is one of an HA pair, and its peer {peer} is not pushed to: after a failover that one presents what it did before")
        })
    });
    split.collect()
}

/// The firewalls that lack something.
fn open(goals: &[PushGoal<'_>]) -> BTreeSet<String> {
    goals.iter().flat_map(|goal| &goal.state.open).map(|device| device.serial.clone()).collect()
}

/// Those of the wanted firewalls that are connected; the others are noted.
fn connected(goals: &mut [PushGoal<'_>], wanted: BTreeSet<String>, known: &Known) -> BTreeSet<String> {
    let (here, away): (BTreeSet<String>, BTreeSet<String>) =
        wanted.into_iter().partition(|serial| is_connected(known, serial));
    for serial in &away {
        for goal in goals.iter_mut() {
            let ever = was_connected(known, serial);
            let was_sent = |standing: &Standing| {
                matches!(standing, Standing::Unconfirmed | Standing::NotConnected { sent: true, .. })
            };
            let mut before = goal.state.open.iter().filter(|device| device.serial == *serial);
            let sent = before.any(|device| was_sent(&device.standing));
            goal.state.set(serial, Some(Standing::NotConnected { ever, sent }));
        }
    }
    here
}

fn set(goals: &mut [PushGoal<'_>], serial: &str, standing: &Option<Standing>) {
    goals.iter_mut().for_each(|goal| goal.state.set(serial, standing.clone()));
}

fn concerned<'g, 'a>(
    goals: &'g mut [PushGoal<'a>],
    stack: &str,
) -> impl Iterator<Item = &'g mut PushGoal<'a>> {
    let stack = stack.to_owned();
    goals.iter_mut().filter(move |goal| goal.state.open.iter().any(|device| device.stack == stack))
}

fn troubled_in(goals: &mut [PushGoal<'_>], stack: &str, failure: &InstallError) {
    let problem = Problem::from(failure);
    concerned(goals, stack).for_each(|goal| goal.troubles.push(problem.clone()));
}

fn troubled(goals: &mut [PushGoal<'_>], failure: &InstallError) {
    let problem = Problem::from(failure);
    goals.iter_mut().for_each(|goal| goal.troubles.push(problem.clone()));
}

fn note(goals: &[PushGoal<'_>], journal: &mut dyn Journal) {
    for goal in goals {
        journal.note(Entry::Push { item: goal.item, state: Box::new(goal.state.kept()) });
    }
}
