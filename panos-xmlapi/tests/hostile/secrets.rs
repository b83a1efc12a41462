//! Secrets stand where they belong, and nowhere else.

use super::*;

fn upload() -> KeyPairImport {
    KeyPairImport {
        location: Location::Shared,
        name: "fw.example.com".into(),
        format: ImportFormat::Pkcs12,
        file: SecretSlice::from(vec![0x30, 0x82, 0, 255, b'\r', b'\n', b'-', b'-']),
        passphrase: SecretString::from(PASSPHRASE),
        key_export: Some(KeyExport::Blocked),
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
    let refused = session_to(&NOBODY.parse().unwrap());
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
