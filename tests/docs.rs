//! The documentation says what is so: options, commands, settings, exit codes, messages, files and links.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "docs/page.rs"]
mod page;
#[path = "docs/readme.rs"]
mod readme;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use clap::CommandFactory as _;

use pancert::error::TABLE;

use page::Page;

/// An option of another program that is named outside of its commands, and one of before that no help has any more
/// (tests/status/judged.rs).
const FOREIGN: [&str; 3] = ["--locked", "--reloadcmd", "--owed-for"];
/// Programs that are not ours, in spans with options of theirs.
const OTHERS: [&str; 6] = ["ipa ", "getcert ", "ipa-getcert ", "systemctl ", "certbot ", "lego "];
/// What a block can be: a command or a script that needs real servers, settings of ours, what was printed, …
const KINDS: [&str; 7] =
    ["sh example", "yaml example", "toml", "toml panos-sim", "text", "console", "rust,ignore"];
/// The places in this repository that a page can name.
const PLACES: [&str; 11] = [
    "src/",
    "panos-xmlapi/",
    "docs/",
    "systemd/",
    "packaging/",
    "tests/",
    "demo/",
    "scripts/",
    "benches/",
    "logrotate/",
    "panos-sim/",
];
const WIDTH: usize = 150;

static KNOWN: LazyLock<Known> = LazyLock::new(Known::read);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The programs, by name.
fn program(name: &str) -> Option<PathBuf> {
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_pan_certctl"));
    // The last one is another package's program: `cargo test --workspace` builds it.
    let all = ["pan_getcert", "pan_instcert", "pan_certctl", "panos-sim"];
    all.contains(&name).then(|| ours.with_file_name(name))
}

/// What the pages are held against.
struct Known {
    /// The long options of all programs and verbs.
    options: BTreeSet<String>,
    /// All sources of ours in one.
    source: String,
    /// The targets of the Makefile.
    targets: BTreeSet<String>,
}

impl Known {
    fn read() -> Self {
        let help = |words: &[&str]| {
            let program = program(words[0]).unwrap();
            assert!(program.is_file(), "{} is not built: run make test", program.display());
            let output = Command::new(program).args(&words[1..]).arg("--help").output().unwrap();
            assert!(output.status.success(), "{words:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let certctl = pancert::cli::certctl::Arguments::command();
        let verbs: Vec<&str> = certctl.get_subcommands().map(clap::Command::get_name).collect();
        assert!(verbs.contains(&"log") && verbs.contains(&"check"), "{verbs:?}");
        let mut texts: Vec<String> =
            ["pan_getcert", "pan_instcert", "panos-sim"].iter().map(|name| help(&[name])).collect();
        texts.extend(verbs.iter().map(|verb| help(&["pan_certctl", verb])));
        let options: BTreeSet<String> = texts.iter().flat_map(|text| options_in(text)).collect();
        assert!(options.len() > 60 && options.contains("--pin"), "{options:?}");
        let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
        let targets =
            makefile.lines().filter_map(|line| line.split_once(':').map(|(name, _)| name.to_owned()));
        Self { options, source: sources(), targets: targets.collect() }
    }
}

/// All Rust files of ours.
fn sources() -> String {
    sources_below(&["src", "panos-xmlapi/src"])
}

fn sources_below(places: &[&str]) -> String {
    let (mut text, mut folders) =
        (String::new(), places.iter().map(|place| root().join(place)).collect::<Vec<_>>());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                text += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

fn options_in(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '-'));
    let named =
        |word: &&str| word.strip_prefix("--").is_some_and(|name| name.starts_with(char::is_alphabetic));
    words.filter(named).map(str::to_owned)
}

fn fences(page: &Page) -> Vec<String> {
    let kinds = page.parts().0.into_iter().map(|block| block.kind);
    kinds.filter(|kind| !KINDS.contains(&kind.as_str())).map(|kind| format!("a block '{kind}'")).collect()
}

/// Outside of shell commands, which are looked at with their programs.
fn options(page: &Page) -> Vec<String> {
    let (blocks, prose) = page.parts();
    let text = blocks.iter().filter(|block| !block.kind.starts_with("sh ")).map(|block| block.text.as_str());
    let mut text = text.chain(prose).collect::<Vec<_>>().join("\n").replace('\n', " ");
    for span in page.spans().iter().filter(|span| OTHERS.iter().any(|other| span.starts_with(other))) {
        text = text.replace(span, "");
    }
    let is_known = |option: &String| KNOWN.options.contains(option) || FOREIGN.contains(&option.as_str());
    options_in(&text).filter(|option| !is_known(option)).collect()
}

/// The commands of ours in a text.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let Some(words) = shlex::split(line) else { continue };
        let words: Vec<String> =
            words.into_iter().filter(|word| !word.contains('>') && word != "…").collect();
        for part in words.split(|word| ["&&", "||", "|", ";", ";;"].contains(&word.as_str())) {
            let named = |word: &String| program(word.rsplit('/').next().unwrap_or_default()).is_some();
            let Some(at) = part.iter().position(named) else { continue };
            // Before it: a prompt, sudo, exec, or the time and the user of a cron job.
            let before = &part[..at];
            if before.iter().all(|word| word.len() < 6) {
                found.push(part[at..].to_vec());
            }
        }
    }
    found
}

