//! How many files this process may have open, and so how many devices it can work on at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What work on one device has open at the most: its lock and its peer's, a connection to each of the two and to an
/// endpoint, a file that is read, and one that is written with its directory.
const FOR_ONE: u64 = 8;
/// What is open besides: standard streams, the log, the event loop, a directory that is read.
const FOR_ALL: u64 = 32;

/// On how many devices this process can work at once, of so many that somebody wants. The system's usual limit of 1,024
/// open files is raised as far as that takes, and as far as the hard limit allows; where that is too low for all, fewer
/// are worked on at once: a device must not fail for want of a file.
#[must_use]
pub fn devices_at_once(wanted: usize) -> usize {
    let needed = needed_for(u64::try_from(wanted).unwrap_or(u64::MAX));
    let limit = getrlimit(Resource::Nofile);
    let (current, hard) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    let raised = Rlimit { current: Some(needed.min(hard)), maximum: limit.maximum };
    let allowed = match current < needed && setrlimit(Resource::Nofile, raised).is_ok() {
        true => needed.min(hard),
        false => current,
    };
    wanted.min(usize::try_from(possible_with(allowed)).unwrap_or(usize::MAX))
}

fn needed_for(devices: u64) -> u64 {
    devices.saturating_mul(FOR_ONE).saturating_add(FOR_ALL)
}

fn possible_with(files: u64) -> u64 {
    (files.saturating_sub(FOR_ALL) / FOR_ONE).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_devices_as_there_are_files_for_and_never_none() {
        assert_eq!(possible_with(needed_for(500)), 500);
        assert_eq!(
            (possible_with(1024), possible_with(0), possible_with(u64::MAX) > 1 << 40),
            (124, 1, true)
        );
        assert_eq!(devices_at_once(1), 1);
    }
}
