//! Certificate, key and chain files.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use openssl::symm::Cipher;

use crate::common::pki::{self, CertificateSpec, DAY, Issued, KeyKind};
use crate::common::world::{Ended, NAME, PORTAL};
use crate::line::{Getcert, Instcert, Quiet, as_nobody, open_folder_with_programs};

fn crt() -> String {
    format!("{NAME}.crt")
}

fn key() -> String {
    format!("{NAME}.key")
}

/// Refused with code 10, and so told in the record and the log.
#[track_caller]
fn refuse(quiet: &Quiet, words: &[&str]) {
    let ended = quiet.line(Instcert).plus(&["-p", PORTAL]).refused(10, words);
    assert_told(quiet, &ended, words);
}

#[track_caller]
fn assert_told(quiet: &Quiet, ended: &Ended, words: &[&str]) {
    let record = quiet.world.record();
    assert_eq!(
        (&record["state"]["is"], &record["state"]["exit"]),
        (&"failed".into(), &10.into()),
        "{ended:#?}"
    );
    let log = quiet.log();
    for word in words {
        assert!(
            log.lines().any(|line| line.contains("ERROR: ") && line.contains(word)),
            "no '{word}' in {log}"
        );
    }
}

fn refill(quiet: &Quiet, name: &str) {
    std::fs::remove_file(quiet.path(name)).or_else(|_| std::fs::remove_dir(quiet.path(name))).ok();
}

#[test]
fn a_certificate_or_key_that_is_missing_is_named_with_every_place() {
    let quiet = Quiet::new();
    refill(&quiet, &crt());
    let (crt, pem) = (quiet.path(&crt()), quiet.path(&format!("{NAME}.pem")));
    refuse(&quiet, &["certificate file not found", &format!("{} or {}", crt.display(), pem.display())]);
    quiet.world.renew();
    refill(&quiet, &key());
    refuse(&quiet, &["private key file not found", quiet.path(&key()).to_str().unwrap()]);
    let nowhere = quiet.line(Instcert).with("-C", "/nonexistent").with("-K", "/nonexistent");
    nowhere.refused(10, &["/nonexistent/gp.example.com.crt"]);
    quiet.line(Instcert).with("-C", "/etc/passwd").refused(10, &["certificate file not found"]);
}

#[test]
fn what_is_no_pem_file_is_told_for_what_it_is() {
    let quiet = Quiet::new();
    let issued = quiet.world.renew();
    let (der, der_key) = (issued.certificate.to_der().unwrap(), issued.key.private_key_to_der().unwrap());
    let broken = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n").into_bytes();
    let random: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
    let mut null = issued.certificate_pem().into_bytes();
    null.insert(40, 0);
    for (content, word) in [
        (Vec::new(), "is empty"),
        (b" \r\n\n".to_vec(), "is empty"),
        (der, "is in binary form (DER), not PEM"),
        (random.clone(), "is not a PEM file"),
        (b"<html>not found</html>".to_vec(), "is not a PEM file"),
        (vec![b'x'; 10 << 20], "holds more than 1024 KiB"),
        (broken("CERTIFICATE"), "is damaged"),
        (issued.certificate_pem().as_bytes()[..200].to_vec(), "is damaged"),
        (null, "is damaged"),
        (issued.key_pem().into_bytes(), "holds no certificate"),
    ] {
        quiet.file(&crt(), content);
        refuse(&quiet, &["the certificate file", word]);
    }
    quiet.world.renew();
    for (content, word) in [
        (Vec::new(), "is empty"),
        (der_key, "not PEM"),
        (random, "is not a PEM file"),
        (vec![b'x'; 10 << 20], "holds more than 1024 KiB"),
        (broken("PRIVATE KEY"), "is damaged"),
        (issued.certificate_pem().into_bytes(), "holds no private key"),
        (broken("PUBLIC KEY"), "holds no private key"),
    ] {
        quiet.file(&key(), content);
        refuse(&quiet, &["the private key file", word]);
    }
}

#[test]
fn folders_fifos_and_devices_are_never_read_or_waited_for() {
    let quiet = Quiet::new();
    for (name, role) in [(crt(), "certificate"), (key(), "private key")] {
        let path = quiet.path(&name);
        let again = || {
            refill(&quiet, &name);
            path.clone()
        };
        std::fs::create_dir(again()).unwrap();
        refuse(&quiet, &[role, "is a directory, not a regular file"]);
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, again(), fifo, 0o600.into(), 0).unwrap();
        refuse(&quiet, &[role, "is a FIFO, not a regular file"]);
        symlink("/dev/zero", again()).unwrap();
        refuse(&quiet, &[role, "is a device, not a regular file"]);
        symlink(&path, again()).unwrap();
        refuse(&quiet, &[role]);
        refill(&quiet, &name);
        quiet.world.renew();
    }
}

