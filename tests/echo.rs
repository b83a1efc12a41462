//! A device, or a web server in front of it, that sends back what it was sent: no secret gets into what is quoted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;
#[path = "../panos-xmlapi/tests/common/server.rs"]
mod server;

use std::process::Command;

use common::world::{Ended, NAME, PORTAL, World, everything_below};
use panos_xmlapi::{ClientOptions, Error, ImportFormat, KeyExport, KeyPairImport, Location, Session, Trust};
use secrecy::{SecretSlice, SecretString};
use server::identity::Plan;
use server::{Request, Server, Step, reply};

const KEY: &str = "LUFRPT1invented+key/with&and=LONG/enough==";
const PASSPHRASE: &str = "anInventedPassphrase0123456789";
const PASSWORD: &str = "an & invented passw0rd";

/// A secret as somebody may write it back.
fn forms(secret: &str) -> Vec<String> {
    let each = |write: &dyn Fn(u8) -> String| secret.bytes().map(write).collect::<String>();
    let percent = |byte: u8| match char::from(byte) {
        plain if plain.is_ascii_alphanumeric() => plain.to_string(),
        _ => format!("%{byte:02X}"),
    };
    vec![
        secret.to_owned(),
        each(&percent),
        each(&|byte| format!("{byte:02x}")),
        openssl::base64::encode_block(secret.as_bytes()),
        openssl::base64::encode_block(format!("admin:{secret}").as_bytes()),
        each(&|byte| format!("&#{byte};")),
    ]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;")
}

/// As in a text, and once more as references in XML.
fn written(secret: &str) -> String {
    let references: String = secret.bytes().map(|byte| format!("&#x{byte:x};")).collect();
    let texts = forms(secret).iter().map(|form| escaped(form)).collect::<Vec<_>>().join(" ");
    let (front, back) = secret.split_at(secret.len() / 2);
    let [front, back] = [front, back].map(escaped);
    format!("{texts} {references} {front}<!-- -->{back}")
}

/// Answers that quote, each in another way.
fn echoes(secret: &str) -> Vec<(&'static str, String)> {
    let said = written(secret);
    vec![
        (
            "a line",
            format!("<response status='error' code='12'><msg><line>No: {said}</line></msg></response>"),
        ),
        ("200 <msg>", format!("<response status='error' code='13'><msg>No: {said}</msg></response>")),
        ("a result", format!("<response status='error'><result><msg>No: {said}</msg></result></response>")),
        ("a code", format!("<response status='success' code='{}'><result/></response>", escaped(secret))),
        ("a page", format!("<html><body>Bad request: X-PAN-KEY: {said}</body></html>")),
        ("a root", format!("<x{}/>", secret.replace(|c: char| !c.is_ascii_alphanumeric(), ""))),
        ("no XML", format!("<response a='{}' {}>", escaped(secret), secret)),
        ("text", secret.to_owned()),
    ]
}

/// No part of a secret, in any form.
#[track_caller]
fn is_clean(what: &str, secret: &str, text: &str) {
    for form in forms(secret) {
        for part in form.as_bytes().windows(16) {
            let part = std::str::from_utf8(part).unwrap();
            // What is not the secret's in a longer form.
            assert!(!text.contains(part), "{what}: '{part}' of {form} in {text}");
        }
    }
}

