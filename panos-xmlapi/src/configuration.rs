//! Reading and changing the configuration: `type=config`.
//!
//! The actions are those of the API Usage Guide, "Configuration (API)"; what replies look like was seen in recordings.

use super::command::written;
use super::error::{Error, Reason, Refusal};
use super::operation::Operation;
use super::reply::ReplyError;
use super::session::{Exchange, SUCCESS, Session};
use super::xml::Element;
use super::xpath::XPath;

/// As a success, or 7: the object is not there.
const SUCCESS_OR_NOT_FOUND: [u16; 3] = [7, 19, 20];
const OBJECT_MISSING: u16 = 7;
/// The most changes of one [`Session::multi_config`].
pub const MAX_CHANGES: usize = 1_000;

/// Where an entry of an ordered list goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// To the beginning.
    Top,
    /// To the end.
    Bottom,
    /// In front of the entry of this name.
    Before(String),
    /// Behind the entry of this name.
    After(String),
}

/// One change of a [`Session::multi_config`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// As [`Session::set_all`].
    Set(XPath, Vec<Element>),
    /// As [`Session::edit`].
    Edit(XPath, Element),
    /// As [`Session::delete`].
    Delete(XPath),
    /// As [`Session::rename`].
    Rename(XPath, String),
    /// As [`Session::move_entry`].
    Move(XPath, Position),
}

impl Position {
    fn fields(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Top => vec![("where", "top")],
            Self::Bottom => vec![("where", "bottom")],
            Self::Before(name) => vec![("where", "before"), ("dst", name)],
            Self::After(name) => vec![("where", "after"), ("dst", name)],
        }
    }
}

impl Change {
    fn element(&self, id: usize) -> Element {
        let change = |action: &str, xpath: &XPath, fields: &[(&str, &str)]| {
            let mut element = Element::new(action);
            let id = id.to_string();
            let own = [("id", id.as_str()), ("xpath", xpath.as_str())];
            for (name, value) in own.iter().chain(fields) {
                element.attributes.push(((*name).to_owned(), (*value).to_owned()));
            }
            element
        };
        match self {
            Self::Set(xpath, elements) => {
                elements.iter().cloned().fold(change("set", xpath, &[]), Element::with)
            }
            Self::Edit(xpath, element) => change("edit", xpath, &[]).with(element.clone()),
            Self::Delete(xpath) => change("delete", xpath, &[]),
            Self::Rename(xpath, name) => change("rename", xpath, &[("newname", name)]),
            Self::Move(xpath, position) => change("move", xpath, &position.fields()),
        }
    }
}

impl Exchange {
    /// The nodes of a configuration in the reply's `result`; none where nothing is there, which is told by code 7, by
    /// `No such node`, or by an empty result.
    fn nodes(self) -> Result<Vec<Element>, Error> {
        let operation = self.operation;
        let reply = match self.succeeded(&SUCCESS_OR_NOT_FOUND) {
            Err(Error::Refused(refusal)) if refusal.reason == Reason::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        if reply.numeric_code() == Some(OBJECT_MISSING) {
            return Ok(Vec::new());
        }
        let problem = ReplyError::Missing("a result");
        let result = reply.result().ok_or(Error::InvalidReply { operation, problem })?;
        let nodes: Vec<Element> = result.children().cloned().collect();
        // A path that ends in `text()` has a text for an answer.
        if nodes.is_empty() && !result.is_blank() { Ok(vec![result.clone()]) } else { Ok(nodes) }
    }

    fn done(self) -> Result<(), Error> {
        self.succeeded(&SUCCESS).map(drop)
    }
}

impl Session {
    /// The element at this path of the candidate configuration, or nothing where there is none; of several, the first.
    ///
    /// A mistyped path looks the same as a missing element. Elements that were changed since the last commit carry
    /// the attributes `admin`, `dirtyId` and `time`. Private keys come encrypted with the device's master key, which
    /// may be the default one: log no answer as a whole.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn get(&self, xpath: &XPath) -> Result<Option<Element>, Error> {
        Ok(self.get_all(xpath).await?.into_iter().next())
    }

