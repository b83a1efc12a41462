//! Template stacks whose names are longer or richer than what the documentation of an old release allows.

use panos_sim::Stack;

use crate::common::world::PORTAL;
use crate::estate::{Estate, serial};

const LONG: &str = "every branch office of the northern and western regions 2026";
const RICH: &str = "Büros & Filialen (Süd)";
const QUOTED: &str = "Jane's <own>";

fn estate() -> Estate {
    let stack = |(name, number): (&str, usize)| Stack {
        name: name.into(),
        templates: vec!["branch".into(), "base".into()],
        devices: vec![serial(number)],
    };
    let estate = Estate::fresh(3, |settings| {
        settings.stacks = [(LONG, 1), (RICH, 2), (QUOTED, 3)].map(stack).into();
    });
    for name in [LONG, "Büros &amp; Filialen (Süd)", "Jane's &lt;own&gt;"] {
        estate.push_all_of(name);
    }
    estate.forget_requests();
    estate
}

#[test]
fn a_stack_is_pushed_by_whatever_name_panorama_tells() {
    let estate = estate();
    estate.install(&["--dry-run"]).exits(0).says(QUOTED).says(RICH).says(LONG);
    estate.install(&[]).exits(0).says("installed the certificate");
    assert!((1..=3).all(|number| estate.has(number)));
    assert_eq!(estate.pushes().len(), 3);
    estate.certctl(&["verify"]).exits(0);
    let (key_file, pin) = (estate.world.path(".panrc"), estate.world.device.certificate_fingerprint());
    let words = ["inventory", "-k", key_file.to_str().unwrap(), "--pin", &pin, &estate.world.target()];
    estate.certctl(&words).says(QUOTED).says(RICH).says(LONG);
}

#[test]
fn a_stack_with_a_long_or_rich_name_can_be_named() {
    let estate = estate();
    estate.install(&["--push", RICH]).exits(0);
    assert_eq!([1, 2, 3].map(|number| estate.has(number)), [false, true, false]);
    estate.install(&["--push", LONG, "--push", RICH]).exits(0);
    assert_eq!([1, 2, 3].map(|number| estate.has(number)), [true, true, false]);
    let of_stack = |stack: &str, name: &str| {
        let profile = format!("template-stack/entry[@name='{stack}']/config/shared/ssl-tls-service-profile");
        estate.make(&format!("{profile}/entry[@name='{PORTAL}-{name}']"), "<protocol-settings/>");
        estate.push_all_of(&stack.replace('&', "&amp;"));
        let words = ["--stack", stack, "-n", name, "-p", &format!("{PORTAL}-{name}")];
        crate::common::world::Ended::of(estate.command().args(words).arg(estate.world.target()))
    };
    of_stack(LONG, "long").exits(0).says("installed the certificate");
    of_stack(RICH, "rich").exits(0).says("installed the certificate");
    let known = estate.status().to_string();
    assert!([RICH, LONG].iter().all(|stack| known.contains(&format!("stack:{stack}"))), "{known}");
    for (stack, says) in [("a\"b", "no quotes"), (&*"x".repeat(64), "longer than 63 characters")] {
        estate.install(&["--push", stack]).exits(1).says(says);
    }
}
