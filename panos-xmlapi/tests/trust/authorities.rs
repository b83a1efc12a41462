//! A CA file vouches for the certificate and the name, in OpenSSL's judgement.

use super::*;

/// Folder with one CA file, kept as long as the test.
fn file(pem: &[u8]) -> (tempfile::TempDir, Trust) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    (folder, Trust::Ca { files: vec![path.into()] })
}

#[tokio::test]
async fn a_certificate_of_the_ca_file_with_the_right_name_is_accepted() {
    let ca = authority();
    let (_folder, trust) = file(&ca.pem());
    for identity in [
        localhost().issued_by(&ca),
        Plan::named("fw").dns("other.example.com").dns("LOCALHOST").issued_by(&ca),
        // Without alternative names, the common name counts.
        Plan::named("localhost").issued_by(&ca),
        localhost().key(Key::Rsa(2048)).issued_by(&ca),
    ] {
        ask(&device(&identity).named(), &trust).await.unwrap();
    }
    let by_address = Plan::named("fw").ip("127.0.0.1").issued_by(&ca);
    ask(&device(&by_address).address(), &trust).await.unwrap();
}

#[tokio::test]
async fn a_wrong_name_is_refused_and_the_server_sees_nothing() {
    let ca = authority();
    let (_folder, trust) = file(&ca.pem());
    for identity in [
        Plan::named("localhost").dns("fw.example.com").issued_by(&ca),
        Plan::named("fw.localhost").issued_by(&ca),
        Plan::named("x").dns("*").issued_by(&ca),
        Plan::named("x").dns("local*").issued_by(&ca),
        Plan::named("x").ip("127.0.0.1").issued_by(&ca),
    ] {
        let server = device(&identity);
        assert_eq!(verdict(ask(&server.named(), &trust).await), "hostname mismatch");
        assert_saw_nothing(&server);
    }
    for identity in [
        localhost().issued_by(&ca),
        Plan::named("127.0.0.1").issued_by(&ca),
        Plan::named("x").dns("127.0.0.1").issued_by(&ca),
        Plan::named("x").ip("127.0.0.2").issued_by(&ca),
    ] {
        let server = device(&identity);
        assert_eq!(verdict(ask(&server.address(), &trust).await), "IP address mismatch");
        assert_saw_nothing(&server);
    }
}

#[tokio::test]
async fn what_is_expired_unknown_or_meant_for_clients_is_refused_in_openssls_words() {
    let ca = authority();
    let (_folder, trust) = file(&ca.pem());
    for (identity, expected) in [
        (localhost().expired().issued_by(&ca), "certificate has expired"),
        (localhost().client_only().issued_by(&ca), "unsuitable certificate purpose"),
        (localhost().issued_by(&authority()), "certificate signature failure"),
        (
            localhost().issued_by(&Plan::named("Other CA").ca().self_signed()),
            "unable to get local issuer certificate",
        ),
        (localhost().self_signed(), "self-signed certificate"),
    ] {
        let server = device(&identity);
        assert_eq!(verdict(ask(&server.named(), &trust).await), expected);
        assert_saw_nothing(&server);
    }
    let weak = Plan::named("Weak CA").ca().key(Key::Rsa(1024)).self_signed();
    let (_folder, trust) = file(&weak.pem());
    let server = device(&localhost().issued_by(&weak));
    assert_eq!(verdict(ask(&server.named(), &trust).await), "CA certificate key too weak");
    let expired = Plan::named("Old CA").ca().expired().self_signed();
    let (_folder, trust) = file(&expired.pem());
    let server = device(&localhost().issued_by(&expired));
    assert_eq!(verdict(ask(&server.named(), &trust).await), "certificate has expired");
}

#[tokio::test]
async fn an_issuer_that_is_no_ca_issues_nothing() {
    let ca = authority();
    let leaf = localhost().issued_by(&ca);
    let mut forged = Plan::named("forged").dns("localhost").issued_by(&leaf);
    forged.chain.push(leaf.certificate.clone());
    let (_folder, trust) = file(&ca.pem());
    let server = device(&forged);
    verdict(ask(&server.named(), &trust).await);
    assert_saw_nothing(&server);
    // Not even where that leaf itself is trusted: only it is.
    let (_folder, trust) = file(&leaf.pem());
    ask(&device(&leaf).named(), &trust).await.unwrap();
    let server = device(&forged);
    verdict(ask(&server.named(), &trust).await);
    assert_saw_nothing(&server);
}

#[tokio::test]
async fn an_intermediate_is_needed_and_may_come_from_the_device_or_the_file() {
    let root = authority();
    let middle = Plan::named("Middle CA").ca().issued_by(&root);
    let alone = localhost().issued_by(&middle);
    let mut whole = alone.clone();
    whole.chain.push(middle.certificate.clone());
    let (_folder, trust) = file(&root.pem());
    ask(&device(&whole).named(), &trust).await.unwrap();
    let server = device(&alone);
    assert_eq!(verdict(ask(&server.named(), &trust).await), "unable to get local issuer certificate");
    assert_saw_nothing(&server);
    let (_folder, trust) = file(&middle.pem());
    ask(&device(&alone).named(), &trust).await.unwrap();
    let (_folder, trust) = file(&[root.pem(), middle.pem()].concat());
    ask(&device(&alone).named(), &trust).await.unwrap();
}

#[tokio::test]
async fn a_devices_own_certificate_serves_as_its_ca_file_when_the_name_fits() {
    for plan in
        [localhost(), localhost().ca(), Plan::named("localhost").v1(), localhost().key(Key::Rsa(2048)).ca()]
    {
        let identity = plan.self_signed();
        let (_folder, trust) = file(&identity.pem());
        ask(&device(&identity).named(), &trust).await.unwrap();
        let server = device(&identity);
        assert_eq!(verdict(ask(&server.address(), &trust).await), "IP address mismatch");
        assert_saw_nothing(&server);
    }
}

#[tokio::test]
async fn the_verdict_names_the_certificate_on_one_line() {
    let identity = Plan::named("two\nlines").self_signed();
    let (_folder, trust) = file(&authority().pem());
    let error = ask(&device(&identity).named(), &trust).await.unwrap_err().to_string();
    let expected = format!(
        "its HTTPS certificate (subject 'CN=two\\nlines', SHA-256 {}) was not accepted: self-signed certificate",
        identity.pin().colons()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_ca_file_that_is_missing_empty_or_junk_is_refused_with_its_name() {
    let address: Address = "fw1.example.com".parse().unwrap();
    let setup = |trust: &Trust| match session(&address, trust) {
        Err(Error::Setup(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("accepted"),
    };
    let junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = Plan::named("x").self_signed().key.private_key_to_pem_pkcs8().unwrap();
    for content in [b"".as_slice(), b"junk", b"\0\xff", &key] {
        let (folder, trust) = file(content);
        let why = setup(&trust);
        let path = folder.path().join("ca.pem").display().to_string();
        assert_eq!(why, format!("the CA file {path} can't be used: it holds no PEM certificate"));
    }
    // One good certificate does not excuse a bad one beside it.
    for content in [junk.to_vec(), [authority().pem(), junk.to_vec()].concat()] {
        let (_folder, trust) = file(&content);
        assert!(setup(&trust).contains("can't be used"));
    }
    let missing = Trust::Ca { files: vec![CaFile::new("/nonexistent/ca.pem")] };
    assert_eq!(setup(&missing), "the CA file /nonexistent/ca.pem can't be used: there is no such file");
}
