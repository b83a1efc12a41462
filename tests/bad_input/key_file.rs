//! The API key file: without a key that may go to this device, nobody is spoken to.

use std::os::unix::fs::symlink;

use crate::common::pki;
use crate::common::world::{KEY, NAME, PORTAL};
use crate::line::{BOTH, Getcert, Instcert, Quiet, as_nobody, open_folder_with_programs};

const SECRET: &str = "LUFRPT-not-to-be-shown";

/// Both programs refuse it, show no key, and connect to nobody.
#[track_caller]
fn refuse(quiet: &Quiet, option: &std::path::Path, words: &[&str]) {
    for program in BOTH {
        let ended = quiet.line(program).with("-k", option).refused(5, &[&["API key file"], words].concat());
        assert!(!ended.stderr.contains(SECRET) && !quiet.log().contains(SECRET), "{ended:#?}");
        assert_eq!(quiet.world.device.connections(), 0);
    }
}

#[test]
fn a_key_file_without_a_key_is_refused() {
    let quiet = Quiet::new();
    refuse(&quiet, &quiet.path("missing"), &["not found", "as a line: api_key=KEY"]);
    refuse(&quiet, &quiet.file("empty", ""), &["is empty"]);
    refuse(&quiet, &quiet.file("blank", " \r\n\t\n"), &["is empty"]);
    for text in
        ["# api_key=x\n", "hostname=127.0.0.1\n", "key=x\n", "apikey=x\n", "<key>x</key>\n", "\0\u{1}\u{2}"]
    {
        refuse(&quiet, &quiet.file("none", text), &["has no line 'api_key=KEY'"]);
    }
    for value in ["", "\"\"", "a key", "schlüssel", "x\u{b}y", "a\u{7f}"] {
        let path = quiet.file("bad", format!("# comment\napi_key={value}\n"));
        refuse(&quiet, &path, &["line 2", "that is not an API key"]);
    }
    let long = quiet.file("long", format!("api_key={}\n", "x".repeat(4097)));
    refuse(&quiet, &long, &["line 1", "at most 4096"]);
    refuse(&quiet, &quiet.file("two", format!("api_key={SECRET}\napi_key=b\n")), &["line 2", "another key"]);
    refuse(&quiet, &quiet.file("large", vec![b'#'; 10 << 20]), &["holds more than 1024 KiB"]);
}

#[test]
fn a_key_file_that_is_no_file_is_refused() {
    let quiet = Quiet::new();
    let fifo = quiet.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    refuse(&quiet, &fifo, &["is a FIFO"]);
    refuse(&quiet, std::path::Path::new("/dev/zero"), &["is a device"]);
    std::fs::create_dir_all(quiet.path("folder/.panrc")).unwrap();
    refuse(&quiet, &quiet.path("folder"), &["/.panrc is a directory"]);
    std::fs::create_dir(quiet.path("bare")).unwrap();
    refuse(&quiet, &quiet.path("bare"), &["bare/.panrc not found"]);
    symlink(quiet.path("nowhere"), quiet.path("dangling")).unwrap();
    refuse(&quiet, &quiet.path("dangling"), &["not found"]);
    symlink("loop", quiet.path("loop")).unwrap();
    refuse(&quiet, &quiet.path("loop"), &[]);
    refuse(&quiet, std::path::Path::new("no-such-ending"), &["/etc/ipa/.panrc.no-such-ending not found"]);
}

#[test]
fn a_key_file_that_others_can_read_or_change_is_refused_with_the_cure() {
    let quiet = Quiet::new();
    let path = quiet.path("open");
    for mode in [0o604, 0o640, 0o620, 0o602, 0o644, 0o666, 0o601] {
        pki::write(&path, format!("api_key={SECRET}\n").as_bytes(), mode);
        refuse(&quiet, &path, &["is accessible by other users", &format!("{mode:04o}"), "chmod 600"]);
    }
}

#[test]
fn a_key_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a file away.
    }
    let quiet = Quiet::new();
    let path = quiet.file("given", format!("api_key={SECRET}\n"));
    std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
    refuse(&quiet, &path, &["belongs to user id 65534", "chown root:"]);
}

