//! What a device says when it does not do what it was asked: the text decides where the code can't, a busy device
//! is waited for, and the advice fits the cause.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "../panos-xmlapi/tests/common/server.rs"]
mod server;

use common::pki;
use common::world::{Ended, NAME, PORTAL, World};
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode, SslVersion};
use panos_sim::{Fault, Matcher, What, When};

/// HTTP 200 with a refusal in these words, as most of them come.
fn refusal(text: &str) -> What {
    answer(200, &format!("<response status=\"error\"><msg><line>{text}</line></msg></response>"))
}

fn coded(code: u16, text: &str) -> What {
    answer(
        200,
        &format!("<response status=\"error\" code=\"{code}\"><msg><line>{text}</line></msg></response>"),
    )
}

fn answer(status: u16, body: &str) -> What {
    What::Answer { status, body: body.as_bytes().to_vec() }
}

fn import() -> Matcher {
    Matcher::typed("import")
}

fn read() -> Matcher {
    Matcher::typed("config").action("get")
}

fn bind() -> Matcher {
    Matcher::typed("config").action("set")
}

fn commit() -> Matcher {
    Matcher::typed("commit")
}

fn revert() -> Matcher {
    Matcher::typed("op").cmd("<revert>")
}

fn strike(world: &World, matcher: Matcher, what: What, times: u32) {
    world.device.inject(Fault::new(When::request(matcher), what).times(times));
}

const BUSY: [&str; 5] = [
    "Timed out while getting config lock. Please try again.",
    "Commit job was not queued since auto-commit not yet finished",
    "Another commit/validate is in progress. Please try again later",
    "You cannot commit while an install is in progress. Please try again later.",
    "A commit is pending. Please try again later.",
];

#[test]
fn a_busy_device_is_waited_for_at_every_request() {
    std::thread::scope(|scope| {
        for (at, text) in BUSY.into_iter().enumerate() {
            scope.spawn(move || {
                for matcher in [read(), import(), bind(), commit()] {
                    let world = World::new();
                    let what = if at == 4 { coded(13, text) } else { refusal(text) };
                    strike(&world, matcher.clone(), what, 1);
                    let ended = world.install(&["-p", PORTAL]);
                    assert_eq!(ended.code, Some(0), "{text} {matcher:?}: {ended:#?}");
                    let waiting = |line: &String| line.starts_with("Waiting: ") && line.contains(text);
                    assert!(world.log().iter().any(waiting), "{text} {matcher:?}: {:#?}", world.log());
                }
            });
        }
    });
}

#[test]
fn a_device_that_stays_busy_is_code_18_within_the_time_allowed() {
    for matcher in [read(), import(), commit()] {
        let world = World::new();
        strike(&world, matcher, refusal(BUSY[0]), u32::MAX);
        let ended = world.install(&["-p", PORTAL, "--commit-timeout", "1"]).exits(18);
        ended.says(BUSY[0]).says("--commit-timeout");
        assert_eq!(world.record()["state"]["retry_class"], "transient");
        world.device.clear_faults();
        assert_eq!(world.device.pending_changes(), []);
    }
}

#[test]
fn a_busy_device_gets_its_candidate_configuration_put_back_as_soon_as_it_has_time() {
    let world = World::new();
    world.device.fail_next_commit(&["Validation Error:"]);
    strike(&world, revert(), refusal(BUSY[0]), 3);
    world.install(&["-p", PORTAL]).exits(14);
    assert_eq!(world.device.pending_changes(), []);
    assert!(world.log().iter().any(|line| line.contains("was restored")), "{:#?}", world.log());
}

#[test]
fn too_many_requests_is_a_busy_device_too() {
    for matcher in [import(), bind(), commit()] {
        let world = World::new();
        strike(&world, matcher, What::Status(429), 1);
        world.install(&["-p", PORTAL]).exits(0);
    }
}

#[test]
fn a_web_server_in_trouble_is_not_taken_for_a_wrong_address() {
    for status in [502, 503, 504] {
        let world = World::new();
        strike(&world, import(), What::Status(status), u32::MAX);
        let ended = world.install(&["-p", PORTAL]).exits(4).says("busy or");
        assert!(!ended.stderr.contains("management address"), "{ended:?}");
        assert!(!world.log().iter().any(|line| line.contains("management address")));
    }
}

#[test]
fn a_busy_text_counts_whatever_http_status_it_comes_with() {
    for status in [400, 403, 500, 503] {
        let world = World::new();
        let body = format!("<response status=\"error\"><msg><line>{}</line></msg></response>", BUSY[0]);
        strike(&world, bind(), answer(status, &body), 1);
        world.install(&["-p", PORTAL]).exits(0);
    }
}

#[test]
fn a_missing_right_is_told_as_that_whatever_http_status_it_comes_with() {
    let text = "You need superuser privileges to do that";
    for status in [200, 400, 403, 500] {
        let world = World::new();
        let body = format!("<response status=\"error\"><msg><line>{text}</line></msg></response>");
        strike(&world, import(), answer(status, &body), u32::MAX);
        let ended = world.install(&["-p", PORTAL]).exits(17).says(text).says("role");
        assert!(!ended.stderr.contains("make a new key"), "{ended:?}");
    }
}

#[test]
fn code_13_has_many_meanings_and_its_text_tells_which() {
    let say = |text: &str, code: i32, advice: &str| {
        let world = World::new();
        strike(&world, bind(), coded(13, text), u32::MAX);
        let ended = world.install(&["-p", PORTAL, "--commit-timeout", "1"]);
        assert_eq!(ended.code, Some(code), "{text}: {ended:#?}");
        ended.says(text).says(advice);
    };
    say("001900000000003 not connected", 4, "connect the firewall to Panorama");
    say("set failed, may need to override template object GP first", 13, "Panorama");
    say("A commit is pending. Please try again later.", 18, "busy");
    say("No such schema node", 13, "");
}