#[test]
fn a_key_that_comes_back_is_in_no_log_record_json_or_message() {
    let mut replaced = 0;
    for (what, body) in echoes(KEY) {
        for status in ["200 OK", "400 Bad Request", "403 Forbidden"] {
            let body = body.clone();
            let server = Server::start(&Plan::named("fw").self_signed(), move |request: &Request| {
                assert_eq!(request.header("x-pan-key"), Some(KEY));
                reply(status, &body)
            });
            let world = World::new();
            world.write_key_file(&format!("api_key={KEY}\n"));
            let target = server.address().to_string();
            let key_file = world.path(".panrc");
            let command = |words: &[&str]| {
                let mut command = world.bare_command();
                command.arg("-k").arg(&key_file).args(["--insecure", "-p", PORTAL]).args(words).arg(&target);
                Ended::of(&mut command)
            };
            let mut said = String::new();
            for words in [&["-vvv"][..], &["--json"], &["--dry-run", "--json"]] {
                let Ended { stdout, stderr, code } = command(words);
                assert_ne!(code, Some(0), "{what}");
                said.push_str(&stdout);
                said.push_str(&stderr);
            }
            let mut status = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
            status.args(["status", "--json"]).arg("--state-dir").arg(world.path("state"));
            status.arg("--log-file").arg(world.path("log")).env_clear();
            let told = Ended::of(&mut status);
            assert!(told.stdout.contains(NAME), "{told:?}");
            said.push_str(&told.stdout);
            std::fs::remove_file(&key_file).unwrap();
            said.push_str(&everything_below(world.folder.path()));
            assert!(said.contains(&target));
            is_clean(what, KEY, &said);
            replaced += said.matches("[API key removed]").count();
        }
    }
    // Not because nothing was quoted.
    assert!(replaced > 20, "{replaced}");
}

fn session_to(body: String) -> (Server, Session) {
    let server =
        Server::start(&Plan::named("fw").self_signed(), move |_| -> Vec<Step> { reply("200 OK", &body) });
    let key = SecretString::from(KEY);
    let session =
        Session::new(&server.address(), &Trust::DangerousAcceptAny, &key, ClientOptions::default()).unwrap();
    (server, session)
}

fn shown(error: &Error) -> String {
    format!("{error} {error:?}")
}

