//! How a push stands with each firewall, as it is kept in a record.

use std::collections::BTreeSet;
use std::fmt;

use panos_xmlapi::Fingerprint;
use serde::{Deserialize, Serialize};

use super::limit::MaxFailures;
use super::plan::PushPlan;
use crate::error::Exit;
use crate::install::names::ObjectName;
use crate::install::problem::RetryClass;

/// The most characters of what a firewall says that are kept.
const WORDS: usize = 160;
/// Of how many firewalls words are kept: a record stays small whatever 5,000 of them say.
const TELLING: usize = 500;

/// A certificate that Panorama runs, and which firewalls have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushState {
    /// The certificate.
    pub certificate: Fingerprint,
    /// Its object.
    pub object: ObjectName,
    /// The template stacks that are pushed.
    pub stacks: Vec<String>,
    /// The serial numbers of the firewalls that were seen to have it.
    pub proven: BTreeSet<String>,
    /// Those that were not, and why.
    pub open: Vec<OpenDevice>,
}

/// A firewall that was not seen to have the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenDevice {
    /// Its serial number.
    pub serial: String,
    /// Its host name, where Panorama tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The template stack that it is in.
    pub stack: String,
    /// Why.
    pub standing: Standing,
}

/// Why a firewall is not known to have the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// It was not pushed there yet.
    Waiting,
    /// The configuration was sent there, and it is not known what became of it.
    Unconfirmed,
    /// The push has failed there.
    Failed {
        /// In the firewall's words.
        why: String,
    },
    /// It is not connected to Panorama.
    NotConnected {
        /// Whether it ever was, as far as Panorama tells.
        ever: bool,
        /// Whether the configuration was sent there before, with no word of what became of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sent: bool,
    },
    /// It has an object of its own in place of the template's.
    Overridden {
        /// Which.
        what: String,
    },
    /// The push has succeeded there, and something is missing all the same.
    NotProven {
        /// What.
        why: String,
    },
    /// The push has failed on too many others: it may have the certificate, which is to be taken back there.
    ToTakeBack {
        /// Why it was not yet.
        why: String,
    },
    /// It was taken back there: it presents what it did before.
    TakenBack,
}

