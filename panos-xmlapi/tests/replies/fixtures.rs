//! Replies of our own: each answers its own questions, and refusals, lists and jobs are told apart.

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/panos").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn asked_of(device: &Device, http: u16, name: &str) -> Asked {
    device.ask(http, &fixture(name), "21").await
}

#[tokio::test]
async fn every_fixture_answers_its_own_questions_and_no_other() {
    const LISTS: [&str; 4] = ["changes", "config locks", "commit locks", "jobs"];
    const NOTHING: &[&str] = &[];
    let blank = also(&LISTS, true);
    let missing = also(&["get", "show", "delete"], false);
    let bare: Vec<&str> = vec!["import", "set", "revert", "delete"];
    let with_commit: Vec<&str> = [&["commit"], bare.as_slice()].concat();
    let whole = |names: &[&'static str]| also(names, true);
    let cases: Vec<(u16, &str, Vec<&str>)> = vec![
        (200, "keygen-spaced-quotes.xml", whole(&["key"])),
        (200, "keygen-without-status.xml", also(&["key"], false)),
        (200, "keygen-refused-without-status.xml", NOTHING.into()),
        (403, "error-invalid-credential.xml", NOTHING.into()),
        (400, "error-key-expired.xml", NOTHING.into()),
        (403, "error-role-lacks-type.xml", NOTHING.into()),
        (200, "error-unauthorized.xml", NOTHING.into()),
        (200, "error-cdata-lines.xml", NOTHING.into()),
        (200, "error-nested-lines.xml", NOTHING.into()),
        (200, "error-empty-code.xml", missing.clone()),
        (200, "error-unknown-job.xml", missing.clone()),
        (200, "error-unknown-job-code.xml", missing.clone()),
        (200, "error-referenced.xml", NOTHING.into()),
        (200, "error-commit-locked.xml", NOTHING.into()),
        (200, "error-config-locked.xml", NOTHING.into()),
        (200, "error-attributes-only.xml", NOTHING.into()),
        (200, "error-busy.xml", NOTHING.into()),
        (200, "import-ok.xml", whole(&[])),
        (200, "import-ok-lines.xml", bare.clone()),
        (200, "import-refused.xml", NOTHING.into()),
        (200, "command-done.xml", bare.clone()),
        (200, "load-nested.xml", whole(&[])),
        (200, "lock-taken.xml", whole(&[])),
        (200, "get-certificate.xml", whole(&[])),
        (200, "get-profiles.xml", whole(&[])),
        (200, "get-missing.xml", missing.clone()),
        (200, "get-empty.xml", blank.clone()),
        (200, "get-empty-container.xml", whole(&[])),
        (200, "commit-enqueued.xml", whole(&["commit"])),
        (200, "push-enqueued.xml", whole(&["commit"])),
        (200, "commit-no-changes.xml", with_commit),
        (200, "commit-no-changes-in-result.xml", whole(&["commit"])),
        (200, "commit-same-as-before.xml", vec!["commit"]),
        (200, "push-without-job.xml", bare.clone()),
        (200, "job-active.xml", whole(&["jobs", "job"])),
        (200, "job-ok.xml", whole(&["jobs", "job"])),
        (200, "job-failed.xml", whole(&["jobs", "job"])),
        (200, "job-without-result.xml", whole(&["jobs", "job"])),
        (200, "job-unfinished-ok.xml", whole(&["jobs", "job"])),
        // These bear another number than 21.
        (200, "push-active.xml", whole(&["jobs"])),
        (200, "push-mixed.xml", whole(&["jobs"])),
        (200, "jobs.xml", whole(&["jobs"])),
        (200, "jobs-none.xml", blank.clone()),
        (200, "locks.xml", whole(&["config locks", "commit locks"])),
        (200, "locks-none.xml", whole(&["config locks", "commit locks"])),
        (200, "changes.xml", whole(&["changes"])),
        (200, "changes-none.xml", blank),
        (200, "system-firewall.xml", whole(&["system"])),
        (200, "system-panorama.xml", whole(&["system"])),
        (200, "version.xml", whole(&["system"])),
        (200, "admins.xml", whole(&[])),
        (200, "ha-off-with-group.xml", whole(&["ha"])),
        (200, "ha-off-bare.xml", whole(&["ha"])),
        (200, "ha-firewall.xml", whole(&["ha"])),
        (200, "ha-panorama.xml", whole(&["ha"])),
        (200, "devices.xml", whole(&[])),
        (200, "stacks.xml", whole(&[])),
        (200, "completions.xml", bare),
        (200, "no-status.xml", NOTHING.into()),
        (200, "broken.xml", NOTHING.into()),
        (200, "truncated.xml", NOTHING.into()),
        (200, "wrong-root.xml", NOTHING.into()),
    ];
    let device = Device::new();
    for (http, name, expected) in &cases {
        assert_eq!(asked_of(&device, *http, name).await.answered(), *expected, "{name}");
    }
    let known: BTreeSet<&str> = cases.iter().map(|(_, name, _)| *name).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/panos");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(name.as_str()), "no test reads {name}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_keep_the_devices_words() {
    let device = Device::new();
    for (http, name, code, reason, lines) in [
        (403, "error-invalid-credential.xml", Some(403), Reason::InvalidKey, vec!["Invalid Credential"]),
        (200, "keygen-refused-without-status.xml", None, Reason::InvalidKey, vec!["Invalid Credential"]),
        (
            400,
            "error-key-expired.xml",
            Some(400),
            Reason::KeyExpired,
            vec!["Key Expired: the key made for robot-7 has expired"],
        ),
        (
            403,
            "error-role-lacks-type.xml",
            Some(403),
            Reason::PermissionMissing(Some(Right::Configuration)),
            vec!["Type [commit] not authorized for user role robots."],
        ),
        (
            200,
            "error-unauthorized.xml",
            Some(16),
            Reason::PermissionMissing(Some(Right::Configuration)),
            vec!["Unauthorized request"],
        ),
        (
            200,
            "error-cdata-lines.xml",
            Some(12),
            Reason::Invalid,
            vec![
                "portal -> certificate 'web-1' is not a valid reference",
                "portal -> certificate is <invalid>",
            ],
        ),
        (
            200,
            "error-nested-lines.xml",
            None,
            Reason::Other,
            vec!["nothing found at shared/x[@name='a']", "and nothing else"],
        ),
        (200, "error-empty-code.xml", None, Reason::NotFound, vec!["No such node"]),
        (200, "error-unknown-job.xml", None, Reason::NotFound, vec!["job 5150 not found"]),
        (200, "error-unknown-job-code.xml", Some(7), Reason::NotFound, vec!["job 5150 not found"]),
        (
            200,
            "error-referenced.xml",
            Some(10),
            Reason::InUse,
            vec![
                "Failed to delete Certificate - web-1.",
                "web-1 cannot be deleted because of references from:",
                "shared -> ssl-tls-service-profile -> portal -> certificate",
            ],
        ),
        (
            200,
            "error-commit-locked.xml",
            Some(14),
            Reason::Locked(None),
            vec!["Other administrators are holding device wide commit locks."],
        ),
        (
            200,
            "error-config-locked.xml",
            None,
            Reason::Locked(Some("ottilie".into())),
            vec!["Config for scope shared is currently locked by ottilie"],
        ),
        (200, "error-attributes-only.xml", None, Reason::Other, vec![]),
        (
            200,
            "error-busy.xml",
            None,
            Reason::Busy,
            vec!["Another commit/validate is in progress. Please try again later"],
        ),
        (
            200,
            "import-refused.xml",
            None,
            Reason::Other,
            vec!["Import of web-1 failed. Failed to extract certificate"],
        ),
    ] {
        let asked = asked_of(&device, http, name).await;
        let refusal = asked.refusal();
        assert_eq!((refusal.code, &refusal.reason), (code, &reason), "{name}");
        assert_eq!(refusal.lines, lines, "{name}");
    }
}

#[tokio::test]
async fn keys_words_and_nodes_are_read_from_every_shape() {
    let device = Device::new();
    let asked = asked_of(&device, 200, "keygen-spaced-quotes.xml").await;
    assert_eq!(asked.key.unwrap(), "aW52ZW50ZWQ%2B==", "kept as it stands");
    let imported = |asked: Asked| asked.import.unwrap();
    let asked = asked_of(&device, 200, "import-ok.xml").await;
    assert_eq!(imported(asked), ["Successfully imported web-1 into candidate configuration"]);
    assert_eq!(imported(asked_of(&device, 200, "import-ok-lines.xml").await), ["web-1 saved"]);
    let asked = asked_of(&device, 200, "load-nested.xml").await;
    assert_eq!(imported(asked), ["Config loaded from invented.xml"]);

    for name in ["get-missing.xml", "get-empty.xml", "error-empty-code.xml"] {
        let asked = asked_of(&device, 200, name).await;
        assert_eq!((asked.get.unwrap(), asked.show.unwrap()), (None, None), "{name}");
        assert_eq!(asked.delete.unwrap(), name == "get-empty.xml", "{name}");
    }
    let container = asked_of(&device, 200, "get-empty-container.xml").await.get.unwrap().unwrap();
    assert_eq!(CertificateEntry::read_all(&container), []);

    let found = asked_of(&device, 200, "get-certificate.xml").await.get.unwrap().unwrap();
    let entries = CertificateEntry::read_all(&found);
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].name, "web-1");
    assert_eq!(entries[0].not_valid_after.as_deref(), Some("Feb  3 04:05:06 2027 GMT"));
    assert_eq!(entries[0].algorithm.as_deref(), Some("EC"));
    assert!(entries[0].public_key.as_ref().unwrap().starts_with("-----BEGIN CERTIFICATE-----\naW52"));
    assert!(entries[0].has_private_key);
    assert!(!entries[1].has_private_key, "an empty element is no key");
    assert_eq!(entries[1].public_key, None);

    let found = asked_of(&device, 200, "get-profiles.xml").await.get.unwrap().unwrap();
    let bound: Vec<(String, Option<String>)> = ServiceProfile::read_all(&found)
        .into_iter()
        .map(|profile| (profile.name, profile.certificate))
        .collect();
    assert_eq!(bound, [("GP portal".into(), Some("web-1".into())), ("unbound".into(), None)]);
}

