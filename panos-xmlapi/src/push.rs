//! Pushes: Panorama gives what it has committed to its firewalls (`commit-all`).
//!
//! The forms are those of the API Usage Guide, "Commit-All (API)", and of clients in use; which combinations a release
//! takes is only partly documented.

use super::command::written;
use super::commit::CommitReply;
use super::error::Error;
use super::location::Location;
use super::operation::Operation;
use super::session::Session;
use super::template_name::TemplateName;
use super::xml::Element;

/// What is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushTarget {
    /// A template. The changes of one administrator alone can't be pushed this way.
    Template(TemplateName),
    /// A template stack.
    TemplateStack {
        /// The stack, by any name that the device told.
        name: String,
        /// Only this administrator's changes, with PAN-OS 10.2 and later on both sides; not before the first full
        /// push after an upgrade or after a failover of a Panorama pair.
        administrator: Option<String>,
    },
    /// The policies and objects of a device group.
    DeviceGroup {
        /// The device group.
        name: String,
        /// Whether the templates of its devices go with it.
        include_template: bool,
    },
}

/// A push from Panorama. What is pushed is Panorama's **running** configuration: commit there first, and wait for that
/// job's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// What.
    pub target: PushTarget,
    /// The serial numbers of the firewalls; empty for all that the target has.
    pub devices: Vec<String>,
    /// What is shown beside the job; empty for nothing.
    pub description: String,
    /// Only ask the firewalls whether they would take it.
    pub validate_only: bool,
    /// Whether each firewall also commits what its own administrators have pending. Where the API is not told, it does.
    pub merge_with_candidate: bool,
    /// Whether values that were overridden on a firewall are overwritten. Dangerous: somebody set them on purpose.
    pub force_template_values: bool,
}

impl Push {
    /// A push to all firewalls of the target that leaves their own pending changes and overrides alone.
    #[must_use]
    pub fn new(target: PushTarget) -> Self {
        Self {
            target,
            devices: Vec::new(),
            description: String::new(),
            validate_only: false,
            merge_with_candidate: false,
            force_template_values: false,
        }
    }

    /// The push that carries a location's objects to the firewalls; nothing where it needs none.
    #[must_use]
    pub fn of(location: &Location) -> Option<Self> {
        let target = match location {
            Location::Shared | Location::Vsys(_) | Location::Panorama | Location::Managed(_) => return None,
            Location::Template(name) | Location::TemplateVsys { template: name, .. } => {
                PushTarget::Template(name.clone())
            }
            Location::TemplateStack(name) => {
                PushTarget::TemplateStack { name: name.to_string(), administrator: None }
            }
        };
        Some(Self::new(target))
    }

    /// This push to one more firewall, by its serial number, instead of all.
    #[must_use]
    pub fn to_device(mut self, serial: impl Into<String>) -> Self {
        self.devices.push(serial.into());
        self
    }

    fn command(&self) -> Element {
        let text = |name: &str, text: &str| Element::new(name).with_text(text);
        let yes_no = |name: &str, yes: bool| text(name, if yes { "yes" } else { "no" });
        let mut inner = match &self.target {
            PushTarget::Template(name) => Element::new("template").with(text("name", name.as_str())),
            PushTarget::TemplateStack { name, administrator } => {
                let stack = Element::new("template-stack").with(text("name", name));
                match administrator {
                    Some(name) => stack.with(Element::new("admin").with(text("member", name))),
                    None => stack,
                }
            }
            PushTarget::DeviceGroup { name, include_template } => {
                let devices = self.devices.iter().map(|serial| entry(serial));
                let mut group = entry(name);
                if !self.devices.is_empty() {
                    group = group.with(devices.fold(Element::new("devices"), Element::with));
                }
                let shared = Element::new("shared-policy").with(Element::new("device-group").with(group));
                shared.with(yes_no("include-template", *include_template))
            }
        };
        if !matches!(self.target, PushTarget::DeviceGroup { .. }) && !self.devices.is_empty() {
            let members = self.devices.iter().map(|serial| text("member", serial));
            inner = inner.with(members.fold(Element::new("device"), Element::with));
        }
        if !self.description.is_empty() {
            inner = inner.with(text("description", &self.description));
        }
        inner = inner.with(yes_no("merge-with-candidate-cfg", self.merge_with_candidate));
        inner = inner.with(yes_no("force-template-values", self.force_template_values));
        if self.validate_only {
            inner = inner.with(yes_no("validate-only", true));
        }
        Element::new("commit-all").with(inner)
    }
}

fn entry(name: &str) -> Element {
    let mut entry = Element::new("entry");
    entry.attributes.push(("name".to_owned(), name.to_owned()));
    entry
}

impl Session {
    /// Asks Panorama for a push; the job then runs on its own. It is over when no firewall in
    /// [`Job::devices`](crate::Job::devices) is pending; look whether every firewall that was meant is listed with
    /// `OK`, because one that is not connected may be missing.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a success that names no job and does not say why.
    pub async fn push(&self, push: &Push) -> Result<CommitReply, Error> {
        let command = written(&push.command())?;
        self.post(Operation::Push, &[("type", "commit"), ("action", "all"), ("cmd", &command)])
            .await?
            .enqueued()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn commands_are_those_of_the_reference() {
        let of = |location: &str| Push::of(&location.parse().unwrap());
        for none in ["shared", "vsys:vsys1", "panorama", "device:001"] {
            assert_eq!(of(none), None);
        }
        const REST: &str = "<merge-with-candidate-cfg>no</merge-with-candidate-cfg>\
                            <force-template-values>no</force-template-values>";
        assert_eq!(
            of("template:T/vsys1").unwrap().to_device("001").command().to_string(),
            format!(
                "<commit-all><template><name>T</name><device><member>001</member></device>{REST}</template></commit-all>"
            )
        );
        let mut own = of("stack:S").unwrap();
        own.target = PushTarget::TemplateStack { name: "S & T".into(), administrator: Some("certs".into()) };
        own.validate_only = true;
        assert_eq!(
            own.command().to_string(),
            format!(
                "<commit-all><template-stack><name>S &amp; T</name><admin><member>certs</member></admin>{REST}\
                 <validate-only>yes</validate-only></template-stack></commit-all>"
            )
        );
        let group = PushTarget::DeviceGroup { name: "DG".into(), include_template: true };
        assert_eq!(
            Push::new(group).to_device("001").command().to_string(),
            format!(
                "<commit-all><shared-policy><device-group><entry name=\"DG\"><devices><entry name=\"001\"></entry>\
                 </devices></entry></device-group><include-template>yes</include-template>{REST}</shared-policy></commit-all>"
            )
        );
    }
}
