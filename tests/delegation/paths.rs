//! Root follows nobody else's links, and believes nobody else's files: in any run, delegated or not.

use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use crate::common::pki;
use crate::common::world::{Ended, PORTAL, World};

const STRANGER: Option<u32> = Some(65534);

/// A world with a folder in which everybody can make files, as `/tmp` is, and a file that is not to be touched.
struct Shared {
    world: World,
}

impl Shared {
    /// Only root has anything to lose here.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let world = World::new();
        std::fs::create_dir(world.path("shared")).unwrap();
        std::fs::set_permissions(world.path("shared"), std::fs::Permissions::from_mode(0o1777)).unwrap();
        pki::write(&world.path("shadow"), b"root:x\n", 0o600);
        Some(Self { world })
    }

    fn planted(&self, name: &str) -> PathBuf {
        self.world.path("shared").join(name)
    }

    /// A link that somebody else made.
    fn link(&self, name: &str, target: &Path) -> PathBuf {
        let path = self.planted(name);
        symlink(target, &path).unwrap();
        lchown(&path, STRANGER, None).unwrap();
        path
    }

    fn install(&self, option: &str, value: &Path) -> Ended {
        let mut command = self.world.command();
        // The last one of an option that is given twice would be a usage error: these are given here alone.
        command.args(["-p", PORTAL]).arg(option).arg(value).arg(self.world.target());
        Ended::of(&mut command)
    }

    #[track_caller]
    fn refused(&self, ended: Ended, says: &str) {
        let ended = ended.exits(1).says(says);
        assert_eq!(std::fs::read(self.world.path("shadow")).unwrap(), b"root:x\n", "{ended:#?}");
        assert_eq!(self.world.device.connections(), 0, "{ended:#?}");
    }
}

/// The program without its log and state folder.
fn bare(world: &World, log: &Path, state: &Path) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    command.args(["-b", "-c", crate::common::world::NAME, "-k"]).arg(world.path(".panrc"));
    command.args(["-p", PORTAL, "--pin", &world.device.certificate_fingerprint()]);
    command.arg("-C").arg(world.folder.path()).arg("-K").arg(world.folder.path());
    command.arg("--log-file").arg(log).arg("--state-dir").arg(state).arg(world.target());
    Ended::of(command.env_clear().env("TZ", "UTC"))
}

#[test]
fn a_log_is_not_written_through_somebody_elses_link_or_name() {
    let Some(shared) = Shared::new() else { return };
    let state = shared.world.path("state");
    let link = shared.link("x.log", &shared.world.path("shadow"));
    shared.refused(bare(&shared.world, &link, &state), "belongs to user id 65534");
    let name = shared.planted("y.log");
    std::fs::hard_link(shared.world.path("shadow"), &name).unwrap();
    shared.refused(bare(&shared.world, &name, &state), "is a hard link");
    let folder = shared.link("folder", shared.world.folder.path());
    shared.refused(bare(&shared.world, &folder.join("shadow"), &state), "belongs to user id 65534");
    let theirs = shared.planted("z.log");
    pki::write(&theirs, b"", 0o666);
    chown(&theirs, STRANGER, None).unwrap();
    shared.refused(bare(&shared.world, &theirs, &state), "belongs to user id 65534");
    // What is root's own there, or new, is written.
    bare(&shared.world, &shared.planted("own.log"), &state).exits(0);
    bare(&shared.world, &shared.planted("own.log"), &state).exits(0);
}

#[test]
fn records_are_not_written_into_somebody_elses_folder() {
    let Some(shared) = Shared::new() else { return };
    let log = shared.world.path("log");
    let theirs = shared.planted("state");
    std::fs::create_dir(&theirs).unwrap();
    chown(&theirs, STRANGER, None).unwrap();
    for state in [theirs.clone(), theirs.join("below"), shared.link("link", shared.world.folder.path())] {
        shared.refused(bare(&shared.world, &log, &state), "--state-dir");
    }
    assert_eq!(std::fs::read_dir(&theirs).unwrap().count(), 0);
    bare(&shared.world, &log, &shared.planted("own")).exits(0);
}

#[test]
fn a_key_of_another_user_is_his_own_and_not_one_that_his_link_leads_to() {
    let Some(shared) = Shared::new() else { return };
    let world = &shared.world;
    let theirs = world.path("theirs");
    std::fs::create_dir(&theirs).unwrap();
    chown(&theirs, STRANGER, None).unwrap();
    let key = format!("{}.key", crate::common::world::NAME);
    let install = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
        command.args(["-b", "-c", crate::common::world::NAME, "-k"]).arg(world.path(".panrc"));
        command.args(["-p", PORTAL, "--pin", &world.device.certificate_fingerprint()]);
        command.arg("-C").arg(world.folder.path()).arg("-K").arg(&theirs);
        command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
        Ended::of(command.arg(world.target()).env_clear().env("TZ", "UTC"))
    };
    symlink(world.path(&key), theirs.join(&key)).unwrap();
    install().exits(10).says("belongs to user id 65534, who can decide where the path leads");
    assert_eq!(world.device.connections(), 0);
    std::fs::remove_file(theirs.join(&key)).unwrap();
    std::fs::copy(world.path(&key), theirs.join(&key)).unwrap();
    chown(theirs.join(&key), STRANGER, None).unwrap();
    install().exits(0);
}

#[test]
fn neither_configuration_nor_authorities_are_taken_from_somebody_else() {
    let Some(shared) = Shared::new() else { return };
    let world = &shared.world;
    pki::write(&world.path("own.toml"), b"", 0o600);
    let link = shared.link("config.toml", &world.path("own.toml"));
    shared.refused(shared.install("--config", &link), "belongs to user id 65534");
    let authority = world.path("ca.pem");
    for (mode, owner, says) in
        [(0o666, 0, "other users can change it"), (0o644, 65534, "it belongs to user id 65534, not to root")]
    {
        pki::write(&authority, world.ca.certificate_pem().as_bytes(), mode);
        chown(&authority, Some(owner), None).unwrap();
        let mut command = world.bare_command();
        command.arg("-k").arg(world.path(".panrc")).arg("--ca-file").arg(&authority).arg(world.target());
        let ended = Ended::of(&mut command);
        assert!(ended.code != Some(0) && ended.stderr.contains(says), "{ended:#?}");
        assert_eq!(world.device.connections(), 0);
    }
}
