//! What `check` says of a push, and `pan_getcert` before it asks for a certificate: the same as an installation's plan.

use super::common::estate::{Estate, STACKS, below, serial};
use super::common::world::{Ended, NAME, PORTAL};

fn check(estate: &Estate, arguments: &[&str]) -> Ended {
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    check.args(["check", "-b", "-c", NAME]).arg("--state-dir").arg(estate.path("state"));
    check.arg("-C").arg(estate.folder.path()).arg("-K").arg(estate.folder.path());
    check.arg("-k").arg(estate.path(".panrc")).args(["--pin", &estate.device.certificate_fingerprint()]);
    Ended::of(check.args(arguments).arg(estate.target()))
}

#[test]
fn a_push_that_can_not_be_made_is_refused_as_by_an_installation() {
    let estate = Estate::new(2);
    let (elsewhere, unknown) = (serial(3), serial(9));
    for (push, says) in [
        (["--push", "south"], "Panorama has no template stack 'south'; it has branches"),
        (["--push", STACKS[1]], "does not hold the template 'branch'"),
        (["--push-to", &unknown], "no firewall with the serial number"),
        (["--push-to", &elsewhere], "no firewall with the serial number"),
    ] {
        let words = [&["-p", PORTAL, "--template", "branch"], &push[..]].concat();
        let plan = estate.install(&[&words[..], &["--dry-run"]].concat());
        plan.exits(1).says(says);
        check(&estate, &words).exits(1).says(says);
        let mut request = std::process::Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
        request.args(["-c", NAME, "--ca", "local"]).arg("--state-dir").arg(estate.path("state"));
        request.args(["--pin", &estate.device.certificate_fingerprint(), "-k"]).arg(estate.path(".panrc"));
        let asked = Ended::of(request.args(["--dry-run", "--json"]).args(&words).arg(estate.target()));
        assert!(asked.code == Some(1) && format!("{asked:?}").contains(says), "{asked:#?}");
    }
}

#[test]
fn check_tells_of_those_firewalls_that_will_be_pushed_to() {
    let estate = Estate::new(2);
    estate.profile(&below("template", "base"), "all");
    let base = ["-p", "all", "--template", "base"];
    let told = |more: &[&str]| check(&estate, &[&base, more].concat()).exits(0).stdout;
    let has = |told: &str| [1, 2, 3].map(|number| told.contains(&serial(number)));
    assert_eq!(has(&told(&[])), [true, true, true]);
    assert_eq!(has(&told(&["--push", STACKS[1]])), [false, false, true]);
    assert_eq!(has(&told(&["--push-to", &serial(2)])), [false, true, false]);
    let left = told(&["--push", "none"]);
    assert!(left.contains("the push is left to a person (--push none)"), "{left}");
    let left = told(&["--commit", "none"]);
    assert!(left.contains("the push is left to a person (--commit none)"), "{left}");
}

#[test]
fn a_stack_that_no_named_firewall_is_in_does_not_decide_who_outranks() {
    let estate = Estate::new(2);
    estate.profile(&below("template", "base"), PORTAL);
    let base = ["-p", PORTAL, "--template", "base", "--dry-run"];
    let install = |more: &[&str]| estate.install(&[&base, more].concat());
    // In the first stack another template wins; the third firewall is in the second one only.
    install(&["--push-to", &serial(1)]).exits(13).says("'branches' get that one");
    install(&["--push-to", &serial(3)]).exits(0).says("'branches', which is not pushed by this run");
    check(&estate, &["-p", PORTAL, "--template", "base", "--push-to", &serial(3)])
        .exits(0)
        .says("'branches', which is not pushed by this run");
}

#[test]
fn a_profile_of_a_template_is_found_where_no_template_was_named() {
    let estate = Estate::new(1);
    let says = "'GP portal' is in template:branch";
    estate.install(&["-p", PORTAL, "--dry-run"]).exits(13).says(says);
    check(&estate, &["-p", PORTAL]).exits(13).says(says).says("--template");
}
