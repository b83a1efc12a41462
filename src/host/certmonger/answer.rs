//! Reads getcert's answers: one line on success, a complaint in words otherwise.

use super::error::GetcertError;
use super::run::Ran;
use super::state::{Phase, State};

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// certmonger's word for it.
    pub state: State,
    /// Whether certmonger waits for a person.
    pub stuck: bool,
}

impl Status {
    /// What it means.
    pub fn phase(&self) -> Phase {
        self.state.phase(self.stuck)
    }
}

/// `State MONITORING, stuck: no.`
pub(super) fn status_line(line: &str) -> Option<Status> {
    let (state, stuck) = line.strip_prefix("State ")?.split_once(", stuck: ")?;
    let stuck = match stuck.trim_end().trim_end_matches('.') {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    Some(Status { state: State::new(state), stuck })
}

/// The nickname in a line such as `New signing request "X" added.`
pub(super) fn quoted_after(ran: &Ran, beginning: &str) -> Option<String> {
    ran.stdout.lines().find_map(|line| nickname(line.strip_prefix(beginning)?))
}

fn nickname(text: &str) -> Option<String> {
    let (nickname, _) = text.strip_prefix('"')?.split_once('"')?;
    Some(nickname.to_owned())
}

/// Turns what getcert said instead of the answer into an error.
pub(super) fn failure(ran: &Ran) -> GetcertError {
    let said = said(ran);
    let any = |phrases: &[&str]| phrases.iter().any(|phrase| said.contains(phrase));
    if let Some((_, tail)) = said.split_once("is already used by request with nickname ")
        && let Some(nickname) = nickname(tail)
    {
        return GetcertError::AlreadyTracked { nickname };
    }
    if ran.stderr.lines().any(|line| line.starts_with("sudo: ") || line.starts_with("Sorry, "))
        || any(&[" sudoers"])
    {
        return GetcertError::SudoRefused { said };
    }
    if any(&["No request found"]) {
        return GetcertError::NotTracked;
    }
    if any(&["AccessDenied", "nsufficient permission", "not authorized"]) && !said.starts_with("Path ") {
        return GetcertError::NotPermitted { said };
    }
    if any(&[
        "Please verify that the",
        "Error connecting to D-Bus",
        "Error org.freedesktop.DBus.Error",
        "No system bus",
    ]) {
        return GetcertError::NotRunning { said };
    }
    if any(&["No CA with name"]) {
        return GetcertError::NoSuchCa { said };
    }
    if said.starts_with("Path ") || said.starts_with("The parent of location ") {
        return GetcertError::Path { said };
    }
    GetcertError::Failed { program: ran.program.clone(), ending: ran.status.to_string(), said }
}

/// What was said on both streams in one line: without the pages of usage that follow some complaints, and
/// without control characters.
fn said(ran: &Ran) -> String {
    let lines = [&ran.stdout, &ran.stderr].into_iter().flat_map(|stream| {
        let useful = stream.lines().take_while(|line| !line.contains("client certificate enrollment tool"));
        useful.map(str::trim).filter(|line| !line.is_empty())
    });
    let text = lines.take(10).collect::<Vec<_>>().join(" ");
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(2000).collect();
    if text.is_empty() { "(no output)".to_owned() } else { text }
}
