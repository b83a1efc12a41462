//! Misbehaviour on demand: which requests a fault strikes, and what happens to them.

use std::time::Duration;

/// A fault to inject with [`Simulator::inject`](crate::Simulator::inject).
///
/// ```
/// use panos_sim::{Fault, Matcher, What, When};
/// let lost_reply = Fault::new(When::request(Matcher::typed("import")), What::Close).after_effect();
/// let flaky = Fault::new(When::Chance { probability: 0.1, seed: 7 }, What::Status(502)).times(3);
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    /// Which requests it strikes.
    pub when: When,
    /// What happens to them.
    pub what: What,
    /// Whether the device still does what the request asked for.
    pub effect: Effect,
    /// How often it strikes before it is spent.
    pub times: u32,
}

impl Fault {
    /// A fault that strikes once, before the request has any effect.
    pub fn new(when: When, what: What) -> Self {
        Self { when, what, effect: Effect::None, times: 1 }
    }

    /// The device does what was asked; only the reply is spoilt.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.effect = Effect::Done;
        self
    }

    /// Strikes this often; `u32::MAX` is as good as for ever.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// Whether a request that a fault strikes is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// No: it is as if it had never arrived.
    None,
    /// Yes; then the fault spoils the reply.
    Done,
}

/// Which requests a fault strikes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum When {
    /// The n-th request after the injection, counting from 1, and those that follow it while the
    /// fault still has times left.
    Nth(u64),
    /// The n-th (counting from 1) and later of the requests that match.
    Matching {
        /// Which ones count.
        matcher: Matcher,
        /// From which of them on.
        nth: u64,
    },
    /// Every request, each with this probability; the seed makes it repeatable.
    Chance {
        /// From 0.0 to 1.0.
        probability: f64,
        /// Start of the sequence.
        seed: u64,
    },
    /// Every request.
    Always,
}

impl When {
    /// The first request that matches.
    pub fn request(matcher: Matcher) -> Self {
        Self::Matching { matcher, nth: 1 }
    }
}

/// A pattern for requests: every field that is set must agree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matcher {
    /// `type` parameter, exactly.
    pub r#type: Option<String>,
    /// `action` parameter, exactly.
    pub action: Option<String>,
    /// A part of the `cmd` parameter.
    pub cmd: Option<String>,
    /// A part of the `xpath` parameter.
    pub xpath: Option<String>,
    /// The `xpath` parameter, exactly.
    pub whole_xpath: Option<String>,
    /// `category` parameter, exactly.
    pub category: Option<String>,
}

impl Matcher {
    /// Requests of this `type`.
    pub fn typed(r#type: &str) -> Self {
        Self { r#type: Some(r#type.into()), ..Self::default() }
    }

    /// … with this `action`.
    #[must_use]
    pub fn action(mut self, action: &str) -> Self {
        self.action = Some(action.into());
        self
    }

    /// … whose `cmd` contains this.
    #[must_use]
    pub fn cmd(mut self, part: &str) -> Self {
        self.cmd = Some(part.into());
        self
    }

    /// … whose `xpath` contains this.
    #[must_use]
    pub fn xpath(mut self, part: &str) -> Self {
        self.xpath = Some(part.into());
        self
    }

    /// … whose `xpath` is this.
    #[must_use]
    pub fn xpath_is(mut self, path: &str) -> Self {
        self.whole_xpath = Some(path.into());
        self
    }

    /// … with this `category`.
    #[must_use]
    pub fn category(mut self, category: &str) -> Self {
        self.category = Some(category.into());
        self
    }
}

/// What happens to a request that a fault strikes.
///
/// The first group spoils the reply. The second group changes the device. Of these, `Reboot` ends
/// the connection, and whether the request was carried out before that is the fault's effect. The
/// others carry the request out in any case: their effect says whether they come before it
/// (`Effect::None`) or after it (`Effect::Done`); `SwapCertificate` then closes the connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum What {
    /// The connection is closed without a reply.
    Close,
    /// An HTTP status with a small HTML body, as a proxy or a web server in trouble sends it.
    Status(u16),
    /// HTTP 403 with the device's `Invalid Credential` body.
    Forbidden,
    /// HTTP 200 with this content type and body.
    Body {
        /// `Content-Type`.
        content_type: String,
        /// The body's bytes.
        body: Vec<u8>,
    },
    /// This HTTP status with an XML body.
    Answer {
        /// HTTP status.
        status: u16,
        /// The body's bytes.
        body: Vec<u8>,
    },
    /// Bytes that are no HTTP at all.
    Garbage,
    /// HTTP 200 with an HTML page.
    Html,
    /// The real reply, cut off in its middle; the HTTP framing is right.
    TruncatedXml,
    /// The real reply's head, then the connection ends in the middle of the body.
    TruncatedBody,
    /// An XML reply with nested entities in a DOCTYPE.
    DoctypeBomb,
    /// A well-formed XML reply of about this many bytes.
    Huge(usize),
    /// No answer, ever; the connection stays open.
    Silence,
    /// The reply, one byte at a time, with this pause before each.
    Drip(Duration),
    /// A redirect (302, 307 …) to this URL.
    Redirect {
        /// HTTP status.
        status: u16,
        /// `Location` header.
        location: String,
    },
    /// A refusal of the device's own kind, with this text, which may be one that it says only in a situation that this
    /// device does not get into: `Timed out while getting config lock. Please try again.`
    Refused {
        /// HTTP status; 400 and 403 come in the style of credentials, all else in lines.
        status: u16,
        /// `code` of the envelope.
        code: Option<u16>,
        /// The text.
        text: String,
    },
    /// `Session timed out`, code 22.
    SessionTimedOut,

    /// From now on and for this long every credential is refused.
    InvalidCredentials(Duration),
    /// Connections from the next on are shown another (fresh, self-signed) certificate.
    SwapCertificate,
    /// The device forgets all its jobs. A running one never ends.
    ForgetJobs,
    /// The device restarts: connections drop, the port is closed, jobs are lost; then an
    /// auto-commit runs, and until its end `chassis-ready` is `no`.
    Reboot {
        /// How long the port refuses connections.
        outage: Duration,
        /// Whether the candidate configuration survives; else it is the running one again.
        keeps_candidate: bool,
    },
    /// The other device of the pair becomes the active one.
    Failover,
}

/// What the service port does with new connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Serving {
    /// Shows what the served profile is bound to in the running configuration.
    #[default]
    Normal,
    /// Goes on showing what it shows at this moment, whatever is committed.
    Stuck,
    /// As `Normal`, but the service does not come up with the certificate of this fingerprint
    /// (SHA-256, lower-case hexadecimal).
    Without(String),
}

/// What the API port does with new connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listening {
    /// Accepts and serves them.
    #[default]
    Normal,
    /// Refuses them (the port is closed); open ones are dropped.
    Refused,
    /// Accepts TCP and never says a word of TLS; open ones are dropped.
    Silent,
}

/// What a push from a Panorama comes to on one of its firewalls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushOutcome {
    /// What the firewall makes of it.
    #[default]
    Normal,
    /// It fails there with these lines, and the job with it.
    Fails(Vec<String>),
    /// The same, while the job as a whole is called a success.
    FailsQuietly(Vec<String>),
    /// The job is over, and this firewall's part still pending (`config sent to device`), for ever.
    StaysPending,
    /// The same, and so long after the job it arrives.
    Late(Duration),
}
