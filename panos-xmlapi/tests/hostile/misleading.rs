//! What is no reply to the question is not taken for one.

use super::*;

#[tokio::test]
async fn an_answer_cut_short_is_an_interruption() {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<response", "HTTP/1.1 20"] {
        let (server, session) = device(move |_| vec![Step::Send(answer.into()), Step::Close]);
        let error = set(&session).await.unwrap_err();
        assert!(matches!(error, Error::Interrupted { operation: SET, .. }), "{answer}: {error:?}");
        assert_eq!(server.requests().len(), 1, "what may have taken effect is not sent again");
    }
}

#[tokio::test]
async fn a_body_without_length_that_ends_in_the_middle_is_not_understood() {
    let half = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<response status=\"success\"><result>";
    let error = error_from(move |_| vec![Step::Send(half.into()), Step::Close]).await;
    assert_unintelligible(&error, &XmlError::Truncated.into());
}

#[tokio::test]
async fn a_web_page_is_not_understood() {
    let error = error_from_body("200 OK", "<html><body>Login</body></html>").await;
    assert_unintelligible(&error, &ReplyError::WrongRoot("html".into()));
    let error = error_from_body("200 OK", "<!DOCTYPE html>\n<html><br><p>Login</html>").await;
    assert_unintelligible(&error, &XmlError::Doctype.into());
}

#[tokio::test]
async fn plain_text_and_nothing_at_all_are_not_understood() {
    assert_unintelligible(&error_from_body("200 OK", "hello").await, &XmlError::BesideRoot.into());
    assert_unintelligible(&error_from_body("200 OK", "").await, &XmlError::Empty.into());
    assert_unintelligible(&error_from_body("200 OK", b"\xff\xfe<\0").await, &ReplyError::NotUtf8);
}

#[tokio::test]
async fn a_second_element_or_text_after_the_reply_is_not_understood() {
    for extra in ["<response status=\"success\"/>", "tail"] {
        let error = error_from_body("200 OK", format!("{SYSTEM}{extra}")).await;
        assert_unintelligible(&error, &XmlError::BesideRoot.into());
    }
}

#[tokio::test]
async fn a_bomb_of_entities_is_refused_unexpanded() {
    let bomb = "<?xml version='1.0'?><!DOCTYPE response [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>\
                <!ENTITY c '&b;&b;&b;&b;&b;'>]><response status='success'><result>&c;</result></response>";
    assert_unintelligible(&error_from_body("200 OK", bomb).await, &XmlError::Doctype.into());
    let outside = "<!DOCTYPE response SYSTEM 'file:///etc/hostname'><response status='success'/>";
    assert_unintelligible(&error_from_body("200 OK", outside).await, &XmlError::Doctype.into());
}

#[tokio::test]
async fn deep_nesting_and_crowds_of_attributes_are_refused() {
    let deep = format!("<response status='success'>{}", "<a>".repeat(10_000));
    assert_unintelligible(&error_from_body("200 OK", deep).await, &XmlError::TooDeep.into());
    let crowd: String = (0..5000).map(|n| format!(" a{n}=''")).collect();
    let crowd = format!("<response status='success'{crowd}/>");
    assert_unintelligible(&error_from_body("200 OK", crowd).await, &XmlError::TooMany.into());
}

#[tokio::test]
async fn a_compressed_answer_that_nobody_asked_for_is_not_understood() {
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff".as_slice();
    let (server, session) = device(move |_| reply_with("200 OK", &["Content-Encoding: gzip"], gzip));
    assert_unintelligible(&session.system_info().await.unwrap_err(), &ReplyError::NotUtf8);
    assert_eq!(server.requests()[0].header("accept-encoding"), None);
}

#[tokio::test]
async fn a_success_whose_code_says_otherwise_is_not_a_success() {
    for code in ["1", "7", "12", "13", "18", "400", "403", "999", "OK", "0", "-19", "99999999"] {
        let body = format!("<response status=\"success\" code=\"{code}\"><result/></response>");
        let error = error_from_body("200 OK", body).await;
        assert_unintelligible(&error, &ReplyError::Contradiction(code.into()));
    }
}

#[tokio::test]
async fn an_envelope_without_a_status_is_neither_success_nor_refusal() {
    for body in ["<response/>", "<response><result><job>7</job></result></response>", "<response code='19'/>"]
    {
        let error = error_from_body("200 OK", body).await;
        assert_unintelligible(&error, &ReplyError::Missing("a status"));
    }
}

#[tokio::test]
async fn a_status_word_nobody_knows_is_a_refusal() {
    for word in ["Success", "SUCCESS", "failed", "ok", ""] {
        let body = format!("<response status=\"{word}\"><result><system/></result></response>");
        let error = error_from_body("200 OK", body).await;
        assert!(matches!(&error, Error::Refused(refusal) if refusal.reason == Reason::Other), "{error:?}");
    }
}

