//! What Panorama tells before and after a push: its template stacks, its firewalls, and what was committed and has not
//! been pushed.

use super::error::Error;
use super::managed_devices::{ManagedDevice, TemplateStack, devices_of, templates_of};
use super::reply::Reply;
use super::session::Session;
use super::words;
use super::xml::Element;
use super::xpath::XPath;

/// A template stack, as it stands in Panorama's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StackMembers {
    /// Its name.
    pub name: String,
    /// Its templates, the first one outranking the next.
    pub templates: Vec<String>,
    /// The serial numbers of its firewalls.
    pub devices: Vec<String>,
}

impl StackMembers {
    /// All of them, in a configuration's `template-stack` element.
    #[must_use]
    pub fn read_all(stacks: &Element) -> Vec<Self> {
        let read = |stack: &Element| Self {
            name: stack.name_attribute(),
            templates: templates_of(stack),
            devices: devices_of(stack).map(Element::name_attribute).collect(),
        };
        stacks.children_named("entry").map(read).collect()
    }
}

/// A change that was committed on Panorama and not pushed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnpushedChange {
    /// Whose it is.
    pub owner: String,
    /// Where, in Panorama's words.
    pub place: String,
}

/// How the owner of a change, and its place, may be called: nobody has published what this answer looks like.
const OWNER: [&str; 4] = ["owner", "admin", "user", "admin-name"];
const PLACE: [&str; 5] = ["xpath", "path", "location", "object-name", "name"];

impl UnpushedChange {
    /// All that can be made out in the reply to `show config push-scope`; nothing where it holds something that can't be.
    #[must_use]
    pub fn read_all(reply: &Reply) -> Option<Vec<Self>> {
        let result = reply.result()?;
        let mut found = Vec::new();
        collect(result, &mut found);
        found.sort();
        found.dedup();
        let is_empty = result.children().all(|child| child.children().next().is_none());
        (is_empty || !found.is_empty()).then_some(found)
    }
}

fn collect(element: &Element, found: &mut Vec<UnpushedChange>) {
    let word = |names: &[&str]| {
        let told = |name: &&str| {
            element
                .word_of(name)
                .or_else(|| element.attribute(name).map(words::word))
                .filter(|w| !w.is_empty())
        };
        names.iter().find_map(told)
    };
    match (word(&OWNER), word(&PLACE)) {
        (Some(owner), Some(place)) => found.push(UnpushedChange { owner, place }),
        _ => element.children().for_each(|child| collect(child, found)),
    }
}

impl Session {
    /// All template stacks of Panorama's running configuration, which is what it pushes.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn template_stacks(&self) -> Result<Vec<StackMembers>, Error> {
        let shown = self.show(&XPath::device().step("template-stack")).await?;
        Ok(shown.map(|stacks| StackMembers::read_all(&stacks)).unwrap_or_default())
    }

    /// All template stacks with what their firewalls last got.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn template_stack_status(&self) -> Result<Vec<TemplateStack>, Error> {
        let command = Element::nested(&["show", "template-stack"], None);
        self.named_op("show template-stack", &command).await?.read(TemplateStack::read_all)
    }

    /// All firewalls that Panorama manages, connected or not. One that was never connected may be missing.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn managed_devices(&self) -> Result<Vec<ManagedDevice>, Error> {
        let command = Element::nested(&["show", "devices", "all"], None);
        self.named_op("show devices all", &command).await?.read(ManagedDevice::read_all)
    }

    /// Everybody's changes that were committed on Panorama and not pushed; nothing where the answer is not understood.
    /// The command was seen in a client, its answer nowhere.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn unpushed_changes(&self) -> Result<Option<Vec<UnpushedChange>>, Error> {
        let command = Element::nested(&["show", "config", "push-scope"], None);
        let reply = self.named_op("show config push-scope", &command).await?;
        reply.read(|reply| Ok(UnpushedChange::read_all(reply)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scope(result: &str) -> Option<Vec<(String, String)>> {
        let reply = Reply::parse(
            format!("<response status='success'><result>{result}</result></response>").as_bytes(),
        );
        let changes = UnpushedChange::read_all(&reply.unwrap())?;
        Some(changes.into_iter().map(|change| (change.owner, change.place)).collect())
    }

    #[test]
    fn changes_are_made_out_in_whatever_shape_they_are_told() {
        let jane = || Some(vec![("jane".to_owned(), "/config/shared/x".to_owned())]);
        for told in [
            "<push-scope><entry><owner>jane</owner><xpath>/config/shared/x</xpath></entry></push-scope>",
            "<journal><entry><xpath>/config/shared/x</xpath><admin>jane</admin></entry></journal>",
            "<a><b><entry admin='jane' xpath='/config/shared/x'/></b></a>",
        ] {
            assert_eq!(scope(told), jane(), "{told}");
        }
        assert_eq!(scope(""), Some(Vec::new()));
        assert_eq!(scope("<push-scope/>"), Some(Vec::new()));
        assert_eq!(scope("<device-group><entry name='g'><x>1</x></entry></device-group>"), None);
    }

    #[test]
    fn a_stack_is_its_templates_in_order_and_its_firewalls() {
        let stacks = "<template-stack><entry name=\"S\"><templates><member>a</member><member>b</member></templates>\
                      <devices><entry name=\"001\"><variable/></entry></devices></entry><entry name=\"empty\"/></template-stack>";
        let stacks = StackMembers::read_all(&stacks.parse().unwrap());
        assert_eq!((stacks[0].templates.concat(), stacks[0].devices.concat()), ("ab".into(), "001".into()));
        assert_eq!(stacks[1], StackMembers { name: "empty".into(), ..StackMembers::default() });
    }
}
