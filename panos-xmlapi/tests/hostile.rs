//! What a session makes of devices, and of things that are no device, that answer wrongly, slowly, too
//! much or not at all; and what of the session's secrets can be seen on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, clippy::print_stdout)]

#[path = "common/server.rs"]
mod server;

use std::time::{Duration, Instant};

use panos_xmlapi::{
    Address, ClientOptions, Commit, CommitReply, CommitScope, Element, Error, ImportFormat, KeyExport,
    KeyPairImport, Location, Operation, Push, Reason, ReplyError, Session, Trust, XPath, XmlError,
};
use secrecy::{SecretSlice, SecretString};
use server::identity::Plan;
use server::{Request, Server, Step, reply, reply_with};

const KEY: &str = "LUFRPT1invented+key/with==";
const PASSPHRASE: &str = "an invented passphrase & more";
const INFO: Operation = Operation::Op("show system info");
const SET: Operation = Operation::Config("set");
const SYSTEM: &str =
    "<response status=\"success\"><result><system><hostname>fw-a</hostname></system></result></response>";
const DONE: &str = "<response status=\"success\" code=\"20\"><msg>command succeeded</msg></response>";

fn limits() -> ClientOptions {
    ClientOptions {
        connect_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_millis(700),
        request_timeout: Duration::from_millis(1200),
        max_reply_bytes: 64 * 1024,
        ..ClientOptions::default()
    }
}

fn session_to(address: &Address) -> Session {
    Session::new(address, &Trust::DangerousAcceptAny, &SecretString::from(KEY), limits()).unwrap()
}

fn device(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> (Server, Session) {
    let server = Server::start(&Plan::named("fw").self_signed(), script);
    let session = session_to(&server.address());
    (server, session)
}

fn path() -> XPath {
    Location::Shared.profile("portal").unwrap()
}

async fn set(session: &Session) -> Result<(), Error> {
    session.set(&path(), &Element::new("certificate").with_text("new")).await
}

/// The error of `show system info` against a device that always answers this.
async fn error_from(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Error {
    let (_server, session) = device(script);
    session.system_info().await.unwrap_err()
}

async fn error_from_body(status: &'static str, body: impl AsRef<[u8]> + Send + Sync + 'static) -> Error {
    error_from(move |_| reply(status, body.as_ref())).await
}

#[track_caller]
fn assert_unintelligible(error: &Error, expected: &ReplyError) {
    match error {
        Error::InvalidReply { operation: INFO, problem } => assert_eq!(problem, expected),
        other => panic!("{other:?}"),
    }
}

// ---- No connection ----

#[tokio::test]
async fn a_refused_connection_is_unreachable_in_the_systems_words() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = session_to(&free.to_string().parse().unwrap()).system_info().await.unwrap_err();
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

// ---- No whole answer ----

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

// ---- Not what was asked for ----

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

// ---- HTTP statuses ----

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

// ---- Too much ----

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

// ---- Proxies ----

/// Run by the next test in a process of its own, whose environment names a proxy.
#[tokio::test]
#[ignore = "a part of no_proxy_from_the_environment_is_used"]
async fn asks_the_device_named_in_the_environment() {
    let address: Address = std::env::var("PANOS_TEST_DEVICE").unwrap().parse().unwrap();
    session_to(&address).system_info().await.unwrap();
}

#[test]
fn no_proxy_from_the_environment_is_used() {
    let (device, _) = device(|_| reply("200 OK", SYSTEM));
    let proxy = Server::start_plain(b"");
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "asks_the_device_named_in_the_environment", "--ignored"]);
    child.env("PANOS_TEST_DEVICE", device.named().to_string());
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"] {
        child.env(name, &url);
    }
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(device.requests().len(), 1, "{output:?}");
    assert!(proxy.connections().is_empty());
}

// ---- Secrets ----

fn upload() -> KeyPairImport {
    KeyPairImport {
        location: Location::Shared,
        name: "fw.example.com".into(),
        format: ImportFormat::Pkcs12,
        file: SecretSlice::from(vec![0x30, 0x82, 0, 255, b'\r', b'\n', b'-', b'-']),
        passphrase: SecretString::from(PASSPHRASE),
        key_export: KeyExport::Blocked,
    }
}

#[tokio::test]
async fn nothing_secret_stands_in_a_url_and_the_key_only_in_its_header() {
    let done = "<response status=\"success\"><result>ok</result></response>";
    let (server, session) = device(move |_| reply("200 OK", done));
    let commit = Commit {
        scope: CommitScope::Administrator("cert-deploy".into()),
        locations: Vec::new(),
        description: "new".into(),
    };
    let _ = session.system_info().await;
    let _ = session.current_administrator().await;
    let _ = session.get(&path()).await;
    let _ = session.delete(&path()).await;
    set(&session).await.unwrap();
    session.import(&upload()).await.unwrap();
    let _ = session.commit(&commit).await;
    let _ = session.job("7").await;
    let _ = session.export_certificate("c").await;
    let requests = server.requests();
    assert_eq!(requests.len(), 9);
    for request in &requests {
        assert_eq!(request.method, "POST");
        assert!(matches!(request.target.as_str(), "/api/" | "/api/?type=import"), "{}", request.target);
        let bearing: Vec<_> = request.headers.iter().filter(|(_, value)| value.contains(KEY)).collect();
        assert_eq!(bearing, [&("x-pan-key".to_owned(), KEY.to_owned())]);
        assert!(!request.text().contains("LUFRPT1"));
        assert!(request.headers.iter().all(|(_, value)| !value.contains("passphrase")));
        assert_eq!(request.header("referer"), None);
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("cookie"), None);
    }
}

