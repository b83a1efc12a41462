//! Large answers are read a few at a time, and whoever stops in the middle of one keeps no other waiting.

use tokio::task::JoinSet;

use super::*;

fn patient(address: &Address) -> Session {
    let options = ClientOptions {
        idle_timeout: Duration::from_secs(15),
        request_timeout: Duration::from_secs(15),
        max_reply_bytes: 8 << 20,
        ..ClientOptions::default()
    };
    Session::new(address, &Trust::DangerousAcceptAny, &SecretString::from(KEY), options).unwrap()
}

/// How much of its large answer is there when a device stops, or begins to send slowly.
const SENT: usize = 200 * 1024;

/// Asks this device so many times, and waits until all answers have stopped in the middle.
async fn ask(server: &Server, times: usize) -> JoinSet<()> {
    let mut asked = JoinSet::new();
    for _ in 0..times {
        let session = patient(&server.address());
        asked.spawn(async move { drop(session.system_info().await) });
    }
    let begun = Instant::now();
    while server.connections().iter().filter(|connection| connection.sent > SENT).count() < times {
        assert!(begun.elapsed() < Duration::from_secs(10), "not all were answered");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    asked
}

/// How long a large answer takes that comes in one piece.
async fn good() -> Duration {
    let (good, _) = device(|_| reply("200 OK", format!("{SYSTEM}{}", " ".repeat(SENT))));
    let begun = Instant::now();
    patient(&good.address()).system_info().await.unwrap();
    begun.elapsed()
}

fn stopping(then: Step) -> Server {
    let head = || Step::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 << 20).into());
    device(move |_| vec![head(), Step::Send(vec![b'x'; SENT]), then.clone()]).0
}

#[tokio::test]
async fn those_that_stop_in_the_middle_of_a_large_answer_or_send_it_slowly_keep_no_other_waiting() {
    // Each makes room after a quarter of a second: 1.9 s. After the second that a turn has at most it would be 7.
    let silent = stopping(Step::Silence);
    let mut asked = ask(&silent, 120).await;
    let took = good().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(asked.try_join_next().is_none());
    drop(asked);
    // These never pause: 2 s.
    let slow = stopping(Step::Drip(vec![b'x'; 512], Duration::from_millis(20)));
    let mut asked = ask(&slow, 40).await;
    let took = good().await;
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(asked.try_join_next().is_none());
}
