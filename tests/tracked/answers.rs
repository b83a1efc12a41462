//! What the CA answers, and what is made of it.

use std::time::{Duration, Instant};

use super::Scene;
use crate::common::authority::{ALL, AWAY, NO_HOST, NOT_MANAGED, STARTING};
use crate::common::bus::until;
use crate::common::world::{GATEWAY, PORTAL};

/// Far less than the time that is allowed.
const AT_ONCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_lasting_refusal_ends_at_once_with_the_commands_that_fix_it_and_every_outage_is_waited_for() {
    let scene = Scene::new().await;
    let mut asked = 0;
    for answer in &ALL {
        scene.authority.answers(*answer);
        let begun = Instant::now();
        match answer.fix {
            Some(fix) => {
                let ended = scene.first(&[]).exits(10).says(&answer.ca_error()).says(fix);
                assert!(ended.stderr.contains("then run this command again"), "{ended:#?}");
                assert!(!ended.stderr.contains("by itself"), "{ended:#?}");
                assert!(begun.elapsed() < AT_ONCE, "{answer:?}");
            }
            None => {
                let ended = scene.first(&["--timeout", "1"]).exits(10).says("no certificate after 1 seconds");
                ended.says("only in 7 days").says(answer.text);
            }
        }
        // Whoever looks with check is told the same, and how it is asked again.
        let checked = scene.check();
        assert!(checked.stdout.contains("run: getcert resubmit -i "), "{answer:?} {checked:#?}");
        assert_eq!(checked.stdout.contains("only in 7 days"), answer.fix.is_none(), "{checked:#?}");
        if let Some(command) = answer.fix.filter(|fix| fix.starts_with("ipa ")) {
            assert!(checked.stdout.contains(&format!("run: {command}")), "{checked:#?}");
        }
        // Each run has asked anew. (One that certmonger calls unreachable it submits for each change by itself.)
        assert!(scene.authority.submitted().len() > asked, "{answer:?}");
        asked = scene.authority.submitted().len();
    }
    scene.authority.grants();
    scene.ask(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    assert!(scene.is_served());
}

#[tokio::test]
async fn a_ca_that_comes_back_while_it_is_waited_for_is_asked_again() {
    let scene = Scene::new().await;
    scene.authority.answers(STARTING);
    let asking = scene.start(&["-p", PORTAL]);
    scene.until_submitted().await;
    let is_unreachable =
        || async { (scene.tracked().await.state.as_str() == "CA_UNREACHABLE").then_some(()) };
    until("certmonger has the answer", is_unreachable).await;
    scene.authority.grants();
    let ended = Scene::end(asking);
    ended.exits(0).says("FINISHED: ");
    assert_eq!(scene.authority.submitted().len(), 2);
}

#[tokio::test]
async fn a_refusal_of_before_is_no_answer_to_this_run() {
    let scene = Scene::new().await;
    scene.authority.answers(NOT_MANAGED);
    scene.first(&["-p", PORTAL]).exits(10).says("userCertificate");
    assert_eq!(scene.tracked().await.state.as_str(), "CA_REJECTED");
    // Another mistake now: the first one's words are those of yesterday.
    scene.authority.answers(NO_HOST);
    let ended = scene.ask(&["-p", PORTAL]).exits(10).says("does not exist to add a service to");
    assert!(!ended.stderr.contains("userCertificate"), "{ended:#?}");
    scene.authority.answers(AWAY);
    let ended = scene.ask(&["-p", PORTAL, "--timeout", "1"]).exits(10).says("only in 7 days");
    assert!(!ended.stderr.contains("does not exist"), "{ended:#?}");
    scene.authority.grants();
    scene.ask(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    assert!(scene.is_served());
}

#[tokio::test]
async fn a_renewal_that_was_refused_is_asked_for_again_and_what_is_at_hand_is_installed_meanwhile() {
    let scene = Scene::new().await;
    scene.first(&["-p", PORTAL]).exits(0);
    let first = scene.issued();
    for answer in [NOT_MANAGED, NO_HOST] {
        scene.authority.answers(answer);
        scene.ask(&["-p", PORTAL, "--resubmit"]).exits(10).says(answer.fix.unwrap());
        let asked = scene.authority.submitted().len();
        // Another profile of the device is named, and gets the certificate that is there.
        let ended = scene.ask(&["-p", PORTAL, "-s", GATEWAY]).exits(10).says("FINISHED: ");
        assert!(ended.stderr.contains(answer.fix.unwrap()), "{ended:#?}");
        assert!(scene.authority.submitted().len() > asked);
        assert_eq!(scene.issued(), first);
        assert!(scene.is_served());
    }
    scene.authority.grants();
    scene.ask(&["-p", PORTAL, "-s", GATEWAY]).exits(0).says("FINISHED: ");
    assert_ne!(scene.issued(), first);
    assert!(scene.is_served());
}
