//! The older logs beside the log.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::world::Ended;
use crate::support::{Shelf, command, run};

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn day(day: u32) -> String {
    run(&format!("2026-11-{day:02} 05:00:00"), &format!("d{day}.example.com"), "fw1", 1.0)
}

/// Two runs in each file: today's, yesterday's plain, and two that are compressed.
fn support() -> Shelf {
    let support = Shelf::with(day(21) + &day(22));
    std::fs::write(support.path("pan_instcert.log.1"), day(19) + &day(20)).unwrap();
    std::fs::write(support.path("pan_instcert.log.2.gz"), packed(&(day(17) + &day(18)))).unwrap();
    std::fs::write(support.path("pan_instcert.log.10.gz"), packed(&(day(15) + &day(16)))).unwrap();
    for other in ["pan_instcert.log.old", "pan_instcert.log.1~", "other.log.1", "pan_instcert.log.3.gz.tmp"] {
        std::fs::write(support.path(other), day(1)).unwrap();
    }
    support
}

fn certificates(support: &Shelf, arguments: &[&str]) -> Vec<String> {
    let runs = support.runs(arguments);
    let name = |run: &serde_json::Value| run["certificates"][0].as_str().unwrap()[..3].to_owned();
    runs.iter().map(name).collect()
}

/// The files that were read, by their endings.
fn read(support: &Shelf, arguments: &[&str]) -> Vec<String> {
    let ended = support.shows(&[arguments, &["-v"]].concat());
    let name = |line: &str| line.rsplit_once("pan_instcert.log").map(|(_, ending)| ending.to_owned());
    ended.stderr.lines().filter_map(name).collect()
}

#[test]
fn older_logs_are_read_in_the_order_of_their_age_and_no_further_than_needed() {
    let support = support();
    assert_eq!(certificates(&support, &[]), ["d15", "d16", "d17", "d18", "d19", "d20", "d21", "d22"]);
    assert_eq!(read(&support, &[]), ["", ".1", ".2.gz", ".10.gz"]);
    assert_eq!(certificates(&support, &["-n", "5"]), ["d18", "d19", "d20", "d21", "d22"]);
    assert_eq!(read(&support, &["-n", "5"]), ["", ".1", ".2.gz"]);
    assert_eq!(read(&support, &["-n", "2"]), [""]);
    assert_eq!(certificates(&support, &["--until", "2026-11-18", "-n", "1"]), ["d18"]);
}

#[test]
fn a_log_that_ended_before_the_time_asked_for_is_not_opened() {
    let support = support();
    let old = SystemTime::now() - Duration::from_secs(20 * 86400);
    let file = std::fs::File::options().append(true).open(support.path("pan_instcert.log.2.gz")).unwrap();
    file.set_modified(old).unwrap();
    let since = (chrono::Utc::now() - chrono::TimeDelta::days(10)).to_rfc3339();
    assert_eq!(read(&support, &["--since", &since]), ["", ".1", ".10.gz"]);
    assert_eq!(read(&support, &["--since", "2026-01-01"]), ["", ".1", ".2.gz", ".10.gz"]);
}

#[test]
fn logs_with_a_date_in_their_names_are_found_too() {
    let support = Shelf::with(day(22));
    std::fs::write(support.path("pan_instcert.log-20261120"), day(20)).unwrap();
    std::fs::write(support.path("pan_instcert.log-20261113.gz"), packed(&day(13))).unwrap();
    assert_eq!(certificates(&support, &[]), ["d13", "d20", "d22"]);
    assert_eq!(read(&support, &["-n", "2"]), ["", "-20261120"]);
}

#[test]
fn a_file_that_is_there_plain_and_compressed_counts_once() {
    let support = Shelf::with("");
    std::fs::write(support.path("pan_instcert.log.1"), day(20)).unwrap();
    std::fs::write(support.path("pan_instcert.log.1.gz"), &packed(&day(20))[..20]).unwrap();
    assert_eq!(certificates(&support, &[]), ["d20"]);
    assert_eq!(read(&support, &[]), ["", ".1"]);
}

#[test]
fn of_a_broken_one_what_can_be_read_is_shown_and_the_rest_is_missed_aloud() {
    let support = support();
    let more: String = (0..20_000).map(|i| format!("junk {}\n", i * 7919 % 10_007)).collect();
    let whole = packed(&(day(17) + &day(18) + &more));
    std::fs::write(support.path("pan_instcert.log.2.gz"), &whole[..whole.len() - 1000]).unwrap();
    std::fs::write(support.path("pan_instcert.log.10.gz"), "no gzip at all").unwrap();
    std::fs::remove_file(support.path("pan_instcert.log.1")).unwrap();
    let fifo = support.path("pan_instcert.log.1");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let ended = Ended::of(command(&support.log()).arg("--json")).exits(0);
    for says in ["log.1: it is a FIFO", "log.2.gz: ", "log.10.gz: "] {
        assert!(
            ended.stderr.contains(&format!("can't read all of {}", support.path("pan_instcert.").display()))
        );
        assert!(ended.stderr.contains(says), "{ended:#?}");
    }
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["runs"].as_array().unwrap().len(), 4, "{told}");
}

#[test]
fn a_name_without_a_folder_is_one_in_the_current_folder() {
    let support = support();
    let mut command = command(Path::new("pan_instcert.log"));
    let ended = Ended::of(command.current_dir(support.folder.path())).exits(0);
    assert_eq!(ended.stdout.lines().count(), 9);
}
