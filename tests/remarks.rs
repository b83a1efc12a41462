//! What is wrong with a certificate for the clients to come is said by `check` and in the log of its installation, before
//! somebody finds out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::process::Command;

use common::pki::{self, CertificateSpec, DAY, Issued, KeyKind};
use common::world::{Ended, NAME, PORTAL, World};
use serde_json::Value;

fn usual() -> CertificateSpec {
    CertificateSpec::named(NAME).san(NAME)
}

/// What `check` finds of the certificate: the verdicts and texts behind the first one.
fn checked(world: &World) -> Vec<(String, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.args(["check", "--json", "-b", "-c", NAME, "-p", PORTAL, "-k"]).arg(world.path(".panrc"));
    for (option, path) in [("-C", ""), ("-K", ""), ("--log-file", "log"), ("--state-dir", "state")] {
        command.arg(option).arg(world.path(path));
    }
    let chain = world.path("chain.pem");
    if chain.exists() {
        command.arg("--chain").arg(chain);
    }
    command.args(["--pin", &world.device.certificate_fingerprint()]).arg(world.target());
    let ended = Ended::of(command.env_clear().env("TZ", "UTC"));
    let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"));
    let findings = told["checked"][0]["findings"].as_array().unwrap().clone();
    let of_it = findings.iter().filter(|finding| finding["check"] == "certificate");
    let told = of_it.map(|finding| {
        let (verdict, text) = (finding["verdict"].as_str().unwrap(), finding["text"].as_str().unwrap());
        assert!(verdict != "warning" || finding["fixes"].as_array().unwrap().len() == 1, "{finding}");
        (verdict.to_owned(), text.to_owned())
    });
    let told: Vec<(String, String)> = told.collect();
    assert!(told[0].1.contains("valid until"), "{told:?}");
    told[1..].to_vec()
}

fn told_in_both(world: &World, certificate: &Issued, expected: &[(&str, &str)]) {
    certificate.write(world.folder.path(), NAME);
    let found = checked(world);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    std::fs::write(world.path("log"), "").unwrap();
    let chain = world.path("chain.pem");
    let mut arguments = vec!["-p", PORTAL, "--force"];
    if chain.exists() {
        arguments.extend(["--chain", chain.to_str().unwrap()]);
    }
    world.install(&arguments).exits(0);
    for ((verdict, text), (wanted, words)) in found.iter().zip(expected) {
        assert!(verdict == wanted && text.contains(words), "{found:?}");
        let prefix = if *wanted == "warning" { "WARNING: " } else { "Note: " };
        let line = format!("{prefix}{text}");
        assert!(world.log().contains(&line), "no '{line}' in {:#?}", world.log());
    }
    let all =
        world.log().into_iter().filter(|line| line.starts_with("WARNING: ") || line.starts_with("Note: "));
    assert_eq!(all.count(), expected.len(), "{:#?}", world.log());
}

#[test]
fn each_remark_is_told_by_check_and_in_the_log_of_the_installation() {
    let world = World::new();
    let ca = &world.ca;
    let warns = |issued: Issued, words: &str| told_in_both(&world, &issued, &[("warning", words)]);
    told_in_both(&world, &ca.issue(&usual()), &[]);
    warns(ca.issue(&usual().client_only()), "its extended key usage has no serverAuth");
    warns(ca.issue(&CertificateSpec::named(NAME)), "has no subject alternative name");
    warns(
        ca.issue(&CertificateSpec::named(NAME).san("b.example.com")),
        "is not among the certificate's subject",
    );
    warns(ca.issue(&usual().key(KeyKind::Rsa(1024))), "an RSA key of 1024 bits");
    warns(ca.issue(&usual().sha1()), "is signed with ecdsa-with-SHA1");
    warns(ca.issue(&usual().key(KeyKind::Ed25519)), "an Ed25519 key");
    warns(ca.issue(&usual().key(KeyKind::Ed448)), "an Ed448 key");
    warns(ca.issue(&usual().key(KeyKind::RsaPss)), "a key for RSASSA-PSS only");
    warns(ca.issue(&usual().key(KeyKind::Brainpool)), "the curve brainpoolP256r1");
    warns(ca.issue(&usual().valid(-DAY, 900 * DAY)), "is valid for 901 days; Apple's systems refuse");
    let pss = pki::root("PSS CA", KeyKind::RsaPss);
    warns(pss.issue(&usual()), "is signed with RSASSA-PSS");
    // FreeIPA's usual two years are no fault.
    let years = [("ok", "is valid for 731 days; browsers refuse more than 398 of a public CA")];
    told_in_both(&world, &ca.issue(&usual().valid(-DAY, 730 * DAY)), &years);
    // Several at once.
    let all = [("warning", "no serverAuth"), ("warning", "no subject alternative name")];
    told_in_both(&world, &ca.issue(&CertificateSpec::named(NAME).client_only()), &all);
}

#[test]
fn a_weak_intermediate_is_told_by_its_name() {
    let world = World::new();
    let weak =
        world.ca.intermediate_with(&CertificateSpec::named("Issuing CA").key(KeyKind::Rsa(1024)).sha1());
    std::fs::write(world.path("chain.pem"), weak.certificate_pem()).unwrap();
    let issued = weak.issue(&usual());
    issued.write(world.folder.path(), NAME);
    let found = checked(&world);
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        texts[0].starts_with("the intermediate certificate CN=Issuing CA has an RSA key of 1024"),
        "{texts:?}"
    );
    assert!(texts[1].starts_with("the intermediate certificate CN=Issuing CA is signed with"), "{texts:?}");
    assert_eq!(texts.len(), 2);
    // What runs already is not told of at each run.
    let chain = world.path("chain.pem");
    let arguments = ["-p", PORTAL, "--chain", chain.to_str().unwrap()];
    world.install(&arguments).exits(0);
    let warnings = || world.log().iter().filter(|line| line.contains("intermediate certificate CN=")).count();
    let before = warnings();
    assert!(before >= 2, "{:#?}", world.log());
    world.install(&arguments).exits(0).says("nothing to do");
    assert_eq!(warnings(), before);
}
