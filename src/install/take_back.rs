//! Taking back: a push that has failed on too many firewalls is stopped. On Panorama the profiles are bound back to what
//! they presented before, that is committed, and pushed to the firewalls that have taken the new certificate.
//!
//! Each stage is on the disk before it is begun ([`WayBack`]): whatever ends the run, the next one goes on from there.

use panos_xmlapi::{Fingerprint, Location, ServiceProfile, StackMembers};

use super::assess::Item;
use super::connect::Connection;
use super::error::{Activity, BatchError, InstallError};
use super::give_back::{GiveBack, give_back};
use super::journal::Entry;
use super::problem::Problem;
use super::push::{
    Expected, MaxFailures, OpenDevice, PushGoal, PushPlan, PushState, PushStopped, Pusher, Stage, Standing,
    WayBack,
};
use super::result::Outcome;
use super::state::{DeviceState, place_of};
use super::transaction::Transaction;
use super::verify::ExpectedState;
use super::ways;

/// One certificate that is taken back.
struct TakeBack {
    /// Which of the transaction's it is.
    item: usize,
    place: Location,
    back: WayBack,
    push: PushState,
    limit: Option<MaxFailures>,
    trouble: Option<Problem>,
}

/// A push that has failed on more firewalls than it may.
pub(super) struct Exceeded {
    /// Which of the transaction's certificates it is.
    pub(super) item: usize,
    /// What was pushed.
    pub(super) plan: PushPlan,
    /// How it stands.
    pub(super) state: PushState,
    /// The limit.
    pub(super) limit: MaxFailures,
}

/// Whether a certificate is being taken back, since an earlier run.
pub(super) fn is_under_way(want: &Item<'_>) -> bool {
    let is_it = |back: &WayBack| back.is_from(want.bundle.fingerprint(), &want.request.object);
    want.back.as_ref().is_some_and(|back| back.is_under_way() && is_it(back))
}

/// Stops these pushes, and takes them back where there is a way. Why each certificate is not installed.
pub(super) async fn begin(
    connection: &Connection,
    transaction: &mut Transaction<'_>,
    stopped: Vec<Exceeded>,
) -> Vec<(usize, InstallError)> {
    let (mut works, mut ends) = (Vec::new(), Vec::new());
    for Exceeded { item, plan, state, limit } in stopped {
        let want = &transaction.wants[item];
        let fingerprint: Fingerprint = want.bundle.fingerprint();
        let back = want.back.clone().filter(|back| back.is_from(fingerprint, &want.request.object));
        let limit = Some(limit);
        let Some(back) = back else {
            let stopped = PushStopped { state, limit, back: None, trouble: None };
            ends.push((item, InstallError::PushStopped(Box::new(stopped))));
            continue;
        };
        let mut push = state;
        push.take_back(|serial| {
            let mut stacks = plan.stacks.iter();
            stacks.find(|stack| stack.serials.contains(serial)).map(|stack| stack.name.clone())
        });
        let place = place_of(want.request, &connection.system);
        let back = WayBack { stage: Stage::Binding, ..back };
        works.push(TakeBack { item, place, back, push, limit, trouble: None });
    }
    for (_, end) in &ends {
        transaction.events.trouble(end.to_string());
    }
    ends.extend(carry_out(connection, transaction, works, true).await);
    ends
}

