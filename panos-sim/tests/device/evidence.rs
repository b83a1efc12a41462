//! What others have measured on real devices, one test for each thing.

use panos_sim::{
    Encoding, ImportAnswer, ImportJournal, ImportRefusal, JournalShape, PreloadedCertificate, Profile,
    Pushed, Settings, Simulator,
};

use crate::{client::*, pki};

const LIST: &str = "<show><config><list><changes></changes></list></config></show>";
const CERTIFICATE: &str = "/config/shared/certificate/entry[@name='portal-1']";

fn device(change: impl FnOnce(&mut Settings)) -> Simulator {
    let mut settings = settings();
    change(&mut settings);
    Simulator::start(settings).unwrap()
}

/// The paths, owners and actions that the list of pending changes shows.
fn listed(device: &Simulator) -> Vec<(String, String, String)> {
    let text = op(device, LIST).text();
    let part = |entry: &str, name: &str| -> String {
        let (_, rest) = entry.split_once(&format!("<{name}>")).unwrap();
        rest.split('<').next().unwrap().replace("&apos;", "'").replace("&#39;", "'")
    };
    let entries = text.split("<entry>").skip(1);
    entries.map(|entry| (part(entry, "xpath"), part(entry, "owner"), part(entry, "action"))).collect()
}

fn line(path: &str, owner: &str, action: &str) -> (String, String, String) {
    (path.into(), owner.into(), action.into())
}

