//! What became of a run of the scripts that came before: they wrote the same end whatever the device had said.

use super::RunOutcome;

/// The most characters that are kept of one answer.
const LIMIT: usize = 2000;
/// How a device says that a commit went well, or had nothing to do.
const COMMITTED: [&str; 3] =
    ["configuration committed successfully", "no changes to commit", "no edits have been made"];
/// And how that it did not, in what the scripts called a success.
const NOT_COMMITTED: [&str; 4] = ["error", "invalid", "fail", "denied"];

/// What a device has said on the way.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    speaking: Option<Speech>,
    /// The first upload that was not a success.
    refused: Option<String>,
    /// An upload that was answered with nothing at all.
    unclear_upload: bool,
    commit: Option<String>,
}

/// An answer that may go on in the next line.
#[derive(Debug)]
struct Speech {
    is_commit: bool,
    text: String,
}

impl Outcome {
    pub(super) fn upload(&mut self, said: String) {
        self.speaking = Some(Speech { is_commit: false, text: said });
    }

    pub(super) fn commit(&mut self, said: String) {
        self.speaking = Some(Speech { is_commit: true, text: said });
    }

    /// The answer goes on.
    pub(super) fn more(&mut self, text: &str) {
        if let Some(speech) = self.speaking.as_mut().filter(|speech| speech.text.len() < LIMIT) {
            speech.text.push(' ');
            speech.text.extend(text.trim().chars().take(LIMIT));
        }
    }

    /// The next line is another one.
    pub(super) fn is_over(&mut self) {
        match self.speaking.take() {
            Some(Speech { is_commit: true, text }) => self.commit = Some(text),
            Some(Speech { text, .. }) if text.trim().is_empty() => self.unclear_upload = true,
            Some(Speech { text, .. }) if !is_success(&text) => {
                self.refused.get_or_insert(text);
            }
            _ => {}
        }
    }

    /// How the run ended, given what it called an error itself.
    pub(super) fn ending(mut self, problem: Option<String>) -> RunOutcome {
        self.is_over();
        if let Some(said) = self.refused {
            return RunOutcome::Failed(format!("the upload was refused: {}", without_tags(&said)));
        }
        if let Some(problem) = problem {
            return RunOutcome::Failed(problem);
        }
        let Some(said) = self.commit else { return RunOutcome::Unknown };
        let lower = said.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|words| lower.contains(words));
        // `commit: success: "…"` is what was made of each answer of the device, that of a failed job included.
        let failed = !lower.starts_with("success") && !lower.starts_with("nothing to commit");
        if failed || (!has(&COMMITTED) && has(&NOT_COMMITTED)) {
            let said = said.strip_prefix("success: ").unwrap_or(&said).trim_matches('"');
            return RunOutcome::Failed(format!("the commit failed: {said}"));
        }
        let done = has(&COMMITTED) || lower.starts_with("nothing to commit");
        if done && !self.unclear_upload { RunOutcome::Done } else { RunOutcome::Unknown }
    }
}

/// Whether a reply of the XML API says so, with whichever quotes and blanks.
fn is_success(said: &str) -> bool {
    let Some((_, after)) = said.split_once("<response") else { return false };
    let head = after.split('>').next().unwrap_or_default();
    let plain: String = head.chars().filter(|c| !c.is_whitespace()).collect();
    plain.replace('\'', "\"").contains("status=\"success\"")
}

/// The texts of a reply, or of a page.
fn without_tags(said: &str) -> String {
    let mut texts = String::new();
    for piece in said.split('<') {
        let text = piece.split_once('>').map_or(piece, |(_, text)| text).trim();
        if !text.is_empty() {
            if !texts.is_empty() {
                texts.push(' ');
            }
            texts.push_str(text);
        }
    }
    if texts.is_empty() { said.to_owned() } else { texts }
}
