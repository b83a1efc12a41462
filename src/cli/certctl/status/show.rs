//! `pan_certctl show`: one certificate, with all that is known of it here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::certmonger::{self, Standing, Standings};
use super::found::{self, Found};
use super::installation::{self, Limits, Row, Shared};
use super::{Span, json as status_json, table};
use crate::certificate::SeenCertificate;
use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::cli::certctl::selection::nothing_matches;
use crate::cli::certctl::terminal::{self, Columns, Line, Severity};
use crate::cli::certctl::{NAME, when};
use crate::cli::post_save::PostSave;
use crate::cli::report;
use crate::delivery::{Attempt, DeliveryError, Installation};
use crate::error::Exit;
use crate::files;
use crate::host::certmonger::{Listing, Tracked, next_renewal};

/// The most attempts that are shown.
const ATTEMPTS: usize = 10;
/// The most that is shown of a problem, in columns: JSON has all of it.
const PROBLEM: usize = 100;
/// The most that is read of a certificate's file.
const LARGEST: usize = 1 << 20;

/// Which certificate, and how it is shown.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct ShowArguments {
    /// Don't ask certmonger when it renews the certificate; only root asks it
    #[arg(long)]
    no_certmonger: bool,

    /// Ask the certmonger on the session bus
    #[arg(long, conflicts_with = "no_certmonger")]
    session_bus: bool,

    /// Print it as JSON, with nothing shortened
    #[arg(long)]
    json: bool,

    /// The certificate, by its common name or by the name of its object
    #[arg(value_name = "CERT")]
    cert: String,
}

/// The certificate: what is in its file, and who renews it.
struct Certificate {
    common_name: String,
    file: Option<PathBuf>,
    seen: Option<SeenCertificate>,
    /// What certmonger says; nothing where it was not asked or could not be.
    standing: Option<Arc<Standing>>,
}

/// Shows a certificate.
///
/// # Errors
/// A name that nothing has; a state directory that can't be read.
pub fn run(arguments: &ShowArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let cert = arguments.cert.as_str();
    let (mut attempts, mut names) = (Vec::new(), BTreeSet::new());
    let found = found::below(&place.state_dir, Shared::new(arguments.json), |record| {
        let spec = &record.spec;
        let is_it = spec.common_name.as_str().eq_ignore_ascii_case(cert) || spec.name.as_str() == cert;
        match is_it {
            true => note_attempts(&mut attempts, record),
            false => drop(names.insert(spec.common_name.to_string())),
        }
        is_it
    });
    let (mut installations, Found { troubles, .. }) =
        found.map_err(|error| UsageError::State(Box::new(DeliveryError::from(error))))?;
    troubles.iter().for_each(|trouble| report::problem(NAME, trouble, None));
    let listing = ask(arguments)?;
    let tracked =
        listing.as_ref().and_then(|listing| ours(listing).find(|(_, name)| *name == cert.to_lowercase()));
    if installations.is_empty() && tracked.is_none() {
        names.extend(listing.iter().flat_map(|listing| ours(listing).map(|(_, name)| name)));
        return Err(nothing_matches(&crate::text::escape_control(cert), names.into_iter()));
    }
    if let Some(listing) = &listing {
        let mut standings = Standings::of(listing);
        installations.iter_mut().for_each(|one| one.certmonger = standings.find(&one.files));
    }
    let limits = Limits { now: Utc::now(), pending_for: Span::hours(24), expires_in: Span::hours(7 * 24) };
    installation::sort_by_attention(&mut installations, &limits);
    let certificate = Certificate::of(&installations, tracked.map(|(tracked, _)| tracked), cert);
    if arguments.json {
        let told = Told {
            attempts: attempts.iter().map(Tried::json).collect(),
            certificate: certificate.json(&limits),
            installations: status_json::Each { all: &installations, limits: &limits },
        };
        report::json_stream(NAME, &told);
    } else {
        let width = terminal::width();
        terminal::print_whole(certificate.lines(&limits, width));
        if installations.is_empty() {
            report::line("Nothing is recorded: its post-save command was not run yet.");
        } else {
            report::line("");
            table::print(&installations, &limits, width);
        }
        if !attempts.is_empty() {
            report::line("");
            terminal::print(attempt_lines(&attempts));
        }
    }
    Ok(Exit::Done)
}

