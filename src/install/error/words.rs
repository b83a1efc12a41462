//! Lists and optional parts of what is said of an error.

use panos_xmlapi::Error;

use crate::install::names::ProfileName;
use crate::text::some_of;

pub(super) fn those_missing(names: &[ProfileName]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!(
        "{} {} do{}",
        if names.len() == 1 { "" } else { "s" },
        quoted.join(" and "),
        if names.len() == 1 { "es" } else { "" }
    )
}

pub(super) fn there(places: &[String]) -> String {
    if places.is_empty() { String::new() } else { format!(". But: {}", some_of(places, "; ")) }
}

pub(super) fn reasons(lines: &[String]) -> String {
    if lines.is_empty() { "the device gives no reason".to_owned() } else { lines.join("; ") }
}

pub(super) fn last(error: &Option<Error>) -> String {
    error.as_ref().map(|error| format!("; the last question: {error}")).unwrap_or_default()
}
