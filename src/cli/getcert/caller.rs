//! Who makes a request: `pan_getcert`, or a verb of `pan_certctl` that does the same with what is remembered.

use crate::text::shell_words;

/// The program that was called, as it stands before what is printed and in commands that are proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Caller {
    /// The program's name.
    pub name: &'static str,
    /// Its verb, whose work it is to ask for a new certificate.
    pub verb: Option<&'static str>,
}

impl Caller {
    /// The command line as it was typed, with `--resubmit` or `--rekey`.
    pub(super) fn typed_with(self, option: &str) -> String {
        self.with(option, std::env::args().skip(1))
    }

    fn with(self, option: &str, typed: impl Iterator<Item = String>) -> String {
        let mut words = vec![self.name.to_owned()];
        words.extend(self.verb.map(str::to_owned));
        if self.verb.is_none() || option != "--resubmit" {
            words.push(option.to_owned());
        }
        let typed = typed.filter(|word| !["--resubmit", "--rekey"].contains(&word.as_str()));
        let mut verb = self.verb;
        // Only the first one is the verb: a certificate may have its name.
        let typed = typed.filter(|word| verb.take_if(|verb| *verb == word).is_none());
        words.extend(typed);
        shell_words(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(caller: Caller, option: &str, words: &[&str]) -> String {
        caller.with(option, words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn the_command_that_helps_is_one_of_the_program_that_was_called() {
        let request = Caller { name: "pan_getcert", verb: None };
        let words = ["-c", "gp.example.com", "-p", "GP portal", "--resubmit", "fw1"];
        let expected = "pan_getcert --rekey -c gp.example.com -p 'GP portal' fw1";
        assert_eq!(typed(request, "--rekey", &words), expected);
        let renewal = Caller { name: "pan_certctl", verb: Some("renew") };
        assert_eq!(
            typed(renewal, "--rekey", &["-v", "renew", "renew"]),
            "pan_certctl renew --rekey -v renew"
        );
        assert_eq!(typed(renewal, "--resubmit", &["renew", "gp"]), "pan_certctl renew gp");
    }
}
