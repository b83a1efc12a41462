//! One manual page: the definition of the options, and the text that stands around them.

use std::io;

use clap::{Arg, ArgAction, Command};
use clap_mangen::Man;
use pancert::error::TABLE;
use roff::{Inline, Roff, bold, italic, roman};

use crate::SECTION;
use crate::markup::inlines;

/// What clap does not know of a program or a verb.
pub(crate) struct Page {
    /// The name of the page.
    pub(crate) name: &'static str,
    /// What `whatis` tells of it.
    pub(crate) summary: &'static str,
    /// Paragraphs.
    pub(crate) description: &'static [&'static str],
    /// What the exit status means besides the table.
    pub(crate) exit: &'static [&'static str],
    /// Path, and what is in it.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// What is wanted, and the command line.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// Other pages, with their sections.
    pub(crate) see_also: &'static [&'static str],
}

/// A program and its verbs, with the options that they have in common.
pub(crate) fn commands(program: Command) -> Vec<Command> {
    // A page for the verb `help` would say nothing.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let verbs: Vec<Command> = program.get_subcommands().cloned().collect();
    [program].into_iter().chain(verbs).collect()
}

/// The name of a command's page.
pub(crate) fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// Writes a page.
pub(crate) fn render(command: Command, page: &Page, to: &mut dyn io::Write) -> io::Result<()> {
    let head = Man::new(command.clone().about(page.summary))
        .title(page.name.to_uppercase())
        .section(SECTION)
        .date(released())
        .source(format!("pan_getcert {}", env!("CARGO_PKG_VERSION")))
        .manual("System Administration");
    head.render_title(to)?;
    head.render_name_section(to)?;

    let mut roff = Roff::new();
    // Options are looked for and copied: none is broken at its hyphens.
    roff.control("nh", []).control("ad", ["l"]);
    synopsis(&mut roff, &command);
    roff.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut roff, page.description);
    if command.has_subcommands() {
        verbs(&mut roff, &command);
    }
    options(&mut roff, &command);
    exit_status(&mut roff, page);
    if !page.files.is_empty() {
        roff.control("SH", ["FILES"]);
        for (path, what) in page.files {
            roff.control("TP", []).text(inlines(path)).text(inlines(what));
        }
    }
    examples(&mut roff, page);
    roff.control("SH", ["SEE ALSO"]);
    for (index, other) in page.see_also.iter().enumerate() {
        let (other, section) = other.split_once('(').unwrap_or((other, SECTION));
        let end = if index + 1 == page.see_also.len() { "" } else { "," };
        roff.text([bold(other), roman(format!("({section}{end}"))]);
    }
    roff.to_writer(to)
}

/// The day of the last entry in the packages' changelog: the same sources give the same pages.
fn released() -> String {
    let changelog = include_str!("../../packaging/deb/changelog");
    let date = changelog.lines().find(|line| line.starts_with(" -- ")).and_then(|line| line.split_once(", "));
    let mut words = date.map(|(_, date)| date.split(' ')).into_iter().flatten();
    let (day, month, year) = (words.next(), words.next(), words.next());
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| Some(*name) == month).map_or(0, |index| index + 1);
    format!("{}-{month:02}-{:0>2}", year.unwrap_or_default(), day.unwrap_or_default())
}

fn paragraphs(roff: &mut Roff, paragraphs: &[&str]) {
    for (index, paragraph) in paragraphs.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text(inlines(paragraph));
    }
}

/// What of a command has to be typed; a page of thirty options is not read in one line.
fn synopsis(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["SYNOPSIS"]);
    let options = || [roman(" ["), italic("OPTION"), roman("]...")];
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    if command.has_subcommands() {
        for (index, verb) in shown(command).enumerate() {
            if index > 0 {
                roff.control("br", []);
            }
            let mut line = vec![bold(format!("{name} {}", verb.get_name()))];
            line.extend(options());
            roff.text(line);
        }
        return;
    }
    let mut line = vec![bold(name)];
    line.extend(options());
    for option in command.get_opts().filter(|option| option.is_required_set()) {
        line.push(roman(" "));
        line.push(bold(option.get_short().map_or_else(
            || format!("--{}", option.get_long().unwrap_or_default()),
            |short| format!("-{short}"),
        )));
        line.extend(value(option));
    }
    for positional in command.get_positionals() {
        let (opened, closed) = if positional.is_required_set() { (" ", "") } else { (" [", "]") };
        let repeated = if matches!(positional.get_action(), ArgAction::Append) { "..." } else { "" };
        line.push(roman(opened));
        line.extend(named(positional));
        line.push(roman(format!("{closed}{repeated}")));
    }
    roff.text(line);
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set())
}

