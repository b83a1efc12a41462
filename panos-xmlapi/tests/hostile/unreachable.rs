//! Whoever can't be spoken to, or does not go on, is given up within the time limits.

use super::*;

#[tokio::test]
async fn a_refused_connection_is_unreachable_in_the_systems_words() {
    let error = session_to(&NOBODY.parse().unwrap()).system_info().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.to_string(), "no connection: Connection refused (os error 111)");
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable_and_says_so() {
    let error = session_to(&"no-such-host.invalid".parse().unwrap()).system_info().await.unwrap_err();
    let Error::Unreachable { cause } = &error else { panic!("{error:?}") };
    assert!(cause.contains("lookup") || cause.contains("no answer within"), "{cause}");
}

#[tokio::test]
async fn a_listener_that_never_starts_tls_is_unreachable_within_the_connect_limit() {
    let server = Server::start_plain(b"");
    let began = Instant::now();
    let error = session_to(&server.address()).system_info().await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(1100), "{:?}", began.elapsed());
    let Error::Unreachable { cause } = &error else { panic!("{error:?}") };
    assert!(cause.starts_with("no answer within"), "{cause}");
}

#[tokio::test]
async fn a_server_without_tls_is_unreachable_and_told_apart() {
    let server = Server::start_plain(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let error = session_to(&server.address()).system_info().await.unwrap_err();
    let Error::Unreachable { cause } = &error else { panic!("{error:?}") };
    assert!(cause.starts_with("it does not speak TLS"), "{cause}");
}

#[tokio::test]
async fn a_connection_closed_in_the_handshake_is_unreachable() {
    let server = Server::start_closing();
    let error = session_to(&server.address()).system_info().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn silence_after_the_request_ends_at_the_pause_limit() {
    let began = Instant::now();
    let error = error_from(|_| vec![Step::Silence]).await;
    assert!(matches!(error, Error::TimedOut { operation: INFO, .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_millis(1100), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_drip_that_never_pauses_ends_at_the_total_limit() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n<response>", "HTTP/1.1 200 OK\r\n"] {
        let began = Instant::now();
        let error = error_from(move |_| {
            let line = if head.ends_with("\r\n\r\n<response>") { "<a/>" } else { "X-A: a\r\n" };
            vec![Step::Send(head.into()), Step::Drip(line.into(), Duration::from_millis(20))]
        })
        .await;
        assert!(matches!(error, Error::TimedOut { operation: INFO, .. }), "{error:?}");
        assert!(began.elapsed() >= Duration::from_millis(600), "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_millis(1700), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn provisional_answers_without_end_end_at_the_total_limit() {
    let again = || Step::Drip("HTTP/1.1 102 Processing\r\n\r\n".into(), Duration::from_millis(1));
    let error = error_from(move |_| vec![again()]).await;
    assert!(matches!(error, Error::TimedOut { operation: INFO, .. }), "{error:?}");
}
