//! The rows at the foot of a terminal: drawn anew a few times a second, with everything else printed above them.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use console::{Term, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

use super::locked;
use crate::text::escape_control;

/// How often the seconds are shown anew.
const TICK: Duration = Duration::from_millis(250);
/// How often a second it is drawn at most, however much happens.
const DRAWN_PER_SECOND: u8 = 20;
/// A terminal that does not tell its size.
const USUAL_SIZE: (u16, u16) = (24, 80);
/// Rows of the terminal that stay free: so many lines that were printed before can be seen.
const FREE_ROWS: u16 = 4;

/// What stands on the terminal now: there is one terminal.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Prints whole lines, with the live rows out of the way.
pub fn aside<T>(print: impl FnOnce() -> T) -> T {
    let shown = locked(&SHOWN).clone();
    match shown {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// The rows that are to be seen now, so many at most.
pub(super) type Source = Arc<dyn Fn(usize) -> Vec<String> + Send + Sync>;

/// Rows on a terminal that can take lines away again; nothing elsewhere.
pub(super) struct Display {
    is_visible: bool,
    source: Source,
}

impl std::fmt::Debug for Display {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Display").field("is_visible", &self.is_visible).finish_non_exhaustive()
    }
}

impl Display {
    /// Rows that are not shown yet.
    pub(super) fn of(source: Source) -> Self {
        let term = std::env::var_os("TERM").unwrap_or_default();
        Self { is_visible: io::stderr().is_terminal() && !term.is_empty() && term != "dumb", source }
    }

    /// Shows what there is now. The caller holds nothing that the source needs.
    pub(super) fn refresh(&self) {
        if !self.is_visible {
            return;
        }
        let bar = locked(&SHOWN).get_or_insert_with(|| bar(Arc::clone(&self.source))).clone();
        // With a ticker of its own it is drawn by this alone.
        bar.set_message("");
    }

    /// Takes the rows away.
    pub(super) fn clear(&self) {
        let shown = locked(&SHOWN).take();
        if let Some(bar) = shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(source: Source) -> ProgressBar {
    let terminal = Terminal { term: Term::buffered_stderr(), is_row_over: AtomicBool::new(false) };
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal), DRAWN_PER_SECOND);
    let bar = ProgressBar::with_draw_target(None, target);
    let rows = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let (height, width) = Term::stderr().size_checked().unwrap_or(USUAL_SIZE);
        let rows = source(usize::from(height.saturating_sub(FREE_ROWS).max(1)));
        // The last column stays free: in it some terminals begin the next row, and others don't.
        let width = usize::from(width.saturating_sub(1));
        let rows = rows.iter().map(|row| truncate_str(&escape_control(row), width, "").into_owned());
        let _ = out.write_str(&rows.collect::<Vec<_>>().join("\n"));
    };
    if let Ok(style) = ProgressStyle::with_template("{rows}") {
        bar.set_style(style.with_key("rows", rows));
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// The terminal as the library draws on it. The library fills each row with blanks up to the terminal's edge, so that
/// the next one begins by itself. Here a row ends where its text ends: when the window gets wider or narrower, such
/// rows stay what they are.
#[derive(Debug)]
struct Terminal {
    term: Term,
    is_row_over: AtomicBool,
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_left(n)
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.term.write_line(s)
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        if s.bytes().all(|byte| byte == b' ') {
            self.is_row_over.store(true, Ordering::Relaxed);
            return Ok(());
        }
        if self.is_row_over.swap(false, Ordering::Relaxed) {
            self.term.write_str("\r\n")?;
        }
        self.term.write_str(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.term.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.is_row_over.store(false, Ordering::Relaxed);
        self.term.flush()
    }
}
