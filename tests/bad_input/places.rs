//! The log file and the state folder.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::common::pki;
use crate::common::world::{KEY, NAME, PORTAL};
use crate::line::{BOTH, Getcert, Instcert, Line, Quiet, as_nobody, open_folder_with_programs};

#[test]
fn a_log_file_that_can_not_be_written_is_named_before_anything_is_done() {
    let quiet = Quiet::new();
    let fifo = quiet.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for (path, word) in [
        (quiet.path("missing/log"), "No such file"),
        (quiet.world.folder.path().to_owned(), "directory"),
        (quiet.file("file", "").join("log"), "Not a directory"),
        (fifo, ""),
        ("/dev/full".into(), "not a regular file"),
        ("/".into(), ""),
    ] {
        let line = quiet.line(Instcert).with("--log-file", &path);
        line.refused(1, &["can't write the log file", path.to_str().unwrap(), "--log-file", word]);
    }
    let odd = OsStr::from_bytes(b"/tmp/pan-\xff-log");
    quiet.line(Instcert).with("--log-file", odd).refused(1, &["can't write the log file", "UTF-8"]);
    assert!(!Path::new(odd).exists());
}

#[test]
fn pan_getcert_sees_at_once_that_the_log_of_the_installation_has_no_folder() {
    let quiet = Quiet::new();
    let line = quiet.line(Getcert).with("--log-file", quiet.path("missing/log"));
    line.refused(1, &["missing/log", "--log-file"]);
}

#[test]
fn a_new_log_is_for_its_owner_and_group_and_an_old_one_is_appended_to() {
    let quiet = Quiet::new();
    quiet.line(Instcert).run().exits(0);
    let mode = std::fs::metadata(quiet.path("log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let first = quiet.log();
    quiet.line(Instcert).run().exits(0);
    assert!(quiet.log().starts_with(&first) && quiet.log().len() > first.len());
}

#[test]
fn modes_of_new_files_do_not_depend_on_the_callers_umask() {
    for umask in ["000", "027", "077", "0277", "0777"] {
        let quiet = Quiet::new();
        let program = Instcert.path().display();
        let words = ["sh", "-c", &format!("umask {umask}; exec '{program}' \"$@\""), "sh"].map(str::to_owned);
        quiet.line(Instcert).through(&words).run().exits(0);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&quiet.path("log")), 0o640, "umask {umask}");
        let installations = quiet.path("state/installations");
        let device = installations.join(quiet.world.target());
        for folder in ["state", "state/locks", "state/queue"] {
            assert_eq!(mode(&quiet.path(folder)), 0o700, "{folder}, umask {umask}");
        }
        let lock = quiet.path("state/locks").join(quiet.world.target());
        assert_eq!(mode(&lock), 0o600, "umask {umask}");
        assert_eq!(mode(&installations), 0o700, "umask {umask}");
        assert_eq!(mode(&device), 0o700, "umask {umask}");
        assert_eq!(mode(&device.join("shared")), 0o700, "umask {umask}");
        assert_eq!(mode(&device.join("shared").join(format!("{NAME}.json"))), 0o600, "umask {umask}");
    }
}

#[test]
fn a_state_folder_that_can_not_be_written_is_named_and_the_device_is_not_spoken_to() {
    let quiet = Quiet::new();
    std::fs::create_dir_all(quiet.path("taken/installations")).unwrap();
    std::fs::write(quiet.path("taken/installations").join(quiet.world.target()), "in the way").unwrap();
    for path in [
        quiet.file("file", ""),
        quiet.file("file", "").join("below"),
        quiet.path("taken"),
        "/proc/pan_getcert".into(),
        "/dev/null".into(),
    ] {
        let line = quiet.line(Instcert).with("--state-dir", &path).plus(&["-p", PORTAL]);
        let words = ["the installation record", path.to_str().unwrap(), "--state-dir"];
        line.refused(1, &words);
        assert_eq!(quiet.world.device.connections(), 0);
    }
}

/// All that an ordinary user needs to install, in an open folder.
struct Ordinary {
    open: tempfile::TempDir,
}

impl Ordinary {
    fn of(quiet: &Quiet) -> Self {
        let ordinary = Self { open: open_folder_with_programs() };
        let issued = quiet.world.renew();
        for (name, text) in [("crt", issued.certificate_pem()), ("key", issued.key_pem())] {
            pki::write(&ordinary.path(&format!("{NAME}.{name}")), text.as_bytes(), 0o644);
        }
        pki::write(&ordinary.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(ordinary.path(".panrc"), Some(65534), None).unwrap();
        }
        ordinary.folder("out", 0o777);
        ordinary.folder("fixed", 0o555);
        ordinary
    }

    fn path(&self, name: &str) -> PathBuf {
        self.open.path().join(name)
    }

    fn folder(&self, name: &str, mode: u32) {
        std::fs::create_dir(self.path(name)).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn line<'a>(&self, quiet: &'a Quiet) -> Line<'a> {
        let line = quiet.line(Instcert).through(&as_nobody(&self.path("pan_instcert")));
        let line = line.with("-C", self.open.path()).with("-K", self.open.path());
        let line = line.with("-k", self.path(".panrc")).plus(&["-p", PORTAL]);
        line.with("--log-file", self.path("out/log")).with("--state-dir", self.path("out/state"))
    }
}

#[test]
fn an_ordinary_user_needs_no_root_and_is_told_which_place_is_closed() {
    let quiet = Quiet::new();
    let ordinary = Ordinary::of(&quiet);
    let line = ordinary.line(&quiet);
    let log = line.clone().with("--log-file", ordinary.path("fixed/log"));
    log.refused(1, &["can't write the log file", "fixed/log", "Permission denied", "run it with sudo"]);
    pki::write(&ordinary.path("fixed/log"), b"old\n", 0o444);
    log.refused(1, &["Permission denied", "run it with sudo"]);
    assert_eq!(std::fs::read(ordinary.path("fixed/log")).unwrap(), b"old\n");
    let state = line.clone().with("--state-dir", ordinary.path("fixed"));
    state.refused(1, &["installation record", "Permission denied", "run it with sudo"]);
    assert_eq!(quiet.world.device.connections(), 0);
    line.run().exits(0);
    assert!(quiet.world.served().is_some());
}

#[test]
fn arguments_that_are_no_utf8_are_refused_or_work_but_never_mean_something_else() {
    let quiet = Quiet::new();
    let odd = OsStr::from_bytes(b"a\xff\xfeb");
    for program in BOTH {
        quiet.line(program).with("-c", odd).refused(1, &["UTF-8"]);
        quiet.line(program).devices(&[odd]).refused(1, &["UTF-8"]);
        for option in ["-n", "-p", "-k", "--commit"] {
            quiet.line(program).with(option, odd).refused(1, &[]);
        }
        quiet.line(program).plus(&[odd]).refused(1, &[]);
        quiet.line(program).plus(&[OsStr::from_bytes(b"--\xff")]).refused(1, &[]);
    }
    quiet.line(Getcert).with("-C", odd).refused(1, &["is not UTF-8 text"]);
    let folder = quiet.path("x").with_file_name(odd);
    std::fs::create_dir(&folder).unwrap();
    quiet.world.renew().write(&folder, NAME);
    // A record could not hold them.
    let line = quiet.line(Instcert).with("-C", &folder).with("-K", &folder);
    line.refused(1, &["is not UTF-8 text"]);
    quiet.line(Instcert).with("--state-dir", folder.join("s")).run().exits(0);
    assert!(folder.join("s/installations").is_dir());
}