#[test]
fn pan_getcert_does_not_wait_for_a_fifo_in_the_certificates_place() {
    let quiet = Quiet::new();
    refill(&quiet, &crt());
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, quiet.path(&crt()), fifo, 0o600.into(), 0).unwrap();
    // It goes on to certmonger, a stand-in here that refuses.
    quiet.line(Getcert).run().exits(10);
    assert!(quiet.asked().is_some());
}

#[test]
fn files_for_root_only_are_named_with_run_it_with_sudo() {
    let quiet = Quiet::new();
    let issued = quiet.world.renew();
    let open = open_folder_with_programs();
    let made = |name: &str, mode: u32| {
        let path = open.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let out = made("out", 0o777);
    let files = made("files", 0o755);
    let run = |certificates: &Path, word: &str| {
        let line = quiet.line(Instcert).through(&as_nobody(&open.path().join("pan_instcert")));
        let line = line.with("-C", certificates).with("-K", certificates);
        let line = line.with("--log-file", out.join("log")).with("--state-dir", out.join("state"));
        line.refused(10, &["no permission to read", word, "run it with sudo"]);
    };
    pki::write(&files.join(crt()), issued.certificate_pem().as_bytes(), 0o644);
    pki::write(&files.join(key()), b"", 0o000);
    run(&files, "the private key file");
    pki::write(&files.join(crt()), b"", 0o000);
    run(&files, "the certificate file");
    let closed = made("closed", 0o000);
    run(&closed, "the certificate file");
    let log = std::fs::read_to_string(out.join("log")).unwrap();
    crate::line::assert_no_success(&out.join("state"), &log, &"no permission");
}

fn encrypted(issued: &Issued) -> Vec<Vec<u8>> {
    let rsa = KeyKind::Rsa(2048).generate();
    let old = rsa.rsa().unwrap().private_key_to_pem_passphrase(Cipher::aes_128_cbc(), b"secret").unwrap();
    let new = issued.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret").unwrap();
    let empty = issued.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"").unwrap();
    vec![old, new, empty]
}

#[test]
fn encrypted_key_error_has_a_hint() {
    let quiet = Quiet::new();
    for pem in encrypted(&quiet.world.renew()) {
        quiet.file(&key(), pem);
        refuse(&quiet, &["is encrypted", "openssl pkey -in"]);
    }
}

#[test]
fn an_encrypted_key_is_no_question_on_a_terminal() {
    let quiet = Quiet::new();
    for pem in encrypted(&quiet.world.renew()) {
        quiet.file(&key(), pem);
        // script gives the program a controlling terminal, on which OpenSSL would ask.
        let program = Instcert.path().display();
        let folder = quiet.world.folder.path().display();
        let line = format!(
            "'{program}' -b -c {NAME} -C '{folder}' -K '{folder}' -k '{folder}/.panrc' \
             --log-file '{folder}/log' --state-dir '{folder}/state' {}",
            quiet.world.target()
        );
        let mut command = Command::new("timeout");
        command.args(["30", "script", "-qec", &line, "/dev/null"]).stdin(Stdio::null());
        let ended = Ended::of(&mut command).exits(10);
        assert!(ended.stdout.contains("is encrypted"), "{ended:#?}");
        assert!(!ended.stdout.to_lowercase().contains("enter"), "{ended:#?}");
        quiet.assert_untouched(&ended);
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let quiet = Quiet::new();
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa(2048), KeyKind::Ed25519] {
        let other = quiet.world.ca.issue(&CertificateSpec::named("other").key(kind));
        quiet.file(&key(), other.key_pem());
        refuse(&quiet, &["does not match the certificate", "compare their dates"]);
    }
}

#[test]
fn a_certificate_out_of_its_time_is_refused() {
    let quiet = Quiet::new();
    quiet.world.issue(&CertificateSpec::named(NAME).san(NAME).valid(-2 * DAY, -1));
    refuse(&quiet, &["expired on", "UTC"]);
    quiet.world.issue(&CertificateSpec::named(NAME).san(NAME).valid(DAY, 2 * DAY));
    refuse(&quiet, &["is not valid before", "UTC"]);
    assert!(quiet.log().contains("check this machine's clock"));
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let quiet = Quiet::new();
    for spec in [
        CertificateSpec::named("other.example.com").san("vpn.example.com"),
        CertificateSpec::named("gp.example.com.evil.example"),
        CertificateSpec::nameless().san("*.gp.example.com"),
        CertificateSpec::named("example.com").san("*.com"),
    ] {
        quiet.world.issue(&spec);
        refuse(&quiet, &["is not for gp.example.com, but for"]);
    }
    quiet.world.issue(&CertificateSpec::nameless());
    refuse(&quiet, &["is not for gp.example.com, but for nobody"]);
    quiet.world.issue(&CertificateSpec::named("x\u{1b}[2J\nEND - Finished"));
    refuse(&quiet, &["but for x\\u{1b}[2J\\nEND"]);
}

