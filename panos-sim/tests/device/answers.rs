//! More of what others have seen devices answer: refusals, restarts, and requests of several changes.

use std::time::Duration;

use panos_sim::{Fault, LockKind, Matcher, NothingToRevert, Settings, Simulator, What, When, WhenBooting};

use crate::{client::*, pki};

fn device(change: impl FnOnce(&mut Settings)) -> Simulator {
    let mut settings = settings();
    change(&mut settings);
    Simulator::start(settings).unwrap()
}

const ADDRESSES: &str = "/config/shared/address";

fn address(name: &str) -> String {
    format!("{ADDRESSES}/entry[@name='{name}']")
}

#[test]
fn the_version_is_told_in_spaced_double_quotes_whatever_the_target() {
    let reply = post(&start(), &[("type", "version"), ("target", "001900000000009")]);
    assert!(
        reply.text().starts_with("<response status = \"success\"><result><sw-version>11.1.4</sw-version>")
    );
    post(&start(), &[("type", "op"), ("cmd", "<show><clock/></show>"), ("target", "001900000000009")])
        .has("code=\"13\"")
        .has("001900000000009 not connected");
    post(&start(), &[("type", "op"), ("cmd", "<show><clock/></show>"), ("target", "")]).has("success");
}

#[test]
fn the_clock_has_a_zone() {
    let text = op(&start(), "<show><clock></clock></show>").text();
    let told = text.split_once("<result>").unwrap().1.split('<').next().unwrap();
    let words: Vec<&str> = told.split_whitespace().collect();
    assert!(matches!(words.as_slice(), [_, _, _, _, "UTC", year] if year.len() == 4), "{told}");
}

#[test]
fn a_device_that_has_been_up_for_a_while_has_its_automatic_commit_behind_it() {
    let all = op(&start(), "<show><jobs><all></all></jobs></show>");
    all.has("<id>1</id><user/><type>AutoCom</type><status>FIN</status>").has("<result>OK</result>");
}

#[test]
fn an_xpath_that_is_not_understood_is_an_error_and_never_not_found() {
    let device = start();
    for path in [
        "/config/shared/certificate/entry[1]",
        "/config/shared/certificate/entry[@name='a' or @name='b']",
        "/config/shared/certificate/entry[contains(@name, 'a')]",
        "/config/shared/certificate/entry/common-name/text()",
        "/config/shared/certificate | /config/shared/ssl-tls-service-profile",
        "/config//certificate",
        "//certificate",
    ] {
        for action in ["get", "show", "set", "edit", "delete", "rename", "complete"] {
            let reply = config(&device, action, path, "<x/>");
            assert_eq!(reply.status, 400, "{action} {path}: {}", reply.text());
            reply.has("does not understand the XPath");
        }
    }
}

#[test]
fn without_a_path_show_is_everything_that_runs_and_get_is_nothing() {
    let device = start();
    post(&device, &[("type", "config"), ("action", "show")]).has("<result><config><mgt-config>");
    post(&device, &[("type", "config"), ("action", "get")]).has("code=\"7\"").has("<result/>");
}

#[test]
fn illegal_values_are_answered_with_the_legal_ones() {
    let device = start();
    for (parameters, legal) in [
        (vec![("type", "nonsense")], "keygen, config, commit"),
        (vec![("type", "config"), ("action", "nonsense")], "show, get, set, edit"),
        (vec![("type", "import"), ("category", "nonsense")], "certificate, private-key, keypair"),
    ] {
        let reply = post(&device, &parameters);
        assert_eq!(reply.status, 400);
        reply.has("Illegal value for parameter").has(legal);
    }
}

