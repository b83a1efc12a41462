//! Whoever asked for a certificate looks before the post-save command has written anything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::time::Duration;

use panos_xmlapi::Location;

use common::world::{NAME, PORTAL, World};
use pancert::delivery::watch::{Awaited, Following, Hook, Standing};
use pancert::delivery::{InstallationKey, Queue};
use pancert::host::certmonger::Getcert;

/// A getcert that knows one request, in the state that stands in a file.
fn getcert(world: &World) -> Getcert {
    let (state, script) = (world.path("certmonger"), world.path("getcert"));
    let certificate = world.path(&format!("{NAME}.crt"));
    let text = format!(
        "#!/bin/sh\ncat <<END\nNumber of certificates and requests being tracked: 1.\nRequest ID '1':\n\
         \tstatus: $(cat {})\n\tstuck: no\n\tkey pair storage: type=FILE,location='/nowhere'\n\
         \tcertificate: type=FILE,location='{}'\n\tCA: IPA\nEND\n",
        state.display(),
        certificate.display()
    );
    common::programs::write(&script, &text);
    Getcert::new([script.as_os_str()], None)
}

fn says(world: &World, state: &str) {
    common::pki::write(&world.path("certmonger"), state.as_bytes(), 0o644);
}

fn awaited(world: &World, profiles: &[&str]) -> Awaited {
    let (device, name) = (world.target().parse().unwrap(), NAME.parse().unwrap());
    let key = InstallationKey { device, location: Location::Shared, name };
    Awaited { key, profiles: profiles.iter().map(|name| name.parse().unwrap()).collect() }
}

fn follow(world: &World, delivers: bool) -> Standing {
    let (getcert, state) = (getcert(world), world.path("state"));
    let certificate = world.path(&format!("{NAME}.crt"));
    let pem = std::fs::read_to_string(&certificate).unwrap();
    let following = Following {
        state_dir: &state,
        awaited: &[awaited(world, &[])],
        common_name: &NAME.parse().unwrap(),
        after: Queue::below(&state).last_number(),
        wanted: Some(pancert::certificate::fingerprint_of_pem(&pem).unwrap()),
        deadline: tokio::time::Instant::now() + Duration::from_secs(60),
        show: &|_: &str| (),
    };
    let hook = Hook { getcert: &getcert, certificate: &certificate, delivers };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut standings = runtime.block_on(following.to_the_end(Some(hook))).unwrap();
    assert_eq!(standings.len(), 1);
    standings.remove(0).1
}

#[test]
fn waits_for_a_slow_post_save_command() {
    for delivers in [true, false] {
        for state in ["POST_SAVED_CERT", "NEED_TO_READ_CERT"] {
            let world = World::new();
            says(&world, state);
            let standing = std::thread::scope(|scope| {
                scope.spawn(|| {
                    // Some looks later.
                    std::thread::sleep(Duration::from_millis(700));
                    world.install(&["-p", PORTAL]).exits(0);
                    says(&world, "MONITORING");
                });
                follow(&world, delivers)
            });
            assert!(matches!(standing, Standing::Runs(_)), "{state}, {delivers}: {standing:?}");
        }
    }
}

#[test]
fn a_command_that_ended_and_left_nothing_is_told() {
    for delivers in [true, false] {
        let world = World::new();
        says(&world, "MONITORING");
        let Standing::Failed(problem) = follow(&world, delivers) else { panic!("it ended") };
        assert!(problem.what.contains("did not record"), "{problem}");
    }
}