#[tokio::test]
async fn a_commits_answer_is_a_job_or_the_news_that_there_is_nothing_to_do() {
    let device = Device::new();
    let none = |words: &str| CommitReply::NoChanges(words.into());
    for (name, expected) in [
        // The element counts, not the number in the text.
        ("commit-enqueued.xml", CommitReply::Job("21".into())),
        ("push-enqueued.xml", CommitReply::Job("22".into())),
        ("commit-no-changes.xml", none("There are no changes to commit.")),
        ("commit-no-changes-in-result.xml", none("There are no changes to commit.")),
        (
            "commit-same-as-before.xml",
            none("The result of this commit would be the same as the previous commit queued/processed."),
        ),
    ] {
        assert_eq!(asked_of(&device, 200, name).await.commit.unwrap(), expected, "{name}");
    }
}

#[test]
fn a_job_is_done_only_when_it_says_so_and_every_device_does() {
    let job = |name: &str| Job::read(&Reply::parse(&fixture(name)).unwrap()).unwrap();
    for (name, state) in [
        ("job-active.xml", JobState::Running),
        ("job-unfinished-ok.xml", JobState::Running),
        ("push-active.xml", JobState::Running),
        ("job-ok.xml", JobState::Done),
        ("job-failed.xml", JobState::Failed),
        ("job-without-result.xml", JobState::Failed),
        ("push-mixed.xml", JobState::Running),
    ] {
        assert_eq!(job(name).state(), state, "{name}");
    }
    let ok = job("job-ok.xml");
    assert_eq!(ok.progress.as_deref(), Some("04:06:07"));
    assert_eq!(
        ok.details,
        ["portal (shared)", "Warning: a rule shadows another", "Configuration committed successfully"]
    );
    assert_eq!(ok.warnings, [""; 0]);
    let failed = job("job-failed.xml");
    assert_eq!(failed.details, ["Validation Error:", "portal is missing 'protocol-settings'"]);
    assert_eq!(failed.warnings, ["one warning"]);

    let mut push = job("push-mixed.xml");
    assert_eq!(push.devices[0].lines, ["Configuration committed successfully"]);
    assert_eq!(push.devices[0].warnings, ["an interface has no zone"]);
    assert_eq!(push.devices[1].lines, ["the device said no"]);
    assert_eq!(push.devices[2].name.as_deref(), Some("branch-3"));
    push.devices[2].result = Some("OK".into());
    assert_eq!(push.state(), JobState::Failed, "the second one has failed");
    push.devices[1].result = Some("OK".into());
    assert_eq!(push.state(), JobState::Done);
    push.devices[1].result = None;
    assert_eq!(push.state(), JobState::Failed, "no word is no OK");
}

