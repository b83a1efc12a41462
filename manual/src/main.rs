//! Writes the manual pages and the shell completions of the programs, made from the definitions of their options.
//!
//! A program of its own, so that those that are installed carry neither the texts nor what renders them.

mod complete;
mod markup;
mod page;
mod pages;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate};
use pancert::cli::{certctl, getcert, installer};

/// The section of a system's manual for what an administrator runs.
const SECTION: &str = "8";

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(folder), None) = (words.next(), words.next()) else {
        let _ = writeln!(io::stderr(), "Usage: manual OUTDIR");
        return ExitCode::FAILURE;
    };
    if let Err(error) = write(Path::new(&folder)) {
        let _ = writeln!(io::stderr(), "manual: {}: {error}", Path::new(&folder).display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The programs as they read their command lines.
fn programs() -> [Command; 3] {
    [getcert::Arguments::command(), installer::Arguments::command(), certctl::Arguments::command()]
}

/// Writes everything, laid out as it is below `PREFIX/share`.
fn write(folder: &Path) -> io::Result<()> {
    let manual = folder.join(format!("man/man{SECTION}"));
    fs::create_dir_all(&manual)?;
    for command in programs() {
        for command in page::commands(command) {
            let name = page::name(&command);
            let text = pages::PAGES.iter().find(|page| page.name == name);
            let text = text.ok_or_else(|| io::Error::other(format!("there is no text for {name}")))?;
            let mut file = File::create(manual.join(format!("{name}.{SECTION}")))?;
            page::render(command, text, &mut file)?;
        }
    }
    for mut command in programs() {
        let name = command.get_name().to_owned();
        for (shell, below, file) in [
            (Shell::Bash, "bash-completion/completions", name.clone()),
            (Shell::Zsh, "zsh/site-functions", format!("_{name}")),
            (Shell::Fish, "fish/vendor_completions.d", format!("{name}.fish")),
        ] {
            fs::create_dir_all(folder.join(below))?;
            let mut text = Vec::new();
            generate(shell, &mut command, &name, &mut text);
            let generated = String::from_utf8_lossy(&text);
            let text = match shell {
                Shell::Zsh => complete::zsh(&generated, &name),
                Shell::Fish => complete::fish(&generated, &name),
                _ => complete::bash(&generated),
            };
            fs::write(folder.join(below).join(file), text)?;
        }
    }
    Ok(())
}
