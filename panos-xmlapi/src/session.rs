//! The verbs: one method per question that can be put to a device.

use std::sync::{Arc, Mutex};

use secrecy::{ExposeSecret, SecretString};

use super::address::Address;
use super::busy::WhileBusy;
use super::changes::PendingChange;
use super::command::{MAX_REQUEST_BYTES, written};
use super::commit::{Commit, CommitReply, CommitScope};
use super::error::{Error, Reason, Refusal};
use super::fingerprint::Fingerprint;
use super::import::KeyPairImport;
use super::job::Job;
use super::locks::Lock;
use super::operation::Operation;
use super::reply::{Reply, ReplyError};
use super::system::{self, SystemInfo};
use super::transcript::Transcript;
use super::transport::{Answer, ClientOptions, Transport};
use super::trust::{IdentityError, ManagementBinding, NextIdentity, Trust};
use super::xml::Element;
use super::xpath::XPath;

/// A device, a way to trust it, and an API key. Connects with the first request.
///
/// A clone is the same session: it shares the connection, and what [`Session::add_pin`] adds.
#[derive(Clone)]
pub struct Session {
    address: Address,
    pub(super) transport: Transport,
    pub(super) busy: Arc<Mutex<Option<WhileBusy>>>,
    /// The serial number of the firewall that Panorama passes the requests on to.
    pub(super) target: Option<String>,
    pub(super) transcript: Option<Transcript>,
}

/// A reply together with what is needed to report on it.
pub(super) struct Exchange {
    pub(super) operation: Operation,
    http: u16,
    pub(super) reply: Reply,
}

impl Exchange {
    /// What is no success: a refusal, or an envelope that says neither yes nor no.
    pub(super) fn refusal(&self) -> Error {
        let refusal = Refusal::read(self.operation, self.http, &self.reply);
        if self.reply.status.is_none() && self.http == 200 && refusal.reason == Reason::Other {
            return self.lacks(ReplyError::Missing("a status"));
        }
        refusal.into()
    }

    /// The refusal, where the device only has no time now.
    pub(super) fn busy(&self) -> Option<Refusal> {
        if self.http == 200 && self.reply.says_success() {
            return None;
        }
        let refusal = Refusal::read(self.operation, self.http, &self.reply);
        (refusal.reason == Reason::Busy).then_some(refusal)
    }

    fn lacks(&self, problem: ReplyError) -> Error {
        Error::InvalidReply { operation: self.operation, problem }
    }

    /// Success in so many words, with a code that does not contradict it.
    pub(super) fn succeeded(self, codes: &[u16]) -> Result<Reply, Error> {
        if self.http != 200 || !self.reply.says_success() {
            return Err(self.refusal());
        }
        match self.reply.numeric_code() {
            Some(code) if !codes.contains(&code) => {
                Err(self.lacks(ReplyError::Contradiction(code.to_string())))
            }
            None if self.reply.code.as_deref().is_some_and(|code| !code.trim().is_empty()) => {
                let code = self.reply.code.clone().unwrap_or_default();
                Err(self.lacks(ReplyError::Contradiction(code.chars().take(20).collect())))
            }
            _ => Ok(self.reply),
        }
    }

    /// The answer to what a device does as a job: a commit, a validation, a push.
    pub(super) fn enqueued(self) -> Result<CommitReply, Error> {
        let operation = self.operation;
        let reply = self.succeeded(&COMMIT_SUCCESS)?;
        if let Some(id) = reply.result().and_then(|result| result.word_of("job")) {
            return Ok(CommitReply::Job(id));
        }
        let words = reply.messages.join(" ");
        if reply.numeric_code() == Some(SAME_AS_BEFORE) || NO_CHANGES.iter().any(|no| words.contains(no)) {
            return Ok(CommitReply::NoChanges(words));
        }
        // Neither a job nor the news that none is needed: nobody knows what will happen.
        Err(Error::InvalidReply { operation, problem: ReplyError::Missing("a job") })
    }

    /// A typed reading of a success.
    pub(super) fn read<T>(self, read: impl FnOnce(&Reply) -> Result<T, ReplyError>) -> Result<T, Error> {
        let operation = self.operation;
        let reply = self.succeeded(&SUCCESS)?;
        read(&reply).map_err(|problem| Error::InvalidReply { operation, problem })
    }
}

/// Data returned, or command done.
pub(super) const SUCCESS: [u16; 2] = [19, 20];
/// As above, or 13: a commit that changes nothing.
const COMMIT_SUCCESS: [u16; 3] = [13, 19, 20];
const SAME_AS_BEFORE: u16 = 13;
/// How devices say that a commit has nothing to do, where the code does not tell it.
const NO_CHANGES: [&str; 3] = ["no changes to commit", "No changes to commit", "No edits have been made"];

