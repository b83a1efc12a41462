//! Why a device is not one to install on, or a profile none that a certificate could be given to.

use super::names::{ObjectName, ProfileName};
use crate::error::Exit;
use crate::text::some_or_none;
use panos_xmlapi::{Location, Serial, VsysName};

/// What a person has to change before an installation makes sense. Nothing was changed on the device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// It collects logs, and has no services that present certificates.
    #[error(
        "the device is a log collector: it has no SSL/TLS service profiles that could present a certificate"
    )]
    LogCollector,
    /// The place is one that only a Panorama has.
    #[error("the device is a firewall: only a Panorama has {}", told(.0))]
    NotPanorama(Location),
    /// There is no template or template stack of this name.
    #[error(
        "Panorama has no template{} '{name}'; it has {}",
        stack(*.is_stack),
        some_or_none(.known)
    )]
    NoTemplate {
        /// Whether it was to be a stack.
        is_stack: bool,
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
        /// Whether it is the name of one of the other kind.
        is_other: bool,
    },
    /// A template and a template stack share the name: an upload names nothing else.
    #[error(
        "Panorama has a template and a template stack '{0}': an upload names only one of them, and it is not known which"
    )]
    AmbiguousTemplate(String),
    /// The firewalls would get another object of the same name.
    #[error("{by} has {what} too, and firewalls of the template stack '{stack}' get that one")]
    Outranked {
        /// The object.
        what: String,
        /// The template or stack that has the one that wins.
        by: String,
        /// The stack.
        stack: String,
    },
    /// Panorama does not know a firewall with this serial number.
    #[error("Panorama manages no firewall with the serial number {0}")]
    NotManaged(Serial),
    /// Not the firewall that was meant has answered.
    #[error("Panorama was asked to pass requests on to {serial}, and {answered} has answered")]
    OtherAnswered {
        /// The firewall.
        serial: Serial,
        /// The serial number that was told.
        answered: String,
    },
    /// A managed firewall that does not take the configuration for its pair.
    #[error("the firewall {serial} is the {state} member of its HA pair")]
    NotActive {
        /// The firewall.
        serial: Serial,
        /// Its state.
        state: String,
    },
    /// The certificate is not on a managed firewall, and can't get there through Panorama.
    #[error(
        "the firewall {0} does not have this certificate, and an upload can't be passed on through Panorama"
    )]
    NoUpload(Serial),
    /// The device takes the predefined profile of this name, and ignores the one that somebody made with its
    /// certificate.
    #[error(
        "the SSL/TLS service profile '{0}' has the name of a predefined one: the device uses the predefined one, and ignores this one with its certificate"
    )]
    Predefined(ProfileName),
    /// The management interface uses predefined and shared profiles only.
    #[error(
        "the management interface names the SSL/TLS service profile '{profile}', and it looks for it among the shared ones only, never in {vsys}"
    )]
    NotForManagement {
        /// The profile.
        profile: ProfileName,
        /// Where it is.
        vsys: VsysName,
    },
    /// A template of Panorama supplies the profile: it can be changed there only.
    #[error("the SSL/TLS service profile '{profile}' comes from Panorama's template{}", quoted(.template))]
    ProfileSupplied {
        /// The profile.
        profile: ProfileName,
        /// The template or template stack; empty where the device does not tell.
        template: String,
        /// Where the profile is below the template's `config`, in words of the command line.
        path: String,
        /// The object that was to be bound.
        object: Option<ObjectName>,
    },
    /// The object that would be overwritten is the one that API keys depend on.
    #[error(
        "the device's API keys depend on the certificate '{0}': with another one in its place every API key would end, this program's too"
    )]
    ForApiKeys(ObjectName),
    /// A template of Panorama supplies the certificate object.
    #[error("the certificate '{object}' comes from Panorama's template{}", quoted(.template))]
    ObjectSupplied {
        /// The object.
        object: ObjectName,
        /// As above.
        template: String,
    },
}