#[tokio::test]
async fn the_reply_to_another_question_is_not_understood() {
    let other = "<response status=\"success\"><result>yes</result></response>";
    let (_server, session) = device(move |_| reply("200 OK", other));
    let is = |error: Error, what| match error {
        Error::InvalidReply { problem, .. } => assert_eq!(problem, ReplyError::Missing(what)),
        other => panic!("{other:?}"),
    };
    is(session.system_info().await.unwrap_err(), "any system information");
    is(session.ha_state().await.unwrap_err(), "whether high availability is enabled");
    is(session.config_locks().await.unwrap_err(), "the list that was asked for");
    is(session.commit_locks().await.unwrap_err(), "the list that was asked for");
    is(session.pending_changes().await.unwrap_err(), "the list that was asked for");
    is(session.jobs().await.unwrap_err(), "the list that was asked for");
    is(session.job("7").await.unwrap_err(), "a job");
    is(session.export_certificate("c").await.unwrap_err(), "a certificate");
    let commit = Commit { scope: CommitScope::Full, locations: Vec::new(), description: "d".into() };
    is(session.commit(&commit).await.unwrap_err(), "a job");
}

#[tokio::test]
async fn another_job_than_the_one_asked_for_is_not_taken_for_it() {
    let job = "<response status=\"success\"><result><job><id>8</id><status>FIN</status><result>OK</result></job></result></response>";
    let (_server, session) = device(move |_| reply("200 OK", job));
    assert!(session.job("8").await.is_ok());
    assert!(matches!(
        session.job("7").await.unwrap_err(),
        Error::InvalidReply { problem: ReplyError::Missing("the job that was asked for"), .. }
    ));
}

#[tokio::test]
async fn an_answer_sent_ahead_is_not_taken_for_the_next_question() {
    // In one piece, so that the second is there before the next question.
    let one = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let two = vec![Step::Send([one(SYSTEM), one(DONE)].concat().into())];
    let (server, session) = device(move |request| {
        if request.connection == 0 { two.clone() } else { reply("200 OK", "<response status='error'/>") }
    });
    session.system_info().await.unwrap();
    let error = set(&session).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused(_) | Error::Interrupted { .. }),
        "the stray answer did not count as this request's success: {error:?}"
    );
    assert!(server.connections().len() <= 2);
}

#[tokio::test]
async fn statuses_that_carry_no_reply_are_reported_as_such() {
    for (line, number) in [
        ("404 Not Found", 404),
        ("429 Too Many Requests", 429),
        ("500 Internal Server Error", 500),
        ("502 Bad Gateway", 502),
        ("503 Service Unavailable", 503),
        ("201 Created", 201),
        ("204 No Content", 204),
    ] {
        // Not even a success in the body helps.
        let error = error_from_body(line, if number == 204 { "" } else { SYSTEM }).await;
        let Error::Status { operation: INFO, status } = error else { panic!("{error:?}") };
        assert_eq!(status, number);
        // Too many requests pass as well.
        assert_eq!(Error::Status { operation: INFO, status }.is_transient(), number >= 500 || number == 429);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_other_server_sees_nothing() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let elsewhere = Server::start(&Plan::named("other").self_signed(), |_| reply("200 OK", SYSTEM));
        let location = format!("Location: https://127.0.0.1:{}/api/", elsewhere.port());
        let (_server, session) = device(move |_| reply_with(status, &[&location], ""));
        let error = session.system_info().await.unwrap_err();
        let number: u16 = status[..3].parse().unwrap();
        assert!(matches!(error, Error::Status { operation: INFO, status } if status == number), "{error:?}");
        assert!(error.to_string().ends_with("(a redirect, which is not followed)"), "{error}");
        assert!(elsewhere.connections().is_empty());
    }
}

#[tokio::test]
async fn a_forbidden_answer_is_read_where_it_is_xml_and_a_status_where_it_is_not() {
    let wrong =
        "<response status = 'error' code = '403'><result><msg>Invalid Credential</msg></result></response>";
    let error = error_from_body("403 Forbidden", wrong).await;
    let Error::Refused(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((&refusal.reason, refusal.code), (&Reason::InvalidKey, Some(403)));
    assert_eq!(
        error.to_string(),
        "the command 'show system info' was refused (code 403): Invalid Credential"
    );
    for body in ["<html><h1>Forbidden</h1></html>", "", "no"] {
        for (line, number) in [("403 Forbidden", 403), ("400 Bad Request", 400)] {
            let error = error_from_body(line, body).await;
            assert!(matches!(error, Error::Status { status, .. } if status == number), "{error:?}");
        }
    }
    let (_server, session) = device(|_| reply("403 Forbidden", "<html/>"));
    let error = session.export_certificate("c").await.unwrap_err();
    assert!(matches!(error, Error::Status { operation: Operation::Export, status: 403 }), "{error:?}");
}

#[tokio::test]
async fn a_success_under_a_failing_status_is_not_a_success() {
    for line in ["400 Bad Request", "403 Forbidden"] {
        let error = error_from_body(line, SYSTEM).await;
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
        let (_server, session) = device(move |_| reply(line, "-----BEGIN CERTIFICATE-----\n"));
        let error = session.export_certificate("c").await.unwrap_err();
        assert!(matches!(error, Error::Status { .. }), "{error:?}");
    }
}