#[tokio::test]
async fn a_passphrase_that_comes_back_is_taken_out_of_the_refusal() {
    for (what, body) in echoes(PASSPHRASE) {
        let (_server, session) = session_to(body);
        let import = KeyPairImport {
            name: "gp".into(),
            location: Location::Shared,
            format: ImportFormat::Pkcs12,
            file: SecretSlice::from(vec![1, 2, 3]),
            passphrase: SecretString::from(PASSPHRASE),
            key_export: Some(KeyExport::Blocked),
        };
        let error = session.import(&import).await.unwrap_err();
        is_clean(what, PASSPHRASE, &shown(&error));
        // Also later, when the passphrase itself is long gone.
        drop(import);
        let error = session.system_info().await.unwrap_err();
        is_clean(what, PASSPHRASE, &shown(&error));
        if what == "a line" {
            assert!(error.to_string().contains("[passphrase removed]"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_key_in_the_details_of_a_job_is_taken_out() {
    let said = written(KEY);
    let job = format!(
        "<response status='success'><result><job><id>7</id><status>FIN</status><result>FAIL</result>\
         <details><line>{said}</line></details><warnings><line>{said}</line></warnings></job></result></response>"
    );
    let (_server, session) = session_to(job);
    let job = session.job("7").await.unwrap();
    is_clean("job", KEY, &format!("{job:?}"));
    assert!(job.details[0].contains("[API key removed]") && job.warnings[0].contains("[API key removed]"));
}

#[tokio::test]
async fn a_password_that_comes_back_is_taken_out_and_the_key_that_is_made_is_not() {
    for (what, body) in echoes(PASSWORD) {
        let server =
            Server::start(&Plan::named("fw").self_signed(), move |_: &Request| reply("403 Forbidden", &body));
        let password = SecretString::from(PASSWORD);
        let (address, trust) = (server.address(), Trust::DangerousAcceptAny);
        let made =
            Session::generate_key(&address, &trust, "admin", &password, ClientOptions::default()).await;
        is_clean(what, PASSWORD, &shown(&made.unwrap_err()));
    }
    // A key that begins with the password is a key all the same.
    let key = format!("{PASSWORD}9999");
    let body = format!("<response status='success'><result><key>{}</key></result></response>", escaped(&key));
    let server = Server::start(&Plan::named("fw").self_signed(), move |_: &Request| reply("200 OK", &body));
    let password = SecretString::from(PASSWORD);
    let (address, trust) = (server.address(), Trust::DangerousAcceptAny);
    let made = Session::generate_key(&address, &trust, "admin", &password, ClientOptions::default());
    assert_eq!(secrecy::ExposeSecret::expose_secret(&made.await.unwrap()), key);
}

/// A device whose configuration holds a private key, as a blob that with the default master key is as good as the key.
fn with_a_blob() -> (World, String) {
    use panos_sim::{PreloadedCertificate, Profile};
    let issued = common::pki::root("Old CA", common::pki::KeyKind::P256)
        .issue(&common::pki::CertificateSpec::named(NAME).san(NAME));
    let mut settings = common::world::settings();
    settings.certificates = vec![PreloadedCertificate {
        name: NAME.into(),
        certificate: issued.certificate_pem(),
        key: Some(issued.key_pem()),
        vsys: None,
    }];
    settings.profiles = vec![Profile::bound(PORTAL, NAME)];
    let world = World::with(settings);
    let xml = world.device.running_xml();
    let blob = xml.split("<private-key>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(blob.starts_with("-AQ==") && blob.len() > 100);
    (world, blob)
}

#[test]
fn the_blob_of_a_private_key_is_neither_asked_for_nor_kept_nor_printed() {
    let (world, blob) = with_a_blob();
    let certctl = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.args(words).arg("-vvv").arg("--state-dir").arg(world.path("state"));
        command.arg("--log-file").arg(world.path("log"));
        Ended::of(command.env_clear().env("PATH", "/usr/bin:/bin"))
    };
    let pin = world.device.certificate_fingerprint();
    let key_file = world.path(".panrc");
    let reach = ["-k", key_file.to_str().unwrap(), "--pin", &pin];
    let mut said = String::new();
    let mut heard = |ended: Ended| said.push_str(&format!("{ended:?}"));
    // Once refused in words that repeat it.
    let echo = panos_sim::What::Answer {
        status: 200,
        body: format!("<response status='error' code='12'><msg><line>value: {blob}</line></msg></response>")
            .into_bytes(),
    };
    let when = panos_sim::When::request(panos_sim::Matcher::typed("import"));
    world.device.inject(panos_sim::Fault::new(when, echo).times(4));
    heard(world.install(&["-p", PORTAL, "-vvv", "--json"]));
    heard(world.install(&["-p", PORTAL, "-vvv", "--dry-run", "--json"]));
    heard(world.install(&["-p", PORTAL, "-vvv", "--force"]));
    world.renew();
    world.device.clear_requests();
    heard(world.install(&["-p", PORTAL, "-vvv"]).exits(0));
    // Nobody has asked for it, neither for the object as a whole nor for the list that it is in.
    for request in world.device.requests() {
        let xpath = request.xpath.unwrap_or_default();
        let whole = xpath == "/config/shared"
            || (xpath.ends_with("/certificate") && !xpath.contains("/api/key/"))
            || (xpath.contains("/certificate/entry") && xpath.ends_with(']'));
        assert!(!whole, "asked for: {xpath}");
    }
    // These read lists, and the whole of the configuration.
    world.renew();
    let serial = ["-p", PORTAL, "--suffix", "serial", "--where-used", "-vvv"];
    heard(world.install(&serial).exits(0));
    let target = world.target();
    heard(certctl(&[&["inventory", "--json"][..], &reach, &[&target]].concat()));
    heard(certctl(
        &[&["check", "--blind", "--ca", "local", "-p", PORTAL, "--json"][..], &reach, &[&target]].concat(),
    ));
    heard(certctl(&["verify"]));
    heard(certctl(&["status", "--json"]));
    let kept = everything_below(world.folder.path());
    for part in [&blob[..40], &blob[40..80], "-AQ=="] {
        assert!(!said.contains(part) && !kept.contains(part), "{part} in {said}");
    }
    assert!(said.contains("[encrypted secret removed]"), "{said}");
}
