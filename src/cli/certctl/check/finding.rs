//! What was looked at, how it was found, and what mends it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::time::Duration;

use panos_xmlapi::Address;
use serde::Serialize;

use crate::cli::certctl::terminal::{self, Line, Severity};
use crate::cli::end_table::{self, Row};
use crate::cli::report::Advice;
use crate::error::Exit;
use crate::install::InstallError;
use crate::text::escape_control;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CheckStatus {
    /// As it should be.
    Ok,
    /// It will do, but somebody should know.
    Warning,
    /// An installation would fail, or be lost.
    Failed,
}

/// What mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fix {
    /// To be typed exactly so, on this machine.
    Run(String),
    /// The same, with a word in capitals to be replaced.
    Template(String),
    /// To be done in words: on the device, or on the command line.
    Do(String),
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CheckResult {
    /// A word for it that stays the same.
    check: &'static str,
    verdict: CheckStatus,
    text: String,
    /// All that the text names the first ones of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    all: Vec<String>,
    fixes: Vec<Fix>,
    /// The exit code that an installation would have; 0 unless it would fail.
    exit: u8,
    #[serde(skip)]
    fails: Exit,
}

impl CheckResult {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::of(check, CheckStatus::Ok, Exit::Done, text.into())
    }

    pub(super) fn warning(check: &'static str, text: impl Into<String>) -> Self {
        Self::of(check, CheckStatus::Warning, Exit::Done, text.into())
    }

    pub(super) fn failed(check: &'static str, exit: Exit, text: impl Into<String>) -> Self {
        Self::of(check, CheckStatus::Failed, exit, text.into())
    }

    /// What an installation would fail with, and its advice.
    pub(super) fn of_failure(check: &'static str, failure: &InstallError) -> Self {
        let finding = Self::failed(check, failure.exit(), failure.to_string());
        failure.advice().into_iter().fold(finding, Self::advise)
    }

    fn of(check: &'static str, verdict: CheckStatus, fails: Exit, text: String) -> Self {
        let (all, fixes) = (Vec::new(), Vec::new());
        Self { check, verdict, text, all, fixes, exit: fails.code(), fails }
    }

    pub(super) fn is_failure(&self) -> bool {
        self.verdict == CheckStatus::Failed
    }

    /// With all that the text names the first ones of, for JSON.
    pub(super) fn with_all(self, all: Vec<String>) -> Self {
        Self { all, ..self }
    }

    /// With a command that mends it.
    pub(super) fn run(mut self, command: impl Into<String>) -> Self {
        self.fixes.push(Fix::Run(command.into()));
        self
    }

    /// With a command in which a word has to be replaced.
    pub(super) fn template(mut self, command: impl Into<String>) -> Self {
        self.fixes.push(Fix::Template(command.into()));
        self
    }

    /// With what somebody has to do.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.fixes.push(Fix::Do(advice.into()));
        self
    }

    fn is(&self, verdict: CheckStatus) -> bool {
        self.verdict == verdict
    }
}