#[test]
fn a_command_that_the_release_does_not_have_is_done_without() {
    for command in ["<admins>", "<changes>", "<high-availability>"] {
        let world = World::new();
        world.write_key_file(&format!(
            "api_username={}\napi_key={}\n",
            common::world::ADMINISTRATOR,
            common::world::KEY
        ));
        strike(&world, Matcher::typed("op").cmd(command), coded(17, "show -> it  is unexpected"), u32::MAX);
        world.install(&["-p", PORTAL]).exits(0);
    }
}

#[test]
fn a_partial_commit_that_is_refused_after_a_load_names_the_full_one() {
    for text in [
        "Partial commit is not possible after a configuration was loaded. Please perform a full commit.",
        "A full commit is required",
    ] {
        let world = World::new();
        strike(&world, commit(), refusal(text), u32::MAX);
        world.install(&["-p", PORTAL]).exits(14).says(text).says("--commit full");
        assert_eq!(world.record()["state"]["retry_class"], "needs_operator");
        assert_eq!(world.device.pending_changes(), []);
    }
}

#[test]
fn nothing_to_revert_is_what_was_wanted() {
    let world = World::new();
    strike(&world, import(), refusal("Import of x failed. Failed to extract certificate"), u32::MAX);
    strike(&world, revert(), refusal("There are no changes to revert"), u32::MAX);
    world.install(&["-p", PORTAL]).exits(12);
    let log = world.log().join("\n");
    assert!(
        log.contains("The candidate configuration was restored") && !log.contains("could not be restored"),
        "{log}"
    );
}

#[test]
fn several_refusals_in_a_row_are_all_told_and_the_most_telling_first() {
    let telling = "Import of x failed. Unable to load private key";
    let world = World::new();
    strike(&world, import(), refusal(telling), 1);
    strike(
        &world,
        import(),
        answer(
            400,
            "<response status='error' code='400'><result><msg>Request is not a valid XML</msg></result></response>",
        ),
        u32::MAX,
    );
    let ended = world.install(&["-p", PORTAL]).exits(12);
    let at = |text: &str| ended.stderr.find(text).unwrap_or_else(|| panic!("no '{text}' in {ended:#?}"));
    assert!(at(telling) < at("Request is not a valid XML"), "{ended:#?}");
}

#[test]
fn one_bad_byte_does_not_make_a_finished_commit_look_unfinished() {
    let job = |warning: &[u8]| {
        let mut body = b"<response status=\"success\"><result><job><type>Commit</type><status>FIN</status><result>OK</result><progress>100</progress><details><line>Configuration committed successfully</line></details><warnings><line>".to_vec();
        body.extend_from_slice(warning);
        body.extend_from_slice(b"</line></warnings></job></result></response>");
        body
    };
    let mark = b"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_vec();
    let marked = [mark, job(b"warned")].concat();
    for body in [job(b"Regel f\xfcr Z\xfcrich"), job(b"a\x80b"), job(b"a&#1;b&#xD800;"), marked] {
        let world = World::new();
        // The job is over before it is asked for.
        let polls = Matcher::typed("op").cmd("<jobs><id>");
        strike(&world, polls, What::Answer { status: 200, body }, u32::MAX);
        let ended = world.install(&["-p", PORTAL, "--commit-timeout", "8"]).exits(0);
        ended.says("installed the certificate");
        assert!(world.log().iter().any(|line| line.starts_with("commit: warning: ")), "{:#?}", world.log());
    }
}

#[test]
fn a_byte_order_mark_in_certificate_and_chain_is_passed_over() {
    let world = World::new();
    let issued = world.renew();
    let mark = |bytes: Vec<u8>| [b"\xef\xbb\xbf".to_vec(), bytes].concat();
    for (name, bytes) in [
        (format!("{NAME}.crt"), issued.certificate_pem().into_bytes()),
        (format!("{NAME}.key"), issued.key_pem().into_bytes()),
        ("chain.pem".to_owned(), world.ca.certificate_pem().into_bytes()),
    ] {
        pki::write(&world.path(&name), &mark(bytes), 0o600);
    }
    let chain = world.path("chain.pem");
    world.install(&["-p", PORTAL, "--chain", chain.to_str().unwrap()]).exits(0);
}

/// A device whose management interface asks for a client certificate.
fn guarded(version: SslVersion) -> server::Server {
    let identity = pki::self_signed(&pki::CertificateSpec::named("fw1.example.com").san("localhost"));
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_min_proto_version(Some(version)).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
    builder.set_certificate(&identity.certificate).unwrap();
    builder.set_private_key(&identity.key).unwrap();
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    server::Server::start_behind(builder.build(), |_| vec![server::Step::Close])
}

#[test]
fn a_device_that_demands_a_client_certificate_is_told_as_that() {
    let world = World::new();
    let told = |target: String| {
        let key = world.path(".panrc");
        let mut command = world.bare_command();
        command.args(["-k", key.to_str().unwrap(), "--insecure", "-p", PORTAL, &target]);
        Ended::of(&mut command).exits(4).says("demands a client certificate").says("certificate profile");
    };
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let device = guarded(version);
        told(device.named().to_string());
    }
    let own = pki::self_signed(&pki::CertificateSpec::named("fw1.example.com").san("localhost"));
    let identity =
        server::identity::Identity { certificate: own.certificate, key: own.key, chain: Vec::new() };
    let page = "<html><head><title>400 No required SSL certificate was sent</title></head></html>";
    let polite = server::Server::start(&identity, move |_| server::reply("400 Bad Request", page));
    told(polite.named().to_string());
}
