//! One file for each kind of trouble. The numbers are the order they are played in.

mod renewal;

use crate::stage::{report, with};

#[test]
#[ignore = "boots a machine: make system-test"]
fn s99_report() {
    with(|stage| println!("{}", report(stage)));
}
