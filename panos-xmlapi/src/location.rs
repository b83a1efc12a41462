//! Where certificates and SSL/TLS service profiles are kept: paths, import parameters, commit scope.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::serial::{InvalidSerial, Serial};
use super::template_name::{InvalidStackName, InvalidTemplateName, StackName, TemplateName};
use super::xpath::{DEVICE, UnquotableName, XPath, quoted};

/// Where a certificate object and the SSL/TLS service profiles that use it are kept.
///
/// Written and read, also by serde, as `shared`, `vsys:vsys2`, `panorama`, `template:NAME`, `template:NAME/vsys2`,
/// `stack:NAME` and `device:SERIAL`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Location {
    /// The shared configuration of a firewall.
    Shared,
    /// One virtual system of a firewall.
    Vsys(VsysName),
    /// Panorama's own configuration.
    Panorama,
    /// The shared part of a template on Panorama.
    Template(TemplateName),
    /// One virtual system inside a template on Panorama.
    TemplateVsys {
        /// The template.
        template: TemplateName,
        /// The virtual system.
        vsys: VsysName,
    },
    /// The shared part of a template stack on Panorama.
    TemplateStack(StackName),
    /// The shared configuration of one firewall that Panorama manages, for a session that is redirected to it
    /// ([`Session::redirected_to`](crate::Session::redirected_to)).
    Managed(Serial),
}

/// The name of a virtual system as PAN-OS has it: `vsys` and a number of one to five digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VsysName(String);

/// Text that is no virtual system's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not the name of a virtual system: it is 'vsys' and a number, not its display name", .0.escape_debug())]
pub struct InvalidVsys(String);

/// Text that is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// None of the forms of a [`Location`].
    #[error(
        "'{}' is not a location: shared, vsys:NAME, panorama, template:NAME, template:NAME/VSYS, stack:NAME or device:SERIAL",
        .0.escape_debug()
    )]
    Form(String),
    /// A virtual system's name that is not valid.
    #[error(transparent)]
    Vsys(#[from] InvalidVsys),
    /// The name of a template that is not valid.
    #[error(transparent)]
    Template(#[from] InvalidTemplateName),
    /// The name of a template stack that is not valid.
    #[error(transparent)]
    Stack(#[from] InvalidStackName),
    /// A serial number that is not valid.
    #[error(transparent)]
    Serial(#[from] InvalidSerial),
}

/// What an error repeats of a text that is not valid.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}

impl VsysName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VsysName {
    type Err = InvalidVsys;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix("vsys").filter(|number| (1..=5).contains(&number.len()));
        match number {
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self(text.to_owned())),
            _ => Err(InvalidVsys(excerpt(text))),
        }
    }
}

impl fmt::Display for VsysName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared => f.write_str("shared"),
            Self::Vsys(vsys) => write!(f, "vsys:{vsys}"),
            Self::Panorama => f.write_str("panorama"),
            Self::Template(template) => write!(f, "template:{template}"),
            Self::TemplateVsys { template, vsys } => write!(f, "template:{template}/{vsys}"),
            Self::TemplateStack(stack) => write!(f, "stack:{stack}"),
            Self::Managed(serial) => write!(f, "device:{serial}"),
        }
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once(':') {
            None if text == "shared" => Self::Shared,
            None if text == "panorama" => Self::Panorama,
            Some(("vsys", name)) => Self::Vsys(name.parse()?),
            Some(("template", name)) => match name.split_once('/') {
                Some((template, vsys)) => {
                    Self::TemplateVsys { template: template.parse()?, vsys: vsys.parse()? }
                }
                None => Self::Template(name.parse()?),
            },
            Some(("stack", name)) => Self::TemplateStack(name.parse()?),
            Some(("device", serial)) => Self::Managed(serial.parse()?),
            _ => return Err(InvalidLocation::Form(excerpt(text))),
        })
    }
}

impl TryFrom<String> for Location {
    type Error = InvalidLocation;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.to_string()
    }
}

