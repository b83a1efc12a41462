//! A file that is looked at and then opened, or opened twice, in a directory that a group can write: a link put there in
//! between leads root nowhere.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::pki;
use crate::common::world::{Ended, NAME, PORTAL, World};

const SECRET: &str = "nobody else's business";

/// A world with a directory that a group can write, as Ubuntu's `/var/log`, and what swaps files in it.
struct Shared {
    world: World,
    library: PathBuf,
}

impl Shared {
    fn new(mode: u32) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let world = World::new();
        let library = world.path("swap.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/delegation/swap.c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl");
        assert!(compiler.status().unwrap().success());
        std::fs::create_dir(world.path("shared")).unwrap();
        std::fs::set_permissions(world.path("shared"), std::fs::Permissions::from_mode(mode)).unwrap();
        pki::write(&world.path("secret"), format!("{SECRET}\n").as_bytes(), 0o600);
        Some(Self { world, library })
    }

    fn shared(&self, name: &str) -> PathBuf {
        self.world.path("shared").join(name)
    }

    /// Installs while somebody puts a link to `to` in the place of `path`.
    fn install(&self, path: &Path, to: &Path, when: &str, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
        command.args(["-b", "-c", NAME, "-p", PORTAL, "-k"]).arg(self.world.path(".panrc"));
        command.args(["--pin", &self.world.device.certificate_fingerprint()]);
        command.arg("--state-dir").arg(self.world.path("state")).args(arguments).arg(self.world.target());
        command.env_clear().env("TZ", "UTC").env("LD_PRELOAD", &self.library);
        command.env("SWAP_PATH", path).env("SWAP_TO", to).env("SWAP_WHEN", when);
        Ended::of(&mut command)
    }

    fn secret(&self) -> String {
        std::fs::read_to_string(self.world.path("secret")).unwrap()
    }
}

#[test]
fn the_log_goes_into_the_file_that_was_looked_at_whatever_becomes_of_its_name() {
    for mode in [0o775, 0o1777] {
        let Some(shared) = Shared::new(mode) else { return };
        let (log, folder) = (shared.shared("log"), shared.world.folder.path().to_str().unwrap().to_owned());
        pki::write(&log, b"", 0o640);
        let arguments = ["--log-file", log.to_str().unwrap(), "-C", &folder, "-K", &folder];
        shared.install(&log, &shared.world.path("secret"), "lock", &arguments).exits(0);
        assert_eq!(shared.secret(), format!("{SECRET}\n"), "mode {mode:o}");
        let lines = std::fs::read_to_string(shared.shared("log.aside")).unwrap();
        assert!(lines.contains("Phase times"), "{lines}");
        // A link that is there while it is opened is not followed either, nor one that is gone again.
        std::fs::rename(shared.shared("log.aside"), &log).unwrap();
        for when in ["open", "gone"] {
            shared.install(&log, &shared.world.path("secret"), when, &arguments).exits(0);
            assert_eq!(shared.secret(), format!("{SECRET}\n"), "mode {mode:o}");
        }
    }
}

#[test]
fn a_configuration_file_is_the_one_that_was_looked_at() {
    let Some(shared) = Shared::new(0o775) else { return };
    let config = shared.shared("config.toml");
    pki::write(&config, b"", 0o644);
    let folder = shared.world.folder.path().to_str().unwrap().to_owned();
    let log = shared.world.path("log");
    let places = ["--log-file", log.to_str().unwrap(), "-C", &folder, "-K", &folder];
    let arguments = [&places[..], &["--config", config.to_str().unwrap()]].concat();
    for when in ["open", "gone"] {
        pki::write(&config, b"", 0o644);
        let ended = shared.install(&config, &shared.world.path("secret"), when, &arguments).exits(1);
        assert!(!ended.stderr.contains("business"), "{ended:#?}");
        assert_eq!(shared.world.device.connections(), 0);
    }
}

#[test]
fn a_certificate_of_another_user_is_his_own_and_not_what_his_link_led_to() {
    let Some(shared) = Shared::new(0o1777) else { return };
    let log = shared.world.path("log");
    for ending in ["crt", "key"] {
        let path = shared.shared(&format!("{NAME}.{ending}"));
        std::fs::copy(shared.world.path(&format!("{NAME}.{ending}")), &path).unwrap();
        chown(&path, Some(65534), Some(65534)).unwrap();
    }
    let folder = shared.shared("");
    let folder = folder.to_str().unwrap();
    let arguments = ["--log-file", log.to_str().unwrap(), "-C", folder, "-K", folder];
    let (his, ours) = (shared.shared(&format!("{NAME}.key")), shared.world.path(&format!("{NAME}.key")));
    let ended = shared.install(&his, &ours, "gone", &arguments);
    assert!(ended.code != Some(0) && shared.world.device.connections() == 0, "{ended:#?}");
}