/// Goes on with what a run before has begun to take back. All certificates of the transaction are such.
///
/// # Errors
/// A device that fails or refuses before anything could be done.
pub(super) async fn resume(
    connection: &Connection,
    transaction: &mut Transaction<'_>,
) -> Result<Vec<Result<Outcome, InstallError>>, BatchError> {
    let looking = InstallError::during(Activity::Looking);
    let ask = async || connection.session.template_stacks().await.map_err(looking);
    let stacks = transaction.retry_policy().retry(ask).await?;
    let mut works = Vec::new();
    for (item, want) in transaction.wants.iter().enumerate() {
        let (Some(back), Some(mut push)) = (want.back.clone(), want.push.clone()) else {
            return Err(InstallError::OutcomeUnknown.into());
        };
        let (place, limit) = (place_of(want.request, &connection.system), want.request.push.max_failures);
        let gone = push.forget_gone(|device| {
            let gets = |stack: &&StackMembers| {
                place.is_in_stack(&stack.name, &stack.templates) && stack.devices.contains(&device.serial)
            };
            let mut now = stacks.iter().filter(gets).map(|stack| &stack.name);
            now.clone().find(|name| **name == device.stack).or_else(|| now.next()).cloned()
        });
        for serial in gone {
            transaction.events.note(format!(
                "Nothing is taken back on {serial}: it is not in a stack that gets this any more."
            ));
        }
        works.push(TakeBack { item, place, back, push, limit, trouble: None });
    }
    let ends = carry_out(connection, transaction, works, false).await;
    Ok(ends.into_iter().map(|(_, end)| Err(end)).collect())
}

/// All stages that are left.
async fn carry_out(
    connection: &Connection,
    transaction: &mut Transaction<'_>,
    mut works: Vec<TakeBack>,
    is_new: bool,
) -> Vec<(usize, InstallError)> {
    if works.is_empty() {
        return Vec::new();
    }
    let events = transaction.events;
    for work in &works {
        events.trouble(work.told());
    }
    if works.iter().any(|work| work.back.stage == Stage::Binding) {
        note(&works, transaction);
        let bound = match transaction.journal.sync().await {
            Ok(()) => bind_back(connection, transaction, &works).await,
            Err(error) => Err(error.into()),
        };
        if let Err(failure) = bound {
            let problem = Problem::from(&failure);
            events.trouble(format!("the profiles could not be bound back: {problem}"));
            works.iter_mut().for_each(|work| work.trouble = Some(problem.clone()));
            return ends(works);
        }
        works.iter_mut().for_each(|work| work.back.stage = Stage::Pushing);
        for work in &works {
            events.note(format!("Bound back and committed on Panorama: {}.", work.back.in_words()));
        }
    }
    note(&works, transaction);
    if let Err(error) = transaction.journal.sync().await {
        let problem = Problem::from(&InstallError::from(error));
        works.iter_mut().for_each(|work| work.trouble = Some(problem.clone()));
        return ends(works);
    }
    push_back(connection, transaction, &mut works, is_new).await;
    note(&works, transaction);
    for work in &works {
        events.trouble(work.told());
    }
    ends(works)
}

impl TakeBack {
    fn stopped(&self) -> PushStopped {
        PushStopped {
            state: self.push.clone(),
            limit: self.limit,
            back: Some(self.back.clone()),
            trouble: self.trouble.clone(),
        }
    }

    fn told(&self) -> String {
        self.stopped().to_string()
    }
}

fn ends(works: Vec<TakeBack>) -> Vec<(usize, InstallError)> {
    let end = |work: TakeBack| (work.item, InstallError::PushStopped(Box::new(work.stopped())));
    works.into_iter().map(end).collect()
}

fn note(works: &[TakeBack], transaction: &mut Transaction<'_>) {
    for work in works {
        let (item, state) = (work.item, Box::new(work.push.kept()));
        transaction.journal.note(Entry::Push { item, state });
        transaction.journal.note(Entry::WayBack { item, back: Some(Box::new(work.back.clone())) });
    }
}

