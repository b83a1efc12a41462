//! What a Panorama manages.

use serde::{Deserialize, Serialize};

/// A template stack.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// The names of its templates, the most important one first.
    pub templates: Vec<String>,
    /// The serial numbers of its firewalls.
    pub devices: Vec<String>,
}

/// A device group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceGroup {
    /// Its name.
    pub name: String,
    /// The serial numbers of its firewalls.
    pub devices: Vec<String>,
    /// The templates and stacks that its policies refer to.
    pub reference_templates: Vec<String>,
}

/// Whether a push of only some administrators' changes works. The vendor documents the cases; what is said in them
/// nobody has published. An old release (before 10.2, of the Panorama or of a firewall) refuses it in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectivePush {
    /// It works.
    #[default]
    Works,
    /// Not to a firewall that has got no full push since the Panorama's upgrade.
    AfterFullPush,
    /// Not to a firewall that has got no full push since the Panorama's failover.
    AfterFailover,
    /// Not to a firewall whose last push is older than the versions that are kept.
    OutsideAuditWindow,
    /// Not for this role.
    NotForRole,
}

/// How a push job tells of a firewall that is not connected; nobody has published which it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisconnectedInPush {
    /// As one that failed.
    #[default]
    Failed,
    /// Not at all.
    Absent,
}
