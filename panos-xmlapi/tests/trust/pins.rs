//! A pin is of the very certificate, whatever its shape, and is judged at each connection.

use super::*;

#[tokio::test]
async fn a_pinned_certificate_of_any_shape_is_accepted_over_both_tls_versions_and_no_other() {
    let stranger = Plan::named("stranger").self_signed();
    for (shape, identity) in every_shape() {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let shown = identity.clone();
            let start = || {
                let shown = shown.clone();
                Server::start_with(move |_| (shown.clone(), Tls::Only(version)), |_| reply("200 OK", SYSTEM))
            };
            let server = start();
            ask(&server.address(), &pinned(&identity))
                .await
                .unwrap_or_else(|error| panic!("{shape}, {version:?}: {error}"));
            assert_eq!(server.requests().len(), 1);

            let server = start();
            let refused = rejection(ask(&server.address(), &pinned(&stranger)).await);
            let expected = IdentityError::PinMismatch { seen: identity.pin(), pinned: vec![stranger.pin()] };
            assert_eq!(refused, expected, "{shape}, {version:?}");
            assert_saw_nothing(&server);
        }
    }
}

#[tokio::test]
async fn any_of_several_pins_fits_and_no_pin_fits_nothing() {
    let (old, new) = (Plan::named("old").self_signed(), Plan::named("new").self_signed());
    let both = Trust::Pinned(vec![old.pin(), new.pin()]);
    for identity in [&old, &new] {
        ask(&device(identity).address(), &both).await.unwrap();
    }
    let server = device(&old);
    rejection(ask(&server.address(), &Trust::Pinned(Vec::new())).await);
    assert_saw_nothing(&server);
}

#[tokio::test]
async fn a_pin_is_of_the_leaf_and_not_of_what_comes_along() {
    let ca = authority();
    let mut leaf = Plan::named("leaf").issued_by(&ca);
    leaf.chain.push(ca.certificate.clone());
    let server = device(&leaf);
    rejection(ask(&server.address(), &pinned(&ca)).await);
    assert_saw_nothing(&server);
}

#[tokio::test]
async fn the_rejection_shows_both_fingerprints_as_a_person_compares_them() {
    let (shown, meant) = (Plan::named("a").self_signed(), Plan::named("b").self_signed());
    let error = ask(&device(&shown).address(), &pinned(&meant)).await.unwrap_err();
    let expected = format!(
        "its HTTPS certificate fingerprint {} does not match the pinned {}",
        shown.pin().colons(),
        meant.pin().colons()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn keys_that_cannot_be_checked_are_refused_with_their_kind() {
    let weak = Plan::named("weak").key(Key::Rsa(1024)).self_signed();
    for trust in [pinned(&weak), Trust::DangerousAcceptAny] {
        let server = device(&weak);
        let IdentityError::Unusable(why) = rejection(ask(&server.address(), &trust).await) else {
            panic!("another rejection")
        };
        assert!(why.starts_with("its key is RSA of 1024 bits; RSA of 2048"), "{why}");
        assert_saw_nothing(&server);
    }
    // Here the server itself finds no common ground, and hangs up.
    let other = Plan::named("other").key(Key::Ec(Nid::BRAINPOOL_P256R1)).self_signed();
    let server = device(&other);
    let error = ask(&server.address(), &pinned(&other)).await.unwrap_err();
    let Error::Unreachable { cause } = &error else { panic!("{error:?}") };
    assert_eq!(cause, "TLS failed: received fatal alert: HandshakeFailure");
    assert_saw_nothing(&server);
}

#[tokio::test]
async fn a_key_exchange_on_p_521_alone_comes_about() {
    for key in [Key::Ec(Nid::SECP521R1), Key::Rsa(2048)] {
        let identity = Plan::named("fw").key(key).self_signed();
        let shown = identity.clone();
        let server =
            Server::start_with(move |_| (shown.clone(), Tls::Group("P-521")), |_| reply("200 OK", SYSTEM));
        ask(&server.address(), &pinned(&identity)).await.unwrap();
    }
}

#[tokio::test]
async fn each_new_connection_is_judged_again_and_another_certificate_gets_no_byte() {
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let (right, wrong) = (Plan::named("fw").self_signed(), Plan::named("fw").self_signed());
        let trust = pinned(&right);
        let server = Server::start_with(
            move |number| (if number == 0 { right.clone() } else { wrong.clone() }, Tls::Only(version)),
            |_| {
                let mut steps = reply("200 OK", SYSTEM);
                steps.push(Step::Close);
                steps
            },
        );
        let session = session(&server.address(), &trust).unwrap();
        session.system_info().await.unwrap();
        server.after(1);
        for attempt in 1..4 {
            let refused = rejection(session.system_info().await.map(drop));
            assert!(matches!(refused, IdentityError::PinMismatch { .. }), "{refused:?}");
            assert_eq!(server.after(attempt + 1)[attempt].received, 0);
        }
        assert_eq!(server.requests().len(), 1);
    }
}

/// Where a session is taken up again, no certificate is shown.
#[tokio::test]
async fn no_connection_takes_up_an_earlier_session() {
    let identity = Plan::named("fw").self_signed();
    let server = Server::start(&identity, |_| server::reply_with("200 OK", &["Connection: close"], SYSTEM));
    let session = session(&server.address(), &pinned(&identity)).unwrap();
    for _ in 0..3 {
        session.system_info().await.unwrap();
    }
    let connections = server.connections();
    assert_eq!(connections.len(), 3);
    assert!(connections.iter().all(|connection| !connection.resumed), "{connections:?}");
}

#[tokio::test]
async fn identity_error_is_not_reused_for_later_failures() {
    let (right, wrong) = (Plan::named("fw").self_signed(), Plan::named("fw").self_signed());
    let trust = pinned(&right);
    let server = Server::start_with(
        move |number| (if number == 0 { wrong.clone() } else { right.clone() }, Tls::Any),
        |_| vec![Step::Close],
    );
    let session = session(&server.address(), &trust).unwrap();
    rejection(session.system_info().await.map(drop));
    let error = session.system_info().await.unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error:?}");
}

/// OpenSSL does not take a key that is not the certificate's; rustls does.
fn impostor(identity: &Identity, version: &'static rustls::SupportedProtocolVersion) -> Address {
    let rogue = Plan::named("rogue").self_signed().key;
    let key = rustls::pki_types::PrivateKeyDer::try_from(rogue.private_key_to_pkcs8().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certified = rustls::sign::CertifiedKey::new(
        vec![identity.certificate.to_der().unwrap().into()],
        provider.key_provider.load_private_key(key).unwrap(),
    );
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SYSTEM}", SYSTEM.len()).as_bytes(),
        );
    });
    address
}

#[tokio::test]
async fn a_server_that_shows_the_pinned_certificate_without_its_key_is_refused() {
    let identity = Plan::named("fw").self_signed();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for trust in [pinned(&identity), Trust::DangerousAcceptAny] {
            let refused = rejection(ask(&impostor(&identity, version), &trust).await);
            assert_eq!(refused, IdentityError::Unusable("the handshake is not signed with its key".into()));
        }
    }
}
