//! `--dry-run`: what would be asked for, what would be run after each save, and what is found of each device.

use std::path::{Path, PathBuf};

use chrono::Utc;
use serde_json::{Value, json};

use super::ask::{Plan, Verb};
use super::before::{commands, exit_of, load, look};
use super::{Arguments, INSTALLER, Request, Trouble};
use crate::cli::arguments::UsageError;
use crate::cli::certctl::check::{self, Readiness};
use crate::cli::dry_run::{self, Planned};
use crate::cli::report::JsonHold;
use crate::cli::{at_once, installer, report};
use crate::delivery::hold::Hold;
use crate::delivery::waiting::WaitingList;
use crate::delivery::{InstallSpec, foresee};
use crate::error::Exit;
use crate::host::certmonger::Tracked;
use crate::host::ipa::{Found, Standing};
use crate::settings::destination::Destination;
use crate::settings::resolve::Prepared;

/// What is known of the request.
struct Asked<'a> {
    what: String,
    settings: Vec<(&'static str, String)>,
    server: &'a [Found],
    /// The post-save command.
    words: Vec<String>,
}

/// Tells all of it; of devices that would get the certificate at hand, what would be done there.
pub(super) async fn tell(
    arguments: &Arguments,
    request: &Request,
    (tracked, server): (Option<&Tracked>, &[Found]),
    plan: &Plan,
    post_save: &str,
) -> Result<(), Trouble> {
    let words = shlex::split(post_save).unwrap_or_default();
    let what = what(plan, tracked);
    let asked = Asked { what, settings: settings(request, tracked), server, words };
    if !request.json {
        asked.tell();
    }
    let (specs, prepared) = requests(arguments, asked.words.get(1..).unwrap_or_default())?;
    let state_dir = &arguments.place.state_dir;
    let most = load(arguments)?.max_commits();
    let (devices, exit) = if let Plan::Update = plan {
        let planned = dry_run::plan_all((&specs, &prepared), state_dir, false, at_once::USUAL).await;
        if !request.json {
            dry_run::tell_all(request.caller.name, &planned, most);
        }
        let exit = Exit::of_all(&planned.iter().map(Planned::exit).collect::<Vec<_>>());
        (planned.iter().map(dry_run::device).collect(), exit)
    } else {
        let holds = holds(specs, state_dir);
        let found = look(arguments, request).await?;
        let codes = found.iter().map(|(_, ready)| ready.obstacle().map_or(Exit::Done, |(exit, ..)| exit));
        let exit = Exit::of_all(&codes.collect::<Vec<_>>());
        let devices = holds.iter().map(|(place, hold)| device(place, hold.as_ref(), &found)).collect();
        if !request.json {
            check::show(found.into_iter().map(|(_, ready)| ready).collect());
            tell_holds(holds.iter().filter_map(|(_, hold)| hold.as_ref()));
        }
        (devices, exit)
    };
    let refused = server.iter().map(exit_of).find(|exit| *exit != Exit::Done);
    let (exit, what) = match refused.filter(|_| !matches!(plan, Plan::Update)) {
        Some(exit) => (exit, "FreeIPA would refuse the request"),
        None => (exit, "the certificate could not be installed on every device"),
    };
    if request.json {
        report::json(request.caller.name, &asked.json(exit, devices));
    }
    match exit {
        Exit::Done => Ok(()),
        exit => Err(Trouble::NotReady { exit, what: what.to_owned(), fixes: Vec::new() }),
    }
}

impl Asked<'_> {
    fn tell(&self) {
        report::line(&format!("Dry run: {}.", self.what));
        for (what, value) in &self.settings {
            report::line(&format!("  {what}: {value}"));
        }
        for found in self.server {
            report::line(&format!("  FreeIPA: {}: {}: {}", word(found), found.what, found.text));
        }
        commands(self.server).iter().for_each(|command| report::line(&format!("    run: {command}")));
        report::line("Post-save command:");
        for word in &self.words {
            let quoted = shlex::try_quote(word).map_or_else(|_| word.clone(), |word| word.into_owned());
            report::line(&format!("  {quoted}"));
        }
    }

    fn json(&self, exit: Exit, devices: Vec<Value>) -> Value {
        let settings = self.settings.iter().map(|(what, value)| (what.replace(' ', "_"), json!(value)));
        let settings: serde_json::Map<String, Value> = settings.collect();
        let server = self.server.iter();
        let server =
            server.map(|found| json!({ "what": found.what, "found": word(found), "text": found.text }));
        json!({
            "dry_run": true,
            "exit": exit.code(),
            "would": self.what.strip_prefix("would ").unwrap_or(&self.what),
            "request": settings,
            "freeipa": server.collect::<Vec<_>>(),
            "post_save": self.words,
            "devices": devices,
        })
    }
}

