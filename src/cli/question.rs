//! A question to whoever runs the program.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

/// The most that is read of an answer, in bytes.
const LONGEST: u64 = 64;

/// Whether the answer is yes. The question goes to standard error, so that what is piped stays clean, and is not
/// written where the answer comes from no terminal.
///
/// # Errors
/// Standard input can't be read.
pub fn agreed(question: &str) -> io::Result<bool> {
    if io::stdin().is_terminal() {
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
    }
    let mut answer = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
