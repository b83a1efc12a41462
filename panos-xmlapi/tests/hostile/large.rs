//! Large answers are read a few at a time, and whoever stops in the middle of one keeps no other waiting.

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

#[tokio::test]
async fn forty_that_stop_in_the_middle_of_a_large_answer_or_send_it_slowly_keep_no_other_waiting() {
    const SENT: usize = 200 * 1024;
    let head = || Step::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 << 20).into());
    let (stopping, _) = device(move |_| vec![head(), Step::Send(vec![b'x'; SENT]), Step::Silence]);
    let slowly = Step::Drip(vec![b'x'; 512], Duration::from_millis(20));
    let (slow, _) = device(move |_| vec![head(), Step::Send(vec![b'x'; SENT]), slowly.clone()]);
    let ask = |server: &Server| {
        let session = patient(&server.address());
        tokio::spawn(async move { session.system_info().await })
    };
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.extend([ask(&stopping), ask(&slow)]);
    }
    let all_in_the_middle = || {
        let in_the_middle =
            |server: &Server| server.connections().iter().filter(|connection| connection.sent > SENT).count();
        in_the_middle(&stopping) + in_the_middle(&slow) == 40
    };
    let asked = Instant::now();
    while !all_in_the_middle() {
        assert!(asked.elapsed() < Duration::from_secs(10), "not all were answered");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (good, _) = device(|_| reply("200 OK", format!("{SYSTEM}{}", " ".repeat(SENT))));
    let begun = Instant::now();
    patient(&good.address()).system_info().await.unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(waiting.iter().all(|asked| !asked.is_finished()));
    for asked in waiting {
        asked.abort();
    }
}
