//! What a session makes of devices, and of things that are no device, that answer wrongly, slowly, too
//! much or not at all; and what of the session's secrets can be seen on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, clippy::print_stdout)]

#[path = "hostile/connections.rs"]
mod connections;
#[path = "hostile/endless.rs"]
mod endless;
#[path = "hostile/large.rs"]
mod large;
#[path = "hostile/managed.rs"]
mod managed;
#[path = "hostile/misleading.rs"]
mod misleading;
#[path = "hostile/secrets.rs"]
mod secrets;
#[path = "common/server.rs"]
mod server;
#[path = "hostile/unreachable.rs"]
mod unreachable;

use std::time::{Duration, Instant};

use panos_xmlapi::{
    Address, ClientOptions, Commit, CommitReply, CommitScope, Element, Error, ImportFormat, KeyExport,
    KeyPairImport, Location, Operation, Push, Reason, ReplyError, Session, Trust, XPath, XmlError,
};
use secrecy::{SecretSlice, SecretString};
use server::identity::Plan;
use server::{Request, Server, Step, reply, reply_with};

const KEY: &str = "LUFRPT1invented+key/with==";
/// Where nobody listens. The system gives out no port so low, so no server of another test gets it meanwhile.
const NOBODY: &str = "127.0.0.1:1";
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
