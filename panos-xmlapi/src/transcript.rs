//! What a session has asked and was answered, for whoever wants to keep it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::RequestBuilder;

use super::error::Error;
use super::operation::Operation;
use super::session::Session;
use super::transport::Answer;

/// A request and its answer. The API key is in neither: it travels in a header, and is taken out of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// The fields of the request. Of an upload there are no passphrase and no file.
    pub request: Vec<(String, String)>,
    /// The HTTP status and the body; or why there is none.
    pub answer: Result<(u16, String), String>,
}

/// A transcript, shared by its clones.
///
/// Answers are kept as they came: encrypted private keys, names and addresses are in them.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    asking: Vec<(String, String)>,
    exchanged: Vec<Exchanged>,
}

/// The most exchanges that are kept.
const LIMIT: usize = 1_000;

impl Transcript {
    /// All of it, in its order.
    #[must_use]
    pub fn exchanged(&self) -> Vec<Exchanged> {
        self.noted().exchanged.clone()
    }

    /// What is asked next.
    pub(super) fn asking(&self, fields: &[(&str, &str)]) {
        self.noted().asking =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }

    /// How that was answered.
    pub(super) fn answered(&self, outcome: &Result<Answer, Error>) {
        let answer = match outcome {
            Ok(answer) => Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned())),
            Err(error) => Err(error.to_string()),
        };
        let mut noted = self.noted();
        if noted.exchanged.len() < LIMIT {
            let request = noted.asking.clone();
            noted.exchanged.push(Exchanged { request, answer });
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// The same session, with all that it asks and is answered noted in a transcript. One request at a time.
    #[must_use]
    pub fn noting(&self, transcript: &Transcript) -> Self {
        let mut session = self.clone();
        session.transcript = Some(transcript.clone());
        session
    }

    /// The same session, with nothing of what it asks noted.
    #[must_use]
    pub fn unnoted(&self) -> Self {
        let mut session = self.clone();
        session.transcript = None;
        session
    }

    /// For the transcript: what is asked next.
    pub(super) fn asking(&self, fields: &[(&str, &str)]) {
        self.transcript.iter().for_each(|transcript| transcript.asking(fields));
    }

    pub(super) async fn send(&self, operation: Operation, request: RequestBuilder) -> Result<Answer, Error> {
        // Kilobytes that whoever waits for a job does not need.
        let answer = Box::pin(self.transport.send(operation, request)).await;
        self.transcript.iter().for_each(|transcript| transcript.answered(&answer));
        answer
    }
}

/// Answers may hold what is not for logs.
impl std::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transcript of {} requests", self.noted().exchanged.len())
    }
}
