//! In which form the upload is: one after the other, what the device took at last first, and none where the refusal is
//! not about the form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::ffi::OsStr;
use std::process::Command;

use common::world::{ADMINISTRATOR, Ended, KEY, NAME, PORTAL, World, print, settings};
use panos_sim::{
    Administrator, Fault, ImportAnswer, ImportRefusal, LockKind, Matcher, Rights, Settings, What, When,
};

fn refusing(format: Option<&str>, answer: ImportAnswer) -> Settings {
    let refusal = ImportRefusal { category: None, format: format.map(str::to_owned), answer };
    Settings { import_refusals: vec![refusal], ..settings() }
}

/// The forms of the uploads, and whether each file holds an encrypted key.
fn uploads(world: &World) -> Vec<String> {
    let sent =
        world.device.requests().into_iter().filter(|request| request.r#type.as_deref() == Some("import"));
    sent.map(|request| request.format.unwrap_or_default()).collect()
}

fn keys(world: &World) -> Vec<&'static str> {
    let words = |file: &[u8]| {
        let has = |text: &[u8]| file.windows(text.len()).any(|part| part == text);
        if has(b"BEGIN ENCRYPTED PRIVATE KEY") {
            "encrypted"
        } else if has(b"BEGIN PRIVATE KEY") {
            "plain"
        } else {
            "container"
        }
    };
    world.device.uploads().iter().map(|upload| words(&upload.file)).collect()
}

fn remembered(world: &World) -> Option<String> {
    let text = std::fs::read_to_string(world.path("state/upload_forms")).ok()?;
    let (device, form) = text.lines().next()?.split_once(' ')?;
    (device == world.target()).then(|| format!("{form}\n"))
}

#[test]
fn what_a_release_does_not_take_is_tried_in_another_form_and_that_is_remembered() {
    for (answer, told) in [
        (ImportAnswer::NoKeyForCsr, "private key doesn't exist for csr"),
        (ImportAnswer::NotXml, "not a valid XML"),
        (ImportAnswer::NoCertificate, "Failed to extract certificate"),
    ] {
        let world = World::with(refusing(Some("pkcs12"), answer));
        let issued = world.renew();
        world.install(&["-p", PORTAL]).exits(0);
        assert_eq!(world.served(), Some(print(&issued.certificate)));
        assert_eq!(uploads(&world), ["pkcs12", "pkcs12", "pem"]);
        assert_eq!(keys(&world), ["container", "container", "encrypted"]);
        let refusals =
            world.log().into_iter().filter(|line| line.contains(told) && line.contains("trying once more"));
        assert_eq!(refusals.count(), 2, "{:#?}", world.log());
        assert_eq!(remembered(&world).as_deref(), Some("pem\n"));

        world.renew();
        world.device.clear_requests();
        world.install(&["-p", PORTAL]).exits(0);
        assert_eq!(uploads(&world), ["pem"]);
        // What somebody chooses is what is sent, and nothing else.
        world.renew();
        world.install(&["-p", PORTAL, "--format", "pkcs12"]).exits(12).says(told);
        world.install(&["-p", PORTAL, "--format", "pem"]).exits(0);
    }
}

#[test]
fn where_no_form_is_taken_all_refusals_are_told_and_nothing_is_remembered() {
    let world = World::with(refusing(None, ImportAnswer::NoKeyForCsr));
    world.install(&["-p", PORTAL]).exits(12).says("as PEM").says("private key doesn't exist for csr");
    assert_eq!(keys(&world), ["container", "container", "encrypted", "plain"]);
    assert_eq!(remembered(&world), None);
}

#[test]
fn with_a_chain_pem_comes_first() {
    let world = World::with(refusing(Some("pem"), ImportAnswer::NoCertificate));
    let intermediate = world.ca.intermediate("Example Issuing CA", common::pki::KeyKind::P256);
    let issued = intermediate.issue(&common::pki::CertificateSpec::named(NAME).san(NAME));
    issued.write(world.folder.path(), NAME);
    let chain = world.path("chain.pem");
    std::fs::write(&chain, intermediate.certificate_pem()).unwrap();
    world.install(&["-p", PORTAL, "--chain", chain.to_str().unwrap()]).exits(0);
    assert_eq!(keys(&world), ["encrypted", "plain", "container"]);
    assert_eq!(remembered(&world).as_deref(), Some("pkcs12-legacy\n"));
}