/// How devices say that a revert has nothing to do.
const NOTHING_TO_REVERT: &str = "no changes to revert";

impl Session {
    /// Prepares a session; nothing is sent yet.
    ///
    /// # Errors
    /// CA files that can't be read, or a key with characters that no HTTP header can carry.
    pub fn new(
        address: &Address,
        trust: &Trust,
        key: &SecretString,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        if key.expose_secret().is_empty() {
            return Err(Error::Setup("the API key is empty".to_owned()));
        }
        let transport = Transport::new(address, trust, Some(key), options)?;
        Ok(Self { address: address.clone(), transport, busy: Arc::default(), target: None, transcript: None })
    }

    /// From now on exactly this certificate is accepted in a handshake besides the pins of this session's [`Trust`].
    /// For a commit that gives the management interface another certificate: the web server restarts with it, perhaps
    /// before the job is over.
    ///
    /// Nothing changes where it was decided for another device, or where the device is recognised by an authority.
    pub fn add_pin(&self, next: &NextIdentity) {
        if *next.device() == self.address {
            self.transport.verifier().add_pin(next.certificate());
        }
    }

    /// Whether anything is accepted besides this session's [`Trust`].
    #[must_use]
    pub fn accepts_more(&self) -> bool {
        self.transport.verifier().accepts_more()
    }

    /// Whether this session would go on with a device that shows this certificate, with these behind it.
    ///
    /// # Errors
    /// Why not.
    pub fn would_accept(&self, leaf: &[u8], others: Vec<Vec<u8>>) -> Result<(), IdentityError> {
        let others: Vec<_> = others.into_iter().map(Into::into).collect();
        self.transport.verifier().would_accept(leaf, &others)
    }

