//! One voice: what stands behind the program's name begins as in the middle of a sentence, and a hint has no full stop
//! at its end. Read from the sources, so that a message that is new is looked at too.

/// What a text says, and where it stands.
#[derive(Debug)]
struct Said {
    place: String,
    text: String,
}

/// Words that begin with a capital wherever they stand.
const NAMES: [&str; 4] = ["Panorama", "Kerberos", "Config", "Device"];

/// What is wrong with a text, if anything is.
fn fault(text: &str) -> Option<&'static str> {
    let first: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric()).collect();
    let mut letters = first.chars();
    let begins = letters.next().is_some_and(char::is_uppercase)
        && letters.all(char::is_lowercase)
        && !(first.len() == 1 && text.trim_start()[1..].starts_with('-'));
    if begins && !NAMES.contains(&first.as_str()) {
        return Some("begins with a capital letter");
    }
    let end = text.trim_end();
    (end.ends_with('.') && !end.ends_with("..")).then_some("ends with a full stop")
}

/// What begins a message, up to the bracket that ends it.
const BEGINNINGS: [&str; 10] = [
    "#[error(",
    ".advise(",
    "Advice::Hint(",
    " hint(",
    "report::note(",
    "report::problem(",
    "report::problem_with_advice(",
    "advice: Some(",
    "advice = Some(",
    "with_advice(",
];

/// All messages in a file: of error types, and what is advised.
fn messages(path: &std::path::Path, text: &str) -> Vec<Said> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut take = |at: usize, body: &str| {
        let line = text[..at].matches('\n').count() + 1;
        let place = format!("{}:{line}", path.display());
        found.extend(literals(body).into_iter().map(|text| Said { place: place.clone(), text }));
    };
    for beginning in BEGINNINGS {
        for (at, _) in text.match_indices(beginning) {
            let from = at + beginning.len() - 1;
            take(at, enclosed(&text[from..], '(', ')'));
        }
    }
    for name in ["fn advice", "fn explanation", "fn instead_of"] {
        for (at, _) in text.match_indices(name) {
            let Some(brace) = text[at..].find("{\n") else { continue };
            take(at, enclosed(&text[at + brace..], '{', '}'));
        }
    }
    found
}

/// From the first bracket to the one that ends it; brackets in texts don't count.
fn enclosed(text: &str, open: char, close: char) -> &str {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == open && !quoted => depth += 1,
            c if c == close && !quoted => {
                depth -= 1;
                if depth == 0 {
                    return &text[..at];
                }
            }
            _ => {}
        }
    }
    text
}

/// The texts in a piece of code that are said to somebody: those with a blank.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut current, mut escaped) = (Vec::new(), None::<String>, false);
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for c in line.chars().chain(['\n']) {
            match (&mut current, c) {
                (Some(text), c) if escaped => {
                    text.push(c);
                    escaped = false;
                }
                (Some(_), '\\') => escaped = true,
                (Some(_), '"') => found.extend(current.take()),
                (Some(text), c) => text.push(c),
                (None, '"') => current = Some(String::new()),
                (None, _) => {}
            }
        }
    }
    found.retain(|text: &String| text.trim().contains(' '));
    found
}

#[test]
fn every_message_and_every_hint_has_the_one_voice() {
    let mut count = 0;
    let mut faults = Vec::new();
    for (path, text) in [super::sources("src"), super::sources("panos-xmlapi/src")].concat() {
        for Said { place, text } in messages(&path, &text) {
            count += 1;
            faults.extend(fault(&text).map(|fault| format!("{place}: {fault}: {text}")));
        }
    }
    assert!(count > 300, "few messages are seen: {count}");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_check_sees_what_it_is_to_see() {
    for bad in ["Check the name", "Run it again.", "A person commits", "see the log."] {
        assert!(fault(bad).is_some(), "{bad}");
    }
    for good in
        ["check the name", "PAN-OS says no", "FreeIPA is away", "IPA has none", "Panorama pushes it", "{0}"]
    {
        assert_eq!(fault(good), None, "{good}");
    }
    let code = "fn advice(&self) -> String {\n    // \"Not This one.\"\n    \"Do this, (really).\".to_owned()\n}\n#[error(\"It is so: {0}\")]";
    let seen: Vec<String> =
        messages(std::path::Path::new("x.rs"), code).into_iter().map(|said| said.text).collect();
    assert_eq!(seen, ["It is so: {0}", "Do this, (really)."]);
}

#[test]
fn nothing_is_written_to_standard_error_past_the_one_who_puts_the_name_before_it() {
    // Questions to a person, and the log's own lines with -v.
    let others = ["cli/question.rs", "host/log.rs", "cli/report.rs"];
    let mut seen = 0;
    for (path, text) in super::sources("src") {
        let writes = text.contains("stderr().lock()") || text.contains("Term::stderr().write");
        seen += usize::from(writes);
        let path = path.to_str().unwrap();
        assert!(!writes || others.iter().any(|other| path.ends_with(other)), "{path} writes for itself");
    }
    assert_eq!(seen, others.len());
}
