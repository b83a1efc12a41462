//! Operational commands of the caller's own, requests to firewalls behind Panorama, and how a request is written.

use reqwest::RequestBuilder;

use super::error::Error;
use super::operation::Operation;
use super::reply::Reply;
use super::serial::Serial;
use super::session::{Exchange, SUCCESS, Session};
use super::xml::Element;

/// The largest request, in bytes: the API Usage Guide allows 5 MB.
pub(super) const MAX_REQUEST_BYTES: usize = 5_000_000;

impl Session {
    /// An operational command, for what this client has no method for: `show clock`, `request …`, `test …`.
    ///
    /// The whole reply comes back: its [`result`](Reply::result), or its [`messages`](Reply::messages) for a command
    /// that answers in words. A command that takes long answers with a job in `result/job`; see
    /// [`Session::wait_for_job`].
    ///
    /// ```no_run
    /// # async fn example(session: &panos_xmlapi::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// use panos_xmlapi::Element;
    ///
    /// let reply = session.op(&"<show><clock/></show>".parse()?).await?;
    /// println!("{}", reply.messages.join(" "));
    /// // The same, built.
    /// let reply = session.op(&Element::nested(&["show", "clock"], None)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); [`Error::InvalidRequest`] for an element that is no XML. A command
    /// that does not begin with `show` is sent once and never again, so [`Error::Interrupted`] leaves open whether it
    /// took effect.
    pub async fn op(&self, command: &Element) -> Result<Reply, Error> {
        let operation = Operation::Command { is_read_only: command.name == "show" };
        self.command(operation, command).await?.succeeded(&SUCCESS)
    }

    /// An operational command of this client; `words` name it in messages.
    pub(super) async fn named_op(&self, words: &'static str, command: &Element) -> Result<Exchange, Error> {
        self.command(Operation::Op(words), command).await
    }

    async fn command(&self, operation: Operation, command: &Element) -> Result<Exchange, Error> {
        let command = written(command)?;
        self.post(operation, &[("type", "op"), ("cmd", &command)]).await
    }

    /// The same session through Panorama: each request is passed on to the managed firewall with this serial number,
    /// which answers for itself (`target=SERIAL`; the API Usage Guide, "Query a Firewall from Panorama").
    ///
    /// Operational commands, configuration, export and commits are passed on. An upload is not: whether Panorama does
    /// was not established, so [`Session::import`] refuses. Where it matters, compare the serial number that
    /// [`Session::system_info`] tells. A firewall that is not connected, or unknown, is a refusal for the reason
    /// [`NotConnected`](super::error::Reason::NotConnected).
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a text that is no serial number.
    pub fn redirected_to(&self, serial: &str) -> Result<Self, Error> {
        let serial: Serial = serial.parse()?;
        let mut session = self.clone();
        session.target = Some(serial.to_string());
        Ok(session)
    }

    /// The serial number of the firewall that requests are passed on to.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// A POST with these fields in its body, and the target where there is one.
    pub(super) async fn post(
        &self,
        operation: Operation,
        fields: &[(&str, &str)],
    ) -> Result<Exchange, Error> {
        let request = self.form(fields)?;
        self.asking(fields);
        self.exchange(operation, request).await
    }

    pub(super) fn form(&self, fields: &[(&str, &str)]) -> Result<RequestBuilder, Error> {
        let target = self.target.as_deref().map(|serial| ("target", serial));
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain(target).collect();
        let size: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        if size > MAX_REQUEST_BYTES {
            return Err(Error::InvalidRequest(format!("it is larger than {MAX_REQUEST_BYTES} bytes")));
        }
        Ok(self.transport.post().form(&fields))
    }
}

/// An element as text, which has to be XML.
pub(super) fn written(element: &Element) -> Result<String, Error> {
    element.check().map_err(Error::InvalidRequest)?;
    Ok(element.to_string())
}
