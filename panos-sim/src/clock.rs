//! The device's clock, in the forms it is written.

/// `2026/11/22 02:03:11`, as in jobs, locks and candidate marks.
pub(crate) fn stamp() -> String {
    chrono::Local::now().format("%Y/%m/%d %H:%M:%S").to_string()
}

/// `Sun Nov 22 02:01:17 2026`, as in the system information, by a clock that is so many seconds ahead.
pub(crate) fn long(ahead: i64) -> String {
    later(chrono::Local::now(), ahead).format("%a %b %e %H:%M:%S %Y").to_string()
}

/// `Sun Nov 22 02:01:17 UTC 2026`, as `show clock` tells it, by a clock that is so many seconds ahead.
pub(crate) fn zoned(ahead: i64) -> String {
    later(chrono::Utc::now(), ahead).format("%a %b %e %H:%M:%S UTC %Y").to_string()
}

/// `Sun, 22 Nov 2026 02:01:17 GMT`, as in HTTP's header, by a clock that is so many seconds ahead.
pub(crate) fn http(ahead: i64) -> String {
    later(chrono::Utc::now(), ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn later<Z: chrono::TimeZone>(now: chrono::DateTime<Z>, seconds: i64) -> chrono::DateTime<Z> {
    let ahead = chrono::TimeDelta::try_seconds(seconds).unwrap_or_default();
    now.clone().checked_add_signed(ahead).unwrap_or(now)
}

/// `11/22 02:00:11`, as in the list of sessions.
pub(crate) fn short() -> String {
    chrono::Local::now().format("%m/%d %H:%M:%S").to_string()
}