fn programs(page: &Page) -> Vec<String> {
    let blocks = ["sh", "console", "text"].iter().flat_map(|kind| page.blocks(kind));
    let spans = page.spans().into_iter().filter(|span| span.starts_with("pan"));
    let all = blocks.chain(spans).flat_map(|text| commands(&text));
    let all = all.filter_map(|words| {
        let name = words[0].rsplit('/').next().unwrap();
        // What stands before the help is read first, and refused if it is not understood.
        let output = Command::new(program(name).unwrap()).args(&words[1..]).arg("--help").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        (!output.status.success()).then(|| format!("{}: {said}", words.join(" ")))
    });
    all.collect()
}

fn scripts(page: &Page) -> Vec<String> {
    let broken = page.blocks("sh").into_iter().filter_map(|text| {
        let mut shell = Command::new("sh");
        let mut shell = shell.arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        (!output.status.success()).then(|| format!("{}in:\n{text}", String::from_utf8_lossy(&output.stderr)))
    });
    broken.collect()
}

/// Settings of the programs are accepted by `check`, those of the simulator by itself.
fn settings(page: &Page) -> Vec<String> {
    let blocks = page.parts().0.into_iter().filter(|block| block.kind.starts_with("toml"));
    let refused = blocks.filter_map(|block| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), block.text.replace("[::1]", "127.0.0.1")).unwrap();
        let said = if block.kind == "toml" { checked(file.path()) } else { started(file.path()) };
        said.map(|said| format!("{said}\nin:\n{}", block.text))
    });
    refused.collect()
}

fn checked(file: &Path) -> Option<String> {
    let output = Command::new(program("pan_certctl").unwrap()).args(["check", "--config"]).arg(file).output();
    let output = output.unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn started(file: &Path) -> Option<String> {
    let mut command = Command::new(program("panos-sim").unwrap());
    let command = command.arg("--config").arg(file).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    (!line.starts_with('{')).then(|| "the simulator does not start".to_owned())
}

fn links(page: &Page) -> Vec<String> {
    let prose = page.parts().1.join("\n");
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let dead = targets.filter(|target| !target.contains("://")).filter(|target| {
        let (file, part) = target.split_once('#').unwrap_or((target, ""));
        let path = match file {
            "" => page.path.clone(),
            file => page.path.parent().unwrap().join(file),
        };
        let plain: PathBuf = without_dots(&path);
        if !root().join(&plain).is_file() {
            return true;
        }
        !part.is_empty() && !Page::read(plain.to_str().unwrap()).headings().contains(part)
    });
    dead.map(|target| format!("the link {target} leads nowhere")).collect()
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part.as_os_str().to_str() {
            Some("..") => drop(plain.pop()),
            _ => plain.push(part),
        }
    }
    plain
}

/// Each code, in the words of the help.
fn exit_codes(page: &Page) -> Vec<String> {
    let all: Vec<(String, String)> =
        TABLE.iter().map(|(exit, text)| (exit.code().to_string(), (*text).to_owned())).collect();
    let tables = page
        .tables()
        .into_iter()
        .filter(|rows| rows[0].starts_with(&["exit code".into(), "what happened".into()]));
    let wrong = tables.filter_map(|rows| {
        let told: Vec<(String, String)> =
            rows[2..].iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        let differ = |(left, right): &(&(String, String), &(String, String))| left != right;
        let first = told.iter().zip(&all).find(differ).map(|(left, _)| left.0.clone());
        (told != all).then(|| format!("exit codes: {} of {}, {first:?}", told.len(), all.len()))
    });
    wrong.collect()
}

