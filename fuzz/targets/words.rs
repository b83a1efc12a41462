//! What we quote for others: names in paths of the configuration, and words in certmonger's post-save command.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pancert::host::certmonger::post_save_command;
use panos_xmlapi::Location;
use std::path::Path;

fuzz_target!(|words: Vec<&str>| {
    let program = Path::new("/usr/bin/pan_instcert");
    if let Ok(command) = post_save_command(program, &words) {
        let mut wanted = vec!["/usr/bin/pan_instcert".to_owned()];
        wanted.extend(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(split(&command), Some(wanted), "{command:?}");
        assert!(!command.contains(char::is_control));
    }
    for name in &words {
        for place in [Location::Shared, Location::Panorama] {
            let base = place.base();
            if let Ok(path) = place.certificate(name) {
                let step = path.as_str().strip_prefix(base.as_str()).expect("it begins with its place");
                assert_eq!(entry(step, "/certificate/entry[@name="), Some(*name), "{path}");
            }
            if let Ok(path) = place.profile(name) {
                let step = path.as_str().strip_prefix(base.as_str()).expect("it begins with its place");
                assert_eq!(entry(step, "/ssl-tls-service-profile/entry[@name="), Some(*name), "{path}");
            }
        }
    }
});

/// The name in a step, as XPath reads it: all up to the next quote of the kind that opened it, and nothing behind.
fn entry<'a>(step: &'a str, before: &str) -> Option<&'a str> {
    let quoted = step.strip_prefix(before)?;
    let quote = quoted.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let (name, rest) = quoted[1..].split_once(quote)?;
    (rest == "]").then_some(name)
}

/// certmonger's splitter, as docs and source tell it: a backslash counts outside of quotes only; a pair of quotes keeps
/// what stands between; words that come out empty are dropped.
fn split(command: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut open: Option<char> = None;
    let mut escaped = false;
    for c in command.chars() {
        match (open, c) {
            (Some(quote), c) if c == quote => open = None,
            (Some(_), c) => words.last_mut()?.push(c),
            (None, '\'' | '"' | '\\') if escaped => {
                escaped = false;
                words.last_mut()?.push(c);
            }
            (None, '\'' | '"') => open = Some(c),
            (None, '\\') => escaped = true,
            (None, ' ' | '\t' | '\r' | '\n') if !escaped => words.push(String::new()),
            (None, c) => {
                escaped = escaped && !matches!(c, ' ' | '\t' | '\r' | '\n');
                words.last_mut()?.push(c);
            }
        }
    }
    words.retain(|word| !word.is_empty());
    (open.is_none() && !escaped).then_some(words)
}
