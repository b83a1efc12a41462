//! One connection serves many requests, and a lost one costs no change twice.

use super::*;

#[tokio::test]
async fn many_requests_share_one_connection() {
    let (server, session) = device(|_| reply("200 OK", SYSTEM));
    for _ in 0..12 {
        session.system_info().await.unwrap();
    }
    assert_eq!(server.requests().len(), 12);
    assert_eq!(server.connections().len(), 1);
}

#[tokio::test]
async fn a_refusal_does_not_cost_the_connection() {
    let (server, session) = device(|request| {
        if request.text().contains("action=set") {
            reply("400 Bad Request", "<response status='error' code='400'/>")
        } else {
            reply("200 OK", SYSTEM)
        }
    });
    session.system_info().await.unwrap();
    set(&session).await.unwrap_err();
    session.system_info().await.unwrap();
    assert_eq!(server.connections().len(), 1);
}

/// Whatever closes first is awaited with this thread blocked: the client can't have noticed it before
/// the next request sets out.
#[tokio::test]
async fn a_connection_closed_between_requests_is_replaced_without_an_error() {
    let (server, session) = device(|request| {
        let body = if request.text().contains("action=set") { DONE } else { SYSTEM };
        let mut steps = reply("200 OK", body);
        steps.push(Step::Close);
        steps
    });
    for round in 0..10 {
        set(&session).await.unwrap();
        server.after(2 * round + 1);
        session.system_info().await.unwrap();
        server.after(2 * round + 2);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 20, "none was sent twice");
    assert!(requests.iter().enumerate().all(|(number, request)| request.connection == number));
}

#[tokio::test]
async fn connection_close_is_honoured() {
    let (server, session) = device(|_| reply_with("200 OK", &["Connection: close"], SYSTEM));
    for _ in 0..3 {
        session.system_info().await.unwrap();
    }
    assert_eq!(server.connections().len(), 3);
}

#[tokio::test]
async fn a_question_lost_with_its_connection_is_put_once_more_and_a_change_is_not() {
    let script = |request: &Request| {
        // The second request of the first connection arrives, and dies with it.
        if request.connection == 0 && request.text().contains("config") {
            return vec![Step::Close];
        }
        reply("200 OK", if request.text().contains("action=set") { DONE } else { SYSTEM })
    };
    let (server, session) = device(script);
    session.system_info().await.unwrap();
    session.get(&path()).await.unwrap();
    assert_eq!(server.requests().len(), 3);

    let (server, session) = device(script);
    session.system_info().await.unwrap();
    let error = set(&session).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted { operation: SET, .. }), "{error:?}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_question_is_put_twice_at_most() {
    let (server, session) = device(|_| vec![Step::Close]);
    let error = session.system_info().await.unwrap_err();
    assert!(matches!(error, Error::Interrupted { operation: INFO, .. }), "{error:?}");
    assert_eq!(server.requests().len(), 2);
}
