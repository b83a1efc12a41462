//! `docs/live.md`: what the screen shows with 4 and with 500 devices, as it was seen; and that it is what is shown now.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use panos_sim::{LockKind, Simulator};

use crate::common::world::{Ended, World, open_many_files, settings};
use crate::many::command;
use crate::terminal::{COLUMNS, ROWS, Seen, Terminal};

/// Before each screen in the page.
const FENCE: &str = "```text\n";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/live.md")
}

fn devices(count: usize, commit: Duration) -> (Vec<Simulator>, Vec<String>) {
    open_many_files();
    let mut settings = settings();
    settings.commit_duration = commit;
    let devices: Vec<Simulator> = (0..count).map(|_| Simulator::start(settings.clone()).unwrap()).collect();
    let addresses = devices.iter().map(|device| device.address().to_string()).collect();
    (devices, addresses)
}

/// Four devices that got a certificate before: somebody has a lock on the second one, the third fails the commit.
fn four(commit: Duration) -> Seen {
    let world = World::new();
    let (devices, addresses) = devices(4, commit);
    Ended::of(&mut command(&world, &addresses, &[])).exits(0);
    world.renew();
    devices[1].take_lock(LockKind::Commit, "jane", "rules for the new office");
    devices[2].fail_next_commit(&["GP portal: certificate expected here"]);
    let mut terminal = Terminal::begin(&command(&world, &addresses, &[]), &[]);
    terminal.read_until("waiting: jane holds a commit lock");
    // Long enough for the others to come far.
    std::thread::sleep(commit / 3);
    devices[1].release_lock(LockKind::Commit, "jane");
    let (text, code) = terminal.end();
    assert_eq!(code, Some(20), "{text}");
    Seen::of(&text)
}

/// Many devices, of which every hundredth fails the commit.
fn many(count: usize, commit: Duration) -> Seen {
    let world = World::new();
    let (devices, addresses) = devices(count, commit);
    for device in devices.iter().skip(1).step_by(100) {
        device.fail_next_commit(&["GP portal: certificate expected here"]);
    }
    let (text, code) = Terminal::begin_after("", &command(&world, &addresses, &[]), &[], 300).end();
    assert_eq!(code, Some(20), "{text}");
    Seen::of(&text)
}

/// The lines of a screen: what is too long for a row goes on in the next one.
fn lines(rows: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut goes_on = false;
    for row in rows {
        match lines.last_mut().filter(|_| goes_on) {
            Some(line) => line.push_str(row),
            None => lines.push(row.clone()),
        }
        goes_on = row.chars().count() == COLUMNS;
    }
    lines
}

/// What is done on a device, in one word or two.
const DOING: [&str; 8] = ["start", "connect", "check", "import", "bind", "commit", "verify", "put back"];

/// A line without what differs from run to run: numbers, seconds, the spinner, what is done on a device just then,
/// whether any has failed and whether there is room for all; and what is behind the place where a row is cut.
fn shape(line: &str) -> String {
    let turning = line.trim_start_matches(['-', '\\', '|', '/', ' ']);
    let mut shape = String::new();
    for character in turning.chars() {
        let character = if character.is_ascii_digit() { '0' } else { character };
        if !(character == '0' && shape.ends_with('0')) {
            shape.push(character);
        }
    }
    let shape = shape.replace(", 0 failed", "").replace(" (0 not shown)", "");
    // A row of the end table: how wide its columns are, and which phases were the longest.
    if let [place, result, rest] = shape.splitn(3, "  ").map(str::trim).collect::<Vec<_>>()[..]
        && rest.starts_with("0.0  ")
    {
        return format!("{place}  {result}  SECONDS AND PHASES");
    }
    match shape.split_once(" s 0.0.0.0:0: ") {
        Some((_, row)) => {
            let doing = DOING.iter().find(|doing| row.starts_with(**doing)).expect(row);
            let rest = row[doing.len()..].replace(" 0 %", "");
            format!("0 s 0.0.0.0:0: DOING{}", rest.chars().take(40).collect::<String>())
        }
        None => shape,
    }
}

fn shapes<'a>(frames: impl IntoIterator<Item = &'a Vec<String>>) -> BTreeSet<String> {
    let lines = frames.into_iter().flat_map(|rows| lines(rows));
    lines.filter(|line| !line.trim().is_empty()).map(|line| shape(&line)).collect()
}

#[test]
fn the_page_shows_what_is_shown_today() {
    let text = std::fs::read_to_string(page()).unwrap();
    let screens: Vec<Vec<String>> = text
        .split(FENCE)
        .skip(1)
        .map(|rest| rest.split_once("```").unwrap().0.lines().map(str::to_owned).collect())
        .collect();
    assert!(screens.len() >= 6, "{}", screens.len());
    for rows in &screens {
        assert!(rows.len() <= ROWS && rows.iter().all(|row| row.chars().count() <= COLUMNS), "{rows:#?}");
    }
    for sum in [" of 4 done", " of 500 done", " not shown)"] {
        assert!(text.contains(sum), "no '{sum}' in the page");
    }
    let (few, more) = std::thread::scope(|scope| {
        let few = scope.spawn(|| four(Duration::from_millis(1500)));
        // So many that the end table leaves some out.
        let more = many(45, Duration::from_millis(600));
        (few.join().unwrap(), more)
    });
    let shown = shapes(few.frames().iter().chain(more.frames()));
    // What was above the first row of a screen is cut off there.
    let recorded: BTreeSet<String> = shapes(&screens);
    let missing: Vec<&String> =
        recorded.iter().filter(|line| !shown.iter().any(|other| other.ends_with(line.as_str()))).collect();
    assert!(
        missing.is_empty(),
        "docs/live.md is not current: run make recording. Not shown today: {missing:#?} of {shown:#?}"
    );
}

/// The first screen after so many parts of all in which a row has this.
fn screen<'a>(seen: &'a Seen, from: f64, text: &str) -> &'a [String] {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let first = (seen.frames().len() as f64 * from) as usize;
    let mut frames = seen.frames()[first..].iter();
    frames.find(|rows| rows.iter().any(|row| row.contains(text))).unwrap_or_else(|| panic!("no {text}"))
}

#[test]
#[ignore = "make recording: it writes docs/live.md"]
fn record() {
    let few = four(Duration::from_secs(24));
    let more = many(500, Duration::from_secs(12));
    let mut text = String::from(
        "# The live screen\n\nWhat `pan_instcert` shows on a terminal of 80 columns and 24 rows while it works on \
         simulated firewalls: seen and written by\n`make recording`, and held to the program by `tests/live.rs`. \
         [operating.md](operating.md#by-exit-code) says what the exit codes mean.\n",
    );
    let mut show = |title: &str, rows: &[String]| {
        let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
        let rows = rows.join("\n");
        text.push_str(&format!("\n{title}:\n\n{FENCE}{}\n```\n", rows.trim_end()));
    };
    show(
        "Four firewalls that got a certificate before; somebody holds a lock on one",
        screen(&few, 0.1, "waiting"),
    );
    show("The lock is given back", screen(&few, 0.5, "0 of 4 done, 4 in progress"));
    show("One has refused the commit, and one is still committing", screen(&few, 0.6, "commit job 3 failed"));
    show("The end", few.frames().last().unwrap());
    show("500 firewalls at once", screen(&more, 0.1, " of 500 done, "));
    show("The first commits", screen(&more, 0.2, " % (job "));
    show("The last ones", screen(&more, 0.95, " of 500 done, "));
    show("The end", more.frames().last().unwrap());
    std::fs::write(page(), text).unwrap();
}
