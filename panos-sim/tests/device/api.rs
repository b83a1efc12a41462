//! Credentials, rights, parameters and what is remembered of them.

use panos_sim::{Administrator, Credential, Rights, Settings, Simulator};

use crate::client::*;

#[test]
fn a_key_comes_in_single_quotes_and_opens_the_door() {
    let device = start();
    let parameters = [("type", "keygen"), ("user", "me"), ("password", "secret")];
    let body = form(&parameters);
    let reply = request(device.address(), "POST", "/api/", &[FORM], body.as_bytes()).unwrap();
    let text = reply.text();
    let key = text
        .strip_prefix("<response status = 'success'><result><key>")
        .and_then(|rest| rest.split('<').next())
        .unwrap();
    let target = format!("/api?{}", form(&[("type", "version"), ("key", key)]));
    let reply = request(device.address(), "GET", &target, &[], b"").unwrap();
    reply.has("<sw-version>11.1.4</sw-version>");
    let records = device.requests();
    assert_eq!(records[0].credential, Credential::Password);
    assert!(!records[0].secret_in_url);
    assert_eq!(records[1].credential, Credential::Parameter);
    assert!(records[1].secret_in_url);
    assert_eq!(records[1].query, "type=version&key=REDACTED");
    let remembered = serde_json::to_string(&records).unwrap();
    assert!(!remembered.contains("secret\"") && !remembered.contains(key));
}

#[test]
fn wrong_credentials_get_403_in_body_and_reason() {
    let device = start();
    let body = form(&[("type", "version")]);
    let ask = |header: (&str, &str)| {
        request(device.address(), "POST", "/api/", &[FORM, header], body.as_bytes()).unwrap()
    };
    let reply = ask(("X-PAN-KEY", "nonsense"));
    assert_eq!(reply.status, 403);
    assert!(reply.head.starts_with("HTTP/1.1 403 Invalid Credential\r\n"));
    assert_eq!(
        reply.text(),
        "<response status = 'error' code = '403'><result><msg>Invalid Credential</msg></result>\
         </response>"
    );
    assert_eq!(ask(("Authorization", "Basic bWU6c2VjcmV0")).status, 200);
    assert_eq!(ask(("Authorization", "Basic bWU6d3Jvbmc=")).status, 403);
    assert_eq!(ask(("X-Nothing", "")).status, 403);
}

#[test]
fn a_key_with_a_lifetime_ends() {
    let mut settings = settings();
    settings.api_key_lifetime = Some(std::time::Duration::ZERO);
    let device = Simulator::start(settings).unwrap();
    let body = form(&[("type", "keygen"), ("user", "me"), ("password", "secret")]);
    let reply = request(device.address(), "POST", "/api/", &[FORM], body.as_bytes()).unwrap();
    let text = reply.text();
    let key = text.split("<key>").nth(1).unwrap().split('<').next().unwrap();
    let body = form(&[("type", "version")]);
    let header = ("X-PAN-KEY", key);
    let reply = request(device.address(), "POST", "/api/", &[FORM, header], body.as_bytes()).unwrap();
    assert_eq!(reply.status, 400);
    reply.has("Key Expired: ").has("code = '400'");
}

#[test]
fn each_missing_right_is_named() {
    let calls: [(&str, Rights); 5] = [
        ("config", Rights { config: false, export: true, ..Rights::DEPLOYMENT }),
        ("op", Rights { op: false, export: true, ..Rights::DEPLOYMENT }),
        ("commit", Rights { commit: false, export: true, ..Rights::DEPLOYMENT }),
        ("import", Rights { import: false, export: true, ..Rights::DEPLOYMENT }),
        ("export", Rights::DEPLOYMENT),
    ];
    for (kind, rights) in calls {
        let administrator = Administrator::with_rights("me", "secret", rights);
        let device = Simulator::start(Settings::default().with_key(administrator, KEY)).unwrap();
        let reply = post(&device, &[("type", kind)]);
        assert_eq!(reply.status, 403);
        reply.has(&format!("Type [{kind}] not authorized for user role me"));
    }
}

#[test]
fn missing_parameters_are_named() {
    let device = start();
    let reply = post(&device, &[("type", "export"), ("category", "certificate"), ("certificate-name", "x")]);
    assert_eq!(reply.status, 400);
    reply.has("Parameter &quot;format&quot; is required while exporting certificate");
    assert_eq!(post(&device, &[("cmd", "x")]).status, 400);
    assert_eq!(post(&device, &[("type", "unheard-of")]).status, 400);
}