/// What was found of this machine, or of one device.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    /// The device; nothing for this machine.
    device: Option<Address>,
    findings: Vec<CheckResult>,
    /// How long it took to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl Section {
    pub(super) fn machine(findings: Vec<CheckResult>) -> Self {
        Self { device: None, findings, seconds: None }
    }

    pub(super) fn device(device: &Address, findings: Vec<CheckResult>) -> Self {
        Self { device: Some(device.clone()), findings, seconds: None }
    }

    /// The same, and how long it took.
    pub(super) fn took(self, time: Duration) -> Self {
        Self { seconds: Some(time.as_secs_f64()), ..self }
    }

    /// The device's row in the table at the end.
    fn row(&self) -> Option<Row> {
        let (word, mood) = match (self.exit(), self.count(CheckStatus::Warning)) {
            (Exit::Done, 0) => ("ok".to_owned(), Severity::Plain),
            (Exit::Done, 1) => ("1 warning".to_owned(), Severity::Odd),
            (Exit::Done, count) => (format!("{count} warnings"), Severity::Odd),
            (exit, _) => (format!("failed ({})", exit.code()), Severity::Bad),
        };
        Some(Row::looked_at(self.device.as_ref()?.to_string(), word, mood, self.seconds?))
    }

    /// What was found.
    pub(super) fn findings(&self) -> &[CheckResult] {
        &self.findings
    }

    /// The code of the first failure: what is looked at first is what the rest depends on.
    pub(super) fn exit(&self) -> Exit {
        let failed = self.findings.iter().find(|finding| finding.is(CheckStatus::Failed));
        failed.map_or(Exit::Done, |finding| finding.fails)
    }

    /// The first failure, in words and with what mends it.
    pub(super) fn first_failure(&self) -> Option<(Exit, String, Vec<Advice>)> {
        let failed = self.findings.iter().find(|finding| finding.is(CheckStatus::Failed))?;
        let device = self.device.as_ref().map(|device| format!("{device}: ")).unwrap_or_default();
        let fixes = failed.fixes.iter().map(|fix| match fix {
            Fix::Run(text) | Fix::Template(text) => Advice::Command(text.clone()),
            Fix::Do(text) => Advice::Hint(text.clone()),
        });
        Some((failed.fails, format!("{device}{}: {}", failed.check, failed.text), fixes.collect()))
    }

    fn count(&self, verdict: CheckStatus) -> usize {
        self.findings.iter().filter(|finding| finding.is(verdict)).count()
    }

    /// Shows it.
    pub(super) fn show(&self) {
        terminal::print_whole(self.lines(terminal::width().unwrap_or(usize::from(u16::MAX))));
    }

    fn lines(&self, width: usize) -> Vec<Line> {
        let title = self.device.as_ref().map_or("this machine".to_owned(), Address::to_string);
        let mut lines = vec![Line { text: title, mood: Severity::Heading }];
        for finding in &self.findings {
            let (word, mood) = match finding.verdict {
                CheckStatus::Ok => ("ok", Severity::Plain),
                CheckStatus::Warning => ("warning", Severity::Odd),
                CheckStatus::Failed => ("FAILED", Severity::Bad),
            };
            let text = format!("{}: {}", finding.check, finding.text);
            lines.extend(hanging(&format!("  {word:<8} "), &text, width, mood));
            for fix in &finding.fixes {
                // A command is copied from the screen: it stays in one piece.
                match fix {
                    Fix::Run(command) | Fix::Template(command) => {
                        lines.push(Line {
                            text: format!("           run: {}", escape_control(command)),
                            mood,
                        });
                    }
                    Fix::Do(advice) => lines.extend(hanging("           do:  ", advice, width, mood)),
                }
            }
        }
        lines
    }
}

/// A text in lines, each of which begins where the first one's text does.
fn hanging(beginning: &str, text: &str, width: usize, mood: Severity) -> Vec<Line> {
    let indent = " ".repeat(beginning.len());
    let room = width.saturating_sub(beginning.len()).max(20);
    let lines = terminal::wrapped(text, room).into_iter().enumerate();
    lines
        .map(|(at, line)| Line { text: format!("{}{line}", if at == 0 { beginning } else { &indent }), mood })
        .collect()
}

/// What is shown as soon as it is known: this machine first, for without it in order no device matters.
pub(super) struct Shown {
    is_wanted: bool,
    is_machine_shown: Cell<bool>,
    held: RefCell<Vec<Section>>,
}

impl Shown {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, is_machine_shown: Cell::new(false), held: RefCell::default() }
    }

    pub(super) fn machine(&self, findings: &[CheckResult]) {
        self.is_machine_shown.set(true);
        self.show(Section::machine(findings.to_vec()));
        self.held.take().into_iter().for_each(|section| self.show(section));
    }

    pub(super) fn device(&self, device: &Address, findings: &[CheckResult]) {
        let section = Section::device(device, findings.to_vec());
        match self.is_machine_shown.get() {
            true => self.show(section),
            false => self.held.borrow_mut().push(section),
        }
    }

    fn show(&self, section: Section) {
        if self.is_wanted {
            section.show();
        }
    }
}

/// Shows all sections, and a line that counts.
pub(super) fn show(sections: &[Section]) {
    sections.iter().for_each(Section::show);
    show_count(sections);
}

/// Shows the table of several devices, and a line that counts.
pub(super) fn show_count(sections: &[Section]) {
    end_table::print_rows(&sections.iter().filter_map(Section::row).collect::<Vec<_>>());
    let count = |verdict| sections.iter().map(|section| section.count(verdict)).sum::<usize>();
    let (failed, warnings, good) =
        (count(CheckStatus::Failed), count(CheckStatus::Warning), count(CheckStatus::Ok));
    let plural = if warnings == 1 { "" } else { "s" };
    let mood = match (failed, warnings) {
        (0, 0) => Severity::Plain,
        (0, _) => Severity::Odd,
        _ => Severity::Bad,
    };
    let text = format!("{failed} failed, {warnings} warning{plural}, {good} ok.");
    terminal::print_whole([Line { text, mood }]);
}

/// A word of a command line, quoted where a shell would take it for more than one.
pub(super) fn quoted(word: &str) -> Cow<'_, str> {
    shlex::try_quote(word).unwrap_or(Cow::Borrowed("''"))
}