#[test]
fn another_form_is_no_answer_to_a_refusal_about_something_else() {
    let once = |world: &World| assert_eq!(uploads(world).len(), 1, "{:#?}", world.log());
    // The name, as devices refuse it.
    let world = World::with(Settings { name_limit: Some(20), ..settings() });
    world.install(&["-n", "a-name-of-more-than-20", "-p", PORTAL]).exits(12).says("is invalid");
    once(&world);
    // A right, in two ways.
    let world = World::with(refusing(None, ImportAnswer::Superuser));
    world.install(&["-p", PORTAL]).exits(17);
    once(&world);
    let rights = Rights { import: false, ..Rights::DEPLOYMENT };
    let world =
        World::with(settings().with_key(Administrator::with_rights(ADMINISTRATOR, "secret", rights), KEY));
    world.install(&["-p", PORTAL]).exits(17);
    once(&world);
    // A lock: waited for, and then the same form.
    let world = World::new();
    world.device.take_lock(LockKind::Config, "jane", "maintenance");
    world.install(&["-p", PORTAL, "--commit-timeout", "1"]).exits(18);
    assert!(keys(&world).iter().all(|key| *key == "container"), "{:?}", keys(&world));
    // An expired certificate.
    let world = World::new();
    let answer = "<response status=\"error\"><msg><line>Import of N failed. Certificate is expired</line></msg></response>";
    let what = What::Answer { status: 200, body: answer.as_bytes().to_vec() };
    world.device.inject(Fault::new(When::request(Matcher::typed("import")), what));
    world.install(&["-p", PORTAL]).exits(12).says("is expired");
    once(&world);
}

#[test]
fn releases_before_10_1_are_not_told_to_keep_the_key() {
    for (version, told) in [("9.1.16", false), ("10.0.12", false), ("10.1.0", true), ("12.2.1", true)] {
        let world = World::with(Settings { sw_version: version.into(), ..settings() });
        world.install(&["-p", PORTAL]).exits(0);
        assert_eq!(world.device.running_xml().contains("block-private-key"), told, "{version}");
        assert_eq!(uploads(&world).len(), 1);
    }
}

/// A program with its words, where the kernel says that the machine is in FIPS mode.
fn in_fips_mode<'a>(world: &World, words: impl IntoIterator<Item = &'a OsStr>) -> Command {
    std::fs::create_dir_all(world.path("sys/crypto")).unwrap();
    std::fs::write(world.path("sys/crypto/fips_enabled"), "1\n").unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c"]);
    let mount = format!("mount --bind '{}' /proc/sys && exec \"$@\"", world.path("sys").display());
    command.arg(mount).arg("sh").args(words);
    command.env_clear().env("TZ", "UTC").env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    command
}

fn install_in_fips_mode(world: &World, variables: &[(&str, &str)]) -> Ended {
    let inner = world.command();
    let words: Vec<&OsStr> = std::iter::once(inner.get_program()).chain(inner.get_args()).collect();
    let mut command = in_fips_mode(world, words);
    Ended::of(command.args(["-p", PORTAL]).arg(world.target()).envs(variables.iter().copied()))
}

#[test]
fn where_the_system_allows_no_container_the_upload_is_pem_and_that_is_said() {
    let world = World::new();
    // Ubuntu's OpenSSL reads that file itself; this keeps it from looking for the FIPS provider, which is not installed.
    install_in_fips_mode(&world, &[("OPENSSL_FORCE_FIPS_MODE", "0")]).exits(0);
    assert_eq!(keys(&world), ["encrypted"]);
    assert!(world.log().iter().any(|line| line.contains("FIPS mode")), "{:#?}", world.log());
    assert!(world.served().is_some());
}

#[test]
fn where_openssl_lacks_its_fips_provider_that_is_said_and_nothing_is_uploaded() {
    let world = World::new();
    let works = ["openssl", "dgst", "-sha256", "/dev/null"].map(OsStr::new);
    let has_algorithms = in_fips_mode(&world, works).output().unwrap().status.success();
    let ended = install_in_fips_mode(&world, &[]);
    // Debian's does not ask the kernel.
    if has_algorithms {
        ended.exits(0);
        return;
    }
    ended.exits(10).says("OpenSSL failed: ").says("is in FIPS mode").says("openssl list -providers");
    assert!(uploads(&world).is_empty());
}