#[tokio::test]
async fn lists_are_read_entry_by_entry() {
    let device = Device::new();
    let jobs = asked_of(&device, 200, "jobs.xml").await.jobs.unwrap();
    let ids: Vec<Option<&str>> = jobs.iter().map(|job| job.id.as_deref()).collect();
    assert_eq!(ids, [Some("4"), None, Some("4")]);
    assert_eq!(jobs[1].kind.as_deref(), Some("Failed-Job"));
    assert_eq!(jobs[1].state(), JobState::Running, "nothing says that it is over");
    assert_eq!(asked_of(&device, 200, "jobs-none.xml").await.jobs.unwrap(), []);

    let locks = asked_of(&device, 200, "locks.xml").await.config_locks.unwrap();
    assert_eq!((locks.len(), locks[0].owner.as_str()), (1, "ottilie"));
    assert_eq!(locks[0].comment.as_deref(), Some("(null)"));
    assert_eq!(asked_of(&device, 200, "locks-none.xml").await.commit_locks.unwrap(), []);

    let changes = asked_of(&device, 200, "changes.xml").await.changes.unwrap();
    assert_eq!(changes[0].xpath, "/config/shared/certificate/entry[@name='web-1']");
    assert_eq!(changes[0].action.as_deref(), Some("CREATE"));
    assert_eq!((changes[1].owner.as_str(), changes[1].action.as_deref()), ("ottilie", None));
    assert_eq!(asked_of(&device, 200, "changes-none.xml").await.changes.unwrap(), []);

    let read = |name: &str| Reply::parse(&fixture(name)).unwrap();
    let devices = ManagedDevice::read_all(&read("devices.xml")).unwrap();
    assert_eq!(devices.len(), 2, "entries within entries are not devices");
    assert_eq!(devices[0].ha_peer_serial.as_deref(), Some("009900000000002"));
    assert_eq!((devices[1].serial.as_str(), devices[1].sw_version.as_deref()), ("009900000000003", None));
    let stacks = TemplateStack::read_all(&read("stacks.xml")).unwrap();
    assert_eq!(stacks[0].templates, ["base", "west"]);
    assert_eq!(stacks[0].devices[0].template_status.as_deref(), Some("Out of Sync"));
    assert_eq!(stacks[0].devices[1].template_status, None);
}