#[test]
fn pending_changes_are_listed_as_deep_as_the_settings_say() {
    let address = "/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']/address";
    let printer = format!("{address}/entry[@name='printer']");
    let profiles = "/config/shared/ssl-tls-service-profile";
    let certificates = "/config/shared/certificate";
    let expected = |shape| match shape {
        JournalShape::Container => vec![
            line(address, "jane", " EDIT"),
            line(certificates, "me", " EDIT"),
            line(profiles, "me", " EDIT"),
            line(MGMT_BINDING, "me", " EDIT"),
        ],
        JournalShape::Entry => vec![
            line(&printer, "jane", " CREATE"),
            line(CERTIFICATE, "me", " CREATE"),
            line(PORTAL, "me", " EDIT"),
            line(MGMT_BINDING, "me", " EDIT"),
        ],
        _ => vec![
            line(&printer, "jane", " CREATE"),
            line(CERTIFICATE, "me", " CREATE"),
            line(&format!("{PORTAL}/certificate"), "me", " CREATE"),
            line(&format!("{MGMT_BINDING}/ssl-tls-service-profile"), "me", " CREATE"),
        ],
    };
    for shape in [JournalShape::Container, JournalShape::Entry, JournalShape::Leaf] {
        for uploads in [ImportJournal::LikeEdits, ImportJournal::Nothing] {
            let device = device(|settings| {
                settings.journal = shape;
                settings.import_journal = uploads;
            });
            device.add_pending_change("jane", &printer, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
            import_pair(&device, "portal-1", &pki::self_signed("portal").pem()).has("success");
            config(&device, "set", PORTAL, "<certificate>portal-1</certificate>").has("code=\"20\"");
            let element = "<ssl-tls-service-profile>portal</ssl-tls-service-profile>";
            config(&device, "set", MGMT_BINDING, element).has("code=\"20\"");
            let mut expected = expected(shape);
            if uploads == ImportJournal::Nothing {
                expected.remove(1);
            }
            assert_eq!(listed(&device), expected, "{shape:?} {uploads:?}");
            // Whatever is shown, a commit of one administrator takes what is that one's.
            commit_and_wait(&device, MINE).has("<result>OK</result>");
            assert_eq!(device.pending_changes(), [(printer.clone(), "jane".to_owned())]);
        }
    }
}

#[test]
fn two_administrators_in_one_list_are_two_lines_of_it() {
    let device = device(|settings| settings.journal = JournalShape::Container);
    for (who, name) in [("jane", "a"), ("jane", "b"), ("john", "c")] {
        let path = format!("/config/shared/address/entry[@name='{name}']");
        device.add_pending_change(who, &path, "<fqdn>x.test</fqdn>").unwrap();
    }
    let path = "/config/shared/address";
    assert_eq!(listed(&device), [line(path, "jane", " EDIT"), line(path, "john", " EDIT")]);
    op(&device, LIST).has("<component-type>shared-object</component-type>");
    // Since when, and by whom it was touched last, is on what changed and on what is above it.
    config(&device, "get", path, "").has("<address admin=\"john\" dirtyId=\"3\" time=\"20");
}

#[test]
fn a_predefined_profile_wins_over_one_that_somebody_made() {
    let names = "/config/predefined/ssl-tls-service-profile/entry/@name";
    let device = device(|settings| settings.management_profile = Some("TLSv1.3_Default".into()));
    config(&device, "get", names, "").has("<entry name=\"TLSv1.3_Default\"/>");
    config(&device, "show", names, "").has("<entry name=\"TLSv1.3_Default\"/>");
    let before = device.certificate_fingerprint();
    let made = pki::self_signed("portal");
    import_pair(&device, "portal-1", &made.pem()).has("success");
    let mine = PORTAL.replace("portal", "TLSv1.3_Default");
    let element = "<protocol-settings/><certificate>portal-1</certificate>";
    config(&device, "set", &mine, element).has("code=\"20\"");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert_eq!(device.certificate_fingerprint(), before);
    // The same profile under another name is served.
    config(&device, "set", &PORTAL.replace("portal", "other"), element).has("code=\"20\"");
    let element = "<ssl-tls-service-profile>other</ssl-tls-service-profile>";
    config(&device, "set", MGMT_BINDING, element).has("code=\"20\"");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert_eq!(device.certificate_fingerprint(), made.fingerprint());
}

#[test]
fn predefined_profiles_are_those_of_model_and_release() {
    for (model, release, has) in [
        ("PA-5220", "11.1.13-h3", true),
        ("PA-440", "12.2.4-h2", true),
        ("PA-VM", "11.2.3", false),
        ("PA-440", "10.2.9", false),
    ] {
        let device = device(|settings| {
            settings.model = model.into();
            settings.sw_version = release.into();
        });
        let reply = config(&device, "get", "/config/predefined/ssl-tls-service-profile/entry/@name", "");
        assert_eq!(reply.text().contains("TLSv1.3_Default"), has, "{model} {release}");
    }
}

#[test]
fn the_management_interface_does_not_look_into_a_virtual_system() {
    let device = device(|settings| {
        settings.profiles.push(Profile {
            name: "inside".into(),
            vsys: Some("vsys1".into()),
            certificate: None,
        });
    });
    let element = "<ssl-tls-service-profile>inside</ssl-tls-service-profile>";
    config(&device, "set", MGMT_BINDING, element).has("code=\"20\"");
    commit_and_wait(&device, MINE).has("<result>FAIL</result>").has("'inside' is not a valid reference");
}

fn managed() -> (Simulator, pki::Made) {
    let made = pki::self_signed("from-template");
    let certificate = made.pem();
    let device = device(|settings| {
        settings.served_profile = Some("pushed".into());
        settings.pushed = Some(Pushed {
            template: "branch-stack".into(),
            certificates: vec![PreloadedCertificate {
                name: "pushed-1".into(),
                certificate: certificate.clone(),
                key: Some(certificate.clone()),
                vsys: None,
            }],
            profiles: vec![Profile::bound("pushed", "pushed-1")],
            management_profile: None,
        });
    });
    (device, made)
}

#[test]
fn what_a_panorama_pushed_is_in_the_candidate_and_not_in_the_running_configuration() {
    let (device, made) = managed();
    let pushed = PORTAL.replace("portal", "pushed");
    config(&device, "get", &pushed, "").has("<entry name=\"pushed\" src=\"tpl\" ptpl=\"branch-stack\">");
    config(&device, "show", &pushed, "").has("No such node");
    let told = op(&device, "<show><config><pushed-template></pushed-template></config></show>");
    told.has("<entry name=\"pushed\" ptpl=\"branch-stack\">");
    assert!(!told.text().contains("name=\"portal\"") && !told.text().contains("src="));
    for (which, has) in [("running", false), ("merged", true), ("effective-running-config", true)] {
        let reply = op(&device, &format!("<show><config><{which}></{which}></config></show>"));
        assert_eq!(reply.text().contains("name=\"pushed\""), has, "{which}");
    }
    // It is served all the same, and what is local may refer to it.
    assert_eq!(shown(device.service_address()).unwrap(), made.fingerprint());
    config(&device, "set", PORTAL, "<certificate>pushed-1</certificate>").has("code=\"20\"");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    config(&device, "show", PORTAL, "").has("<certificate>pushed-1</certificate>");
}

#[test]
fn what_a_panorama_pushed_is_overridden_or_left_alone() {
    let (device, _) = managed();
    let pushed = PORTAL.replace("portal", "pushed");
    let list = "/config/shared/ssl-tls-service-profile";
    let refusal = "failed, may need to override template object pushed first";
    for (action, path, element) in [
        ("set", pushed.clone(), "<certificate>x</certificate>"),
        ("edit", format!("{pushed}/certificate"), "<certificate>x</certificate>"),
        ("set", list.to_owned(), "<entry name=\"pushed\"><certificate>x</certificate></entry>"),
        ("delete", pushed.clone(), ""),
    ] {
        config(&device, action, &path, element).has("code=\"13\"").has(&format!("{action} {refusal}"));
    }
    assert_eq!(device.pending_changes(), []);
    // Its neighbours are nobody's but ours.
    config(&device, "set", PORTAL, "<certificate>pushed-1</certificate>").has("code=\"20\"");
    import_pair(&device, "pushed-1", &pki::self_signed("x").pem()).has("code=\"13\"");

    config(&device, "override", list, "<entry name=\"portal\"/>").has("Object cannot be overridden");
    let mine = "<entry name=\"pushed\"><protocol-settings/></entry>";
    config(&device, "override", list, mine).has("code=\"20\"");
    let local = config(&device, "get", &pushed, "");
    assert!(!local.text().contains("ptpl") && !local.text().contains("pushed-1"), "{}", local.text());
    // It is local as a whole: what it leaves out can be set like anything local.
    config(&device, "set", &pushed, "<certificate>pushed-1</certificate>").has("code=\"20\"");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    config(&device, "show", &pushed, "").has("<entry name=\"pushed\">");
    // Without the local one the template's is back.
    config(&device, "delete", &pushed, "").has("code=\"20\"");
    config(&device, "get", &pushed, "").has("src=\"tpl\"");
}

#[test]
fn replies_can_hold_bytes_that_are_no_utf_8() {
    let latin = device(|settings| {
        settings.encoding = Encoding::Latin1;
        settings.commit_warnings = vec!["Warnung: Gerät läuft – noch".into()];
    });
    config(&latin, "set", PORTAL, "<certificate/>").has("code=\"20\"");
    let job = commit_and_wait(&latin, "<commit><force/></commit>");
    assert!(std::str::from_utf8(&job.body).is_err());
    assert!(job.body.windows(8).any(|bytes| bytes == b"Ger\xe4t l\xe4"), "{}", job.text());
    let marked = device(|settings| settings.encoding = Encoding::Utf8WithMark);
    let body = post(&marked, &[("type", "version")]).body;
    assert!(body.starts_with(b"\xEF\xBB\xBF<response"));
}

#[test]
fn uploads_are_refused_as_the_settings_say() {
    let answers = [
        (
            ImportAnswer::NoKeyForCsr,
            200,
            "<line>Import of certificate and private-key p failed. private key doesn't exist for csr</line>",
        ),
        (ImportAnswer::NotXml, 400, "<msg>Request is not a valid XML</msg>"),
        (ImportAnswer::NoCertificate, 200, "Import of p failed. Failed to extract certificate"),
        (ImportAnswer::Superuser, 200, "<line>You need superuser privileges to do that</line>"),
    ];
    let made = pki::self_signed("p");
    for (answer, status, text) in answers {
        let device = device(|settings| {
            let (category, format) = (Some("keypair".into()), Some("pkcs12".into()));
            settings.import_refusals = vec![ImportRefusal { category, format, answer }];
        });
        let form = |format| {
            [("category", "keypair"), ("format", format), ("certificate-name", "p"), ("passphrase", "dummy")]
        };
        let refused = import(&device, &form("pkcs12"), &made.pkcs12("dummy", &[], true));
        assert_eq!(refused.status, status);
        refused.has(text);
        import(&device, &form("pem"), made.pem().as_bytes()).has("success");
    }
}

#[test]
fn the_system_mode_is_what_the_settings_say() {
    let info = "<show><system><info></info></system></show>";
    assert!(!op(&start(), info).text().contains("system-mode"));
    for (model, mode) in [("PA-440", "normal"), ("M-600", "logger"), ("Panorama", "panorama")] {
        let device = device(|settings| {
            settings.model = model.into();
            settings.system_mode = (mode != "panorama").then(|| mode.into());
        });
        op(&device, info).has(&format!("<system-mode>{mode}</system-mode>"));
    }
}
