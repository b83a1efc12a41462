//! What the states of a certmonger request mean for whoever waits for a certificate.

use std::fmt;

/// The state of a request in certmonger's own word, such as `MONITORING`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(String);

/// What a state means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// There is a certificate and certmonger watches it. Not always a new one: after a refused renewal
    /// the old one is watched on, and only `ca-error` and the certificate itself tell.
    Done,
    /// The certificate is in place and the post-save command runs.
    Saving,
    /// certmonger is at it.
    Working,
    /// The CA can't be reached; certmonger tries again by itself.
    Unreachable,
    /// The CA refused. Nothing more happens by itself.
    Rejected,
    /// Nothing happens until a person has done something about this.
    NeedsPerson(&'static str),
}

impl State {
    /// A state by certmonger's word for it.
    pub fn new(word: &str) -> Self {
        Self(word.to_owned())
    }

    /// certmonger's word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the state means; `stuck` is certmonger's own opinion of the request.
    pub fn phase(&self, stuck: bool) -> Phase {
        match self.0.as_str() {
            "MONITORING" => Phase::Done,
            "POST_SAVED_CERT" => Phase::Saving,
            "CA_REJECTED" => Phase::Rejected,
            "CA_UNREACHABLE" => Phase::Unreachable,
            "CA_UNCONFIGURED" => Phase::NeedsPerson("certmonger's set-up for this CA is not complete"),
            "NEED_CA" => Phase::NeedsPerson("certmonger knows no CA of this name"),
            "NEED_GUIDANCE" => Phase::NeedsPerson("certmonger does not know what to do next"),
            "NEED_SCEP_ENCRYPTION_CERT" | "NEED_SCEP_RSA_CLIENT_KEY" => {
                Phase::NeedsPerson("certmonger lacks a certificate or key for talking to the SCEP server")
            }
            "INVALID" => Phase::NeedsPerson("certmonger calls the request invalid"),
            word if word.contains("NEED_") && word.ends_with("_PIN") => {
                Phase::NeedsPerson("certmonger needs the passphrase of the key or of its store")
            }
            word if word.contains("NEED_") && word.ends_with("_TOKEN") => {
                Phase::NeedsPerson("certmonger misses the token that holds the key or certificate")
            }
            word if word.contains("NEED_") && word.ends_with("_PERMS") => {
                Phase::NeedsPerson("certmonger is not permitted to write the key or certificate file")
            }
            _ if stuck => Phase::NeedsPerson("certmonger says that the request is stuck"),
            _ => Phase::Working,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(word: &str) -> Phase {
        State::new(word).phase(false)
    }

    #[test]
    fn a_good_run_is_working_until_it_is_saved_and_done() {
        for word in
            ["NEWLY_ADDED", "GENERATING_KEY_PAIR", "NEED_KEY_PAIR", "HAVE_CSR", "SUBMITTING", "CA_WORKING"]
        {
            assert_eq!(phase(word), Phase::Working, "{word}");
        }
        for word in ["NEED_TO_SAVE_CERT", "PRE_SAVE_CERT", "NEED_TO_READ_CERT", "NEED_REKEY", "SOMETHING_NEW"]
        {
            assert_eq!(phase(word), Phase::Working, "{word}");
        }
        assert_eq!(phase("POST_SAVED_CERT"), Phase::Saving);
        assert_eq!(phase("MONITORING"), Phase::Done);
    }

    #[test]
    fn the_ca_may_refuse_or_be_away() {
        assert_eq!(phase("CA_REJECTED"), Phase::Rejected);
        assert_eq!(State::new("CA_REJECTED").phase(true), Phase::Rejected);
        // Older releases call this stuck although they go on trying.
        assert_eq!(State::new("CA_UNREACHABLE").phase(true), Phase::Unreachable);
    }

    #[test]
    fn a_person_is_needed_where_certmonger_waits_for_one() {
        for word in [
            "CA_UNCONFIGURED",
            "NEED_GUIDANCE",
            "NEED_CA",
            "NEED_KEY_GEN_PERMS",
            "NEED_CERTSAVE_TOKEN",
            "NEWLY_ADDED_NEED_KEYINFO_READ_PIN",
            "NEED_ONLY_CA_CERT_SAVE_PERMS",
            "NEED_SCEP_RSA_CLIENT_KEY",
        ] {
            assert!(matches!(phase(word), Phase::NeedsPerson(_)), "{word}");
        }
        assert!(matches!(State::new("SOMETHING_NEW").phase(true), Phase::NeedsPerson(_)));
    }
}