impl Standing {
    /// The exit code that this alone would be.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Waiting | Self::Failed { .. } | Self::NotConnected { .. } => Exit::Commit,
            Self::ToTakeBack { .. } | Self::TakenBack => Exit::Commit,
            Self::Unconfirmed | Self::Overridden { .. } | Self::NotProven { .. } => Exit::Unproven,
        }
    }

    /// Who can mend it.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        match self {
            Self::Overridden { .. } => RetryClass::NeedsOperator,
            _ => RetryClass::Transient,
        }
    }

    /// In one word, for other programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Unconfirmed => "unconfirmed",
            Self::Failed { .. } => "failed",
            Self::NotConnected { .. } => "not-connected",
            Self::Overridden { .. } => "overridden",
            Self::NotProven { .. } => "not-proven",
            Self::ToTakeBack { .. } => "to-take-back",
            Self::TakenBack => "taken-back",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Waiting => "'pan_certctl retry' pushes it",
            Self::Unconfirmed => "it is looked at again by itself; see Tasks on the firewall",
            Self::Failed { .. } => "fix what the firewall complains of; it is pushed again by itself",
            Self::NotConnected { ever: true, .. } => {
                "connect the firewall to Panorama; it is pushed then by itself"
            }
            Self::NotConnected { ever: false, .. } => {
                "connect the firewall to Panorama, or take its serial number out of the stack; it is pushed then by itself"
            }
            Self::Overridden { .. } => {
                "delete the local object on the firewall, or revert it to the template's, and commit there"
            }
            Self::NotProven { .. } => "look at the template on the firewall; it is pushed again by itself",
            Self::ToTakeBack { .. } => {
                "what it presented before is pushed there by itself, once it is connected; take the serial number of one that is gone out of the stack"
            }
            Self::TakenBack => "once the others are fixed, 'pan_certctl retry --now' tries it again",
        }
    }

    /// What to do next where the push is left to a person: nothing is pushed by itself.
    #[must_use]
    pub fn advice_where_left(&self) -> &'static str {
        match self {
            Self::Overridden { .. } => self.advice(),
            Self::NotConnected { .. } => "connect the firewall to Panorama, and push it in Panorama then",
            _ => "push it in Panorama",
        }
    }

    pub(super) fn bounded(self) -> Self {
        let cut = |text: String| panos_xmlapi::words::cut(&text, WORDS).into_owned();
        match self {
            Self::Failed { why } => Self::Failed { why: cut(why) },
            Self::Overridden { what } => Self::Overridden { what: cut(what) },
            Self::NotProven { why } => Self::NotProven { why: cut(why) },
            Self::ToTakeBack { why } => Self::ToTakeBack { why: cut(why) },
            other => other,
        }
    }

    fn without_words(self) -> Self {
        match self {
            Self::Failed { .. } => Self::Failed { why: String::new() },
            Self::Overridden { .. } => Self::Overridden { what: String::new() },
            Self::NotProven { .. } => Self::NotProven { why: String::new() },
            Self::ToTakeBack { .. } => Self::ToTakeBack { why: String::new() },
            other => other,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |f: &mut fmt::Formatter<'_>, what: &str, words: &str| match words {
            "" => f.write_str(what),
            words => write!(f, "{what}: {words}"),
        };
        match self {
            Self::Waiting => f.write_str("not pushed yet"),
            Self::Unconfirmed => f.write_str("the configuration was sent, and its result is not known"),
            Self::Failed { why } => with(f, "the push failed", why),
            Self::NotConnected { ever: true, .. } => f.write_str("not connected to Panorama"),
            Self::NotConnected { ever: false, .. } => f.write_str("never connected to Panorama"),
            Self::Overridden { what } => with(f, "overridden on the device", what),
            Self::NotProven { why } => with(f, "pushed, but not proven", why),
            Self::ToTakeBack { why } => {
                with(f, "it may have the new certificate, which is to be taken back there", why)
            }
            Self::TakenBack => f.write_str("taken back: it presents what it did before"),
        }
    }
}

impl fmt::Display for OpenDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hostname {
            Some(hostname) => write!(f, "{} ({hostname}): {}", self.serial, self.standing),
            None => write!(f, "{}: {}", self.serial, self.standing),
        }
    }
}

impl PushState {
    /// What is planned, where nothing was pushed yet.
    #[must_use]
    pub fn planned(plan: &PushPlan, certificate: Fingerprint, object: &ObjectName) -> Self {
        let open = plan.stacks.iter().flat_map(|stack| {
            stack.serials.iter().map(|serial| OpenDevice {
                serial: serial.clone(),
                hostname: None,
                stack: stack.name.clone(),
                standing: Standing::Waiting,
            })
        });
        Self {
            certificate,
            object: object.clone(),
            stacks: plan.stacks.iter().map(|stack| stack.name.clone()).collect(),
            proven: BTreeSet::new(),
            open: open.collect(),
        }
    }

    /// The same with what an earlier run has found out, where that was about the same and did not end well.
    #[must_use]
    pub fn going_on_from(mut self, before: Option<&Self>) -> Self {
        let same = |before: &&Self| before.certificate == self.certificate && before.object == self.object;
        let Some(before) = before.filter(same).filter(|before| !before.is_complete()) else { return self };
        self.open.retain(|device| {
            !before.proven.contains(&device.serial) || {
                self.proven.insert(device.serial.clone());
                false
            }
        });
        for device in &mut self.open {
            if let Some(known) = before.open.iter().find(|known| known.serial == device.serial) {
                device.hostname.clone_from(&known.hostname);
                device.standing.clone_from(&known.standing);
            }
        }
        self
    }

    /// How many firewalls are to have it.
    #[must_use]
    pub fn total(&self) -> usize {
        self.proven.len() + self.open.len()
    }

