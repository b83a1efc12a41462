#![allow(clippy::unwrap_used)]

use super::*;
use secrecy::ExposeSecret;
use std::os::unix::fs::PermissionsExt;

fn file(contents: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".panrc");
    std::fs::write(&path, contents).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    (folder, path)
}

fn load(contents: impl AsRef<[u8]>) -> Result<KeyFile, KeyFileError> {
    let (_folder, path) = file(contents.as_ref(), 0o600);
    KeyFile::load(&path)
}

fn key(file: &KeyFile, host: &str) -> String {
    file.key_for(host).unwrap().expose_secret().to_owned()
}

#[test]
fn the_option_is_a_file_a_folder_or_an_ending() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let cases = [
        (None, "/etc/ipa/.panrc".to_owned()),
        (Some(""), "/etc/ipa/.panrc".to_owned()),
        (Some("lab"), "/etc/ipa/.panrc.lab".to_owned()),
        (Some("/root/key"), "/root/key".to_owned()),
        (Some("keys/lab"), "keys/lab".to_owned()),
        (Some("/nonexistent/"), "/nonexistent/.panrc".to_owned()),
        (Some("."), "./.panrc".to_owned()),
        (Some(".."), "../.panrc".to_owned()),
        (Some(folder), format!("{folder}/.panrc")),
    ];
    for (option, path) in cases {
        assert_eq!(resolve(option), PathBuf::from(path), "{option:?}");
    }
}

#[test]
fn a_word_is_an_ending_even_where_a_folder_of_that_name_lies_in_the_current_folder() {
    assert!(Path::new("src").is_dir(), "tests run in the package's directory");
    assert_eq!(resolve(Some("src")), PathBuf::from("/etc/ipa/.panrc.src"));
}

#[test]
fn an_untagged_key_without_hostname_goes_to_any_device() {
    let file = load("# made today\n\napi_key=abc==\n").unwrap();
    assert_eq!(key(&file, "fw1.example.com"), "abc==");
    assert_eq!(key(&file, "192.0.2.1"), "abc==");
}

#[test]
fn line_ends_blanks_quotes_and_a_byte_order_mark_do_not_matter() {
    for text in [
        "api_key=abc\r\nhostname=fw1\r\n",
        "\u{feff}api_key = abc \n\thostname\t=\tfw1",
        "  # api_key=other\napi_key=\"abc\"\nhostname='fw1'\n",
    ] {
        let file = load(text).unwrap();
        assert_eq!(key(&file, "fw1"), "abc", "{text}");
        assert!(file.key_for("fw2").is_err(), "{text}");
    }
}

#[test]
fn a_key_with_hostnames_goes_to_those_devices_and_to_no_other() {
    let file = load("hostname=FW1.example.com\nhostname=fw2.example.com:8443\napi_key=abc\n").unwrap();
    assert_eq!(key(&file, "fw1.example.com"), "abc");
    assert_eq!(key(&file, "FW2.example.com:443"), "abc");
    assert_eq!(key(&file, "fw2.example.com."), "abc");
    for other in ["fw3.example.com", "fw1", "fw1.example.com.evil.example", ""] {
        let error = file.key_for(other).unwrap_err();
        assert!(matches!(error, KeyFileError::NotForHost { .. }), "{other}");
    }
    let error = file.key_for("fw3").unwrap_err().to_string();
    assert!(error.ends_with("has no key for fw3, only for fw1.example.com, fw2.example.com"), "{error}");
}

#[test]
fn addresses_are_compared_as_addresses() {
    let file = load("hostname=[2001:DB8:0::1]:443\nhostname=192.0.2.7\napi_key=abc\n").unwrap();
    for host in ["2001:db8::1", "[2001:db8::1]", "[2001:db8:0:0::1]:8443", "192.0.2.7:443"] {
        assert_eq!(key(&file, host), "abc");
    }
    assert!(file.key_for("2001:db8::2").is_err());
}

#[test]
fn a_tag_ties_key_and_host_together_and_the_untagged_key_serves_the_rest() {
    let text = "api_key=common\n\
        hostname%lab=fw-lab\napi_key%lab=lab\napi_username%lab=tester\n\
        api_key%edge=edge\nhostname%edge=fw-edge\n";
    let file = load(text).unwrap();
    assert_eq!(key(&file, "fw-lab"), "lab");
    assert_eq!(key(&file, "fw-edge"), "edge");
    assert_eq!(key(&file, "fw-other"), "common");
    assert_eq!(file.username_for("fw-lab"), Some("tester"));
    assert_eq!(file.username_for("fw-edge"), None);
}

#[test]
fn a_tagged_key_without_hostname_goes_nowhere() {
    let file = load("api_key%lab=abc\n").unwrap();
    let error = file.key_for("lab").unwrap_err();
    assert!(error.to_string().ends_with("has no key for lab"), "{error}");
    let advice = error.advice().unwrap();
    assert!(advice.starts_with("make a key for the device: pan_certctl keygen lab "), "{advice}");
    assert!(
        advice.ends_with("or, if the key is meant for it, add a line hostname=lab to the key's entry"),
        "{advice}"
    );
}