fn paths(page: &Page) -> Vec<String> {
    let of_a_path = |c: char| c.is_ascii_alphanumeric() || "_./@-".contains(c);
    let mut wrong = Vec::new();
    let mut rest = page.text.as_str();
    let mut before = ' ';
    while let Some(at) = rest.find(of_a_path) {
        before = rest[..at].chars().next_back().unwrap_or(before);
        let end = rest[at..].find(|c| !of_a_path(c)).map_or(rest.len(), |length| at + length);
        let (word, next) = (rest[at..end].trim_end_matches(['.', '-']), rest[end..].chars().next());
        let named = PLACES.iter().any(|place| word.starts_with(place));
        let is_whole = next != Some('*') && before != '*' && before != '~';
        // The simulator's own page is at home there.
        let there = root().join(word).exists()
            || (page.path.ends_with("simulator.md") && root().join("panos-sim").join(word).exists());
        if named && is_whole && !there {
            wrong.push(format!("{word} is not there"));
        }
        rest = &rest[end..];
        before = ' ';
    }
    wrong
}

/// In tables of messages, each piece between the places that differ stands in the source.
fn messages(page: &Page) -> Vec<String> {
    let tables = page.tables().into_iter();
    let tables = tables.filter(|rows| ["message", "what you see"].contains(&rows[0][0].as_str()));
    let quoted: Vec<String> = tables
        .flat_map(|rows| rows.into_iter().skip(2).map(|row| row[0].clone()))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let said = |piece: &str| KNOWN.source.contains(piece);
    // What was looked at stands before what was found.
    let in_two = |piece: &str| piece.split_once(": ").is_some_and(|(check, text)| said(check) && said(text));
    let pieces =
        quoted.iter().flat_map(|message| message.split('…')).map(|piece| piece.trim_matches([' ', ':']));
    let wrong = pieces.filter(|piece| !said(piece) && !in_two(piece));
    wrong.map(|piece| format!("nothing says '{piece}'")).collect()
}

/// Facts for `on_failure`, metrics, units, targets of the Makefile.
fn names(page: &Page) -> Vec<String> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || "_-@.".contains(c);
    let mut wrong = Vec::new();
    for word in page.text.split(|c| !of_a_name(c)).map(|word| word.trim_end_matches('.')) {
        let is_there = match word {
            fact if fact.starts_with("PAN_") => KNOWN.source.contains(fact),
            unit if [".timer", ".path", ".service"].iter().any(|end| unit.ends_with(end))
                && unit.starts_with("pan_") =>
            {
                let instance =
                    unit.split_once('@').map_or(unit.to_owned(), |(name, _)| format!("{name}@.service"));
                root().join("systemd").join(instance).is_file()
            }
            metric if metric.starts_with("pan_getcert_") && !metric.contains('.') && metric.len() > 12 => {
                KNOWN.source.contains(&format!("\"{}\"", &metric[12..]))
            }
            _ => true,
        };
        if !is_there {
            wrong.push(format!("{word} is not there"));
        }
    }
    let spans = page.spans().into_iter().chain(page.blocks("sh"));
    let made: Vec<String> = spans
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| Some(line.strip_prefix("make ")?.split_whitespace().next()?.to_owned()))
        .filter(|target| target.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        .collect();
    let unknown = made.into_iter().filter(|target| !KNOWN.targets.contains(target));
    wrong.extend(unknown.map(|target| format!("make {target} is not there")));
    wrong
}

fn width(page: &Page) -> Vec<String> {
    let long =
        page.parts().1.into_iter().filter(|line| !line.starts_with('|') && line.chars().count() > WIDTH);
    long.map(|line| format!("a line of {}: {line}", line.chars().count())).collect()
}

type Check = fn(&Page) -> Vec<String>;