#[test]
fn uploads_with_a_quoted_boundary_or_without_a_filename_are_refused() {
    let device = start();
    let query = form(&[("type", "import"), ("category", "certificate"), ("format", "pem")]);
    let target = format!("/api/?{query}&certificate-name=x");
    let send = |boundary: &str, disposition: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"{disposition}\r\n\r\nx\r\n--b--\r\n"
        );
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let headers = [("X-PAN-KEY", KEY), ("Content-Type", content_type.as_str())];
        request(device.address(), "POST", &target, &headers, body.as_bytes()).unwrap()
    };
    assert_eq!(send("\"b\"", "; filename=\"f\"").status, 400);
    assert_eq!(send("b", "").status, 400);
    let fine = send("b", "; filename=\"f\"");
    assert_eq!(fine.status, 200);
    fine.has("Import of x failed. Failed to extract certificate");
}

#[test]
fn a_request_of_more_than_five_megabytes_is_refused() {
    let device = start();
    let element = "x".repeat(5_100_000);
    let parameters = [("type", "config"), ("element", element.as_str())];
    // The device may hang up while the client still sends.
    if let Ok(reply) = try_post(&device, &parameters) {
        assert_eq!(reply.status, 400);
    }
}

#[test]
fn config_actions_answer_with_the_codes_of_the_reference() {
    let device = start();
    config(&device, "get", PORTAL, "").has("code=\"19\"").has("count=\"1\"");
    config(&device, "get", "/config/shared/nothing", "").has("code=\"7\"").has("<result/>");
    config(&device, "get", "/config/shared[", "").has("code=\"7\"").has("<result/>");
    config(&device, "get", "", "").has("code=\"7\"").has("<result/>");
    config(&device, "get", "config[", "").has("status=\"unauth\" code=\"16\"");
    config(&device, "get", "/other/place", "").has("status=\"unauth\" code=\"16\"");
    config(&device, "show", "/config/shared/nothing", "").has("<line>No such node</line>");
    config(&device, "set", PORTAL, "<certificate>x</certificate>").has("code=\"20\"");
    config(&device, "set", PORTAL, "<certificate>x").has("code=\"18\"");
    config(&device, "set", PORTAL, "<wrong>x</wrong>").has("code=\"12\"").has("unexpected here");
    config(&device, "set", "/config/no[", "<a/>").has("code=\"6\"");
    config(&device, "set", "/other/place", "<a/>").has("status=\"unauth\" code=\"16\"");
    config(&device, "edit", PORTAL, "<entry name=\"other\"/>").has("code=\"12\"");
    config(&device, "delete", "/config/shared/nothing", "").has("code=\"7\"");
    config(&device, "get", "/config/shared/ssl-tls-service-profile/entry/@name", "")
        .has("<entry name=\"portal\"/><entry name=\"mgmt\"/>");
    // The mark of an uncommitted change is on what changed, not on its neighbours.
    config(&device, "get", PORTAL, "")
        .has("<certificate admin=\"me\" dirtyId=\"1\" time=\"")
        .has("<protocol-settings><min-version>");
}

#[test]
fn a_superuser_finds_its_own_name_and_old_releases_hide_it() {
    let cmd = "<show><admins></admins></show>";
    op(&start(), cmd).has("<admin>me</admin>").has("<self/>");
    let mut settings = settings();
    settings.marks_own_session = false;
    let old = Simulator::start(settings).unwrap();
    assert!(!op(&old, cmd).text().contains("<self/>"));
}

#[test]
fn old_releases_know_no_key_in_the_header() {
    let mut settings = settings();
    settings.accepts_header_key = false;
    let old = Simulator::start(settings).unwrap();
    assert_eq!(post(&old, &[("type", "version")]).status, 403);
}

#[test]
fn several_requests_share_a_connection_where_they_may() {
    use std::io::{Read, Write};
    let body = form(&[("type", "version")]);
    let ask = format!(
        "POST /api/ HTTP/1.1\r\nHost: fw\r\nX-PAN-KEY: {KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for keep_alive in [true, false] {
        let mut settings = settings();
        settings.keep_alive = keep_alive;
        let device = Simulator::start(settings).unwrap();
        let mut stream = tls(device.address()).unwrap();
        let mut buffer = [0; 4096];
        stream.write_all(ask.as_bytes()).unwrap();
        assert!(stream.read(&mut buffer).unwrap() > 0);
        let second = stream.write_all(ask.as_bytes()).and_then(|()| stream.read(&mut buffer));
        assert_eq!(second.unwrap_or(0) > 0, keep_alive);
        assert_eq!(device.connections(), 1);
        assert!(device.connection_records()[0].handshake_completed);
    }
}

#[test]
fn serves_ipv6_too() {
    let mut settings = settings();
    settings.listen = "[::1]:0".parse().unwrap();
    let device = Simulator::start(settings).unwrap();
    assert!(device.address().is_ipv6());
    assert_eq!(post(&device, &[("type", "version")]).status, 200);
}