#[test]
fn a_key_file_for_root_only_says_run_it_with_sudo() {
    let quiet = Quiet::new();
    let open = open_folder_with_programs();
    let out = open.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::set_permissions(&out, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let issued = quiet.world.renew();
    pki::write(&open.path().join(format!("{NAME}.crt")), issued.certificate_pem().as_bytes(), 0o644);
    pki::write(&open.path().join(format!("{NAME}.key")), issued.key_pem().as_bytes(), 0o644);
    let key = open.path().join(".panrc");
    pki::write(&key, b"", 0o000);
    let line = quiet.line(Instcert).through(&as_nobody(&open.path().join("pan_instcert")));
    let line = line.with("-C", open.path()).with("-K", open.path()).with("-k", &key);
    let line = line.with("--log-file", out.join("log")).with("--state-dir", out.join("state"));
    line.refused(5, &["no permission to read the API key file", "run it with sudo"]);
    let log = std::fs::read_to_string(out.join("log")).unwrap();
    crate::line::assert_no_success(&out.join("state"), &log, &"no permission");
    assert!(log.contains("ERROR: "), "{log}");
}

#[test]
fn a_key_goes_to_no_other_host_than_those_named() {
    let quiet = Quiet::new();
    let named = format!("hostname=fw1.example.com\nhostname=fw2.example.com\napi_key={SECRET}\n");
    let words = &["has no key for 127.0.0.1", "only for fw1.example.com, fw2.example.com"];
    refuse(&quiet, &quiet.file("named", named), words);
    let tagged = format!("hostname%a=fw1.example.com\napi_key%a={SECRET}\n");
    refuse(&quiet, &quiet.file("tagged", tagged), &["has no key for 127.0.0.1", "only for fw1.example.com"]);
    let unbound = format!("api_key%a={SECRET}\n");
    refuse(&quiet, &quiet.file("unbound", unbound), &["has no key for 127.0.0.1"]);
    let two = format!("hostname%a=127.0.0.1\napi_key%a={SECRET}\nhostname%b=127.0.0.1\napi_key%b=x\n");
    refuse(&quiet, &quiet.file("two", two), &["has several keys for 127.0.0.1"]);
}

#[test]
fn each_device_gets_its_own_key_or_none() {
    let quiet = Quiet::new();
    let other = panos_sim::Simulator::start(crate::common::world::settings()).unwrap();
    let port = other.address().port();
    // Both devices have one address here; the name tells them apart.
    let keys = quiet.file("keys", format!("hostname=127.0.0.1\napi_key={KEY}\n"));
    let named = format!("localhost:{port}");
    let line = quiet.line(Instcert).without("--pin").plus(&["--insecure"]).with("-k", keys);
    line.devices(&[quiet.world.target(), named]).run().exits(20).says("has no key for localhost");
    assert_eq!(other.connections(), 0);
    assert_eq!(quiet.world.record()["state"]["is"], "installed");
}

#[test]
fn tags_comments_quotes_blanks_and_line_ends_of_windows_do_no_harm() {
    let texts = [
        format!("\u{feff}# made by hand\r\n\r\napi_key={KEY}\r\n"),
        format!("api_username = cert-deploy\n  api_key  =  {KEY}  \n"),
        format!("api_key='{KEY}'"),
        format!("api_key=\"{KEY}\"\r\n# end"),
        format!("hostname%fw-1=127.0.0.1\r\napi_key%fw-1={KEY}\r\nhostname%b=fw2\r\napi_key%b=x\r\n"),
        format!("api_key={KEY}\nhostname%b=fw2\napi_key%b=x\n"),
        format!("hostname=127.0.0.1:8443\napi_key={KEY}\napi_password=x\nport=1\nunknown%%=y\n"),
    ];
    let quiet = Quiet::new();
    for text in texts {
        let path = quiet.file("good", &text);
        quiet.line(Instcert).with("-k", &path).plus(&["-p", PORTAL, "--force"]).run().exits(0);
        // It gets as far as certmonger, which is a stand-in here.
        quiet.line(Getcert).with("-k", &path).run().exits(10);
    }
}