/// Each check, with pages that it has to find wrong.
const CHECKS: [(&str, Check, &[&str]); 11] = [
    ("fences", fences, &["```\nx\n```", "```sh\nx\n```", "```text\nx"]),
    ("options", options, &["Use `--nonesuch`.", "```text\n--nonesuch\n```"]),
    (
        "programs",
        programs,
        &[
            "```sh example\npan_certctl nonesuch\n```",
            "```sh example\nsudo /usr/bin/pan_instcert \\\n    --rekey fw1\n```",
            "```text\n*/5 * * * * root pan_certctl retry --resubmit\n```",
            "Run `pan_getcert --commit some fw1`.",
        ],
    ),
    ("scripts", scripts, &["```sh example\nif true\n```"]),
    ("settings", settings, &["```toml\nprofil = 'x'\n```", "```toml panos-sim\nhostnam = 'x'\n```"]),
    ("links", links, &["[x](nonesuch.md)", "[x](README.md#nonesuch)", "[x](#nonesuch)"]),
    (
        "exit codes",
        exit_codes,
        &["| exit code | what happened |\n|---|---|\n| 0 | done, or nothing to do |\n| 3 | something |\n"],
    ),
    ("paths", paths, &["See src/nonesuch.rs.", "`docs/nonesuch.md`"]),
    ("messages", messages, &["| message | x |\n|---|---|\n| `nobody ever … said this` | y |\n"]),
    (
        "names",
        names,
        &["`PAN_NONESUCH`", "`pan_getcert_nonesuch`", "pan_certctl-none.timer", "`make nonesuch`"],
    ),
    (
        "width",
        width,
        &[
            "x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x",
        ],
    ),
];

#[test]
fn what_the_pages_say_is_so() {
    let mut wrong = Vec::new();
    for page in Page::all() {
        for (name, check, _) in CHECKS {
            let told = |found| format!("{}, {name}: {found}", page.path.display());
            wrong.extend(check(&page).into_iter().map(told));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_check_finds_the_mistakes_that_are_planted() {
    for (name, check, mistakes) in CHECKS {
        for text in mistakes {
            let page = Page { path: "planted.md".into(), text: (*text).to_owned() };
            assert!(!check(&page).is_empty(), "{name} does not see: {text}");
        }
    }
}

#[test]
fn the_pages_have_what_is_looked_at() {
    let pages = Page::all();
    let readme = Page::read("README.md").text;
    for page in pages.iter().filter(|page| page.path.starts_with("docs")) {
        let path = page.path.to_str().unwrap();
        assert!(readme.contains(&format!("[{path}]({path})")), "the README's list of pages lacks {path}");
    }
    let spans: Vec<String> =
        pages.iter().filter(|page| page.path.starts_with(".github")).flat_map(Page::spans).collect();
    for asked in ["pan_certctl check --json", "pan_certctl prove FQDN --transcript FILE"] {
        assert!(spans.iter().any(|span| span == asked), "no form asks for {asked}");
    }
    let tables = pages.iter().flat_map(Page::tables);
    let codes = tables.filter(|rows| rows[0][0] == "exit code" && rows.len() == TABLE.len() + 2).count();
    assert!(codes >= 1, "no page has the table of exit codes");
    let commands: usize =
        pages.iter().flat_map(|page| page.blocks("sh")).map(|text| commands(&text).len()).sum();
    assert!(commands > 20, "{commands} commands");
    let settings: usize = pages.iter().map(|page| page.blocks("toml").len()).sum();
    assert!(settings > 3, "{settings} files of settings");
}

/// Who wants to add something is led to files that are there (`paths`, above) and to names that the source has.
#[test]
fn a_newcomer_is_told_where_each_new_thing_goes() {
    let text = Page::read("CONTRIBUTING.md").text;
    let part = text.split_once("## Where something new goes").unwrap().1.split("\n## ").next().unwrap();
    let simulator = sources_below(&["panos-sim/src"]);
    for thing in [
        "An option about a device",
        "A kind of reply",
        "A verb",
        "A kind of place",
        "A behaviour of the simulator",
    ] {
        let answer = part.split_once(&format!("**{thing}")).expect(thing).1;
        let answer = answer.split("\n**").next().unwrap();
        let spans: Vec<&str> = answer.split('`').skip(1).step_by(2).collect();
        assert!(spans.iter().any(|span| span.contains('/')), "{thing}: no file is named");
        for name in spans.iter().filter(|span| !span.contains(['/', ' ']) && !span.starts_with("pan_")) {
            let of_the_source = ["struct", "enum", "fn", "type"].iter().any(|kind| {
                let defined = format!("{kind} {name}");
                KNOWN.source.contains(&defined) || simulator.contains(&defined)
            });
            assert!(of_the_source || *name == "docs", "{thing}: nothing is called {name}");
        }
    }
}