/// A place of Panorama's, in words.
fn told(location: &Location) -> String {
    match location {
        Location::Template(template) | Location::TemplateVsys { template, .. } => {
            format!("templates ('{template}')")
        }
        Location::TemplateStack(stack) => format!("template stacks ('{stack}')"),
        Location::Managed(serial) => format!("managed firewalls ('{serial}')"),
        other => other.to_string(),
    }
}

fn stack(is_stack: bool) -> &'static str {
    if is_stack { " stack" } else { "" }
}

fn quoted(template: &str) -> String {
    if template.is_empty() { String::new() } else { format!(" '{template}'") }
}

/// A word of the device's command line.
fn word(text: &str) -> String {
    if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}

impl Unsuitable {
    /// The exit code of an installation.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::LogCollector
            | Self::NotPanorama(_)
            | Self::NotManaged(_)
            | Self::OtherAnswered { .. }
            | Self::NotActive { .. } => Exit::Device,
            Self::Predefined(_)
            | Self::NotForManagement { .. }
            | Self::ProfileSupplied { .. }
            | Self::NoTemplate { .. }
            | Self::AmbiguousTemplate(_)
            | Self::Outranked { .. } => Exit::Rebind,
            Self::ObjectSupplied { .. } | Self::ForApiKeys(_) | Self::NoUpload(_) => Exit::Upload,
        }
    }

    /// Whether another certificate could be installed on the same device.
    #[must_use]
    pub fn concerns_one_certificate(&self) -> bool {
        *self != Self::LogCollector
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::LogCollector => "name the firewall, or the Panorama that manages it".to_owned(),
            Self::NotPanorama(_) => {
                "name the Panorama that manages it, or leave --template, --stack and --serial out".to_owned()
            }
            Self::NoTemplate { is_stack: true, is_other: true, .. } => {
                "it is the name of a template: name it with --template".to_owned()
            }
            Self::NoTemplate { is_stack: false, is_other: true, .. } => {
                "it is the name of a template stack: name it with --stack".to_owned()
            }
            Self::NoTemplate { is_stack, .. } => format!(
                "correct the name; a new template{} is made on Panorama only",
                stack(*is_stack)
            ),
            Self::AmbiguousTemplate(_) => {
                "give one of them another name on Panorama, and name that one".to_owned()
            }
            Self::Outranked { .. } => {
                "install there, or delete that object there, or move the template up in the stack (Panorama > Templates)"
                    .to_owned()
            }
            Self::NotManaged(_) => {
                "correct the serial number (Panorama > Managed Devices > Summary)".to_owned()
            }
            Self::OtherAnswered { .. } => "name the firewall itself instead of the Panorama".to_owned(),
            Self::NotActive { .. } => "name the serial number of the active member".to_owned(),
            Self::NoUpload(_) => {
                "install on the firewall itself, or in a template that it gets (--template); with the certificate there, --serial binds profiles to it"
                    .to_owned()
            }
            Self::Predefined(_) => {
                "give the profile another name on the device, bind the services to that one, and name it with -p"
                    .to_owned()
            }
            Self::NotForManagement { .. } => {
                "make a shared profile for the management interface, and name it with -p without --vsys".to_owned()
            }
            Self::ProfileSupplied { profile, template, path, object } => {
                let template = if template.is_empty() { "TEMPLATE".to_owned() } else { word(template) };
                let object = object.as_ref().map_or_else(|| "NAME".to_owned(), |name| word(name.as_str()));
                format!(
                    "import the certificate into the template on Panorama and bind it there: set template {template} config {path} ssl-tls-service-profile {} certificate {object} (in configuration mode; 'template-stack' where it is a stack), then commit and push; or name a profile that the firewall has itself",
                    word(profile.as_str())
                )
            }
            Self::ForApiKeys(_) => {
                "give the certificate a name of its own with -n, or use --suffix serial".to_owned()
            }
            Self::ObjectSupplied { .. } => {
                "give the certificate another name with -n, or replace it on Panorama".to_owned()
            }
        }
    }
}
