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
mod scenarios;
mod stage;
mod transcript;