#[test]
fn a_device_tells_what_it_is() {
    let read = |name: &str| SystemInfo::read(&Reply::parse(&fixture(name)).unwrap()).unwrap();
    let firewall = read("system-firewall.xml");
    assert_eq!(firewall.serial.as_deref(), Some("unknown"));
    assert_eq!(firewall.time.as_deref(), Some("Tue Feb  3 04:05:06 2026"));
    assert_eq!(firewall.sw_version.as_deref(), Some("10.2.9-h1"));
    assert_eq!((firewall.is_panorama(), firewall.default_location()), (false, Location::Shared));
    for name in ["system-panorama.xml", "version.xml"] {
        let panorama = read(name);
        assert_eq!(
            (panorama.is_panorama(), panorama.default_location()),
            (true, Location::Panorama),
            "{name}"
        );
    }
    let own = |name: &str| own_name(&Reply::parse(&fixture(name)).unwrap());
    assert_eq!(own("admins.xml").as_deref(), Some("robot-7"));
    assert_eq!(own("jobs-none.xml"), None);
}

#[test]
fn high_availability_is_read_from_both_layouts_and_off_is_off() {
    let read = |name: &str| HaState::read(&Reply::parse(&fixture(name)).unwrap()).unwrap();
    for name in ["ha-off-with-group.xml", "ha-off-bare.xml"] {
        assert_eq!((read(name).enabled, read(name).local), (false, None), "{name}");
    }
    let firewall = read("ha-firewall.xml");
    assert_eq!(firewall.mode.as_deref(), Some("Active-Passive"));
    assert_eq!((firewall.local.as_deref(), firewall.peer.as_deref()), (Some("passive"), Some("active")));
    assert_eq!(firewall.peer_address.as_deref(), Some("192.0.2.9/24"));
    assert_eq!(firewall.peer_connection.as_deref(), Some("up"));
    assert_eq!(firewall.running_sync.as_deref(), Some("not synchronized"));
    let panorama = read("ha-panorama.xml");
    assert_eq!(panorama.local.as_deref(), Some("primary-active"));
    assert_eq!(panorama.peer_address.as_deref(), Some("192.0.2.22"));
    assert_eq!((panorama.mode, panorama.running_sync_enabled), (None, None));
}
