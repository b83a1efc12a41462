//! The machine as a delegated run finds it: its `/etc`, `/var/log` and `/var/lib` are folders of the test, in a mount
//! namespace of their own, because a delegated run takes no other paths.

use std::ffi::{OsStr, OsString};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::world::{Ended, KEY, NAME, World};
use crate::common::{pki, programs};

pub const GETCERT: &str = env!("CARGO_BIN_EXE_pan_getcert");
pub const INSTCERT: &str = env!("CARGO_BIN_EXE_pan_instcert");

/// As root, and as anybody else where the kernel lets users have namespaces.
const ENTER: &str = "mount -t overlay overlay -o \"lowerdir=$0/etc:/etc\" /etc && \
    mount --bind \"$0/log\" /var/log && mount --bind \"$0/lib\" /var/lib && exec timeout 60 \"$@\"";

pub struct Sandbox {
    pub world: World,
    /// Whoever is here should not be spoken to.
    other: TcpListener,
}

impl Sandbox {
    /// With this behind the device's table in the configuration file; nothing where the kernel has no such namespaces.
    pub fn new(config: &str) -> Option<Self> {
        let world = World::new();
        let sandbox = Self { world, other: TcpListener::bind("127.0.0.1:0").unwrap() };
        sandbox.other.set_nonblocking(true).unwrap();
        for folder in ["etc/ipa", "etc/ssl/certs", "etc/ssl/private", "log", "lib", "bin"] {
            std::fs::create_dir_all(sandbox.path(folder)).unwrap();
        }
        sandbox.configure(config);
        pki::write(&sandbox.path("etc/ipa/.panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
        pki::write(&sandbox.path("etc/ipa/default.conf"), b"", 0o644);
        for (from, to) in [("crt", "etc/ssl/certs"), ("key", "etc/ssl/private")] {
            let name = format!("{NAME}.{from}");
            std::fs::rename(sandbox.path(&name), sandbox.path(to).join(&name)).unwrap();
        }
        sandbox.tracked(&format!("{} -c {NAME}", Path::new(INSTCERT).display()));
        if !sandbox.run("true", &[""]).is_ok_and(|ended| ended.code == Some(0)) {
            eprintln!("no mount namespace can be had here: this test was not run");
            return None;
        }
        Some(sandbox)
    }

    pub fn configure(&self, config: &str) {
        let (device, pin) = (self.world.target(), self.world.device.certificate_fingerprint());
        let text = format!("[device.\"{device}\"]\npin = \"{pin}\"\n{config}\n");
        pki::write(&self.path("etc/pan_getcert.toml"), text.as_bytes(), 0o644);
    }

    /// What stands in for certmonger tracks the certificate with this post-save command, and notes what it is asked.
    pub fn tracked(&self, post_save: &str) {
        let script = format!(
            "#!/bin/sh\n\
             case $1 in list) cat <<'END'\n\
             Number of certificates and requests being tracked: 1.\n\
             Request ID '1':\n\
             \tstatus: MONITORING\n\
             \tstuck: no\n\
             \tkey pair storage: type=FILE,location='/etc/ssl/private/{NAME}.key'\n\
             \tcertificate: type=FILE,location='/etc/ssl/certs/{NAME}.crt'\n\
             \tCA: IPA\n\
             \tpost-save command: {post_save}\n\
             END\n\
             ;; status) echo 'State MONITORING, stuck: no.' ;; *) printf '%s\\n' \"$0\" \"$@\" >>'{asked}'\n\
             echo 'Request \"1\" modified.' ;; esac\n",
            asked = self.path("asked").display()
        );
        for name in ["getcert", "ipa-getcert"] {
            let path = self.path("bin").join(name);
            std::fs::remove_file(&path).ok();
            programs::write(&path, &script);
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    pub fn other(&self) -> String {
        self.other.local_addr().unwrap().to_string()
    }

    /// Runs a program in the sandbox.
    pub fn run<W: AsRef<OsStr>>(&self, program: &str, words: &[W]) -> std::io::Result<Ended> {
        let mut command = Command::new("unshare");
        command.args(if rustix::process::geteuid().is_root() {
            ["--mount", "--"]
        } else {
            ["--mount", "-r"]
        });
        command.args(["sh", "-c", ENTER]).arg(self.world.folder.path()).arg(program).args(words);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display());
        command.env_clear().env("PATH", path).env("TZ", "UTC").env("SUDO_USER", "manager");
        let output = command.output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
    }

    /// As the rule runs it: `--delegated` first; for [`NAME`].
    pub fn delegated<W: AsRef<OsStr>>(&self, program: &str, words: &[W]) -> Ended {
        let words = words.iter().map(|word| word.as_ref().to_owned());
        let all: Vec<OsString> =
            ["--delegated", "-c", NAME].map(OsString::from).into_iter().chain(words).collect();
        self.run(program, &all).unwrap()
    }

    /// What certmonger was asked to change, if anything.
    pub fn asked(&self) -> Option<String> {
        std::fs::read_to_string(self.path("asked")).ok()
    }

    /// All files with their contents, and what certmonger was asked.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut files, mut folders) = (Vec::new(), vec![self.world.folder.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push((path.clone(), std::fs::read(&path).unwrap())),
                }
            }
        }
        files.sort();
        files
    }

    /// Neither the device nor anybody else was spoken to.
    #[track_caller]
    pub fn assert_silence(&self, what: &dyn std::fmt::Debug) {
        assert_eq!(self.world.device.connections(), 0, "{what:?}");
        assert!(self.other.accept().is_err(), "somebody else was spoken to after {what:?}");
    }
}