impl Location {
    /// The path below which SSL/TLS service profiles and most other objects of this location stand.
    #[must_use]
    pub fn base(&self) -> XPath {
        let inside = |rest: &str| {
            let entry = self.template_entry().map(|entry| entry.to_string()).unwrap_or_default();
            format!("{entry}/config/{rest}")
        };
        XPath::absolute(&match self {
            Self::Shared | Self::Managed(_) => "/config/shared".to_owned(),
            Self::Panorama => "/config/panorama".to_owned(),
            Self::Vsys(vsys) => format!("{DEVICE}/vsys/entry[@name='{vsys}']"),
            Self::Template(_) | Self::TemplateStack(_) => inside("shared"),
            Self::TemplateVsys { vsys, .. } => {
                inside(&format!("devices/entry[@name='localhost.localdomain']/vsys/entry[@name='{vsys}']"))
            }
        })
    }

    /// The location that an import for this one ends in, and where its certificate objects are therefore looked for:
    /// this one, but for a virtual system inside a template the template's shared part. Panorama up to 11.x ignores
    /// the parameter `target-tpl-vsys` (PAN-257229, fixed in 12.1.0), so it is not sent; an SSL/TLS service profile of
    /// the virtual system can use a certificate of the shared part.
    #[must_use]
    pub fn of_certificates(&self) -> Self {
        match self {
            Self::TemplateVsys { template, .. } => Self::Template(template.clone()),
            other => other.clone(),
        }
    }

    /// All certificate objects; see [`Location::of_certificates`].
    #[must_use]
    pub fn certificates(&self) -> XPath {
        self.of_certificates().base().step("certificate")
    }

    /// The certificate object of this name; see [`Location::of_certificates`].
    ///
    /// # Errors
    /// A name that can't be quoted.
    pub fn certificate(&self, name: &str) -> Result<XPath, UnquotableName> {
        self.certificates().entry(name)
    }

    /// All SSL/TLS service profiles.
    #[must_use]
    pub fn profiles(&self) -> XPath {
        self.base().step("ssl-tls-service-profile")
    }

    /// The SSL/TLS service profile of this name.
    ///
    /// # Errors
    /// A name that can't be quoted.
    pub fn profile(&self, name: &str) -> Result<XPath, UnquotableName> {
        self.profiles().entry(name)
    }

