//! What Panorama tells of the devices it manages.

use super::reply::{Reply, ReplyError};
use super::system;
use super::words;
use super::xml::Element;

/// A managed firewall. Devices that never connected lack most of this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedDevice {
    /// The serial number.
    pub serial: String,
    /// The host name.
    pub hostname: Option<String>,
    /// Whether it is connected; devices say `yes`, some recordings `true`.
    pub connected: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The PAN-OS version.
    pub sw_version: Option<String>,
    /// Whether it has several virtual systems: `yes` or `no`.
    pub multi_vsys: Option<String>,
    /// Its state in its own pair.
    pub ha_state: Option<String>,
    /// Its peer's serial number.
    pub ha_peer_serial: Option<String>,
}

impl ManagedDevice {
    /// Whether it is connected to Panorama.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.connected.as_deref(), Some("yes" | "true"))
    }

    /// The release, such as (11, 1).
    #[must_use]
    pub fn version(&self) -> Option<(u16, u16)> {
        system::release(self.sw_version.as_deref()?)
    }

    /// Reads the reply to `show devices connected` or `show devices all`.
    ///
    /// # Errors
    /// A reply without a result, or with one that is no such list.
    pub fn read_all(reply: &Reply) -> Result<Vec<Self>, ReplyError> {
        let devices = reply.listing(&["devices"])?;
        let read = devices.children_named("entry").map(|entry| {
            let ha = entry.child("ha");
            Self {
                serial: serial(entry),
                hostname: entry.word_of("hostname"),
                connected: entry.word_of("connected"),
                model: entry.word_of("model"),
                sw_version: entry.word_of("sw-version"),
                multi_vsys: entry.word_of("multi-vsys"),
                ha_state: ha.and_then(|ha| ha.word_of("state")),
                ha_peer_serial: ha.and_then(|ha| ha.child("peer")).and_then(|peer| peer.word_of("serial")),
            }
        });
        Ok(read.collect())
    }
}

/// One device of a push job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedDevice {
    /// The serial number.
    pub serial: String,
    /// The device's name.
    pub name: Option<String>,
    /// `OK`, `FAIL` or `PEND`: this alone decides.
    pub result: Option<String>,
    /// Free text such as `commit succeeded with warnings`.
    pub status: Option<String>,
    /// The device's lines. PAN-OS puts the words of success under `errors`, so they say nothing of failure.
    pub lines: Vec<String>,
    /// The device's warnings.
    pub warnings: Vec<String>,
}

impl PushedDevice {
    pub(super) fn read_all(job: &Element) -> Vec<Self> {
        let Some(devices) = job.child("devices") else { return Vec::new() };
        devices
            .children_named("entry")
            .map(|entry| {
                let details = entry.child("details");
                let message = details.and_then(|details| details.child("msg"));
                let (lines, warnings) = match message.filter(|message| message.child("errors").is_some()) {
                    Some(message) => (message.child("errors"), message.child("warnings")),
                    None => (details, None),
                };
                let (lines, warnings) = (words::lines(lines.as_slice()), words::lines(warnings.as_slice()));
                Self {
                    serial: serial(entry),
                    name: entry.word_of("devicename"),
                    result: entry.word_of("result"),
                    status: entry.word_of("status"),
                    lines,
                    warnings,
                }
            })
            .collect()
    }
}

/// A template stack and how its devices stand to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateStack {
    /// The stack's name.
    pub name: String,
    /// Its templates, the first one outranking the next.
    pub templates: Vec<String>,
    /// Its devices.
    pub devices: Vec<StackDevice>,
}

/// A device below a template stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackDevice {
    /// The serial number.
    pub serial: String,
    /// Whether it is connected.
    pub connected: Option<String>,
    /// `In Sync` or `Out of Sync`.
    pub template_status: Option<String>,
    /// How the last push ended, in free text.
    pub last_push: Option<String>,
}

impl TemplateStack {
    /// Reads the reply to `show template-stack`.
    ///
    /// # Errors
    /// A reply without a result, or with one that is no such list.
    pub fn read_all(reply: &Reply) -> Result<Vec<Self>, ReplyError> {
        let stacks = reply.listing(&["template-stack"])?;
        let read = stacks.children_named("entry").map(|stack| Self {
            name: stack.name_attribute(),
            templates: templates_of(stack),
            devices: devices_of(stack).map(StackDevice::read).collect(),
        });
        Ok(read.collect())
    }
}

/// The names of a stack's templates, in their order.
pub(super) fn templates_of(stack: &Element) -> Vec<String> {
    let members = stack.child("templates").into_iter().flat_map(|all| all.children_named("member"));
    members.map(|member| words::word(&member.text())).collect()
}

/// The entries of a stack's firewalls.
pub(super) fn devices_of(stack: &Element) -> impl Iterator<Item = &Element> {
    stack.child("devices").into_iter().flat_map(|all| all.children_named("entry"))
}

impl StackDevice {
    /// Whether it is connected to Panorama.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.connected.as_deref(), Some("yes" | "true"))
    }

    /// Whether it has what Panorama has committed for it, as far as Panorama tells.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.template_status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("in sync"))
    }

    fn read(entry: &Element) -> Self {
        Self {
            serial: serial(entry),
            connected: entry.word_of("connected"),
            template_status: entry.word_of("template-status"),
            last_push: entry.word_of("last-commit-all-state-tpl"),
        }
    }
}

fn serial(entry: &Element) -> String {
    entry
        .word_of("serial")
        .or_else(|| entry.word_of("serial-no"))
        .or_else(|| entry.attribute("name").map(words::word))
        .unwrap_or_default()
}