    /// Whether all firewalls were seen to have it, and there is one.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.open.is_empty() && !self.proven.is_empty()
    }

    /// How it stands with one of them, from now on.
    pub(super) fn set(&mut self, serial: &str, standing: Option<Standing>) {
        match standing {
            None => {
                let before = self.open.len();
                self.open.retain(|device| device.serial != serial);
                if before != self.open.len() {
                    self.proven.insert(serial.to_owned());
                }
            }
            Some(standing) => {
                let standing = standing.bounded();
                let mut open = self.open.iter_mut().filter(|device| device.serial == serial);
                open.by_ref().for_each(|device| device.standing.clone_from(&standing));
            }
        }
    }

    /// Firewalls that are away now, and were seen to have the certificate when they were there, count as having it.
    pub fn excuse_absent(&mut self, before: &Self) {
        if before.certificate != self.certificate {
            return;
        }
        let is_away = |device: &OpenDevice| matches!(device.standing, Standing::NotConnected { .. });
        let excused =
            self.open.iter().filter(|device| is_away(device) && before.proven.contains(&device.serial));
        let excused: Vec<String> = excused.map(|device| device.serial.clone()).collect();
        excused.iter().for_each(|serial| self.set(serial, None));
    }

    /// As it is kept.
    #[must_use]
    pub(in crate::install) fn kept(&self) -> Self {
        let mut kept = self.clone();
        for device in kept.open.iter_mut().skip(TELLING) {
            device.standing = std::mem::replace(&mut device.standing, Standing::Waiting).without_words();
        }
        kept
    }
}

impl PushState {
    /// Whether the push has failed on more firewalls than this. Only a firewall's own `FAIL` counts, and of a share the
    /// firewalls that are not connected are no part.
    #[must_use]
    pub fn exceeds(&self, limit: MaxFailures) -> bool {
        limit.is_exceeded_by(self.failed(), self.reached())
    }

    /// On how many firewalls the push has failed, by their own word.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.open.iter().filter(|device| matches!(device.standing, Standing::Failed { .. })).count()
    }

    /// How many firewalls a push reaches: all but those that are not connected.
    #[must_use]
    pub fn reached(&self) -> usize {
        let is_away = |standing: &Standing| matches!(standing, Standing::NotConnected { .. });
        self.total() - self.open.iter().filter(|device| is_away(&device.standing)).count()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::plan::StackPlan;
    use super::*;

    fn planned(count: usize) -> PushState {
        let serials = (1..=count).map(|number| format!("0019000000{number:05}")).collect();
        let stacks = vec![StackPlan { name: "S".into(), serials, is_whole: true }];
        let plan = PushPlan { left_by: None, stacks };
        PushState::planned(&plan, Fingerprint::of_der(b"x"), &"vpn".parse().unwrap())
    }

    #[test]
    fn a_record_of_the_largest_fleet_stays_below_its_limit_whatever_the_firewalls_say() {
        let mut state = planned(5_000);
        for device in state.open.clone() {
            state.set(&device.serial, Some(Standing::Failed { why: "ä\"\n".repeat(10_000) }));
        }
        let text = serde_json::to_string_pretty(&state.kept()).unwrap();
        assert!(text.len() < 900_000, "{}", text.len());
        assert_eq!(serde_json::from_str::<PushState>(&text).unwrap(), state.kept());
    }

    #[test]
    fn a_run_goes_on_where_the_one_before_has_ended() {
        let mut before = planned(3);
        before.set("001900000000001", None);
        before.set("001900000000002", Some(Standing::Failed { why: "no".into() }));
        let now = planned(4).going_on_from(Some(&before));
        assert_eq!((now.proven.len(), now.open.len(), now.total()), (1, 3, 4));
        assert_eq!(now.open[0].standing, Standing::Failed { why: "no".into() });
        // What has ended well is looked at anew.
        for number in 2..=3 {
            before.set(&format!("0019000000{number:05}"), None);
        }
        assert!(before.is_complete());
        assert_eq!(planned(3).going_on_from(Some(&before)), planned(3));
        let other = PushState { certificate: Fingerprint::of_der(b"y"), ..before };
        assert_eq!(planned(3).going_on_from(Some(&other)), planned(3));
    }
}
