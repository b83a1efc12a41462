//! What is left to a person: the commit, and the push.

use std::time::Duration;

use panos_sim::Stack;

use crate::common::world::{ADMINISTRATOR, Ended, NAME, PORTAL};
use crate::estate::{DEV, Estate, JANE};

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

#[test]
fn what_awaits_a_person_is_compared_with_the_object_that_awaits() {
    const SERIAL: [&str; 2] = ["--suffix", "serial"];
    let estate = Estate::of(2, |_| {});
    let state = || estate.status()["installations"][0]["state"].clone();
    estate.install(&SERIAL).exits(0);
    // A renewal whose push is left to a person.
    estate.world.renew();
    let ended = estate.install(&[&SERIAL[..], &["--push", "none"]].concat()).exits(0);
    let object = estate.presents_itself().unwrap();
    let told = estate.certctl(&["verify"]).exits(15);
    let told = told.says("is waiting for a manual push: committed on Panorama, not pushed to 2 of 2");
    estate.push_everything();
    estate.certctl(&["verify"]).exits(0);
    assert_eq!(state(), "installed");
    assert!(told.stderr.ends_with("push it in Panorama\n"), "{told:#?}");
    ended.says(&format!("the certificate '{object}' in"));
    // One whose commit is.
    estate.world.renew();
    let ended = estate.install(&[&SERIAL[..], &["--commit", "none", "--json"]].concat()).exits(0);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let told = estate.certctl(&["verify"]).exits(15).says(&format!(
        "is waiting for a manual commit: it has no certificate '{}'",
        told["devices"][0]["object"].as_str().unwrap()
    ));
    assert!(told.stderr.ends_with("commit it on the device\n"), "{told:#?}");
    commit(&estate);
    let told = estate.certctl(&["verify"]).exits(15);
    told.says("is waiting for a manual push: committed on Panorama, not pushed to 2 of 2");
    assert_eq!(state(), "left-to-push");
    estate.certctl(&["status", "--no-certmonger"]).exits(0).says("1 waiting for manual push");
    estate.push_everything();
    estate.certctl(&["verify"]).exits(0);
    assert_eq!(state(), "installed");
    assert!((1..=2).all(|number| estate.presents(number) == estate.presents_itself()));
}

#[test]
fn what_a_push_carries_besides_is_told_before_and_then() {
    let estate = Estate::of(2, |_| {});
    let second = "ssl-tls-service-profile/entry[@name='second']";
    estate.change(JANE, "branch", second, "<protocol-settings/>");
    estate.push_everything();
    let install = |words: &[&str]| {
        let place = ["--template", "branch", "-n", "two", "-p", "second"];
        Ended::of(estate.command().args(place).args(words).arg(estate.world.target()))
    };
    estate.install(&["--push", "none"]).exits(0);
    let told = format!(
        "the push of the template stack branches carries the certificate '{NAME}' (template:branch) too, whose push is left to a person"
    );
    install(&["--dry-run"]).exits(0).says(&format!("WARNING: {told}"));
    // Nothing is carried by what is not pushed.
    let left = install(&["--dry-run", "--push", "none"]).exits(0);
    assert!(!left.stdout.contains("carries"), "{left:#?}");
    install(&[]).exits(0);
    let warned = || estate.world.log().iter().filter(|line| **line == format!("WARNING: {told}.")).count();
    assert_eq!(warned(), 1, "{:#?}", estate.world.log());
    assert!(estate.has(1));
    // Its record learns it from verify, and then there is nothing to warn of.
    estate.certctl(&["verify"]).exits(0);
    estate.world.renew();
    install(&[]).exits(0);
    assert_eq!(warned(), 1);
}

#[test]
fn whoever_pushes_a_stack_without_firewalls_is_told_to_put_some_into_it() {
    let estate = Estate::of(1, |settings| {
        settings.stacks.push(Stack {
            name: "empty".into(),
            templates: vec!["spare".into()],
            devices: Vec::new(),
        });
    });
    let place = format!(
        "template-stack/entry[@name='empty']/config/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']"
    );
    estate.make(&place, "<protocol-settings/>");
    for place in [["--stack", "empty"], ["--template", "spare"]] {
        let words = [&place[..], &["-p", PORTAL]].concat();
        let ended = Ended::of(estate.command().args(words).arg(estate.world.target())).exits(15);
        ended
            .says("nothing can be pushed: the template stack empty has no firewalls")
            .says("put firewalls into the template stack empty; with --push none nothing is to be pushed");
        // What the stack has of its own would win over the template.
        estate
            .world
            .device
            .delete_from_candidate(JANE, &format!("{DEV}/template-stack/entry[@name='empty']/config"))
            .unwrap();
        estate.world.device.commit_as(JANE);
        assert!(estate.world.device.wait_idle(Duration::from_secs(5)));
    }
}
