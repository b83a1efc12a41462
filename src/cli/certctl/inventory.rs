//! `pan_certctl inventory`: all certificates on the devices, the next to expire first.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Local, SecondsFormat, Utc};
use clap::Args;
use panos_xmlapi::{Address, Fingerprint, StackDevice, TemplateStack};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::reach::ReachOptions;
use super::terminal::{self, Columns, Line, Severity};
use super::{NAME, when};
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::devices::DeviceList;
use crate::cli::firewalls::stands_to_stack;
use crate::cli::live::Screen;
use crate::cli::{at_once, interrupted, report, signals};
use crate::delivery::{DeliveryError, InstallationStore};
use crate::error::Exit;
use crate::install::InstallError;
use crate::install::connect::connect_single;
use crate::install::error::Activity;
use crate::install::inventory::{self, Item};
use crate::install::request::Target;
use crate::install::retry::RetryPolicy;
use crate::settings::config::Config;
use crate::settings::resolve;

/// What is told of a subject at most, in columns.
const SUBJECT: usize = 60;
/// The heading of the last column, in columns.
const PRESENTED: usize = 12;
/// How far what belongs to a certificate stands to the right of its first line.
const INDENT: &str = "  ";
/// Of how many firewalls of a stack that are not as they should be each has a line.
const FIREWALLS: usize = 20;
/// A terminal of no more columns has none to spare.
const NARROW: usize = 20;

/// Which devices.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct InventoryArguments {
    #[command(flatten)]
    reach: ReachOptions,

    /// Devices asked at once
    #[arg(long, value_name = "N", default_value_t = at_once::USUAL, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    /// The devices of a group in the configuration file (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Device", hide_short_help = true)]
    group: Vec<String>,

    /// Devices [default: those of the configuration file, and those that something was installed on]
    #[arg(value_name = "FQDN[:PORT]")]
    devices: Vec<String>,
}

/// A certificate on a device.
#[derive(Debug, Serialize)]
struct Row<'a> {
    device: &'a Address,
    place: String,
    object: String,
    subject: Option<String>,
    issuer: Option<String>,
    sha256: Option<Fingerprint>,
    #[serde(rename = "not_after", serialize_with = "to_the_second")]
    until: Option<DateTime<Utc>>,
    private_key: bool,
    profiles: Vec<String>,
    /// Whether it was installed from here, and is proven to be the one.
    ours: bool,
}

fn to_the_second<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).serialize(serializer)
}

/// All of them as JSON.
#[derive(Serialize)]
struct Told<'a> {
    certificates: &'a [Row<'a>],
    exit: u8,
    /// The template stacks of Panoramas.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stacks: Vec<serde_json::Value>,
    troubles: Vec<serde_json::Value>,
}