/// All of it as JSON.
#[derive(Serialize)]
struct Told<'a> {
    attempts: Vec<Value>,
    certificate: Value,
    installations: status_json::Each<'a>,
}

/// What certmonger has, where it may be asked.
fn ask(arguments: &ShowArguments) -> Result<Option<Listing>, UsageError> {
    if arguments.no_certmonger || !(arguments.session_bus || rustix::process::geteuid().is_root()) {
        return Ok(None);
    }
    match certmonger::list(arguments.session_bus)? {
        Ok(listing) => Ok(Some(listing)),
        Err(error) => {
            let what = format!("when certmonger renews the certificate is not known: {error}");
            report::problem(NAME, &what, error.advice().as_deref());
            Ok(None)
        }
    }
}

/// certmonger's requests with a post-save command of ours, and the common name there.
fn ours(listing: &Listing) -> impl Iterator<Item = (&Tracked, String)> {
    listing.requests.iter().filter_map(|tracked| {
        let command = PostSave::read(tracked.post_save.as_deref()?)?;
        Some((tracked, command.arguments.certificate.common_name.to_ascii_lowercase()))
    })
}

impl Certificate {
    fn of(installations: &[Row], tracked: Option<&Tracked>, cert: &str) -> Self {
        let first = installations.first();
        let recorded = first.and_then(|row| row.files.recorded.clone());
        let standing = installations
            .iter()
            .find_map(|row| row.certmonger.clone())
            .or_else(|| tracked.map(|tracked| Arc::new(Standing::Tracked(Box::new(tracked.clone())))));
        let file = recorded.or_else(|| tracked?.certificate.as_ref()?.location.clone());
        let common_name = first.map_or_else(|| cert.to_ascii_lowercase(), |row| row.common_name.to_string());
        let seen = file.as_deref().and_then(read);
        Self { common_name, file, seen, standing }
    }

    fn tracked(&self) -> Option<&Tracked> {
        match self.standing.as_deref() {
            Some(Standing::Tracked(tracked)) => Some(tracked),
            _ => None,
        }
    }

    /// When certmonger asks for the next one, as far as it does.
    fn next_renewal(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let tracked = self.tracked()?;
        let is_renewed = ![tracked.track, tracked.auto_renew].contains(&Some(false));
        next_renewal(self.seen.as_ref()?.not_after, now).filter(|_| is_renewed)
    }

    fn renewal(&self, now: DateTime<Utc>) -> String {
        match (self.standing.as_deref(), self.next_renewal(now)) {
            (None, _) => "not known: certmonger was not asked".to_owned(),
            (Some(Standing::NotItsBusiness), _) => "not by certmonger: by whoever obtained it".to_owned(),
            (Some(standing), _) if standing.needs_somebody() => standing.trouble().unwrap_or_default(),
            (Some(_), Some(at)) => {
                format!("{} (in {}), by certmonger", day(at), when::in_short(at - now))
            }
            (Some(_), None) if self.seen.is_none() => "not known: its file can't be read".to_owned(),
            (Some(_), None) => "certmonger has no further time for it before its end".to_owned(),
        }
    }

    fn lines(&self, limits: &Limits, width: Option<usize>) -> Vec<Line> {
        let mut facts = Vec::new();
        facts.extend(self.file.as_ref().map(|file| ("file", file.display().to_string())));
        match &self.seen {
            Some(seen) => {
                let addresses = seen.addresses.iter().map(ToString::to_string);
                let names: Vec<String> = seen.names.iter().cloned().chain(addresses).collect();
                facts.push(("names", names.join(", ")));
                facts.push(("issuer", seen.issuer.clone()));
                facts.push(("serial", seen.serial.clone()));
                let left = seen.not_after - limits.now;
                let left = match left.num_seconds() {
                    ..=0 => "expired".to_owned(),
                    _ => when::in_short(left),
                };
                facts
                    .push(("valid", format!("{} to {} ({left})", day(seen.not_before), day(seen.not_after))));
                facts.push(("SHA-256", seen.fingerprint.colons()));
            }
            None => facts.push(("file", "can't be read as a certificate".to_owned())),
        }
        if let Some(tracked) = self.tracked() {
            let ca = tracked.ca.as_deref().map(|ca| format!(", CA {ca}")).unwrap_or_default();
            facts.push(("certmonger", format!("request {}, {}{ca}", tracked.id, tracked.state.as_str())));
        }
        facts.push(("renewal", self.renewal(limits.now)));
        let mut lines = vec![Line { text: self.common_name.clone(), mood: Severity::Heading }];
        for (name, value) in facts {
            let begin = format!("  {name:<11} ");
            let room = width.map_or(usize::from(u16::MAX), |width| width.saturating_sub(begin.len()).max(20));
            for (at, part) in terminal::wrapped(&value, room).into_iter().enumerate() {
                let before = if at == 0 { begin.clone() } else { " ".repeat(begin.len()) };
                lines.push(Line { text: format!("{before}{part}"), mood: Severity::Plain });
            }
        }
        lines
    }

