#![allow(clippy::unwrap_used)]

use super::*;
use std::os::unix::fs::PermissionsExt;

/// A getcert that writes down its arguments, prints this, and exits so.
struct Fake {
    folder: tempfile::TempDir,
    getcert: Getcert,
}

impl Fake {
    fn new(stdout: &str, stderr: &str, code: i32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("out"), stdout).unwrap();
        std::fs::write(path("err"), stderr).unwrap();
        let script = "#!/bin/sh\nd=${0%/*}\nprintf '%s\\n' \"$@\" > $d/argv\ncat $d/out\ncat $d/err >&2\n";
        std::fs::write(path("getcert"), format!("{script}exit {code}\n")).unwrap();
        std::fs::set_permissions(path("getcert"), std::fs::Permissions::from_mode(0o755)).unwrap();
        // Through the shell, as a file that was just written may still be busy for exec.
        let words = [OsString::from("/bin/sh"), path("getcert").into_os_string()];
        let getcert = Getcert::new(words, Some("local"));
        Self { folder, getcert }
    }

    fn arguments(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("argv")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

fn new_request() -> NewRequest {
    NewRequest {
        subject: "CN=gp.example.com".to_owned(),
        principal: Some("HTTP/gp.example.com".to_owned()),
        certificate: "/c/gp.crt".into(),
        key: "/k/gp.key".into(),
        dns: vec!["gp.example.com".to_owned(), "vpn.example.com".to_owned()],
        ip_addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        profile: Some("-s".to_owned()),
        key_type: Some(KeyType::Ec),
        key_bits: Some(384),
        post_save: Some("/usr/bin/pan_instcert -n 'a b'".to_owned()),
    }
}

async fn refusal(stdout: &str, stderr: &str, code: i32) -> GetcertError {
    Fake::new(stdout, stderr, code).getcert.request(&new_request()).await.unwrap_err()
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_passes_every_option_as_an_argument_of_its_own_and_gives_the_nickname() {
    let fake = Fake::new("New signing request \"20260102030405\" added.\n", "", 0);
    assert_eq!(fake.getcert.request(&new_request()).await.unwrap(), "20260102030405");
    let wanted = "request|-c|local|-N|CN=gp.example.com|-K|HTTP/gp.example.com|-f|/c/gp.crt|-k|/k/gp.key\
        |-D|gp.example.com|-D|vpn.example.com|-A|192.0.2.1|-A|2001:db8::1|-T|-s|-G|ec|-g|384\
        |-C|/usr/bin/pan_instcert -n 'a b'";
    assert_eq!(fake.arguments().join("|"), wanted);
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_without_options_is_short_and_the_session_bus_is_asked_where_wanted() {
    let fake = Fake::new("New signing request \"1\" added.\n", "", 0);
    let plain = NewRequest {
        principal: None,
        dns: vec![],
        ip_addresses: vec![],
        profile: None,
        key_type: None,
        key_bits: None,
        post_save: None,
        ..new_request()
    };
    fake.getcert.clone().on_session_bus(true).request(&plain).await.unwrap();
    assert_eq!(
        fake.arguments().join("|"),
        "request|-s|-c|local|-N|CN=gp.example.com|-f|/c/gp.crt|-k|/k/gp.key"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn the_post_save_command_is_changed_by_nickname_so_that_nothing_new_can_come_of_it() {
    let fake = Fake::new("Request \"7\" modified.\n", "", 0);
    fake.getcert.set_post_save("7", "/bin/x 'y z'").await.unwrap();
    assert_eq!(fake.arguments().join("|"), "start-tracking|-i|7|-C|/bin/x 'y z'");
    let added = Fake::new("New tracking request \"8\" added.\n", "", 0);
    assert!(added.getcert.set_post_save("7", "/bin/x").await.is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn resubmit_and_rekey_name_what_they_change() {
    let fake = Fake::new("Resubmitting \"7\" to \"local\".\n", "", 0);
    fake.getcert.resubmit("7", &Changes::default()).await.unwrap();
    assert_eq!(fake.arguments().join("|"), "resubmit|-i|7");
    fake.getcert
        .rekey(
            "7",
            &Changes { post_save: Some("/bin/x".to_owned()), ..Changes::default() },
            Some(KeyType::Rsa),
            Some(4096),
        )
        .await
        .unwrap();
    assert_eq!(fake.arguments().join("|"), "rekey|-i|7|-G|rsa|-g|4096|-C|/bin/x");
}

#[tokio::test(flavor = "current_thread")]
async fn the_state_is_read_whatever_the_exit_status() {
    for (line, code, stuck) in
        [("State MONITORING, stuck: no.\n", 0, false), ("State CA_REJECTED, stuck: yes.\n", 2, true)]
    {
        let fake = Fake::new(line, "", code);
        let status = fake.getcert.status(Path::new("/c/gp.crt")).await.unwrap();
        assert_eq!((status.state.as_str(), status.stuck), (line.split([' ', ',']).nth(1).unwrap(), stuck));
        assert_eq!(fake.arguments().join("|"), "status|-f|/c/gp.crt|-v");
    }
    let odd = Fake::new("State X, stuck: perhaps.\n", "", 0);
    assert!(odd.getcert.status(Path::new("/c")).await.is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn no_such_request_is_nothing_to_list_and_an_error_to_ask_the_state_of() {
    // Exit status 0: so it is where getcert had to start a certmonger of its own.
    for code in [0, 1] {
        let fake = Fake::new("No request found that matched arguments.\n", "", code);
        assert_eq!(fake.getcert.tracked(Path::new("/c")).await.unwrap(), None);
        assert!(matches!(fake.getcert.status(Path::new("/c")).await, Err(GetcertError::NotTracked)));
    }
    let other_ca = Fake::new("Number of certificates and requests being tracked: 4.\n", "", 0);
    assert_eq!(other_ca.getcert.tracked(Path::new("/c")).await.unwrap(), None);
}

#[tokio::test(flavor = "current_thread")]
async fn a_listing_is_read_and_a_broken_one_is_an_error() {
    let text = "Request ID '1':\n\tstatus: MONITORING\n\tcertificate: type=FILE,location='/c'\n";
    let fake = Fake::new(text, "", 0);
    assert_eq!(fake.getcert.tracked(Path::new("/c")).await.unwrap().unwrap().id, "1");
    assert_eq!(fake.getcert.list().await.unwrap().requests.len(), 1);
    let broken = Fake::new("Request ID '1':\n", "", 0);
    assert!(matches!(broken.getcert.list().await, Err(GetcertError::Listing(_))));
    let failed = Fake::new("Request ID '1':\n", "", 1);
    assert!(matches!(failed.getcert.list().await, Err(GetcertError::Failed { .. })));
}

#[tokio::test(flavor = "current_thread")]
async fn getcerts_complaints_are_told_apart() {
    let used = "Certificate at same location is already used by request with nickname \"20260102\".\n";
    assert!(
        matches!(refusal(used, "", 1).await, GetcertError::AlreadyTracked { nickname } if nickname == "20260102")
    );
    let key = "Key at same location is already used by request with nickname \"3\".\n";
    assert!(
        matches!(refusal(key, "", 1).await, GetcertError::AlreadyTracked { nickname } if nickname == "3")
    );
    let path = refusal("Path \"/nonexist\": No such file or directory.\n", "", 1).await;
    assert_eq!(
        path.to_string(),
        "certmonger can't use the file: Path \"/nonexist\": No such file or directory."
    );
    assert!(matches!(path, GetcertError::Path { .. }));
    let denied = refusal("Path \"/root\": insufficient permissions.\n", "", 1).await;
    assert!(matches!(denied, GetcertError::Path { .. }));
    assert!(matches!(refusal("No CA with name \"x\" found.\n", "", 1).await, GetcertError::NoSuchCa { .. }));
    for text in [
        "Please verify that the certmonger service has been started.\n",
        "Error connecting to D-Bus.\nPlease verify that the message bus (D-Bus) service is running.\n",
        "Error org.freedesktop.DBus.Error.Spawn.ChildExited: Launch helper exited with unknown return code 1\n",
    ] {
        let error = refusal(text, "", 1).await;
        assert!(matches!(error, GetcertError::NotRunning { .. }), "{error}");
        assert_eq!(error.advice().unwrap(), "start it: systemctl start certmonger");
    }
    let rejected =
        refusal("Error org.freedesktop.DBus.Error.AccessDenied: Rejected send message.\n", "", 1).await;
    assert!(matches!(rejected, GetcertError::NotPermitted { .. }));
}

#[tokio::test(flavor = "current_thread")]
async fn sudos_refusals_are_sudos() {
    for text in [
        "sudo: a terminal is required to read the password; either use the -S option\nsudo: a password is required\n",
        "Sorry, user eve is not allowed to execute '/usr/bin/ipa-getcert request' as root on host.\n",
        "eve is not in the sudoers file.\n",
    ] {
        assert!(matches!(refusal("", text, 1).await, GetcertError::SudoRefused { .. }), "{text}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn any_other_complaint_is_given_in_one_line_without_the_usage() {
    let text = "missing argument for -i\nsecond \x1b[1mline\ngetcert - client certificate enrollment tool\n\nUsage: x\n";
    let error = refusal(text, "and more\n", 1).await.to_string();
    assert_eq!(error, "getcert failed (exit status: 1): missing argument for -i second  [1mline and more");
    let error = refusal("", "", 0).await.to_string();
    assert_eq!(error, "getcert failed (exit status: 0): (no output)");
}

#[test]
fn the_program_follows_from_the_ca_and_sudo_goes_before_it() {
    let words = |getcert: Getcert| getcert.words.join(std::ffi::OsStr::new(" ")).into_string().unwrap();
    assert_eq!(words(Getcert::for_ca("IPA", false)), "ipa-getcert");
    assert_eq!(words(Getcert::for_ca("IPA", true)), "sudo ipa-getcert");
    assert_eq!(words(Getcert::for_ca("local", true)), "sudo getcert");
    assert_eq!(Getcert::for_ca("IPA", false).ca, None);
    assert_eq!(Getcert::for_ca("local", false).ca.as_deref(), Some("local"));
    assert!(Getcert::for_ca("IPA", true).timeout > Getcert::for_ca("IPA", false).timeout);
}
