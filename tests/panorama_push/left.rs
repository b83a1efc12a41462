//! What is left to a person: the commit, and the push.

use std::time::Duration;

use crate::common::world::ADMINISTRATOR;
use crate::estate::Estate;

/// A person commits in Panorama what this program has left.
fn commit(estate: &Estate) {
    estate.world.device.commit_as(ADMINISTRATOR);
    assert!(estate.world.device.wait_idle(Duration::from_secs(5)));
}

#[test]
fn with_commit_none_nothing_is_pushed_before_and_after_a_person_has_committed() {
    let estate = Estate::of(2, |_| {});
    let none = ["--commit", "none"];
    let dry = ["--commit", "none", "--dry-run"];
    let left = "to all 2 firewalls (001900000000001, 001900000000002): left to a person (--commit none)";
    let before = estate.jobs_of("Commit");
    for _ in 0..2 {
        estate.install(&none).exits(0).says("is in the candidate configuration; commit it on the device");
        assert_eq!((estate.pushes().len(), estate.jobs_of("Commit") - before), (0, 0));
        let status = estate.certctl(&["status", "--no-certmonger"]).exits(0);
        status.says("waiting for manual commit");
    }
    estate.install(&dry).exits(0).says("in the candidate configuration already").says(left);
    assert_eq!(estate.pushes().len(), 0);
    // The person commits. Whoever leaves that to a person pushes as little as before.
    commit(&estate);
    estate.install(&none).exits(0).says("is committed on Panorama, not pushed; push it in Panorama");
    assert_eq!(estate.pushes().len(), 0);
    let told = "Not pushed (--commit none): a person has to push to 2 firewalls in Panorama.";
    assert!(estate.world.log().iter().any(|line| line == told), "{:#?}", estate.world.log());
    estate.certctl(&["log"]).says("waiting for manual push");
    // The person pushes.
    estate.push_everything();
    estate.install(&none).exits(0).says("is already installed on 2 firewalls");
    assert_eq!(estate.status()["installations"][0]["state"], "installed");
}
