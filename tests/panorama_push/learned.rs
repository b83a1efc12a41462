//! How long pushes take is learned, and what Panorama tells of its firewalls is heeded.

use std::time::Duration;

use panos_sim::{Fault, Matcher, What, When};

use crate::common::world::NAME;
use crate::estate::{Estate, serial};

#[test]
fn how_long_pushes_take_is_kept_and_the_next_end_is_noticed_with_no_more_questions() {
    let estate = Estate::of(2, |settings| settings.commit_duration = Duration::from_millis(900));
    let push = || {
        estate.world.renew();
        estate.forget_requests();
        estate.install(&[]).exits(0);
        let polls = estate
            .requests(|request| request.cmd.as_deref().is_some_and(|cmd| cmd.contains("<show><jobs><id>")));
        let folder = estate.world.path("state").join("installations").join(estate.world.target());
        let record = std::fs::read_to_string(folder.join(format!("template:branch/{NAME}.json"))).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let took = record["history"].as_array().unwrap().last().unwrap()["push_milliseconds"].as_u64();
        (polls.len(), took.unwrap())
    };
    let first = push();
    assert!(first.1 >= 900, "{first:?}");
    let next = push();
    assert!(next.0 <= first.0 && next.1 >= 900, "{next:?} after {first:?}");
}

#[test]
fn a_push_to_one_member_of_a_pair_alone_is_warned_of() {
    let estate = Estate::of(2, |_| {});
    let member = |number: usize, peer: usize| {
        let (serial, peer) = (serial(number), serial(peer));
        format!(
            "<entry name=\"{serial}\"><serial>{serial}</serial><connected>yes</connected><sw-version>11.1.4</sw-version>\
             <hostname>fw</hostname><ha><state>active</state><peer><serial>{peer}</serial></peer></ha></entry>"
        )
    };
    let devices = format!("{}{}", member(1, 2), member(2, 1));
    let body =
        format!("<response status=\"success\"><result><devices>{devices}</devices></result></response>");
    let told = What::Answer { status: 200, body: body.into() };
    let asked = When::request(Matcher::typed("op").cmd("<devices><all>"));
    estate.world.device.inject(Fault::new(asked, told).times(u32::MAX));
    estate.install(&["--push-to", &serial(1)]).exits(0);
    let warned = || {
        let log = estate.world.log();
        log.iter().filter(|line| line.contains("is one of an HA pair, and its peer 001900000000002")).count()
    };
    assert_eq!(warned(), 1);
    estate.install(&[]).exits(0);
    estate.world.renew();
    estate.install(&[]).exits(0);
    assert_eq!(warned(), 1, "both are pushed to");
}