#[test]
fn an_untagged_hostname_binds_the_untagged_key_only() {
    let file = load("hostname=fw1\napi_key=one\napi_key%two=two\nhostname%two=fw2\n").unwrap();
    assert_eq!(key(&file, "fw1"), "one");
    assert_eq!(key(&file, "fw2"), "two");
    assert!(file.key_for("fw3").is_err());
}

#[test]
fn two_keys_for_one_entry_or_one_device_are_an_error_and_the_same_key_twice_is_not() {
    assert!(matches!(
        load("api_key=a\nhostname=fw1\napi_key=b\n"),
        Err(KeyFileError::TwoKeys { line: 3, .. })
    ));
    assert_eq!(key(&load("api_key=a\napi_key=a\n").unwrap(), "fw"), "a");
    let file = load("api_key%a=1\nhostname%a=fw\napi_key%b=2\nhostname%b=fw\n").unwrap();
    assert!(matches!(file.key_for("fw"), Err(KeyFileError::Ambiguous { .. })));
    let file = load("api_key%a=1\nhostname%a=fw\napi_key%b=1\nhostname%b=fw\n").unwrap();
    assert_eq!(key(&file, "fw"), "1");
}

#[test]
fn passwords_and_unknown_lines_are_passed_over() {
    let file =
        load("api_password=x\nport=443\nserial=1\nnonsense\nother=1\napi_key%bad tag=x\napi_key=abc\n")
            .unwrap();
    assert_eq!(key(&file, "fw"), "abc");
}

#[test]
fn a_file_without_a_key_says_which_line_is_wanted() {
    for text in ["hostname=fw1\n", "LUFRPT14\n", "api-key=abc\n", "# api_key=abc\n", "api_password=x\n"] {
        let error = load(text).unwrap_err();
        assert!(matches!(error, KeyFileError::NoKey { .. }), "{text}");
        assert!(error.to_string().ends_with("has no line 'api_key=KEY'"));
        assert!(!error.to_string().contains("LUFRPT14"));
    }
    for text in ["", "\n \r\n", "\u{feff}"] {
        assert!(matches!(load(text), Err(KeyFileError::Empty { .. })), "{text:?}");
    }
}

#[test]
fn a_key_that_no_header_can_carry_is_refused_by_line_and_not_shown() {
    for text in [
        &b"\napi_key="[..],
        b"\napi_key=\n",
        b"\napi_key=secret words",
        b"\napi_key=secr\x07et",
        b"\napi_key=secr\xe9t",
    ] {
        let error = load(text).unwrap_err();
        assert!(matches!(error, KeyFileError::BadKey { line: 2, .. }));
        assert!(!format!("{error} {error:?}").contains("secr"));
    }
}

#[test]
fn a_file_that_others_can_read_or_write_is_refused_with_the_command_that_mends_it() {
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610] {
        let (_folder, path) = file(b"api_key=abc\n", mode);
        let error = KeyFile::load(&path).unwrap_err();
        assert!(
            error.to_string().ends_with(&format!("is accessible by other users (mode {mode:04o})")),
            "{error}"
        );
        assert_eq!(error.advice().unwrap(), format!("chmod 600 {}", path.display()));
    }
    for mode in [0o600, 0o400, 0o700] {
        let (_folder, path) = file(b"api_key=abc\n", mode);
        KeyFile::load(&path).unwrap();
    }
}

#[test]
fn a_file_that_is_neither_roots_nor_the_callers_is_refused() {
    let (_folder, path) = file(b"api_key=abc\n", 0o600);
    let me = rustix::process::geteuid().as_raw();
    assert_eq!(KeyFile::load(&path).unwrap().owner(), me);
    if me == 0 {
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        assert!(matches!(KeyFile::load(&path), Err(KeyFileError::Owner { owner: 12345, .. })));
        assert!(KeyFile::load_as(&path, 12345).is_ok());
    } else {
        assert!(matches!(KeyFile::load_as(&path, me + 1), Err(KeyFileError::Owner { .. })));
    }
}

#[test]
fn missing_too_large_and_special_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(KeyFile::load(&folder.path().join("none")), Err(KeyFileError::Missing { .. })));
    assert!(matches!(KeyFile::load(folder.path()), Err(KeyFileError::NotAFile { found: "a directory", .. })));
    assert!(matches!(load(vec![b'#'; LIMIT + 1]), Err(KeyFileError::TooLarge { .. })));
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(KeyFile::load(&fifo), Err(KeyFileError::NotAFile { found: "a FIFO", .. })));
}

#[test]
fn a_link_is_judged_by_the_file_it_leads_to() {
    let (folder, path) = file(b"api_key=abc\n", 0o600);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(KeyFile::load(&link).is_ok());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(KeyFile::load(&link), Err(KeyFileError::Open { .. })));
}

#[test]
fn debug_output_holds_no_key() {
    let file = load("api_key=topsecret\n").unwrap();
    assert!(!format!("{file:?}").contains("topsecret"));
}
