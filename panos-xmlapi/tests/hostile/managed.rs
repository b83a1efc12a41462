//! A firewall behind a Panorama, and a push to it.

use super::*;

#[tokio::test]
async fn a_session_for_a_managed_firewall_names_it_in_every_request_and_the_others_do_not() {
    let (server, panorama) = device(|request| {
        let of_firewall = request.text().contains("target=001900000000003");
        reply("200 OK", if of_firewall { SYSTEM } else { DONE })
    });
    let firewall = panorama.redirected_to("001900000000003").unwrap();
    firewall.system_info().await.unwrap();
    let _ = firewall.get(&path()).await;
    let _ = firewall.export_certificate("web-1").await;
    let _ = firewall.commit(&Commit::full()).await;
    let command = firewall.op(&Element::nested(&["show", "clock"], None)).await;
    command.unwrap();
    let redirected = server.requests();
    assert_eq!(redirected.len(), 5);
    for request in &redirected {
        assert_eq!(request.text().matches("target=001900000000003").count(), 1, "{}", request.text());
    }
    set(&panorama).await.unwrap();
    assert!(!server.requests()[5].text().contains("target="));
}

#[tokio::test]
async fn a_firewall_that_panorama_has_no_connection_to_is_told_from_other_refusals() {
    for code in ["", " code=\"13\""] {
        let words = format!(
            "<response status=\"error\"{code}><msg><line>001900000000003 not connected</line></msg></response>"
        );
        let (_server, panorama) = device(move |_| reply("200 OK", &words));
        let refused = panorama.redirected_to("001900000000003").unwrap().system_info().await.unwrap_err();
        assert!(
            matches!(&refused, Error::Refused(refusal) if refusal.reason == Reason::NotConnected),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_push_is_a_request_of_its_own_and_its_answer_a_job() {
    let enqueued = "<response status=\"success\" code=\"19\"><result><msg><line>Job enqueued with jobid 37</line></msg><job>37</job></result></response>";
    let (server, panorama) = device(move |_| reply("200 OK", enqueued));
    let push = Push::of(&"stack:Branches".parse().unwrap()).unwrap().to_device("001900000000003");
    assert_eq!(panorama.push(&push).await.unwrap(), CommitReply::Job("37".into()));
    let sent = server.requests()[0].text();
    for part in ["type=commit", "action=all", "%3Ctemplate-stack%3E", "Branches", "001900000000003"] {
        assert!(sent.contains(part), "{sent}");
    }
    // Lost on the way, it may have begun: it is not sent again.
    let (server, panorama) = device(|_| vec![Step::Close]);
    let lost = panorama.push(&push).await.unwrap_err();
    assert!(matches!(lost, Error::Interrupted { operation: Operation::Push, .. }), "{lost}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn only_known_words_mean_that_a_commit_has_nothing_to_do() {
    async fn answer(body: String) -> Result<CommitReply, Error> {
        let (_server, session) = device(move |_| reply("200 OK", &body));
        session
            .commit(&Commit { scope: CommitScope::Full, locations: Vec::new(), description: "d".into() })
            .await
    }
    let say = |code: &str, text: &str| {
        format!("<response status='success' code='{code}'><msg>{text}</msg></response>")
    };
    let nothing = "There are no changes to commit.";
    assert_eq!(answer(say("19", nothing)).await.unwrap(), CommitReply::NoChanges(nothing.into()));
    assert_eq!(answer(say("13", "Same.")).await.unwrap(), CommitReply::NoChanges("Same.".into()));
    for unknown in [say("19", "Your commit will be looked at."), say("19", "")] {
        assert!(matches!(answer(unknown).await, Err(Error::InvalidReply { .. })));
    }
    let job = "<response status='success' code='19'><result><msg><line>jobid 1</line></msg><job>5</job></result></response>";
    assert_eq!(answer(job.into()).await.unwrap(), CommitReply::Job("5".into()));
}