fn word(found: &Found) -> &'static str {
    match found.standing {
        Standing::Good => "ok",
        Standing::Missing => "FAILED",
        Standing::CantTell => "unknown",
    }
}

fn what(plan: &Plan, tracked: Option<&Tracked>) -> String {
    match (plan, tracked) {
        (Plan::Again { verb: Verb::Rekey, .. }, Some(tracked)) => {
            format!("would submit the request \"{}\" again, with a new key", tracked.id)
        }
        (Plan::Again { .. }, Some(tracked)) => format!("would submit the request \"{}\" again", tracked.id),
        (Plan::Update | Plan::Await, Some(tracked)) => {
            format!(
                "would update the post-save command of the request \"{}\", and ask for nothing",
                tracked.id
            )
        }
        _ => "would make a new request".to_owned(),
    }
}

fn settings(request: &Request, tracked: Option<&Tracked>) -> Vec<(&'static str, String)> {
    let enrolment = &request.enrolment;
    let is_new = tracked.is_none();
    let principal = if is_new { enrolment.new_principal() } else { enrolment.principal.clone() };
    let names = (is_new || enrolment.names_typed).then(|| enrolment.names.join(", "));
    let addresses: Vec<String> = enrolment.addresses.iter().map(ToString::to_string).collect();
    let path = |path: &PathBuf| Some(path.display().to_string());
    let stays = if is_new { "certmonger's own" } else { "as it is tracked" };
    let all = [
        ("CA", if is_new { Some(enrolment.new_ca().to_owned()) } else { enrolment.ca.clone() }),
        ("principal", principal),
        ("names", names),
        ("addresses", (!addresses.is_empty()).then(|| addresses.join(", "))),
        ("certificate profile", enrolment.profile.clone()),
        ("key type", enrolment.key_type.map(|kind| kind.to_string())),
        ("key size", enrolment.key_bits.map(|bits| bits.to_string())),
        ("certificate file", path(&request.certificate)),
        ("key file", path(&request.key)),
    ];
    all.into_iter().map(|(what, value)| (what, value.unwrap_or_else(|| stays.to_owned()))).collect()
}

/// What the installer would be asked for by these words.
fn requests(arguments: &Arguments, words: &[String]) -> Result<(Vec<InstallSpec>, Vec<Prepared>), Trouble> {
    let read = installer::Arguments::of_words(words)
        .map_err(|what| UsageError::Other(format!("{INSTALLER} would not understand its words: {what}")))?;
    Ok(read.requests(&arguments.place.state_dir, Path::new(""), false)?.into_iter().unzip())
}

/// What would keep the certificate to come waiting, place by place.
fn holds(mut specs: Vec<InstallSpec>, state_dir: &Path) -> Vec<(Destination, Option<Hold>)> {
    // It is another one than that in the file.
    specs.iter_mut().for_each(|spec| spec.certificate = None);
    let holds = foresee(&specs, state_dir, Utc::now());
    specs.iter().map(InstallSpec::destination).zip(holds).collect()
}

fn tell_holds<'h>(holds: impl Iterator<Item = &'h Hold>) {
    let mut list = WaitingList::default();
    holds.for_each(|hold| list.add_held(hold));
    let all = list.all();
    if !all.is_empty() {
        report::line("Delivery would wait; 'pan_certctl retry --now' delivers all the same:");
    }
    all.iter().for_each(|waiting| report::line(&format!("  {waiting}")));
}

fn device(place: &Destination, hold: Option<&Hold>, found: &[(Destination, Readiness)]) -> Value {
    let ready = found.iter().find(|(other, _)| other == place).map(|(_, ready)| ready.findings());
    json!({
        "device": place.device,
        "target": place.target,
        "waits_for": hold.map(JsonHold::of),
        "findings": ready,
    })
}
