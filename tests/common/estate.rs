//! A Panorama with templates, template stacks and a colleague, and an administrator's folder.

use std::ops::Deref;
use std::time::Duration;

use panos_sim::{Administrator, Settings, Simulator, Stack};

use super::pki::{self, KeyKind};
use super::world::{Ended, PORTAL, World, open_many_files, settings};

pub const JANE: &str = "jane";
/// The templates; the first one outranks the second in each stack that holds both.
pub const TEMPLATES: [&str; 3] = ["branch", "base", "spare"];
/// A stack of `branch` and `base`, and one of `base` alone.
pub const STACKS: [&str; 2] = ["branches", "head office"];
const DEVICE: &str = "/config/devices/entry[@name='localhost.localdomain']";

/// The serial number of one of its firewalls.
pub fn serial(number: usize) -> String {
    format!("0019000000{number:05}")
}

/// The configuration below a template or a stack: `kind` is `template` or `template-stack`.
pub fn below(kind: &str, name: &str) -> String {
    format!("{DEVICE}/{kind}/entry[@name='{name}']/config")
}

/// The same for a virtual system in it.
pub fn vsys_below(kind: &str, name: &str, vsys: &str) -> String {
    let device = DEVICE.strip_prefix("/config").unwrap();
    format!("{}{device}/vsys/entry[@name='{vsys}']", below(kind, name))
}

/// A Panorama, its firewalls, and what a deployment needs.
pub struct Estate {
    pub world: World,
    pub firewalls: Vec<Simulator>,
}

impl Deref for Estate {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// A Panorama without firewalls.
pub fn panorama() -> Settings {
    let mut settings = settings().with_key(Administrator::superuser(JANE, "secret"), "jane's key");
    settings.model = "Panorama".into();
    settings.serial = "000710000001".into();
    settings.sw_version = "11.2.5-h1".into();
    settings.profiles.clear();
    settings.served_profile = None;
    settings.templates = TEMPLATES.map(str::to_owned).to_vec();
    settings
}

/// The Panorama, with a certificate for a deployment, and a firewall below it for each serial number.
pub fn started(
    panorama: Settings,
    serials: &[String],
    change: impl Fn(&mut Settings),
) -> (World, Vec<Simulator>) {
    open_many_files();
    managed(Simulator::start(panorama).unwrap(), serials, change)
}

/// The same with a Panorama that runs already.
pub fn managed(
    panorama: Simulator,
    serials: &[String],
    change: impl Fn(&mut Settings),
) -> (World, Vec<Simulator>) {
    let firewalls = serials.iter().map(|serial| {
        let mut settings = settings();
        settings.serial.clone_from(serial);
        settings.hostname = format!("fw-{}", &serial[10..]);
        change(&mut settings);
        let firewall = Simulator::start(settings).unwrap();
        panorama.manage(&firewall);
        firewall
    });
    let firewalls = firewalls.collect();
    let world = World::of(panorama, pki::root("Example CA", KeyKind::P256));
    world.renew();
    (world, firewalls)
}

impl Estate {
    /// With so many firewalls in the first stack, and one more in the second one; an unbound profile [`PORTAL`] in `branch`.
    pub fn new(count: usize) -> Self {
        Self::with(count, |_| {})
    }

    pub fn with(count: usize, change: impl FnOnce(&mut Settings)) -> Self {
        let serials: Vec<String> = (1..=count + 1).map(serial).collect();
        let mut settings = panorama();
        settings.stacks = vec![
            Stack {
                name: STACKS[0].into(),
                templates: TEMPLATES[..2].iter().map(ToString::to_string).collect(),
                devices: serials[..count].to_vec(),
            },
            Stack {
                name: STACKS[1].into(),
                templates: vec![TEMPLATES[1].into()],
                devices: serials[count..].to_vec(),
            },
        ];
        change(&mut settings);
        let (world, firewalls) = started(settings, &serials, |_| {});
        let estate = Self { world, firewalls };
        estate.profile(&below("template", "branch"), PORTAL);
        estate
    }

    /// An object below a configuration of a template or stack, made and committed by Jane.
    pub fn set(&self, path: &str, element: &str) {
        self.device.add_pending_change(JANE, path, element).unwrap();
        self.device.commit_as(JANE);
        assert!(self.device.wait_idle(Duration::from_secs(10)));
    }

    /// An unbound profile in the shared part of a template or stack.
    pub fn profile(&self, below: &str, name: &str) {
        self.set(&format!("{below}/shared/ssl-tls-service-profile/entry[@name='{name}']"), UNBOUND);
    }

    /// Installs, and leaves the push to a person.
    pub fn commit(&self, arguments: &[&str]) -> Ended {
        self.install(&[&["--push", "none"], arguments].concat())
    }

    /// What stands between two texts of the running configuration.
    pub fn running(&self, path: &[&str]) -> String {
        inside(&self.device.running_xml(), path)
    }
}

/// What a profile holds that is bound to nothing.
pub const UNBOUND: &str = "<protocol-settings><min-version>tls1-2</min-version></protocol-settings>";

/// What an element of a configuration holds: `template`, `entry name="branch"`, … one inside the other.
pub fn inside(xml: &str, path: &[&str]) -> String {
    let mut rest = xml.to_owned();
    for step in path {
        let name = step.split(' ').next().unwrap();
        let Some((_, after)) = rest.split_once(&format!("<{step}>")) else { return String::new() };
        let (mut depth, mut end) = (1, 0);
        while depth > 0 {
            let next = after[end..].find(&format!("{name}>")).unwrap();
            let opens = after[..end + next].ends_with('<');
            let closes = after[..end + next].ends_with("</");
            // With attributes the name is not followed by the bracket.
            let with_attributes = after[end..end + next].matches(&format!("<{name} ")).count();
            depth += with_attributes;
            if closes {
                depth -= 1;
            } else if opens {
                depth += 1;
            }
            end += next + name.len() + 1;
        }
        rest = after[..end].trim_end_matches(&format!("</{name}>")).to_owned();
    }
    rest
}