    fn json(&self, limits: &Limits) -> Value {
        let seen = self.seen.as_ref();
        let tracked = self.tracked();
        json!({
            "common_name": self.common_name,
            "file": self.file,
            "names": seen.map(|seen| &seen.names),
            "addresses": seen.map(|seen| &seen.addresses),
            "subject": seen.map(|seen| &seen.subject),
            "issuer": seen.map(|seen| &seen.issuer),
            "serial": seen.map(|seen| &seen.serial),
            "not_before": seen.map(|seen| time(seen.not_before)),
            "not_after": seen.map(|seen| time(seen.not_after)),
            "sha256": seen.map(|seen| seen.fingerprint),
            "request": tracked.map(|tracked| &tracked.id),
            "certmonger_state": tracked.map(|tracked| tracked.state.as_str()),
            "ca": tracked.and_then(|tracked| tracked.ca.as_deref()),
            "next_renewal": self.next_renewal(limits.now).map(time),
            "certmonger_trouble": self.standing.as_deref().and_then(Standing::trouble),
        })
    }
}

/// A file that can't be read is told by what is missing: status has the rest.
fn read(file: &Path) -> Option<SeenCertificate> {
    let (file, metadata) = files::open(file).ok()?;
    let contents = files::read(file, &metadata, LARGEST).ok()?;
    SeenCertificate::of_pem(std::str::from_utf8(&contents).ok()?).ok()
}

fn day(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d").to_string()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An attempt, and where it was made.
struct Tried {
    device: String,
    attempt: Attempt,
}

/// Notes a record's attempts among the last ones on all devices, the latest first.
fn note_attempts(all: &mut Vec<Tried>, record: &Installation) {
    let device = record.spec.place();
    all.extend(
        record.history.iter().map(|attempt| Tried { device: device.clone(), attempt: attempt.clone() }),
    );
    all.sort_by_key(|tried| std::cmp::Reverse(tried.attempt.started_at));
    all.truncate(ATTEMPTS);
}

impl Tried {
    fn seconds(&self) -> Option<f64> {
        self.attempt.milliseconds.get("total").map(|spent| status_json::seconds(*spent))
    }

    fn json(&self) -> Value {
        let problem = self.attempt.problem.as_ref();
        json!({
            "device": self.device,
            "run": self.attempt.run_id,
            "begun": time(self.attempt.started_at),
            "seconds": self.seconds(),
            "job": self.attempt.job,
            "exit": problem.map_or(0, |problem| problem.exit.code()),
            "problem": problem.map(|problem| &problem.what),
        })
    }
}

fn attempt_lines(attempts: &[Tried]) -> Vec<Line> {
    let cells = |tried: &Tried| {
        let begun = tried.attempt.started_at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string();
        let seconds = tried.seconds().map_or("-".to_owned(), |seconds| format!("{seconds:.1}"));
        vec![begun, tried.device.clone(), seconds]
    };
    let headings = ["last attempts", "device", "seconds"];
    let columns = Columns::new(&headings, 2, "result", attempts.iter().map(cells));
    let rows = attempts.iter().map(|tried| {
        let (result, mood) = match &tried.attempt.problem {
            None => ("ok".to_owned(), Severity::Plain),
            Some(problem) => {
                (format!("failed: {}", terminal::shortened(&problem.what, PROBLEM)), Severity::Bad)
            }
        };
        columns.line(&cells(tried), &result, mood)
    });
    std::iter::once(columns.heading()).chain(rows).collect()
}