    /// All elements at this path of the candidate configuration, for a path that fits several, such as
    /// `…/certificate/entry`; or `…/entry/@name`, which answers with entries that have but their names.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn get_all(&self, xpath: &XPath) -> Result<Vec<Element>, Error> {
        self.config("get", xpath, &[]).await?.nodes()
    }

    /// The element at this path of the running configuration, or nothing where there is none. The path has to fit
    /// just one. What Panorama has pushed to a firewall is not part of its running configuration.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn show(&self, xpath: &XPath) -> Result<Option<Element>, Error> {
        Ok(self.config("show", xpath, &[]).await?.nodes()?.into_iter().next())
    }

    /// Merges an element below a path into the candidate configuration. What is missing on the way is
    /// made: look first, or a mistyped name becomes a new, incomplete object.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn set(&self, xpath: &XPath, element: &Element) -> Result<(), Error> {
        self.set_all(xpath, std::slice::from_ref(element)).await
    }

    /// As [`Session::set`], with several elements side by side in one request.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn set_all(&self, xpath: &XPath, elements: &[Element]) -> Result<(), Error> {
        let elements: Result<Vec<String>, Error> = elements.iter().map(written).collect();
        self.config("set", xpath, &[("element", &elements?.concat())]).await?.done()
    }

    /// Replaces an element of the candidate configuration; `element` repeats the path's last step, and whatever is
    /// not in it is gone.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn edit(&self, xpath: &XPath, element: &Element) -> Result<(), Error> {
        self.config("edit", xpath, &[("element", &written(element)?)]).await?.done()
    }

    /// Removes an element from the candidate configuration; whether it was there. One that others refer to is a
    /// refusal for the reason [`Reason::InUse`], which names them.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn delete(&self, xpath: &XPath) -> Result<bool, Error> {
        match self.config("delete", xpath, &[]).await?.succeeded(&SUCCESS_OR_NOT_FOUND) {
            Ok(reply) => Ok(reply.numeric_code() != Some(OBJECT_MISSING)),
            Err(Error::Refused(refusal)) if refusal.reason == Reason::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives the entry at this path another name in the candidate configuration.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a name that is taken is a refusal.
    pub async fn rename(&self, entry: &XPath, name: &str) -> Result<(), Error> {
        self.config("rename", entry, &[("newname", name)]).await?.done()
    }

    /// Copies the entry at the path `from` into the list at the path `list`, under another name.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a name that is taken is a refusal.
    pub async fn clone_entry(&self, list: &XPath, from: &XPath, name: &str) -> Result<(), Error> {
        self.config("clone", list, &[("from", from.as_str()), ("newname", name)]).await?.done()
    }

    /// Moves the entry at this path within its list, as for rules, whose order matters.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn move_entry(&self, entry: &XPath, position: &Position) -> Result<(), Error> {
        self.config("move", entry, &position.fields()).await?.done()
    }

    /// Several changes of the candidate configuration in one request (`action=multi-config`), at most [`MAX_CHANGES`];
    /// for each one, in its order, whether the device carried it out. The device may end at the first that it refuses
    /// (inferred), so the answer can be shorter than the list.
    ///
    /// With `strict` all are carried out or none (`strict-transactional=yes`), but **first the device drops whatever
    /// this administrator had changed and not committed**, and it refuses while a commit runs (API Usage Guide,
    /// "Multi-config Request"). A device on which the feature is off refuses (`request multi-config enabled`).
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); an answer that tells of no change and refuses as a whole.
    pub async fn multi_config(
        &self,
        changes: &[Change],
        strict: bool,
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        if changes.len() > MAX_CHANGES {
            return Err(Error::InvalidRequest(format!("it has more than {MAX_CHANGES} changes")));
        }
        let all = changes.iter().enumerate().map(|(index, change)| change.element(index + 1));
        let request = written(&all.fold(Element::new("multi-configure-request"), Element::with))?;
        let operation = Operation::Config("multi-config");
        let mut fields = vec![("type", "config"), ("action", "multi-config"), ("element", request.as_str())];
        if strict {
            fields.push(("strict-transactional", "yes"));
        }
        let exchange = self.post(operation, &fields).await?;
        let parts = exchange.reply.parts();
        if parts.is_empty() {
            return exchange.succeeded(&SUCCESS).map(|_| changes.iter().map(|_| Ok(())).collect());
        }
        if parts.len() > changes.len() {
            let problem = ReplyError::Missing("one answer for each change");
            return Err(Error::InvalidReply { operation, problem });
        }
        let outcome = |part| match Refusal::of_part(operation, part) {
            None => Ok(()),
            Some(refusal) => Err(refusal),
        };
        Ok(parts.iter().map(outcome).collect())
    }

    async fn config(
        &self,
        action: &'static str,
        xpath: &XPath,
        more: &[(&str, &str)],
    ) -> Result<Exchange, Error> {
        let own = [("type", "config"), ("action", action), ("xpath", xpath.as_str())];
        self.post(Operation::Config(action), &[&own[..], more].concat()).await
    }
}