#[test]
fn entries_are_cloned_moved_and_named() {
    let device = start();
    for name in ["a", "b", "c"] {
        config(&device, "set", &address(name), "<fqdn>x.test</fqdn>").has("code=\"20\"");
    }
    let order = || {
        let text = config(&device, "get", &format!("{ADDRESSES}/entry/@name"), "").text();
        let names = text.split("name=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        names.collect::<Vec<_>>().join("")
    };
    let ask = |action: &str, path: &str, more: &[(&str, &str)]| {
        post(&device, &[&[("type", "config"), ("action", action), ("xpath", path)], more].concat())
    };
    let b = address("b");
    ask("clone", ADDRESSES, &[("from", &b), ("newname", "d")]).has("code=\"20\"");
    config(&device, "get", &address("d"), "").has(">x.test</fqdn>");
    ask("clone", ADDRESSES, &[("from", &b), ("newname", "a")]).has("code=\"8\"");
    ask("clone", ADDRESSES, &[("from", &address("ghost")), ("newname", "e")]).has("code=\"7\"");
    assert_eq!(order(), "abcd");
    for (place, dst, expected) in
        [("top", "", "dabc"), ("bottom", "", "abcd"), ("before", "b", "adbc"), ("after", "c", "abcd")]
    {
        ask("move", &address("d"), &[("where", place), ("dst", dst)]).has("code=\"20\"");
        assert_eq!(order(), expected);
    }
    ask("move", &address("d"), &[("where", "aside")]).has("Legal values: after, before");
    ask("move", &address("d"), &[]).has("Parameter &quot;where&quot; is required while moving");
    // The names of what runs, which is none of these.
    ask("complete", "/config/shared/ssl-tls-service-profile", &[])
        .has("<completions><completion value=\"portal\"/><completion value=\"mgmt\"/></completions>");
    ask("complete", "/config/shared/nonsense", &[]).has("Invalid sequence");
}

#[test]
fn several_changes_come_in_one_request() {
    let device = start();
    device.add_pending_change("me", &address("before"), "<fqdn>x.test</fqdn>").unwrap();
    let parts = |second: &str| {
        format!(
            "<multi-configure-request><set id=\"1\" xpath=\"{}\"><fqdn>y.test</fqdn></set>\
             <{second} id=\"2\" xpath=\"{PORTAL}\"><wrong/></{second}><delete id=\"3\" xpath=\"{}\"/>\
             </multi-configure-request>",
            address("one"),
            address("before"),
        )
    };
    let send = |element: &str, strict: &str| {
        let parameters = [("type", "config"), ("action", "multi-config"), ("element", element)];
        post(&device, &[&parameters[..], &[("strict-transactional", strict)]].concat())
    };
    // What was carried out before the refusal stays …
    let reply = send(&parts("set"), "");
    reply.has("<response status=\"error\" code=\"12\"><response status=\"success\" code=\"20\" id=\"1\">");
    reply.has("status=\"error\" code=\"12\" id=\"2\"");
    assert!(!reply.text().contains("id=\"3\""));
    assert_eq!(device.pending_changes().len(), 2);
    // … but not in strict mode, which throws own pending changes away before it begins.
    send(&parts("set"), "yes").has("status=\"error\"");
    assert_eq!(device.pending_changes(), []);
    let fine = parts("set").replace("<wrong/>", "<certificate>x</certificate>");
    send(&fine, "yes").has("<response status=\"success\" code=\"20\">").has("code=\"7\" id=\"3\"");
    assert_eq!(device.pending_changes().len(), 2);
    let off = self::device(|settings| settings.multi_config = false);
    let parameters = [("type", "config"), ("action", "multi-config"), ("element", fine.as_str())];
    post(&off, &parameters).has("multi-config is not enabled");
}

#[test]
fn what_was_changed_back_by_hand_can_stay_pending() {
    for keeps in [false, true] {
        let device = device(|settings| settings.keeps_settled_changes = keeps);
        config(&device, "set", &address("a"), "<fqdn>x.test</fqdn>").has("code=\"20\"");
        config(&device, "delete", &address("a"), "").has("code=\"20\"");
        let expected = if keeps { "<result>yes</result>" } else { "<result>no</result>" };
        op(&device, "<check><pending-changes></pending-changes></check>").has(expected);
        assert_eq!(device.pending_changes().len(), usize::from(keeps));
        let mine = "<revert><config><partial><admin><member>me</member></admin></partial></config></revert>";
        op(&device, mine).has("reverted");
        assert_eq!(device.pending_changes(), []);
    }
}

#[test]
fn a_revert_without_anything_to_revert_is_told_or_not() {
    let text = "There are no changes to revert";
    for (answer, status, told) in [
        (NothingToRevert::Done, "status=\"success\"", "All changes were reverted"),
        (NothingToRevert::Told, "status=\"success\"", text),
        (NothingToRevert::Refused, "status=\"error\"", text),
    ] {
        let device = device(|settings| settings.nothing_to_revert = answer);
        op(&device, "<revert><config></config></revert>").has(status).has(told);
        device.add_pending_change("me", &address("a"), "<fqdn>x.test</fqdn>").unwrap();
        op(&device, "<revert><config></config></revert>").has("All changes were reverted");
    }
}

#[test]
fn a_device_can_be_told_to_restart() {
    let device = device(|settings| {
        settings.when_booting = WhenBooting::NotQueued;
        settings.commit_duration = Duration::from_secs(1);
    });
    device.add_pending_change("me", &address("a"), "<fqdn>x.test</fqdn>").unwrap();
    let reply = op(&device, "<request><restart><system></system></restart></request>");
    reply.has("status=\"error\"").has("Command succeeded with no output");
    // The candidate is the running configuration again, when it is back.
    while !device.pending_changes().is_empty() {
        std::thread::yield_now();
    }
    device.add_pending_change("me", &address("b"), "<fqdn>x.test</fqdn>").unwrap();
    let refused = loop {
        match try_post(&device, &[("type", "commit"), ("cmd", MINE)]) {
            Ok(reply) => break reply,
            Err(_) => std::thread::yield_now(),
        }
    };
    refused.has("status=\"error\"").has("Commit job was not queued since auto-commit not yet finished");
    assert!(device.wait_idle(Duration::from_secs(5)));
    commit_and_wait(&device, MINE).has("<result>OK</result>");
}

#[test]
fn any_text_can_be_said_in_any_situation() {
    let device = start();
    for (status, code, text) in [
        (200, None, "Timed out while getting config lock. Please try again."),
        (400, Some(400), "Request is not a valid XML"),
        (500, Some(13), "You cannot commit while an install is in progress. Please try again later."),
    ] {
        let what = What::Refused { status, code, text: text.into() };
        device.inject(Fault::new(When::request(Matcher::typed("commit")), what));
        let reply = commit(&device, MINE);
        assert_eq!(reply.status, status);
        reply.has(text).has("error");
    }
}

#[test]
fn locks_are_told_in_the_words_that_were_recorded() {
    let device = start();
    let ask = |word: &str, action: &str| {
        op(&device, &format!("<request><{word}><{action}></{action}></{word}></request>"))
    };
    ask("config-lock", "add").has("will not be able to modify configuration until lock is released by me.");
    ask("commit-lock", "add").has("will not be able to commit configuration until lock is released by me.");
    op(&device, "<show><config-locks/></show>").has("<comment><![CDATA[(null)]]></comment>");
    ask("config-lock", "remove").has("Config lock released for me");
    ask("config-lock", "remove").has("Config is not currently locked for scope shared");
    device.take_lock(LockKind::Config, "jane", "c");
    ask("config-lock", "add").has("Config for scope shared is currently locked by jane");
    let later = self::device(|settings| settings.sw_version = "12.1.5".into());
    op(&later, "<request><config-lock><remove/></config-lock></request>")
        .has("Config is not currently locked for scope vsys1");
}

#[test]
fn a_new_certificate_for_api_keys_ends_all_of_them() {
    let device = start();
    let management = "/config/devices/entry[@name='localhost.localdomain']/deviceconfig/setting/management";
    import_pair(&device, "keys", &pki::rsa("keys").pem()).has("success");
    config(&device, "set", management, "<api><key><certificate>keys</certificate></key></api>")
        .has("code=\"20\"");
    commit(&device, MINE).job();
    assert!(device.wait_idle(Duration::from_secs(5)));
    assert_eq!(post(&device, &[("type", "version")]).status, 403);
    let body = form(&[("type", "keygen"), ("user", "me"), ("password", "secret")]);
    let reply = request(device.address(), "POST", "/api/", &[FORM], body.as_bytes()).unwrap().text();
    let key = reply.split("<key>").nth(1).unwrap().split('<').next().unwrap();
    let body = form(&[("type", "version")]);
    let reply = request(device.address(), "POST", "/api/", &[FORM, ("X-PAN-KEY", key)], body.as_bytes());
    assert_eq!(reply.unwrap().status, 200);
}

#[test]
fn certificates_are_in_use_at_every_place_that_names_one() {
    let base = "/config/devices/entry[@name='localhost.localdomain']";
    let vsys = format!("{base}/vsys/entry[@name='vsys1']");
    let management = format!("{base}/deviceconfig/setting/management");
    let places = [
        (
            management.clone(),
            "<secure-conn-client><certificate-type><local><certificate>c</certificate></local></certificate-type></secure-conn-client>",
        ),
        (management, "<api><key><certificate>c</certificate></key></api>"),
        ("/config/shared/ssl-decrypt/forward-trust-certificate".into(), "<rsa>c</rsa>"),
        ("/config/shared/ssl-decrypt/trusted-root-CA".into(), "<member>c</member>"),
        ("/config/shared/ssl-decrypt/ssl-exclude-cert".into(), "<entry name=\"c\"/>"),
        (
            format!(
                "{vsys}/rulebase/decryption/rules/entry[@name='r']/type/ssl-inbound-inspection/certificates"
            ),
            "<member>c</member>",
        ),
        ("/config/shared/certificate-profile/entry[@name='p']/CA".into(), "<entry name=\"c\"/>"),
        ("/config/shared/server-profile/saml-idp/entry[@name='i']".into(), "<certificate>c</certificate>"),
        (
            "/config/shared/authentication-profile/entry[@name='a']/method/saml-idp".into(),
            "<request-signing-certificate>c</request-signing-certificate>",
        ),
        (
            format!(
                "{base}/network/ike/gateway/entry[@name='g']/authentication/certificate/local-certificate"
            ),
            "<name>c</name>",
        ),
        (
            format!("{base}/network/tunnel/ipsec/entry[@name='t']/global-protect-satellite/external-ca"),
            "<local-certificate>c</local-certificate>",
        ),
        (
            format!(
                "{vsys}/global-protect/global-protect-portal/entry[@name='p']/client-config/configs/entry[@name='c']/authentication-override"
            ),
            "<cookie-encrypt-decrypt-cert>c</cookie-encrypt-decrypt-cert>",
        ),
        (
            format!(
                "{vsys}/global-protect/global-protect-portal/entry[@name='p']/client-config/configs/entry[@name='c']/client-certificate"
            ),
            "<local>c</local>",
        ),
        (
            format!("{vsys}/global-protect/global-protect-portal/entry[@name='p']/client-config/root-ca"),
            "<entry name=\"c\"/>",
        ),
        (
            format!(
                "{vsys}/global-protect/global-protect-portal/entry[@name='p']/satellite-config/client-certificate/local"
            ),
            "<issuing-certificate>c</issuing-certificate>",
        ),
        (
            format!("{vsys}/global-protect/global-protect-portal/entry[@name='p']/satellite-config/root-ca"),
            "<member>c</member>",
        ),
    ];
    let made = pki::self_signed("c").pem();
    for (path, element) in places {
        let device = start();
        import_pair(&device, "c", &made).has("success");
        config(&device, "set", &path, element).has("code=\"20\"");
        config(&device, "delete", "/config/shared/certificate/entry[@name='c']", "")
            .has("code=\"10\"")
            .has("c cannot be deleted because of references from:");
    }
}

#[test]
fn private_keys_begin_alike_and_the_same_key_is_the_same_text() {
    let device = start();
    let blob = |name: &str| {
        let text = config(
            &device,
            "get",
            &format!("/config/shared/certificate/entry[@name='{name}']/private-key"),
            "",
        )
        .text();
        text.split("-AQ==").nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    let (one, other) = (pki::self_signed("a"), pki::self_signed("b"));
    for (name, made) in [("a", &one), ("b", &other), ("c", &one)] {
        import_pair(&device, name, &made.pem()).has("success");
    }
    let (a, b) = (blob("a"), blob("b"));
    assert_eq!(a, blob("c"));
    assert_ne!(a[..28], b[..28]);
    assert_eq!(a[28..28 + 42], b[28..28 + 42]);
    assert_ne!(a, b);
}

#[test]
fn an_upload_for_an_unknown_template_makes_one() {
    let panorama = |version: &str| {
        device(|settings| {
            settings.model = "Panorama".into();
            settings.sw_version = version.into();
            settings.templates = vec!["known".into()];
            settings.profiles.clear();
        })
    };
    let made = pki::self_signed("x").pem();
    for (version, inside) in [("11.2.5-h1", false), ("12.1.0", true)] {
        let device = panorama(version);
        let parameters = [
            ("category", "keypair"),
            ("format", "pem"),
            ("certificate-name", "x"),
            ("passphrase", "dummy"),
            ("target-tpl", "mistyped"),
            ("target-tpl-vsys", "vsys1"),
        ];
        import(&device, &parameters, made.as_bytes()).has("success");
        let base = "/config/devices/entry[@name='localhost.localdomain']";
        let template = format!("{base}/template/entry[@name='mistyped']/config");
        let (shared, vsys) = (
            format!("{template}/shared"),
            format!("{template}/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']"),
        );
        let here = if inside { vsys } else { shared };
        config(&device, "get", &format!("{here}/certificate/entry[@name='x']/common-name"), "")
            .has("code=\"19\"");
    }
}

#[test]
fn what_a_release_does_not_know_is_an_illegal_parameter() {
    let made = pki::self_signed("x").pem();
    for (version, status) in [("10.0.12", 400), ("10.1.0", 200), ("12.2.4-h2", 200)] {
        let device = device(|settings| settings.sw_version = version.into());
        let parameters = [
            ("category", "keypair"),
            ("format", "pem"),
            ("certificate-name", "x"),
            ("passphrase", "dummy"),
            ("block-private-key", "yes"),
        ];
        assert_eq!(import(&device, &parameters, made.as_bytes()).status, status, "{version}");
    }
}

#[test]
fn policies_that_no_panorama_pushed_are_told_in_a_plain_text() {
    let device = start();
    let ask = |what: &str| {
        op(
            &device,
            &format!("<show><config><pushed-shared-policy>{what}</pushed-shared-policy></config></show>"),
        )
    };
    ask("<vsys>vsys1</vsys>").has("<result>No shared policy pushed to device</result>");
    ask("<vsys>vsys99</vsys>").has("code=\"17\"").has("vsys99 is invalid vsys");
}