/// Lists them.
///
/// # Errors
/// A device name that is not valid; a configuration or state directory that can't be used.
pub fn run(arguments: &InventoryArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let config = Config::load(place.config.as_deref())?;
    let mut ours: BTreeMap<Address, BTreeSet<Fingerprint>> = BTreeMap::new();
    let seen = InstallationStore::below(&place.state_dir).each(|record| {
        let proven = record.verified.map(|verified| verified.certificate.fingerprint);
        // What Panorama runs is ours, whichever of its firewalls have it.
        let committed = record.push.map(|push| push.certificate);
        ours.entry(record.spec.device).or_default().extend(proven.into_iter().chain(committed));
    });
    seen.map_err(|error| UsageError::State(Box::new(DeliveryError::from(error))))?;
    let list = DeviceList {
        group: arguments.group.clone(),
        devices: arguments.devices.clone(),
        ..DeviceList::default()
    };
    let mut devices = list.all_devices(&config)?;
    if devices.is_empty() {
        let targets = config.targets().filter_map(|name| config.target(name)).map(|target| target.device);
        devices = config.devices().chain(ours.keys()).cloned().chain(targets).collect();
        devices.sort();
        devices.dedup();
    }
    let target = |device: &Address| {
        resolve::whole_device((&arguments.reach).into(), &config, device, &place.state_dir)
    };
    let targets: Vec<Target> = devices.iter().map(target).collect::<Result<_, _>>()?;
    let (screen, ours) = (&Screen::new(Some(targets.len()), place.verbose), &ours);
    let asked = targets.iter().map(|target| async move {
        let working = screen.work_on(&target.device, "list");
        let Found { items, stacks, failure } = ask(target).await;
        working.end(failure.is_some());
        // The table is sorted, so it comes last; what went wrong is told as soon as it is known.
        if let Some((what, failure)) = &failure {
            report::problem(NAME, &format!("{}: {what}", target.device), failure.advice().as_deref());
        }
        // Of each certificate only its row is kept while others are asked.
        let is_ours = |print: &Fingerprint| ours.get(&target.device).is_some_and(|ours| ours.contains(print));
        let rows = items.into_iter().map(|item| Row::of(&target.device, item, is_ours));
        (rows.collect::<Vec<_>>(), stacks, failure)
    });
    let asked = at_once::all(asked, arguments.concurrency);
    let stopped = |signal| interrupted::only_looked(NAME, screen, signal);
    let answers = signals::run(arguments::event_loop()?, asked, stopped);
    let (mut rows, mut stacks) = (Vec::new(), Vec::new());
    let (mut each, mut troubles) = (Vec::new(), Vec::new());
    for (device, (found, of_device, failure)) in devices.iter().zip(answers) {
        rows.extend(found);
        stacks.extend(of_device.into_iter().map(|stack| (device, stack)));
        let exit = failure.as_ref().map_or(Exit::Done, |(_, failure)| failure.exit());
        each.push(exit);
        let trouble =
            failure.map(|(what, _)| json!({ "device": device, "problem": what, "exit": exit.code() }));
        troubles.extend(trouble);
    }
    rows.sort_by(|one, other| {
        let key = |row: &Row| (row.until.is_none(), row.until);
        let by_name = || (&one.device, &one.object).cmp(&(&other.device, &other.object));
        key(one).cmp(&key(other)).then_with(by_name)
    });
    let exit = Exit::of_all(&each);
    if arguments.json {
        let stacks = stacks.iter().map(|(device, stack)| stack_json(device, stack)).collect();
        report::json_stream(NAME, &Told { certificates: &rows, exit: exit.code(), stacks, troubles });
    } else if devices.is_empty() {
        report::line("No devices configured. Name a device, or add it to the configuration file.");
    } else {
        print(&rows, terminal::width());
        stacks
            .iter()
            .flat_map(|(device, stack)| stack_lines(device, stack))
            .for_each(|line| report::line(&line));
    }
    Ok(exit)
}

/// What a device has, as far as it was told.
#[derive(Default)]
struct Found {
    items: Vec<Item>,
    /// Of a Panorama, with their firewalls.
    stacks: Vec<TemplateStack>,
    /// Why that is not all: in words, and the failure.
    failure: Option<(String, InstallError)>,
}

async fn ask(target: &Target) -> Found {
    let mut found = Found::default();
    let asked = async {
        let pauses = RetryPolicy { pauses: Vec::new(), ..RetryPolicy::default() };
        let connection = connect_single(target, &pauses, &[]).await?;
        found.items = inventory::list(&connection.session, &connection.system).await?;
        Ok::<_, InstallError>(connection)
    };
    let connection = match asked.await {
        Ok(connection) => connection,
        Err(failure) => return Found { failure: Some((failure.to_string(), failure)), ..found },
    };
    if connection.system.is_panorama() {
        match connection
            .session
            .template_stack_status()
            .await
            .map_err(InstallError::during(Activity::Looking))
        {
            Ok(stacks) => found.stacks = stacks,
            Err(failure) => {
                found.failure = Some((format!("its template stacks can't be read: {failure}"), failure));
            }
        }
    }
    found
}

/// A template stack in lines: those of its firewalls that are as they should be are counted.
fn stack_lines(device: &Address, stack: &TemplateStack) -> Vec<String> {
    let (fine, others): (Vec<&StackDevice>, Vec<&StackDevice>) =
        stack.devices.iter().partition(|firewall| firewall.is_connected() && firewall.is_in_sync());
    let templates = stack.templates.join(", ");
    let (name, count) = (&stack.name, stack.devices.len());
    let plural = if count == 1 { "" } else { "s" };
    let first = format!(
        "{device}: template stack '{name}' ({templates}): {} of {count} firewall{plural} connected and in sync",
        fine.len()
    );
    let told = others
        .iter()
        .take(FIREWALLS)
        .map(|firewall| format!("{INDENT}firewall {}: {}", firewall.serial, stands_to_stack(firewall)));
    let more = others.len().saturating_sub(FIREWALLS);
    let more = (more > 0).then(|| format!("{INDENT}and {more} more firewalls (--json has all)"));
    std::iter::once(first).chain(told).chain(more).collect()
}

