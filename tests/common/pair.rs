//! A pair of firewalls at two addresses, each with an API key, an administrator and a pin of its own.

use std::process::Command;

use panos_sim::{Administrator, Settings, Simulator};

use super::pki::{self, KeyKind};
use super::world::{self, Ended, KEY, NAME, World, everything_below};

/// The key of the second member, which the first one does not know.
pub const OTHER_KEY: &str = "LUFRPT1-another-key-of-the-simulator==";
/// Who works on the first member, and on the second.
pub const ADMINISTRATORS: [&str; 2] = ["deploy-a", "deploy-b"];

/// What a deployment to a pair needs. `world.device` is the first member, which is active at the beginning.
pub struct Pair {
    pub world: World,
    pub second: Simulator,
}

impl Pair {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// With these settings for both.
    pub fn with(change: impl Fn(&mut Settings)) -> Self {
        let member = |hostname: &str, listen: &str, (administrator, key): (&str, &str)| {
            let mut settings = Settings { hostname: hostname.into(), ..world::settings() };
            settings.administrators.clear();
            settings.api_keys.clear();
            settings.listen = listen.parse().unwrap();
            change(&mut settings);
            settings.with_key(Administrator::superuser(administrator, "secret"), key)
        };
        let (first, second) = Simulator::pair(
            member("fw-a", "127.0.0.1:0", (ADMINISTRATORS[0], KEY)),
            member("fw-b", "127.0.0.2:0", (ADMINISTRATORS[1], OTHER_KEY)),
        )
        .unwrap();
        let world = World::of(first, pki::root("Example CA", KeyKind::P256));
        world.renew();
        world.write_key_file(&format!(
            "hostname%a=127.0.0.1\napi_key%a={KEY}\nhostname%b=127.0.0.2\napi_key%b={OTHER_KEY}\n"
        ));
        let pair = Self { world, second };
        pair.write_config();
        pair
    }

    /// The configuration file, with each member's pin as it is now.
    pub fn write_config(&self) {
        let line = |device: &Simulator| {
            format!("[device.\"{}\"]\npin = \"{}\"\n", device.address(), device.certificate_fingerprint())
        };
        let text = line(&self.world.device) + &line(&self.second);
        super::pki::write(&self.world.path("config.toml"), text.as_bytes(), 0o600);
    }

    /// The members' lines in `known_devices`, as they should be now.
    pub fn known(&self) -> [String; 2] {
        [&self.world.device, &self.second]
            .map(|device| format!("{} {}", device.address(), device.certificate_fingerprint()))
    }

    /// The same where each was recognised by these before.
    pub fn known_after(&self, before: &[String; 2]) -> [String; 2] {
        let [first, second] = self.known();
        [format!("{first} before={}", before[0]), format!("{second} before={}", before[1])]
    }

    /// What each member's management interface shows now.
    pub fn shown(&self) -> [String; 2] {
        [&self.world.device, &self.second].map(Simulator::certificate_fingerprint)
    }

    /// What stands in `known_devices`, without what a person has named before.
    pub fn known_devices(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.world.path("state/known_devices")).unwrap_or_default();
        let mut lines: Vec<String> =
            text.lines().map(|line| line.split(" pinned=").next().unwrap().to_owned()).collect();
        lines.sort();
        lines
    }

    /// The program with keys for both, without a trust and without devices.
    pub fn bare_command(&self) -> Command {
        let mut command = self.world.bare_command();
        command.arg("-k").arg(self.world.path(".panrc"));
        command
    }

    /// Installs on the first with the second as its peer, each trusted by its own line in the file.
    pub fn install(&self, arguments: &[&str]) -> Ended {
        let mut command = self.bare_command();
        command.arg("--config").arg(self.world.path("config.toml")).args(arguments);
        command.args(["--ha-peer", &self.second.address().to_string()]);
        Ended::of(command.arg(self.world.target()))
    }

    #[track_caller]
    pub fn logged(&self, text: &str) {
        let log = self.world.log();
        assert!(log.iter().any(|line| line.contains(text)), "no '{text}' in {log:#?}");
    }

    /// Nothing was changed, and nothing is left behind.
    #[track_caller]
    pub fn is_untouched(&self) {
        for device in [&self.world.device, &self.second] {
            assert_eq!(device.pending_changes(), [], "{:#?}", self.world.log());
            assert!(!device.candidate_xml().contains(NAME) && !device.running_xml().contains(NAME));
        }
    }

    /// Neither key is in the log, in a record or in the queue.
    #[track_caller]
    pub fn kept_its_secrets(&self) {
        let all = everything_below(&self.world.path("state")) + &self.world.log().join("\n");
        assert!(!all.contains(KEY) && !all.contains(OTHER_KEY));
    }
}

/// How many requests of this type a device has got.
pub fn count(device: &Simulator, r#type: &str) -> usize {
    device.requests().iter().filter(|request| request.r#type.as_deref() == Some(r#type)).count()
}