#[test]
fn a_certificate_for_the_name_by_any_means_works() {
    let quiet = Quiet::new();
    for spec in [
        CertificateSpec::named("GP.EXAMPLE.COM"),
        CertificateSpec::named("vpn.example.com").san("gp.example.com"),
        CertificateSpec::named("x").san("*.example.com"),
    ] {
        quiet.world.issue(&spec);
        quiet.line(Instcert).run().exits(0);
    }
    // A file with line ends of Windows and text before the certificate.
    let issued = quiet.world.renew();
    quiet.file(&crt(), format!("subject=CN={NAME}\r\n{}", issued.certificate_pem().replace('\n', "\r\n")));
    quiet.line(Instcert).run().exits(0);
}

#[test]
fn a_chain_that_is_none_is_refused() {
    let quiet = Quiet::new();
    let issuing = quiet.world.ca.intermediate("Issuing CA", KeyKind::P256);
    issuing.issue(&CertificateSpec::named(NAME).san(NAME)).write(quiet.world.folder.path(), NAME);
    let stranger = pki::root("Stranger", KeyKind::P256).intermediate("Strange CA", KeyKind::P256);
    let expired = quiet.world.ca.intermediate_with(&CertificateSpec::named("Old CA").valid(-2 * DAY, -1));
    let refuse = |path: &Path, words: &[&str]| {
        let ended = quiet.line(Instcert).with("--chain", path).refused(10, words);
        assert_told(&quiet, &ended, words);
    };
    refuse(
        &quiet.file("a", stranger.certificate_pem()),
        &["the chain file", "does not hold the issuer of CN=gp.example.com: missing is CN=Issuing CA"],
    );
    refuse(&quiet.file("c", "junk"), &["the chain file", "is not a PEM file"]);
    refuse(&quiet.file("d", ""), &["the chain file", "is empty"]);
    refuse(&quiet.file("e", issuing.key_pem()), &["the chain file", "holds no certificate"]);
    refuse(&quiet.file("f", &issuing.certificate_pem()[..300]), &["the chain file", "is damaged"]);
    refuse(&quiet.file("g", issuing.certificate.to_der().unwrap()), &["the chain file", "DER"]);
    refuse(&quiet.file("h", vec![b'x'; 10 << 20]), &["the chain file", "more than"]);
    refuse(&quiet.path("missing"), &["chain file not found"]);
    refuse(quiet.world.folder.path(), &["the chain file", "is a directory"]);

    expired.issue(&CertificateSpec::named(NAME).san(NAME)).write(quiet.world.folder.path(), NAME);
    refuse(&quiet.file("i", expired.certificate_pem()), &["CN=Old CA", "expired on"]);

    quiet.line(Getcert).with("--chain", quiet.path("missing")).refused(10, &["chain file not found"]);

    // What is not needed does no harm.
    issuing.issue(&CertificateSpec::named(NAME).san(NAME)).write(quiet.world.folder.path(), NAME);
    let all = [&stranger, &expired, &issuing, &quiet.world.ca].map(|one| one.certificate_pem()).concat();
    quiet.line(Instcert).with("--chain", quiet.file("b", all)).plus(&["-p", PORTAL]).run().exits(0);
}

#[test]
fn a_live_folder_with_a_broken_chain_is_refused_and_not_taken_for_one_without() {
    let quiet = Quiet::new();
    let live = quiet.path(NAME);
    std::fs::create_dir(&live).unwrap();
    let issuing = quiet.world.ca.intermediate("Issuing CA", KeyKind::P256);
    issuing.issue(&CertificateSpec::named(NAME).san(NAME)).write_live(&live, &[&issuing]);
    let line = quiet.line(Instcert).with("-C", &live).with("-K", &live).plus(&["-p", PORTAL]);
    let good = std::fs::read(live.join("chain.pem")).unwrap();
    std::fs::write(live.join("chain.pem"), b"junk").unwrap();
    line.refused(10, &["chain.pem is not a PEM file"]);
    std::fs::write(live.join("chain.pem"), good).unwrap();
    line.run().exits(0);
    assert!(quiet.world.served().is_some());
}
