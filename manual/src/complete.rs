//! What the completion for bash offers beside options: names that are known on the machine, and files only where a file
//! is meant.

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
/// What is meant by words that belong to no option, by the section of the completion.
const MEANT: [(&str, &str); 12] = [
    ("pan_getcert", "devices"),
    ("pan_instcert", "devices"),
    ("pan_certctl__subcmd__check", "devices"),
    ("pan_certctl__subcmd__inventory", "devices"),
    ("pan_certctl__subcmd__keygen", "devices"),
    ("pan_certctl__subcmd__pin", "devices"),
    ("pan_certctl__subcmd__unpin", "devices"),
    ("pan_certctl__subcmd__prove", "devices"),
    ("pan_certctl__subcmd__show", "certificates"),
    ("pan_certctl__subcmd__renew", "certificates"),
    ("pan_certctl__subcmd__forget", "certificates"),
    ("pan_certctl__subcmd__adopt", "certificates"),
];
/// What clap's text offers for every value.
const ANY_FILE: &str = r#"COMPREPLY=($(compgen -f "${cur}"))"#;

/// A list of names that a shell asks for when somebody completes.
fn list(kind: &str) -> String {
    format!("$(pan_certctl list-devices --names {kind} 2>/dev/null)")
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
            meant = MEANT.iter().find(|(section, _)| *section == name).map(|(_, kind)| list(kind));
        }
        let opts = word.strip_prefix("opts=\"").and_then(|rest| rest.strip_suffix('"'));
        if let (Some(opts), Some(list)) = (opts, &meant) {
            lines.push(format!("            opts=\"{opts} {list}\""));
            continue;
        }
        let known = KNOWN.iter().find(|(name, _)| *name == option);
        lines.push(match known {
            _ if !line.contains(ANY_FILE) || FILES.contains(&option.as_str()) => line.to_owned(),
            Some((_, kind)) => {
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