/// Binds back what Panorama does not run yet as it was before, and commits it.
async fn bind_back(
    connection: &Connection,
    transaction: &mut Transaction<'_>,
    works: &[TakeBack],
) -> Result<(), InstallError> {
    let session = &connection.session;
    let mut way = GiveBack { steps: Vec::new(), goals: Vec::new(), seen: Vec::new() };
    for work in works.iter().filter(|work| work.back.stage == Stage::Binding) {
        let shown = session.show(&work.place.profiles()).await;
        let shown = shown.map_err(InstallError::during(Activity::Looking))?;
        let now = shown.map(|list| ServiceProfile::read_all(&list)).unwrap_or_default();
        let bound = work.back.profiles.iter().map(|former| (former.profile.clone(), former.to.clone()));
        let goal = ExpectedState::Bound { place: work.place.clone(), profiles: bound.collect() };
        // A run that died may have committed it.
        let has_new = |former: &&super::push::FormerBinding| {
            now.iter().any(|profile| {
                profile.name == former.profile
                    && profile.certificate.as_deref() == Some(work.back.object.as_str())
            })
        };
        if work.back.profiles.iter().any(|former| has_new(&former)) || !work.back.places.is_empty() {
            way.steps.push((work.item, ways::steps(&work.back, &work.place)));
            way.goals.push(goal);
        }
    }
    if way.steps.is_empty() {
        return Ok(());
    }
    let state = DeviceState::look(session, connection.user.clone()).await?;
    give_back(connection, state, transaction, way).await
}

/// Pushes what Panorama runs again to the firewalls that may have the new certificate.
async fn push_back(
    connection: &Connection,
    transaction: &mut Transaction<'_>,
    works: &mut [TakeBack],
    is_new: bool,
) {
    let mut administrator = DeviceState::look(&connection.session, connection.user.clone()).await.ok();
    if let Some(state) = &mut administrator {
        // Without a name nothing but everybody's changes can be pushed: that is for the push to say.
        let _ = state.fetch_administrator(&connection.session).await;
    }
    let request = transaction.request();
    let pusher = Pusher {
        session: &connection.session,
        system: &connection.system,
        administrator: administrator.and_then(|state| state.administrator),
        description: format!("{}, taken back", transaction.description()),
        time: request.commit_timeout,
        usual: transaction.usual_push,
        left: transaction.left,
        retry_policy: transaction.retry_policy(),
        events: transaction.events,
    };
    let goals = works.iter().map(|work| {
        let expected = Expected::Bindings(&work.back.profiles);
        PushGoal::new(work.item, &work.place, expected, request.push.everybody, work.push.to_take_back())
    });
    let mut goals: Vec<PushGoal<'_>> = goals.filter(|goal| !goal.state.open.is_empty()).collect();
    if !goals.is_empty() {
        // What it notes is about the bindings of before, and not how the certificate stands.
        pusher.push(&mut goals, is_new, &mut Unnoted { journal: &mut *transaction.journal }).await;
    }
    let ended = goals.into_iter().map(|goal| (goal.item, goal.hindrance(), goal.hostnames, goal.state));
    let ended: Vec<_> = ended.collect();
    for work in works {
        if let Some((_, hindrance, names, state)) = ended.iter().find(|(item, ..)| *item == work.item) {
            work.push.note_taken_back(state, names, |open: &OpenDevice| match &open.standing {
                Standing::Waiting if !hindrance.is_empty() => hindrance.clone(),
                standing => standing.to_string(),
            });
        }
        let is_open = |device: &OpenDevice| matches!(device.standing, Standing::ToTakeBack { .. });
        if !work.push.open.iter().any(is_open) {
            work.back.stage = Stage::Done;
        }
    }
}

/// A journal in which a push does not note how it stands.
struct Unnoted<'a> {
    journal: &'a mut dyn super::journal::Journal,
}

impl super::journal::Journal for Unnoted<'_> {
    fn note(&mut self, entry: Entry) -> bool {
        match entry {
            Entry::Push { .. } => false,
            other => self.journal.note(other),
        }
    }

    fn sync(&self) -> futures_util::future::BoxFuture<'_, Result<(), super::journal::JournalError>> {
        self.journal.sync()
    }

    fn turn(&mut self) -> futures_util::future::BoxFuture<'_, ()> {
        self.journal.turn()
    }

    fn stand_back(&self) -> futures_util::future::BoxFuture<'_, ()> {
        self.journal.stand_back()
    }

    fn next_identities(&self, devices: &[&panos_xmlapi::Address]) -> Vec<panos_xmlapi::NextIdentity> {
        self.journal.next_identities(devices)
    }
}
