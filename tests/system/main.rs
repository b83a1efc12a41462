//! All real parts together, on a machine that is booted: systemd, certmonger, Kerberos, sudo, dpkg, logrotate.
//!
//! `make system-test` runs it; docs/system-test.md tells more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(missing_docs, unreachable_pub, reason = "nobody uses it from outside")]

mod aftermath;
mod firewall;
mod machine;
mod network;
mod package;
#[path = "../common/pki.rs"]
mod pki;
#[path = "../common/programs.rs"]
mod programs;
mod scenarios;
mod stage;
mod transcript;

use scenarios::{
    authority, mistakes, moving, package as packaged, power, refusals, renewal, rights, time, together,
};

/// Each is a test of its own, so that one can be chosen. They are played in the order of their names, and each
/// finds the machine as the ones before have left it, or a fresh one.
macro_rules! scenarios {
    ($($name:ident: $play:path,)*) => {$(
        #[test]
        #[ignore = "boots a machine: make system-test"]
        fn $name() {
            stage::scenario(stringify!($name), $play);
        }
    )*};
}

scenarios! {
    s01_first_request: renewal::first_request,
    s02_renewal: renewal::renewal,
    s03_renewed_by_itself: renewal::renewed_by_itself,
    s03_renewed_by_time: time::renewed_by_time,
    s04_firewall_away: power::firewall_away,
    s05_daemons_restarted: power::daemons_restarted,
    s06_power_cut: power::power_cut,
    s06_time_limit: power::time_limit,
    s07_denied: authority::denied,
    s08_ipa_unreachable: authority::ipa_unreachable,
    s08_refused_at_first: refusals::refused_at_first,
    s08_refused_at_renewal: refusals::refused_at_renewal,
    s09_two_at_once: together::two_at_once,
    s10_log_rotated: together::log_rotated,
    s11_upgraded: packaged::upgraded,
    s12_delegated: rights::delegated,
    s12_mistakes: mistakes::found,
    s12_moved: moving::followed,
    s13_removed_and_purged: packaged::removed_and_purged,
}

#[test]
#[ignore = "tells of those before it"]
fn s99_report() {
    stage::with(|stage| println!("{}", stage::report(stage)));
}
