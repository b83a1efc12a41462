//! What is written, read with the programs that will read it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use pancert::cli::{certctl, getcert, installer};
use tempfile::TempDir;

const PROGRAMS: [&str; 3] = ["pan_getcert", "pan_instcert", "pan_certctl"];

fn written() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manual = env!("CARGO_BIN_EXE_manual");
    assert!(Command::new(manual).arg(folder.path()).status().unwrap().success());
    folder
}

/// Runs a program of the distribution, and returns what it printed.
#[track_caller]
fn run(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: run make dependencies"));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    let (told, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && errors.is_empty(), "{}: {told}{errors}", file.display());
    told
}

fn is_there(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join(program).exists())
}

/// The programs and their verbs, each with the name of its page.
fn commands() -> Vec<(String, clap::Command)> {
    let programs =
        [getcert::Arguments::command(), installer::Arguments::command(), certctl::Arguments::command()];
    let mut commands = Vec::new();
    for mut program in programs {
        program.build();
        let name = program.get_name().to_owned();
        for verb in program.get_subcommands().filter(|verb| verb.get_name() != "help") {
            commands.push((format!("{name}-{}", verb.get_name()), verb.clone()));
        }
        commands.push((name, program));
    }
    commands
}

fn pages(folder: &TempDir) -> Vec<(String, PathBuf, clap::Command)> {
    let below = folder.path().join("man/man8");
    let page = |(name, command): (String, _)| (name.clone(), below.join(format!("{name}.8")), command);
    let pages: Vec<_> = commands().into_iter().map(page).collect();
    assert_eq!(pages.len(), std::fs::read_dir(below).unwrap().count());
    pages
}

/// A page as it is read in a terminal, without the doubled letters that make it bold.
fn shown(page: &Path) -> String {
    let text = run("mandoc", &["-T", "utf8", "-O", "width=80"], page);
    let mut letters: Vec<char> = Vec::new();
    for letter in text.chars() {
        if letter == '\u{8}' {
            letters.pop();
        } else {
            letters.push(letter);
        }
    }
    letters.into_iter().collect()
}

/// The lines under a heading.
fn section<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = page.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| line.is_empty() || line.starts_with(' ')).collect()
}

fn long_options(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '-'));
    words.filter(|word| word.starts_with("--") && word.len() > 3).collect()
}

#[test]
fn mandoc_finds_no_fault_with_the_pages() {
    let folder = written();
    for (_, page, _) in pages(&folder) {
        assert_eq!(run("mandoc", &["-T", "lint", "-W", "warning"], &page), "");
    }
}

#[test]
fn a_page_has_the_sections_of_a_page_and_fits_into_80_columns() {
    let folder = written();
    for (name, page, _) in pages(&folder) {
        let text = shown(&page);
        let headings: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()) && !line.contains('('))
            .filter(|line| *line != "VERBS")
            .collect();
        let wanted =
            ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO"];
        assert_eq!(headings, wanted, "{name}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
        // What `whatis` and `apropos` look for.
        assert!(section(&text, "NAME")[0].trim().starts_with(&format!("{name} ")), "{text}");
    }
}

#[test]
fn the_synopsis_has_in_brackets_what_can_be_left_out_and_repeats_what_can_be_repeated() {
    let folder = written();
    for (page, wanted) in [
        ("pan_getcert", "pan_getcert [OPTION]... -c CERT_CN [FQDN[:PORT]]..."),
        ("pan_instcert", "pan_instcert [OPTION]... -c CERT_CN [FQDN[:PORT]]..."),
        ("pan_certctl-check", "pan_certctl check [OPTION]... [FQDN[:PORT]]..."),
        ("pan_certctl-pin", "pan_certctl pin [OPTION]... FQDN[:PORT]..."),
        ("pan_certctl-prove", "pan_certctl prove [OPTION]... FQDN[:PORT]"),
    ] {
        let text = shown(&folder.path().join(format!("man/man8/{page}.8")));
        let synopsis = section(&text, "SYNOPSIS").join(" ");
        assert_eq!(synopsis.split_whitespace().collect::<Vec<_>>().join(" "), wanted);
    }
}

#[test]
fn every_option_of_the_help_and_every_exit_code_is_in_the_page() {
    let folder = written();
    let mut seen = 0;
    for (name, page, mut command) in pages(&folder) {
        let text = shown(&page);
        let help = command.render_long_help().to_string();
        let told = section(&text, "OPTIONS").join("\n");
        // The examples are whole command lines, of verbs too.
        let own = help.split("\nExamples:").next().unwrap();
        let (wanted, found) = (long_options(own), long_options(&told));
        seen += wanted.len();
        assert_eq!(wanted.difference(&found).next(), None, "{name}");
        let exits = section(&text, "EXIT STATUS").join("\n");
        let exits = exits.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        for (exit, what) in pancert::error::TABLE {
            let row = format!("{} {}.", exit.code(), what.to_lowercase());
            assert!(exits.contains(&row), "{name}: {row}");
        }
    }
    assert!(seen > 80, "{seen}");
}

#[test]
fn the_shells_understand_the_completions() {
    let folder = written();
    for program in PROGRAMS {
        for (shell, file) in [
            ("bash", format!("bash-completion/completions/{program}")),
            ("zsh", format!("zsh/site-functions/_{program}")),
            ("fish", format!("fish/vendor_completions.d/{program}.fish")),
        ] {
            let file = folder.path().join(file);
            assert!(file.metadata().unwrap().len() > 1000, "{}", file.display());
            // Only bash is everywhere; the others are tried by `make packages-test` at the latest.
            if shell == "bash" || is_there(shell) {
                run(shell, &["-n"], &file);
            }
        }
    }
}

#[test]
fn bash_completes_verbs_and_options() {
    let folder = written();
    let complete = |program: &str, words: &str, at: usize| {
        let file = folder.path().join(format!("bash-completion/completions/{program}"));
        let script = format!(
            "source {0}; COMP_WORDS=({words}); COMP_CWORD={at}; \
             _{program} {program} \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{at}-1]}}\"; echo \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete("pan_certctl", "pan_certctl sta", 1), "status");
    assert_eq!(complete("pan_certctl", "pan_certctl status --prom", 2), "--prometheus");
    assert_eq!(complete("pan_instcert", "pan_instcert --dry", 1), "--dry-run");
    assert_eq!(complete("pan_getcert", "pan_getcert --suffix s", 2), "serial");
}

#[test]
fn the_units_name_pages_that_exist() {
    let folder = written();
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd");
    let mut count = 0;
    for unit in std::fs::read_dir(units).unwrap() {
        let text = std::fs::read_to_string(unit.unwrap().path()).unwrap();
        let named = text.lines().find_map(|line| line.strip_prefix("Documentation=man:")).unwrap();
        let page = named.strip_suffix("(8)").unwrap_or_else(|| panic!("{named}"));
        assert!(folder.path().join(format!("man/man8/{page}.8")).exists(), "{named}");
        count += 1;
    }
    assert!(count >= 6, "{count}");
}
