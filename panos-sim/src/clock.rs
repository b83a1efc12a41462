//! The device's clock, in the forms it is written.

/// `2026/11/22 02:03:11`, as in jobs, locks and candidate marks.
pub(crate) fn stamp() -> String {
    chrono::Local::now().format("%Y/%m/%d %H:%M:%S").to_string()
}

/// `Sun Nov 22 02:01:17 2026`, as in the system information.
pub(crate) fn long() -> String {
    chrono::Local::now().format("%a %b %e %H:%M:%S %Y").to_string()
}

/// `11/22 02:00:11`, as in the list of sessions.
pub(crate) fn short() -> String {
    chrono::Local::now().format("%m/%d %H:%M:%S").to_string()
}
