//! What has no end is given up at the size limit.

use super::*;

#[test]
fn fifty_megabytes_are_given_up_early_with_or_without_a_length() {
    const LARGE: usize = 50 * 1024 * 1024;
    let page = vec![b'x'; 16 * 1024];
    for head in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        let page = page.clone();
        let (server, session) =
            device(move |_| vec![Step::Send(head.clone().into()), Step::Flood(page.clone(), LARGE)]);
        // A runtime of its own: its end is the connection's.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(session.system_info()).unwrap_err();
        drop(runtime);
        assert!(
            matches!(error, Error::TooLarge { operation: INFO, limit } if limit == limits().max_reply_bytes),
            "{error:?}"
        );
        // What the sockets buffer on the way counts as sent.
        let sent = server.after(1)[0].sent;
        assert!(sent < LARGE / 4, "{sent} bytes were taken");
    }
}

#[tokio::test]
async fn a_length_above_the_limit_is_enough_to_give_up() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", limits().max_reply_bytes + 1);
    let error = error_from(move |_| vec![Step::Send(head.clone().into()), Step::Silence]).await;
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn chunks_without_end_are_given_up_at_the_limit() {
    let mut chunk = b"4000\r\n".to_vec();
    chunk.extend(vec![b'x'; 0x4000]);
    chunk.extend(b"\r\n");
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let error =
        error_from(move |_| vec![Step::Send(head.into()), Step::Flood(chunk.clone(), 50 << 20)]).await;
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let fits = |over: usize| {
        let padding = limits().max_reply_bytes + over - SYSTEM.len();
        format!("{SYSTEM}{}", " ".repeat(padding))
    };
    let (_server, session) = device(move |_| reply("200 OK", fits(0)));
    session.system_info().await.unwrap();
    assert!(matches!(error_from_body("200 OK", fits(1)).await, Error::TooLarge { .. }));
}

#[tokio::test]
async fn headers_without_end_are_given_up() {
    let error = error_from(|_| {
        vec![Step::Send("HTTP/1.1 200 OK\r\n".into()), Step::Flood(b"X-Header: value\r\n".to_vec(), 50 << 20)]
    })
    .await;
    assert!(matches!(error, Error::Interrupted { operation: INFO, .. }), "{error:?}");
}