fn verbs(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["VERBS"]);
    for verb in shown(command) {
        let what = verb.get_about().map(ToString::to_string).unwrap_or_default();
        roff.control("TP", []);
        roff.text([bold(verb.get_name())]);
        roff.text([roman(format!("{what}; see ")), bold(name(verb)), roman(format!("({SECTION})."))]);
    }
}

/// The names of an argument's values, as they are written.
fn named(argument: &Arg) -> Vec<Inline> {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().map(|name| italic(name.to_string())).collect()
}

fn value(option: &Arg) -> Vec<Inline> {
    if !matches!(option.get_action(), ArgAction::Set | ArgAction::Append) {
        return Vec::new();
    }
    [roman(" ")].into_iter().chain(named(option)).collect()
}

fn options(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["OPTIONS"]);
    let positionals = command.get_positionals();
    let mut arguments: Vec<&Arg> = command.get_opts().chain(flags(command)).collect();
    arguments.sort_by_key(|argument| argument.get_display_order());
    for argument in positionals.chain(arguments).filter(|argument| !argument.is_hide_set()) {
        roff.control("TP", []);
        roff.text(head(argument));
        roff.text([roman(help(argument))]);
        let values = argument.get_possible_values();
        if values.is_empty() || !argument.get_action().takes_values() {
            continue;
        }
        roff.control("RS", []);
        for value in values.iter().filter(|value| !value.is_hide_set()) {
            roff.control("TP", []);
            roff.text([bold(value.get_name())]);
            roff.text([roman(value.get_help().map(|help| format!("{help}.")).unwrap_or_default())]);
        }
        roff.control("RE", []);
    }
}

/// Options without a value.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|argument| !argument.is_positional() && !argument.get_action().takes_values())
}

fn head(argument: &Arg) -> Vec<Inline> {
    if argument.is_positional() {
        return named(argument);
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let mut line = Vec::new();
    for name in short.into_iter().chain(long) {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.push(bold(name));
    }
    line.extend(value(argument));
    line
}

/// What an option does, in sentences.
fn help(argument: &Arg) -> String {
    let id = argument.get_id().as_str();
    if id == "help" {
        return "Print the options and the exit codes.".to_owned();
    }
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let (help, said) = match help.split_once(" [default: ") {
        Some((help, said)) => (help.to_owned(), Some(said.trim_end_matches(']').to_owned())),
        None => (help, None),
    };
    // A flag's default, `false`, is nobody's news.
    let takes_values = argument.get_action().takes_values();
    let known = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let known = known.filter(|_| takes_values);
    let default = said.or_else(|| known.reduce(|all, next| format!("{all}, {next}")));
    match default {
        Some(default) => format!("{help}. Default: {default}."),
        None => format!("{help}."),
    }
}

fn exit_status(roff: &mut Roff, page: &Page) {
    roff.control("SH", ["EXIT STATUS"]);
    paragraphs(roff, page.exit);
    for (exit, text) in TABLE {
        roff.control("TP", ["4"]).text([bold(exit.code().to_string())]);
        roff.text([roman(sentence(text))]);
    }
}

/// A phrase as a sentence; certmonger writes its name small.
fn sentence(phrase: &str) -> String {
    let mut letters = phrase.chars();
    match letters.next() {
        Some(first) if !phrase.starts_with("certmonger") => {
            format!("{}{}.", first.to_uppercase(), letters.as_str())
        }
        _ => format!("{phrase}."),
    }
}

fn examples(roff: &mut Roff, page: &Page) {
    if page.examples.is_empty() {
        return;
    }
    roff.control("SH", ["EXAMPLES"]);
    for (index, (what, command)) in page.examples.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text(inlines(what));
        roff.control("PP", []).control("RS", ["4"]).control("EX", []);
        for line in command.lines() {
            roff.text([roman(line)]);
        }
        roff.control("EE", []).control("RE", []);
    }
}