#[tokio::test]
async fn a_key_is_made_with_the_password_in_the_body_and_no_key_header() {
    let made = "<response status = 'success'><result><key>bmV3==</key></result></response>";
    let (server, _) = device(move |_| reply("200 OK", made));
    let password = SecretString::from("p&ss w+rd=%41ö");
    let key =
        Session::generate_key(&server.address(), &Trust::DangerousAcceptAny, "admin", &password, limits())
            .await;
    assert_eq!(secrecy::ExposeSecret::expose_secret(&key.unwrap()), "bmV3==");
    let request = &server.requests()[0];
    assert_eq!(request.target, "/api/");
    assert_eq!(request.header("x-pan-key"), None);
    assert_eq!(request.text(), "type=keygen&user=admin&password=p%26ss+w%2Brd%3D%2541%C3%B6");
}

#[tokio::test]
async fn an_upload_is_multipart_as_panos_reads_it() {
    let done = "<response status=\"success\"><result>Successfully imported</result></response>";
    let (server, session) = device(move |_| reply("200 OK", done));
    assert_eq!(session.import(&upload()).await.unwrap().messages, ["Successfully imported"]);
    let request = &server.requests()[0];
    assert_eq!(request.target, "/api/?type=import");
    let media = request.header("content-type").unwrap();
    let boundary = media.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(boundary.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{boundary}");
    assert!(request.header("content-length").is_some(), "not chunked");
    let mut expected = Vec::new();
    for (name, value) in [
        ("category", "keypair"),
        ("format", "pkcs12"),
        ("certificate-name", "fw.example.com"),
        ("block-private-key", "yes"),
        ("passphrase", PASSPHRASE),
    ] {
        let part =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        expected.extend_from_slice(part.as_bytes());
    }
    expected.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"keypair.p12\"\r\n\
             Content-Type: application/x-pkcs12\r\n\r\n"
        )
        .as_bytes(),
    );
    expected.extend_from_slice(&[0x30, 0x82, 0, 255, b'\r', b'\n', b'-', b'-']);
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(String::from_utf8_lossy(&request.body), String::from_utf8_lossy(&expected));
    assert_eq!(request.body, expected);
}

#[tokio::test]
async fn neither_errors_nor_their_debug_form_show_a_secret_or_a_url() {
    let (_server, session) = device(|_| vec![Step::Close]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = session_to(&free.to_string().parse().unwrap());
    for error in [
        session.import(&upload()).await.unwrap_err(),
        session.system_info().await.unwrap_err(),
        refused.import(&upload()).await.unwrap_err(),
    ] {
        let shown = format!("{error} {error:?}");
        for secret in ["LUFRPT1", "passphrase", "https:", "/api/"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn a_key_that_no_header_can_carry_is_refused_without_being_shown() {
    let address: Address = "fw1.example.com".parse().unwrap();
    for key in ["", "line\nbreak", "a\r\nX-Other: b", "zero\0"] {
        let made = Session::new(&address, &Trust::DangerousAcceptAny, &SecretString::from(key), limits());
        let Err(error) = made else { panic!("{key:?}") };
        assert!(matches!(error, Error::Setup(_)));
        assert!(key.is_empty() || !error.to_string().contains(key));
    }
}

#[tokio::test]
async fn names_and_values_travel_escaped() {
    let (server, session) = device(|_| reply("200 OK", DONE));
    let path = Location::Shared.profile("a&b='c'").unwrap();
    session.set(&path, &Element::new("certificate").with_text("<x>&\"'")).await.unwrap();
    let text = server.requests()[0].text();
    let expected: Vec<(&str, &str)> = vec![
        ("type", "config"),
        ("action", "set"),
        ("xpath", "/config/shared/ssl-tls-service-profile/entry[@name=\"a&b='c'\"]"),
    ];
    let fields: Vec<String> = text.split('&').map(str::to_owned).collect();
    assert_eq!(fields.len(), 4, "{text}");
    for ((name, value), field) in expected.iter().zip(&fields) {
        assert_eq!(decode(field), format!("{name}={value}"));
    }
    let element = decode(&fields[3]).replacen("element=", "", 1);
    assert_eq!(Element::parse(&element).unwrap().text(), "<x>&\"'");
}

fn decode(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

// ---- One connection ----

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

// ---- Through Panorama ----

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

// ---- What a commit's answer means ----

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
