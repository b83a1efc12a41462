//! A terminal of 80 columns and 24 rows: a program runs on it, and what it has drawn is read as a person sees it.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The columns of the terminal.
pub const COLUMNS: usize = 80;
/// Its rows.
pub const ROWS: usize = 24;

/// A program that runs on a terminal of its own.
pub struct Terminal {
    child: Child,
    screen: ChildStdout,
    drawn: Vec<u8>,
    pub keyboard: ChildStdin,
}

impl Terminal {
    pub fn begin(command: &Command, environment: &[(&str, &str)]) -> Self {
        Self::begin_after("", command, environment, 60)
    }

    /// The same with something for the shell before it, and an end after so many seconds.
    pub fn begin_after(first: &str, command: &Command, environment: &[(&str, &str)], seconds: u32) -> Self {
        let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
        let words: Vec<String> =
            std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
        let line = format!("stty rows {ROWS} cols {COLUMNS}; {first} exec {}", words.join(" "));
        let mut script = Command::new("timeout");
        script.args([&seconds.to_string(), "script", "-qec", &line, "/dev/null"]);
        script.env_clear().envs([("TZ", "UTC"), ("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh")]);
        script.envs([("LANG", "C.UTF-8"), ("TERM", "xterm")]).envs(environment.iter().copied());
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().unwrap();
        let (keyboard, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, screen, drawn: Vec::new(), keyboard }
    }

    /// Waits until this was drawn.
    #[track_caller]
    pub fn read_until(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&self.drawn).contains(text) {
            let read = self.screen.read(&mut buffer).unwrap();
            assert!(read > 0, "'{text}' was never drawn: {}", String::from_utf8_lossy(&self.drawn));
            self.drawn.extend(&buffer[..read]);
        }
    }

    /// Everything that was drawn, and the code.
    pub fn end(self) -> (String, Option<i32>) {
        let Self { mut child, mut screen, mut drawn, keyboard } = self;
        screen.read_to_end(&mut drawn).unwrap();
        let status = child.wait().unwrap();
        drop(keyboard);
        (String::from_utf8(drawn).unwrap(), status.code())
    }
}

/// What a person sees: all rows that were written, of which the last ones are on the screen.
#[derive(Default)]
pub struct Seen {
    rows: Vec<String>,
    /// Rows that the one before goes on in, as it was too long.
    goes_on: BTreeSet<usize>,
    row: usize,
    column: usize,
    frames: Vec<Vec<String>>,
    is_new: bool,
}

impl Seen {
    /// Draws what a program has written.
    pub fn of(text: &str) -> Self {
        let mut seen = Self { rows: vec![String::new()], ..Self::default() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match rest.strip_prefix("\u{1b}[") {
                Some(after) => {
                    let end = after.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    seen.steer(&after[..end], &after[end..=end]);
                    rest = &after[end + 1..];
                }
                None => {
                    seen.write(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        seen.keep();
        seen
    }

    fn steer(&mut self, number: &str, command: &str) {
        let count = number.parse().unwrap_or(1);
        if ["A", "K", "J"].contains(&command) {
            self.keep();
        }
        match command {
            "A" => {
                let top = self.rows.len().saturating_sub(ROWS);
                self.row = self.row.saturating_sub(count).max(top);
            }
            "B" => self.row = (self.row + count).min(self.rows.len() - 1),
            "K" if number == "2" => {
                self.rows[self.row].clear();
                self.goes_on.remove(&self.row);
            }
            "K" => {
                let kept = self.rows[self.row].chars().take(self.column).collect();
                self.rows[self.row] = kept;
            }
            // Colours, and whether the cursor is shown.
            "m" | "h" | "l" => {}
            other => panic!("{number}{other} is not known here"),
        }
    }

    fn write(&mut self, character: char) {
        match character {
            '\r' => self.column = 0,
            '\n' => self.next_row(),
            _ => {
                if self.column == COLUMNS {
                    self.next_row();
                    self.column = 0;
                    self.goes_on.insert(self.row);
                }
                let mut row: Vec<char> = self.rows[self.row].chars().collect();
                row.resize(row.len().max(self.column + 1), ' ');
                row[self.column] = character;
                self.rows[self.row] = row.into_iter().collect();
                self.column += 1;
                self.is_new = true;
            }
        }
    }

    fn next_row(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(String::new());
        }
    }

    /// Before anything is taken away it is kept as somebody has seen it.
    fn keep(&mut self) {
        if std::mem::take(&mut self.is_new) {
            let top = self.rows.len().saturating_sub(ROWS);
            self.frames.push(self.rows[top..].to_vec());
        }
    }

    /// Each screen that was to be seen.
    pub fn frames(&self) -> &[Vec<String>] {
        &self.frames
    }

    /// The first screen in which a row has this.
    #[track_caller]
    pub fn with(&self, text: &str) -> &[String] {
        let frame = self.frames.iter().find(|frame| frame.iter().any(|row| row.contains(text)));
        frame.unwrap_or_else(|| panic!("'{text}' was never to be seen: {:#?}", self.frames))
    }

    /// The lines that stand there in the end, blank ones left out.
    pub fn left(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            match lines.last_mut().filter(|_| self.goes_on.contains(&number)) {
                Some(line) => line.push_str(row),
                None => lines.push(row.clone()),
            }
        }
        lines.iter().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
    }
}
