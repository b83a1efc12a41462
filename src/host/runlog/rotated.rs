//! The older logs beside a log, as logrotate names them.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

/// What logrotate appends, after which the newest comes first: a number that grows with age, or a date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Number(u32),
    Date(Reverse<String>),
}

/// The rotated logs, the newest first: `.1`, `.2.gz`, and `-20261122.gz` where logrotate is told to use dates.
pub(super) fn beside(log: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Who may not list the directory may read the log all the same.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(Age, bool, PathBuf)> = entries
        .filter_map(|entry| {
            let file_name = entry.file_name();
            let rest = file_name.to_str()?.strip_prefix(name)?;
            let plain = rest.strip_suffix(".gz");
            Some((age(plain.unwrap_or(rest))?, plain.is_some(), folder.join(&file_name)))
        })
        .collect();
    found.sort();
    // While logrotate compresses, both are there: the whole one counts.
    found.dedup_by(|later, first| later.0 == first.0);
    found.into_iter().map(|(_, _, path)| path).collect()
}

fn age(ending: &str) -> Option<Age> {
    if let Some(number) = ending.strip_prefix('.') {
        return number.parse().ok().map(Age::Number);
    }
    let date = ending.strip_prefix('-')?;
    let is_date = date.len() >= 8 && date.chars().all(|c| c.is_ascii_digit() || c == '-');
    is_date.then(|| Age::Date(Reverse(date.to_owned())))
}

/// Whether its last line was written before this time.
pub(super) fn ends_before(path: &Path, time: DateTime<Utc>) -> bool {
    let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| DateTime::<Utc>::from(changed) < time)
}