    /// Which profile the management interface uses now: by the running configuration, or, where that has none of its own,
    /// by what Panorama has pushed. The latter is in effect without being part of the running configuration.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn management_profile(&self) -> Result<Option<String>, Error> {
        let path = XPath::management_profile();
        if let Some(local) = self.show(&path).await?.as_ref().and_then(profile_name) {
            return Ok(Some(local));
        }
        let candidate = self.get(&path).await?;
        self.pushed_management_profile(candidate.as_ref()).await
    }

    /// The profile that Panorama has pushed. The candidate configuration shows it with a mark, unless a change that is
    /// not committed yet stands in its place.
    async fn pushed_management_profile(&self, candidate: Option<&Element>) -> Result<Option<String>, Error> {
        match candidate {
            None => return Ok(None),
            Some(found) if is_pushed(found) => return Ok(profile_name(found)),
            Some(_) => {}
        }
        let command = Element::nested(&["show", "config", "pushed-template"], None);
        match self.named_op("show config pushed-template", &command).await?.read(pushed_profile_name) {
            // An administrator who may not ask, or a device that does not know the question: nothing is known of a push.
            Err(Error::Refused(_)) => Ok(None),
            told => told,
        }
    }

    /// As before, in both configurations, as a value that says who told it. Only a session that accepts nothing besides its [`Trust`] tells:
    /// what is accepted besides was decided by this very question.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a session that accepts more, or one whose requests are passed on to
    /// another device.
    pub async fn management_binding(&self) -> Result<ManagementBinding, Error> {
        if let Some(serial) = &self.target {
            let why =
                format!("what {serial} says through Panorama tells nothing of Panorama's own certificate");
            return Err(Error::InvalidRequest(why));
        }
        let path = XPath::management_profile();
        let local = self.show(&path).await?.as_ref().and_then(profile_name);
        let candidate = self.get(&path).await?;
        let running = match local {
            Some(local) => Some(local),
            None => self.pushed_management_profile(candidate.as_ref()).await?,
        };
        let candidate = candidate.as_ref().and_then(profile_name);
        match self.peer_fingerprint() {
            Some(shown) if !self.accepts_more() => {
                Ok(ManagementBinding { device: self.address.clone(), shown, running, candidate })
            }
            _ => Err(Error::Setup(
                "the management interface was not looked at under the trust before".to_owned(),
            )),
        }
    }

    /// What a Panorama has pushed to this firewall from templates, as a tree that begins with `config` and is marked with
    /// the template's name (`ptpl`); nothing where none has.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn pushed_template(&self) -> Result<Option<Element>, Error> {
        let command = Element::nested(&["show", "config", "pushed-template"], None);
        let reply = self.named_op("show config pushed-template", &command).await?.succeeded(&SUCCESS)?;
        Ok(reply.result().and_then(|result| result.child("config")).cloned())
    }

    /// The device's own certificate, as it was shown in the latest handshake that was accepted and signed
    /// with its key; nothing before the first one.
    #[must_use]
    pub fn peer_fingerprint(&self) -> Option<Fingerprint> {
        self.transport.verifier().seen().map(|seen| seen.certificate)
    }

    /// What is taken for a second where a job is waited for.
    pub(super) fn poll_unit(&self) -> std::time::Duration {
        self.transport.options().poll_unit
    }

    /// Makes an API key for an administrator.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a reply without a key is a refusal.
    pub async fn generate_key(
        address: &Address,
        trust: &Trust,
        user: &str,
        password: &SecretString,
        options: ClientOptions,
    ) -> Result<SecretString, Error> {
        let transport = Transport::new(address, trust, None, options)?;
        let session = Self {
            address: address.clone(),
            transport,
            busy: Arc::default(),
            target: None,
            transcript: None,
        };
        session.transport.redactor().add("password", password.expose_secret());
        let fields = [("type", "keygen"), ("user", user), ("password", password.expose_secret())];
        let mut exchange = session.post(Operation::Keygen, &fields).await?;
        // Some releases leave the status out; what counts is whether a key came.
        let refused = exchange.http != 200
            || exchange.reply.status.as_deref().is_some_and(|status| status != "success");
        let key = exchange.reply.result().and_then(|result| result.text_of("key"));
        exchange.reply = exchange.reply.cleaned(session.transport.redactor());
        match key {
            Some(key) if !refused => Ok(SecretString::from(key)),
            _ if exchange.reply.says_success() => Err(exchange.lacks(ReplyError::Missing("a key"))),
            _ => Err(exchange.refusal()),
        }
    }

    /// What the device is (`show system info`).
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn system_info(&self) -> Result<SystemInfo, Error> {
        self.named_op("show system info", &Element::nested(&["show", "system", "info"], None))
            .await?
            .read(SystemInfo::read)
    }

    /// The calling administrator's name, where the device tells it (PAN-OS 10.0 and later).
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn current_administrator(&self) -> Result<Option<String>, Error> {
        self.named_op("show admins", &Element::nested(&["show", "admins"], None))
            .await?
            .read(|reply| Ok(system::own_name(reply)))
    }

    /// The changes pending in the candidate configuration, everybody's.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn pending_changes(&self) -> Result<Vec<PendingChange>, Error> {
        self.named_op(
            "show config list changes",
            &Element::nested(&["show", "config", "list", "changes"], None),
        )
        .await?
        .read(PendingChange::read_all)
    }

    /// The configuration locks, everybody's.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn config_locks(&self) -> Result<Vec<Lock>, Error> {
        self.locks("show config-locks", "config-locks").await
    }

    /// The commit locks, everybody's.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn commit_locks(&self) -> Result<Vec<Lock>, Error> {
        self.locks("show commit-locks", "commit-locks").await
    }

    /// Devices with several virtual systems want to be told that all of them are meant, others refuse that.
    async fn locks(&self, words: &'static str, kind: &str) -> Result<Vec<Lock>, Error> {
        let plain = self.named_op(words, &Element::nested(&["show", kind], None)).await?.read(Lock::read_all);
        match plain {
            Err(Error::Refused(refusal)) if refusal.lines.iter().any(|line| line.contains("vsys")) => {
                let all = Element::new("vsys").with_text("all");
                self.named_op(words, &Element::nested(&["show", kind], Some(all))).await?.read(Lock::read_all)
            }
            outcome => outcome,
        }
    }

    /// Drops one administrator's pending changes and nobody else's.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn revert_changes_of(&self, administrator: &str) -> Result<(), Error> {
        let member = Element::new("member").with_text(administrator);
        let command = Element::nested(&["revert", "config", "partial", "admin"], Some(member));
        match self.named_op("revert config", &command).await?.succeeded(&SUCCESS) {
            // Nothing is pending: what was wanted.
            Err(Error::Refused(refusal)) if refusal.says(NOTHING_TO_REVERT) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Uploads a certificate with its key into the candidate configuration; the whole reply, for the log.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn import(&self, import: &KeyPairImport) -> Result<Reply, Error> {
        if let Some(serial) = &self.target {
            let why = format!("an upload can't be passed on to {serial}: connect to the firewall itself");
            return Err(Error::InvalidRequest(why));
        }
        if import.file.expose_secret().len() > MAX_REQUEST_BYTES {
            return Err(Error::InvalidRequest(format!("the file is larger than {MAX_REQUEST_BYTES} bytes")));
        }
        self.transport.redactor().add_shared("passphrase", import.passphrase.expose_secret());
        let request = self.transport.post_import().multipart(import.form());
        self.asking(&import.told());
        self.exchange(Operation::Import, request).await?.succeeded(&SUCCESS)
    }

    /// The certificate of an object as PEM, without its key. The answer is a file, not XML.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); anything but PEM in the answer.
    pub async fn export_certificate(&self, name: &str) -> Result<String, Error> {
        let operation = Operation::Export;
        let fields = [
            ("type", "export"),
            ("category", "certificate"),
            ("certificate-name", name),
            ("format", "pem"),
            ("include-key", "no"),
        ];
        self.asking(&fields);
        let answer = self.send(operation, self.form(&fields)?).await?;
        let body = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body);
        // What may stand around the certificate is not looked at.
        let text = String::from_utf8_lossy(body);
        match text.trim_start().starts_with("-----BEGIN CERTIFICATE-----") {
            true if answer.status == 200 => Ok(text.into_owned()),
            _ => {
                let exchange = self.read(operation, &answer)?;
                if exchange.http == 200 && exchange.reply.says_success() {
                    return Err(exchange.lacks(ReplyError::Missing("a certificate")));
                }
                Err(exchange.refusal())
            }
        }
    }

    /// Asks for a commit; the job then runs on its own.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a success that names no job and does not say why.
    pub async fn commit(&self, commit: &Commit) -> Result<CommitReply, Error> {
        let command = written(&commit.command())?;
        let mut fields = vec![("type", "commit"), ("cmd", command.as_str())];
        if matches!(commit.scope, CommitScope::Administrator(_)) {
            fields.push(("action", "partial"));
        }
        self.post(Operation::Commit, &fields).await?.enqueued()
    }

    /// Asks for a validation of the candidate configuration, of those changes that this commit would make; the job
    /// then runs on its own, and fails where the commit would. Nothing is committed.
    ///
    /// What is validated has to be in the candidate configuration first. A private key that does not fit its
    /// certificate is not found (nor by a commit).
    ///
    /// # Errors
    /// As [`Session::commit`].
    pub async fn validate(&self, commit: &Commit) -> Result<CommitReply, Error> {
        let what = commit.partial().unwrap_or_else(|| Element::new("full"));
        self.named_op("validate", &Element::new("validate").with(what)).await?.enqueued()
    }

    /// One job.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a job the device does not know is a refusal for the reason `NotFound`.
    pub async fn job(&self, id: &str) -> Result<Job, Error> {
        let element = Element::new("id").with_text(id);
        self.named_op("show jobs", &Element::nested(&["show", "jobs"], Some(element)))
            .await?
            .read(|reply| Job::read_numbered(reply, id))
    }

    /// All jobs the device remembers.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn jobs(&self) -> Result<Vec<Job>, Error> {
        self.named_op("show jobs all", &Element::nested(&["show", "jobs", "all"], None))
            .await?
            .read(Job::read_all)
    }

    pub(super) fn read(&self, operation: Operation, answer: &Answer) -> Result<Exchange, Error> {
        match Reply::parse(&answer.body) {
            Ok(reply) => {
                // What a key generation gives is taken out first.
                let reply = match operation {
                    Operation::Keygen => reply,
                    // It was looked at as it came.
                    _ if super::redact::is_plain(&answer.body) => reply,
                    _ => reply.cleaned(self.transport.redactor()),
                };
                let exchange = Exchange { operation, http: answer.status, reply };
                // A status of the web server's own is believed, unless the reply says more than that.
                match answer.status {
                    200 | 400 | 403 => Ok(exchange),
                    status => {
                        let refusal = Refusal::read(operation, 200, &exchange.reply);
                        let says_more = !exchange.reply.says_success()
                            && !matches!(refusal.reason, Reason::Other | Reason::Internal);
                        if says_more { Ok(exchange) } else { Err(Error::Status { operation, status }) }
                    }
                }
            }
            // A refusal by a web server in front says its status, not what its page looks like.
            Err(_) if answer.status != 200 => Err(Error::Status { operation, status: answer.status }),
            Err(problem) => {
                let problem = problem.cleaned(self.transport.redactor());
                Err(Error::InvalidReply { operation, problem })
            }
        }
    }
}

/// Whether a part of the candidate configuration comes from a template of Panorama.
fn is_pushed(found: &Element) -> bool {
    let leaf = found.child("ssl-tls-service-profile").unwrap_or(found);
    leaf.attribute("src") == Some("tpl") || leaf.attribute("ptpl").is_some()
}

/// The management interface's profile in what Panorama has pushed.
fn pushed_profile_name(reply: &Reply) -> Result<Option<String>, ReplyError> {
    let told = reply.result().map(|result| result.child("config").unwrap_or(result));
    let system = told.and_then(|told| told.at(&["devices", "entry", "deviceconfig", "system"]));
    Ok(system.and_then(|system| system.text_of("ssl-tls-service-profile")).filter(|name| !name.is_empty()))
}

/// The text of the management interface's reference to its profile.
fn profile_name(found: &Element) -> Option<String> {
    let name = found.text_of("ssl-tls-service-profile").unwrap_or_else(|| found.text());
    Some(name).filter(|name| !name.is_empty())
}