fn stack_json(device: &Address, stack: &TemplateStack) -> serde_json::Value {
    let firewalls = stack.devices.iter().map(|firewall| {
        json!({
            "serial": firewall.serial,
            "connected": firewall.is_connected(),
            "in_sync": firewall.is_in_sync(),
            "last_push": firewall.last_push,
        })
    });
    json!({
        "device": device,
        "stack": stack.name,
        "templates": stack.templates,
        "firewalls": firewalls.collect::<Vec<_>>(),
    })
}

impl<'a> Row<'a> {
    fn of(device: &'a Address, item: Item, is_ours: impl Fn(&Fingerprint) -> bool) -> Self {
        let certificate = item.certificate.as_ref();
        let sha256 = certificate.map(|certificate| certificate.fingerprint);
        let until = certificate.map(|certificate| certificate.not_after);
        Self {
            device,
            subject: certificate.map(|certificate| certificate.subject.clone()),
            issuer: certificate.map(|certificate| certificate.issuer.clone()),
            sha256,
            until,
            ours: sha256.as_ref().is_some_and(is_ours),
            place: item.place,
            object: item.name,
            private_key: item.has_private_key,
            profiles: item.profiles,
        }
    }

    fn mood(&self, now: DateTime<Utc>) -> Severity {
        match self.until {
            Some(until) if until <= now => Severity::Bad,
            Some(until) if (until - now).num_days() < 7 => Severity::Odd,
            _ => Severity::Plain,
        }
    }
}

/// Prints them for a terminal of this width, or for a pipe.
fn print(rows: &[Row], width: Option<usize>) {
    let now = Utc::now();
    let headings = ["until", "device", "place", "object", "subject", "key", "from here"];
    let cells = |row: &Row| {
        let yes = |is: bool| if is { "yes" } else { "-" }.to_owned();
        let (device, place, object) = (row.device.to_string(), row.place.clone(), row.object.clone());
        vec![row.until(now), device, place, object, row.subject(), yes(row.private_key), yes(row.ours)]
    };
    let columns = Columns::new(&headings, 7, "presented by", rows.iter().map(cells));
    // By what it is presented is what most people look for: it is never cut off.
    let longest = rows.iter().map(|row| row.profiles.join(", ").chars().count()).max().unwrap_or(0);
    match width {
        Some(width) if columns.width() + longest.max(PRESENTED) > width => {
            terminal::print(rows.iter().flat_map(|row| row.card(now, width)));
        }
        _ => {
            let line = |row: &Row| columns.line(&cells(row), &row.profiles.join(", "), row.mood(now));
            terminal::print(std::iter::once(columns.heading()).chain(rows.iter().map(line)));
        }
    }
}

impl Row<'_> {
    fn until(&self, now: DateTime<Utc>) -> String {
        let Some(until) = self.until else { return "unreadable".to_owned() };
        let day = until.with_timezone(&Local).format("%Y-%m-%d");
        let left = if until <= now { "expired".to_owned() } else { when::in_short(until - now) };
        format!("{day} ({left})")
    }

    fn subject(&self) -> String {
        terminal::shortened(self.subject.as_deref().unwrap_or("-"), SUBJECT)
    }

    /// One certificate in lines of its own.
    fn card(&self, now: DateTime<Utc>, width: usize) -> Vec<Line> {
        let Self { object, device, place, .. } = self;
        let mut about = vec![self.subject()];
        about.push(if self.private_key { "with its key" } else { "without a key" }.to_owned());
        about.extend(self.ours.then(|| "from here".to_owned()));
        let presented = match self.profiles.as_slice() {
            [] => "nothing".to_owned(),
            profiles => profiles.join(", "),
        };
        let indent = if width > NARROW { INDENT } else { "" };
        let mut lines =
            terminal::wrapped(&format!("{} {object} on {device}, {place}", self.until(now)), width);
        for part in [about.join(", "), format!("presented by {presented}")] {
            let wrapped = terminal::wrapped(&part, width.saturating_sub(indent.len()).max(1));
            lines.extend(wrapped.iter().map(|line| format!("{indent}{line}")));
        }
        lines.into_iter().map(|text| Line { text, mood: self.mood(now) }).collect()
    }
}
