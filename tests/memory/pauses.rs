//! The other pauses: a device that is locked, busy or away, a pair that has not synchronised, an endpoint that does not
//! show the certificate yet. What is not needed while nothing is asked is not there.

use std::time::{Duration, Instant};

use panos_sim::{Fault, Listening, LockKind, Matcher, Serving, Simulator, What, When};

use super::common::pair::{OTHER_KEY, Pair};
use super::common::pki::{CertificateSpec, Issued, KeyKind};
use super::common::trouble::wait_until;
use super::common::world::{KEY, NAME, PORTAL, World, print, settings};
use super::{Waiting, holds};

/// A pause in which it is asked for nothing for so long is longer than any that is needed between two questions. The
/// pauses that are looked at take at least a second.
const QUIET: Duration = Duration::from_millis(700);

/// How many requests, and how many of them were answered.
fn requests(devices: &[&Simulator]) -> (usize, usize) {
    let all: Vec<_> = devices.iter().flat_map(|device| device.requests()).collect();
    (all.len(), all.iter().filter(|request| request.answered_ms.is_some()).count())
}

/// Looks for secrets in the memory of a process that has asked something, and asks nothing now.
fn is_clean(what: &str, world: &World, devices: &[&Simulator], waiting: &Waiting, issued: &Issued) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let memory = loop {
        assert!(Instant::now() < deadline, "{what}: it never rests: {:#?}", world.log());
        let before = requests(devices);
        std::thread::sleep(QUIET);
        if before.0 == 0 || requests(devices) != before {
            continue;
        }
        let memory = waiting.stopped(|| requests(devices) == before);
        if let Some(memory) = memory {
            break memory;
        }
    };
    // Of a pair each member has a key of its own.
    holds(what, world, &memory, &[issued], &[KEY, OTHER_KEY][..devices.len()]);
}

fn issued(world: &World) -> Issued {
    world.issue(&CertificateSpec::named(NAME).san(NAME).key(KeyKind::Rsa(2048)))
}

#[test]
fn while_a_device_is_locked_busy_or_away() {
    let refused = |status, text: &str| What::Refused { status, code: Some(13), text: text.into() };
    let commit = || When::request(Matcher::typed("commit"));
    let set = || When::request(Matcher::typed("config").action("set"));
    let question = || When::request(Matcher::typed("config").action("get").xpath("ssl-tls-service-profile"));
    let import = || When::request(Matcher::typed("import"));
    let busy = "Another commit/validate is in progress. Please try again later";
    let cases = [
        ("busy at a question", Some(Fault::new(question(), refused(200, busy)))),
        // The device has the file before it refuses it: then the test knows what to look for.
        ("busy at the upload", Some(Fault::new(import(), refused(200, busy)).after_effect())),
        ("busy at the binding", Some(Fault::new(set(), refused(200, busy)))),
        ("busy at the commit", Some(Fault::new(commit(), refused(200, busy)))),
        ("too many requests", Some(Fault::new(set(), What::Status(429)))),
        ("a configuration lock", None),
    ];
    for (what, fault) in cases {
        let world = World::with(settings());
        let issued = issued(&world);
        match fault {
            Some(fault) => world.device.inject(fault.times(u32::MAX)),
            None => world.device.take_lock(LockKind::Config, "jane", "change window"),
        }
        let mut command = world.command();
        command.args(["-p", PORTAL]).arg(world.target());
        let waiting = Waiting::begin(command);
        let struck = || world.device.requests().iter().any(|request| request.fault.is_some());
        let is_told = || world.log().iter().any(|line| line.contains("Waiting"));
        assert!(wait_until(|| struck() || is_told()), "{what}: {:#?}", world.log());
        is_clean(what, &world, &[&world.device], &waiting, &issued);
    }
}

#[test]
fn while_the_device_is_gone_in_the_middle() {
    let world = World::with(settings());
    let issued = issued(&world);
    let import = Fault::new(When::request(Matcher::typed("import")), What::Close).after_effect();
    world.device.inject(import);
    let mut command = world.command();
    command.args(["-p", PORTAL]).arg(world.target());
    let waiting = Waiting::begin(command);
    assert!(wait_until(|| world.device.requests().iter().any(|request| request.fault.is_some())));
    world.device.set_listening(Listening::Refused);
    is_clean("the device is gone", &world, &[&world.device], &waiting, &issued);
}

#[test]
fn while_a_pair_synchronises() {
    let pair = Pair::with(|settings| settings.ha_sync_delay = Duration::from_secs(3600));
    let issued = issued(&pair.world);
    let mut command = pair.bare_command();
    command.arg("--config").arg(pair.world.path("config.toml")).args(["-p", PORTAL]);
    command.args(["--ha-peer", &pair.second.address().to_string()]).arg(pair.world.target());
    let waiting = Waiting::begin(command);
    assert!(wait_until(|| pair.world.device.commits() == 1), "{:#?}", pair.world.log());
    let devices = [&pair.world.device, &pair.second];
    is_clean("an HA pair synchronises", &pair.world, &devices, &waiting, &issued);
}

#[test]
fn while_an_endpoint_does_not_show_the_certificate() {
    let world = World::with(settings());
    let issued = issued(&world);
    world.device.set_serving(Serving::Without(print(&issued.certificate)));
    let mut command = world.command();
    command.args(["-p", PORTAL, "--served", &world.device.service_address().to_string()]);
    command.arg(world.target());
    let waiting = Waiting::begin(command);
    assert!(wait_until(|| world.device.commits() == 1), "{:#?}", world.log());
    is_clean("an endpoint is waited for", &world, &[&world.device], &waiting, &issued);
}