    /// The parameter of an import that puts the object here, and its value; nothing where the device's own shared
    /// configuration is meant. Seen in other clients: `target-tpl` takes the name of a template or of a stack, and
    /// **makes a new template where none has this name**, so look first whether it is there.
    #[must_use]
    pub fn import_parameter(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Shared | Self::Managed(_) | Self::Panorama => None,
            Self::Vsys(vsys) => Some(("vsys", vsys.as_str())),
            Self::Template(name) | Self::TemplateVsys { template: name, .. } => {
                Some(("target-tpl", name.as_str()))
            }
            Self::TemplateStack(name) => Some(("target-tpl", name.as_str())),
        }
    }

    /// The virtual system of a firewall, where it is one.
    #[must_use]
    pub fn vsys(&self) -> Option<&str> {
        match self {
            Self::Vsys(name) => Some(name.as_str()),
            _ => None,
        }
    }

    /// The entry of the template or the template stack itself, whose presence tells whether it exists; nothing for
    /// locations without one.
    #[must_use]
    pub fn template_entry(&self) -> Option<XPath> {
        let path = |kind: &str, name: &str| {
            // Both types hold only what can be quoted.
            let name = quoted(name).unwrap_or_default();
            XPath::absolute(&format!("{DEVICE}/{kind}/entry[@name={name}]"))
        };
        match self {
            Self::Shared | Self::Managed(_) | Self::Vsys(_) | Self::Panorama => None,
            Self::Template(name) | Self::TemplateVsys { template: name, .. } => {
                Some(path("template", name.as_str()))
            }
            Self::TemplateStack(name) => Some(path("template-stack", name.as_str())),
        }
    }

    /// The entry of a device's own settings: of this device, or in a template of the firewalls that get it.
    #[must_use]
    pub fn device(&self) -> XPath {
        match self.template_entry() {
            Some(entry) => {
                XPath::absolute(&format!("{entry}/config/devices/entry[@name='localhost.localdomain']"))
            }
            None => XPath::device(),
        }
    }

    /// Whether it is one that can be reached through Panorama only.
    #[must_use]
    pub fn is_on_panorama(&self) -> bool {
        !matches!(self, Self::Shared | Self::Vsys(_))
    }

    /// Whether what is in this location is part of a template stack of this name, with these templates.
    #[must_use]
    pub fn is_in_stack(&self, stack: &str, templates: &[String]) -> bool {
        match self {
            Self::TemplateStack(name) => name.as_str() == stack,
            Self::Template(name) | Self::TemplateVsys { template: name, .. } => {
                templates.iter().any(|template| template == name.as_str())
            }
            _ => false,
        }
    }

    /// The element of a partial commit that names this location as the only one to be committed, for
    /// [`Commit::locations`](crate::Commit::locations): a template or a template stack on Panorama ("no template vsys
    /// scope" exists: the whole template counts). Seen in use for templates; for stacks by analogy.
    #[must_use]
    pub fn commit_scope(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Shared | Self::Managed(_) | Self::Panorama | Self::Vsys(_) => None,
            Self::Template(name) | Self::TemplateVsys { template: name, .. } => {
                Some(("template", name.as_str()))
            }
            Self::TemplateStack(name) => Some(("template-stack", name.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FORMS: [&str; 7] = [
        "shared",
        "vsys:vsys2",
        "panorama",
        "template:Branch",
        "template:Branch/vsys1",
        "stack:All branches",
        "device:001900000000003",
    ];

    fn of(text: &str) -> Location {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_is_written_as_it_is_read() {
        let stacks = [
            "stack:Büros & Filialen (Süd): alle",
            "stack:a123456789b123456789c123456789d123456789e123456789f123456789123",
        ];
        for form in FORMS.into_iter().chain(stacks) {
            assert_eq!(of(form).to_string(), form);
            assert_eq!(String::from(Location::try_from(form.to_owned()).unwrap()), form);
        }
    }

    #[test]
    fn refuses_other_forms_and_bad_names() {
        let long = format!("template:{}", "a".repeat(32));
        let long_stack = format!("stack:{}", "a".repeat(64));
        for bad in [
            "",
            "Shared",
            "vsys",
            "vsys:",
            "vsys:finance",
            "vsys:vsys",
            "panorama:",
            "shared:x",
            "template:",
            "template:/vsys1",
            "template:T/",
            "template:T/vsys1/x",
            "template:T/shared",
            "stack:",
            "stack:a/vsys1",
            "template:a'b",
            "stack:a\"b",
            "template:a]b",
            "template: a",
            "template:a ",
            "stack:_a",
            "stack:a]b",
            "stack:a'b",
            "stack:a\nb",
            "stack: a",
            "stack:a ",
            &long,
            &long_stack,
            "device:",
            "device:0019-1",
        ] {
            assert!(bad.parse::<Location>().is_err(), "{bad}");
        }
        assert!(format!("template:{}", "a".repeat(31)).parse::<Location>().is_ok());
    }

    #[test]
    fn paths_are_those_of_the_reference() {
        const DEV: &str = "/config/devices/entry[@name='localhost.localdomain']";
        let certificates = [
            "/config/shared/certificate".to_owned(),
            format!("{DEV}/vsys/entry[@name='vsys2']/certificate"),
            "/config/panorama/certificate".to_owned(),
            format!("{DEV}/template/entry[@name='Branch']/config/shared/certificate"),
            format!("{DEV}/template/entry[@name='Branch']/config/shared/certificate"),
            format!("{DEV}/template-stack/entry[@name='All branches']/config/shared/certificate"),
            "/config/shared/certificate".to_owned(),
        ];
        for (form, path) in FORMS.into_iter().zip(certificates) {
            assert_eq!(of(form).certificate("N").unwrap().to_string(), format!("{path}/entry[@name='N']"));
        }
        let vsys = of("template:Branch/vsys1").profile("P").unwrap();
        let inner = "config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']";
        assert_eq!(
            vsys.as_str(),
            format!("{DEV}/template/entry[@name='Branch']/{inner}/ssl-tls-service-profile/entry[@name='P']")
        );
    }

    #[test]
    fn imports_and_commits_name_what_the_location_needs() {
        let all = FORMS.map(of);
        let imports: Vec<_> = all.iter().map(Location::import_parameter).collect();
        assert_eq!(
            imports,
            [
                None,
                Some(("vsys", "vsys2")),
                None,
                Some(("target-tpl", "Branch")),
                Some(("target-tpl", "Branch")),
                Some(("target-tpl", "All branches")),
                None,
            ]
        );
        let commits: Vec<_> = all.iter().map(Location::commit_scope).collect();
        let template = Some(("template", "Branch"));
        let stack = Some(("template-stack", "All branches"));
        assert_eq!(commits, [None, None, None, template, template, stack, None]);
    }
}
