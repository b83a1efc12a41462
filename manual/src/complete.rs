//! What the completions offer beside options: names that are known on the machine, and files only where a file is meant.

/// The options that name a file or a directory.
const FILES: [&str; 14] = [
    "--key-file",
    "-k",
    "--cert-dir",
    "-C",
    "--key-dir",
    "-K",
    "--cert-file",
    "--cert-key",
    "--chain",
    "--ca-file",
    "--config",
    "--log-file",
    "--state-dir",
    "--prometheus",
];
/// The options that name something known, and its kind.
const KNOWN: [(&str, &str); 11] = [
    ("--group", "groups"),
    ("--target", "targets"),
    ("--device", "devices"),
    ("--ha-peer", "devices"),
    ("--common-name", "certificates"),
    ("--cert", "certificates"),
    ("-c", "certificates"),
    ("--profile", "profiles"),
    ("-p", "profiles"),
    ("--secondary-profile", "profiles"),
    ("-s", "profiles"),
];
/// What is meant by words that belong to no option, by the program or the verb of `pan_certctl`.
const MEANT: [(&str, &str); 12] = [
    ("pan_getcert", "devices"),
    ("pan_instcert", "devices"),
    ("check", "devices"),
    ("inventory", "devices"),
    ("keygen", "devices"),
    ("pin", "devices"),
    ("unpin", "devices"),
    ("prove", "devices"),
    ("show", "certificates"),
    ("renew", "certificates"),
    ("forget", "certificates"),
    ("adopt", "certificates"),
];
/// The program with verbs.
const WITH_VERBS: &str = "pan_certctl";
/// What clap's text offers for every value.
const ANY_FILE: &str = r#"COMPREPLY=($(compgen -f "${cur}"))"#;

/// A list of names that a shell asks for when somebody completes.
fn list(kind: &str) -> String {
    format!("$({})", command(kind))
}

fn command(kind: &str) -> String {
    format!("pan_certctl list-devices --names {kind} 2>/dev/null")
}

/// The kind of what an option or a section means.
fn kind(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

/// clap's completion for bash with names and files in their places.
pub(crate) fn bash(text: &str) -> String {
    let (mut option, mut meant) = (String::new(), None);
    let mut lines = Vec::new();
    for line in text.lines() {
        let word = line.trim();
        if word.starts_with('-') && word.ends_with(')') {
            option = word.trim_end_matches(')').to_owned();
        }
        // The section of a program or of one of its verbs.
        if let Some(name) = word.strip_suffix(')').filter(|name| name.starts_with("pan_")) {
            let verb = name.strip_prefix("pan_certctl__subcmd__").unwrap_or(name);
            meant = kind(&MEANT, verb).map(list);
        }
        let opts = word.strip_prefix("opts=\"").and_then(|rest| rest.strip_suffix('"'));
        if let (Some(opts), Some(list)) = (opts, &meant) {
            lines.push(format!("            opts=\"{opts} {list}\""));
            continue;
        }
        let known = kind(&KNOWN, &option);
        lines.push(match known {
            _ if !line.contains(ANY_FILE) || FILES.contains(&option.as_str()) => line.to_owned(),
            Some(kind) => {
                let words = format!(
                    r#"mapfile -t COMPREPLY < <(IFS=$'\n'; compgen -W "{}" -- "${{cur}}"); COMPREPLY=("${{COMPREPLY[@]// /\\ }}")"#,
                    list(kind)
                );
                line.replace(ANY_FILE, &words)
            }
            None => line.replace(ANY_FILE, "COMPREPLY=()"),
        });
    }
    lines.join("\n") + "\n"
}

/// The same for zsh: clap's text has an option or a word a line, the verb's name before its own.
pub(crate) fn zsh(text: &str, program: &str) -> String {
    const ANYTHING: &str = ":_default' \\";
    let mut section = if program == WITH_VERBS { "" } else { program };
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(verb) = line.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            section = verb;
        }
        let Some(spec) = line.strip_suffix(ANYTHING) else {
            lines.push(line.to_owned());
            continue;
        };
        let known = match option_of(spec) {
            Some(option) if FILES.contains(&option) => {
                lines.push(line.to_owned());
                continue;
            }
            Some(option) => kind(&KNOWN, option),
            None => kind(&MEANT, section),
        };
        // A blank in front: nothing is added to the words of the function.
        let action = known.map_or_else(|| " ".to_owned(), |kind| format!(" _{program}_known {kind}"));
        // A colon in a value's name would end it.
        let spec = spec.replace(":HOST:PORT", ":HOST\\:PORT");
        lines.push(format!("{spec}:{action}' \\"));
    }
    let known = format!("_{program}_known() {{\n    compadd -- ${{(f)\"{}\"}}\n}}", list("$1"));
    lines.insert(1, format!("\n{known}"));
    lines.join("\n") + "\n"
}

/// The option that a line of clap's text for zsh is about; nothing for a word.
fn option_of(spec: &str) -> Option<&str> {
    let spec = spec.trim_start_matches('\'');
    // Behind the options that it excludes.
    let spec = if spec.starts_with('(') { spec.split_once(')')?.1 } else { spec };
    let spec = spec.trim_start_matches('*');
    let end = spec.find(['=', '+', '['])?;
    Some(&spec[..end]).filter(|option| option.starts_with('-'))
}

/// The same for fish: clap's text has an option a line, and files for whatever has a value.
pub(crate) fn fish(text: &str, program: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for line in lines.iter_mut().filter(|line| line.starts_with("complete ") && line.ends_with(" -r")) {
        let option = line.split(" -l ").nth(1).and_then(|rest| rest.split(' ').next());
        let option = option.map(|option| format!("--{option}")).unwrap_or_default();
        if FILES.contains(&option.as_str()) {
            line.push_str(" -F");
        } else if let Some(kind) = kind(&KNOWN, &option) {
            line.push_str(&format!(" -f -a \"({})\"", command(kind)));
        } else {
            line.push_str(" -f");
        }
    }
    // A file is offered where one was said to be meant.
    lines.push(format!("complete -c {program} -f"));
    if let Some(kind) = kind(&MEANT, program) {
        lines.push(format!("complete -c {program} -f -a \"({})\"", command(kind)));
    }
    if program == WITH_VERBS {
        for (verb, kind) in MEANT.iter().filter(|(verb, _)| !verb.starts_with("pan_")) {
            let when = format!("-n \"__fish_{program}_using_subcommand {verb}\"");
            lines.push(format!("complete -c {program} {when} -f -a \"({})\"", command(kind)));
        }
    }
    lines.join("\n") + "\n"
}
