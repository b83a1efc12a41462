//! What is looked at after each scenario: the firewall, the status, the log, and the journal.

use std::ops::RangeInclusive;

use crate::firewall::{KEY, PORTAL};
use crate::machine::until;
use crate::stage::{GP, LOG, Stage};

/// Where the log, the journal and the firewall were when a scenario began.
#[derive(Default)]
pub struct Mark {
    log: usize,
    cursor: String,
    commits: [u64; 2],
}

impl Mark {
    pub fn now(stage: &Stage) -> Self {
        let told = stage.machine.run(&["journalctl", "-n0", "--show-cursor"]).exits(0).stdout;
        let cursor = told.lines().find_map(|line| line.strip_prefix("-- cursor: "));
        let commits = [0, 1].map(|at| stage.firewalls[at].device.commits());
        Self { log: stage.log().len(), cursor: cursor.unwrap_or_default().to_owned(), commits }
    }
}

/// What has to be found when a scenario is over.
pub struct Rollback<'a> {
    /// The SHA-256 that the first firewall serves; where nothing is said, that of the newest certificate.
    pub serves: Option<String>,
    /// How many commits it got.
    pub commits: RangeInclusive<u64>,
    /// How `pan_certctl status` ends, and words of it.
    pub status: (i32, &'a [&'a str]),
    /// Words that stand in the log.
    pub log: &'a [&'a str],
    /// Whether errors in the log are part of the story.
    pub troubled: bool,
    /// Words that stand in the journal.
    pub journal: &'a [&'a str],
}

/// A renewal that went well.
pub const DELIVERED: Rollback<'_> = Rollback {
    serves: None,
    commits: 1..=1,
    status: (0, &["ok"]),
    log: &["END - Finished certificate installation to: fw1.ipa.test"],
    troubled: false,
    journal: &["installed the certificate"],
};

/// Lines of the journal that no scenario has a use for.
const SUSPICIOUS: [&str; 6] = [
    "panicked",
    "Operation not permitted",
    "Read-only file system",
    "Failed at step",
    "Failed with result",
    "dumped core",
];

impl Stage {
    /// Looks at the four.
    #[track_caller]
    pub fn check(&mut self, expected: &Rollback<'_>) {
        until("the worker is done", || !self.is_working());
        self.check_firewall(expected);
        self.check_status(expected);
        self.check_log(expected);
        self.check_journal(expected);
    }

    #[track_caller]
    fn check_firewall(&mut self, expected: &Rollback<'_>) {
        let firewall = &self.firewalls[0];
        let wanted = expected.serves.clone().or_else(|| self.certificate(GP));
        assert_eq!(firewall.served(), wanted, "what fw1 serves");
        assert_eq!(firewall.bound(PORTAL).as_deref(), Some(GP), "{}", firewall.device.running_xml());
        let commits = firewall.device.commits() - self.mark.commits[0];
        assert!(expected.commits.contains(&commits), "{commits} commits, not {:?}", expected.commits);
        for firewall in &self.firewalls {
            assert_eq!(firewall.device.pending_changes(), [], "{}", firewall.name);
            assert_eq!(firewall.device.locks(), [], "{}", firewall.name);
            assert!(firewall.device.requests().iter().all(|request| !request.secret_in_url));
        }
        let shown = wanted.map_or_else(|| "nothing".to_owned(), |print| print[..8].to_owned());
        self.see(format!("fw1 serves {shown} after {commits} commits"));
    }

    #[track_caller]
    fn check_status(&mut self, expected: &Rollback<'_>) {
        let (code, words) = expected.status;
        let ended = self.machine.run(&["pan_certctl", "status"]).exits(code);
        words.iter().fold(ended, |ended, word| ended.says(word));
        self.see(format!("status {code}"));
    }

    /// The log, with what was rotated: that happens once.
    pub fn log(&self) -> String {
        self.machine.read(&format!("{LOG}.1")) + &self.machine.read(LOG)
    }

    /// What the log got since the scenario began.
    pub fn logged(&self) -> String {
        self.log().split_off(self.mark.log)
    }

    #[track_caller]
    fn check_log(&mut self, expected: &Rollback<'_>) {
        let log = self.logged();
        for word in expected.log {
            assert!(log.contains(word), "no '{word}' in the log:\n{log}");
        }
        let errors = log.lines().filter(|line| line.contains("ERROR: ")).count();
        assert!(expected.troubled || errors == 0, "errors in the log:\n{log}");
        assert!(!log.contains(KEY), "the API key is in the log");
        self.see(format!("log: {} lines, {errors} errors", log.lines().count()));
    }

    /// What the journal got since the scenario began.
    pub fn journal(&self) -> String {
        let cursor = format!("--after-cursor={}", self.mark.cursor);
        self.machine.run(&["journalctl", "--no-pager", &cursor]).exits(0).stdout
    }

    #[track_caller]
    fn check_journal(&mut self, expected: &Rollback<'_>) {
        let journal = self.journal();
        let ours: Vec<&str> = journal.lines().filter(|line| line.contains("pan_")).collect();
        for word in expected.journal {
            assert!(
                journal.contains(word),
                "no '{word}' in the journal, with these lines of ours: {ours:#?}"
            );
        }
        let bad: Vec<&&str> =
            ours.iter().filter(|line| SUSPICIOUS.iter().any(|word| line.contains(word))).collect();
        assert!(bad.is_empty(), "the journal has {bad:#?}");
        assert!(!journal.contains(KEY), "the API key is in the journal");
        let failed = self.machine.run(&["systemctl", "--failed", "--no-legend", "--plain"]).exits(0).stdout;
        assert_eq!(failed, "", "units that failed");
        self.see(format!("journal: {} lines, no unit failed", journal.lines().count()));
    }
}
