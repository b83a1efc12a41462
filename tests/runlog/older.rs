//! Logs of the two bash scripts that came before: they wrote `END` and `commit: success` whatever had happened.

use serde_json::Value;

use crate::support::{Shelf, failed, lines, run};

const UPLOADED: &str = "<response status=\"success\"><result>Successfully imported gp into candidate configuration</result></response>";

/// A run of the scripts: what was told of the uploads, of the profiles and of the commit. `\n` begins a line
/// without a time, as an answer of several lines does.
fn older(crt: &str, key: &str, profiles: &[&str], commit: &[&str]) -> String {
    let mut texts = vec![
        "05:00:00 START of pan_instcert.".to_owned(),
        "05:00:00 Certificate Common Name: gp.example.com".to_owned(),
        format!("05:00:01 XML API output for crt: {crt} "),
        format!("05:00:02 XML API output for key: {key} "),
        "05:00:02 Finished uploading certificate: gp.example.com".to_owned(),
    ];
    texts.extend(profiles.iter().map(|text| format!("05:00:03 {text}")));
    texts.push("05:00:04 Starting commit, please be patient.".to_owned());
    texts.extend(commit.iter().map(|text| format!("05:00:35 {text}")));
    texts.push("05:00:35 The commit took 31 seconds to complete.".to_owned());
    texts.push("05:00:35 END - Finished certificate installation to: fw1.example.com".to_owned());
    lines(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The only run in this log.
#[track_caller]
fn the_run(log: &str) -> Value {
    let runs = Shelf::with(log).runs(&[]);
    assert_eq!(runs.len(), 1, "{runs:#?}");
    runs[0].clone()
}

#[track_caller]
fn fails(log: &str, says: &[&str]) {
    let run = the_run(log);
    assert_eq!(run["result"], "failed", "{run:#?}\n{log}");
    let problem = run["problem"].as_str().unwrap();
    for words in says {
        assert!(problem.contains(words), "no '{words}' in '{problem}'");
    }
    let shown = Shelf::with(log).shows(&[]).stdout;
    assert!(shown.contains("  failed: "), "{shown}");
    assert_eq!(Shelf::with(log).runs(&["--failed"]).len(), 1);
}

const UPDATED: &str = "Successfully updated SSL/TLS Profile GP_PORTAL_PROFILE";
const COMMITTED: &str = "commit: success: \"Configuration committed successfully\"";

#[test]
fn a_run_that_was_committed_is_ok() {
    for commit in [
        &[COMMITTED][..],
        &["commit: success [code=\"19\"]: \"There are no changes to commit.\""],
        &[
            "commit: success: \"Configuration committed successfully\nWarning: rule 1 is invalid and shadows rule 2\n(Module: device)\"",
        ],
        &["commit: success: \"Warning: one certificate is invalid\nConfiguration committed successfully\""],
    ] {
        let run = the_run(&older(UPLOADED, UPLOADED, &[UPDATED], commit));
        assert_eq!((&run["result"], &run["device"]), (&"ok".into(), &"fw1.example.com".into()), "{commit:?}");
        assert_eq!(run["seconds"], serde_json::json!({ "commit": 31.0, "total": 35.0 }));
    }
}

#[test]
fn a_failed_commit_is_failed_although_the_script_called_it_a_success() {
    fails(
        &older(
            UPLOADED,
            UPLOADED,
            &[UPDATED],
            &[
                "commit: success: \"Validation Error:\n ssl-tls-service-profile -> GP  is missing 'protocol-settings'\n ssl-tls-service-profile is invalid\"",
            ],
        ),
        &["Validation Error", "is missing 'protocol-settings'"],
    );
    fails(
        &older(
            UPLOADED,
            UPLOADED,
            &[],
            &["commit: success: \"client device phase 1 failure\nCommit failed\""],
        ),
        &["Commit failed"],
    );
    fails(
        &older(
            UPLOADED,
            UPLOADED,
            &[],
            &["commit: error: \"Another commit/validate is in progress. Please try again later\""],
        ),
        &["in progress"],
    );
    fails(
        &older(
            UPLOADED,
            UPLOADED,
            &[],
            &["commit: error [code=\"14\"]: \"Other administrators are holding device wide commit locks.\""],
        ),
        &["commit locks"],
    );
}

#[test]
fn http_403_is_failed() {
    let refused =
        "<response status = 'error' code = '403'><result><msg>Invalid Credential</msg></result></response>";
    fails(
        &older(
            refused,
            refused,
            &["ERROR: Update of SSL/TLS Profile GP_PORTAL_PROFILE failed."],
            &["commit: \"URLError: code: 403 reason: Invalid Credential\""],
        ),
        &["the upload was refused", "Invalid Credential"],
    );
    fails(
        &older(UPLOADED, UPLOADED, &[UPDATED], &["commit: error [code=\"403\"]: \"Not authorized\""]),
        &["403"],
    );
    fails(
        &older(UPLOADED, UPLOADED, &[UPDATED], &["commit: \"URLError: code: 403 reason: Forbidden\""]),
        &["403"],
    );
}

#[test]
fn a_refused_upload_is_failed_whatever_was_committed() {
    let refused = "<response status=\"error\"><msg><line>Import of gp failed. Failed to extract certificate</line></msg></response>";
    fails(&older(refused, UPLOADED, &[UPDATED], &[COMMITTED]), &["Failed to extract certificate"]);
    fails(&older(UPLOADED, refused, &[UPDATED], &[COMMITTED]), &["Failed to extract certificate"]);
    // In several lines, as code 17 comes.
    let split = "\n<response status=\"error\" code=\"17\">\n<msg><line><![CDATA[ certificate-name 'a b' is invalid]]></line></msg>\n</response>";
    fails(&older(split, UPLOADED, &[], &[COMMITTED]), &["is invalid"]);
    fails(
        &older("<html><body>503 Service Unavailable</body></html>", UPLOADED, &[], &[COMMITTED]),
        &["503 Service Unavailable"],
    );
}

#[test]
fn an_error_before_the_end_is_failed() {
    fails(
        &older(
            UPLOADED,
            UPLOADED,
            &["ERROR: Update of SSL/TLS Profile GP_PORTAL_PROFILE failed.", UPDATED],
            &[COMMITTED],
        ),
        &["Update of SSL/TLS Profile GP_PORTAL_PROFILE failed."],
    );
}

#[test]
fn a_run_that_broke_off_with_an_error_is_failed() {
    for error in [
        "ERROR: Palo Alto device unreachable at: https://fw1.example.com/",
        "ERROR: File missing or no API key found in: /etc/ipa/.panrc",
        "ERROR: Upload of certificate failed.",
        "ERROR - Certificate installation failed.",
    ] {
        let start = "05:00:00 START of pan_instcert.";
        let log =
            lines(&[start, "05:00:00 Certificate Common Name: gp.example.com", &format!("05:00:09 {error}")]);
        fails(&log, &[error.split_once(['-', ':']).unwrap().1.trim()]);
    }
}

#[test]
fn what_the_log_does_not_tell_is_unknown_and_never_ok() {
    let nothing: [&[&str]; 4] = [
        &[],
        &["commit: success"],
        &["commit: success: \"something that nobody has seen before\""],
        // What was printed in place of an answer.
        &["/usr/local/bin/pan_instcert: line 236: /usr/local/bin/panxapi.py: No such file or directory"],
    ];
    for commit in nothing {
        let log = older(UPLOADED, UPLOADED, &[UPDATED], commit);
        assert_eq!(the_run(&log)["result"], "unknown", "{commit:?}");
        let shown = Shelf::with(&log).shows(&[]).stdout;
        assert!(shown.contains("  unknown: "), "{shown}");
        assert!(Shelf::with(&log).runs(&["--failed"]).is_empty());
    }
    assert_eq!(
        the_run(&older("", "", &[UPDATED], &[COMMITTED]))["result"],
        "unknown",
        "no answer to the upload"
    );
}

#[test]
fn after_the_move_each_run_is_judged_by_who_wrote_it() {
    let log = [
        older(UPLOADED, UPLOADED, &[UPDATED], &["commit: success: \"Validation Error:\n x is invalid\""]),
        run("2026-11-22 06:00:00", "gp.example.com", "fw1.example.com", 2.0),
        failed("2026-11-22 07:00:00", "gp.example.com", "fw1.example.com", "no answer"),
        older(UPLOADED, UPLOADED, &[UPDATED], &[COMMITTED]).replace("05:00:", "08:00:"),
    ];
    let results: Vec<Value> =
        Shelf::with(log.concat()).runs(&[]).iter().map(|run| run["result"].clone()).collect();
    assert_eq!(results, ["failed", "ok", "failed", "ok"]);
}

#[test]
fn an_answer_without_an_end_is_read_in_little() {
    let long = format!("commit: success: \"Validation Error:{}\"", "\n x is invalid".repeat(200_000));
    let log = older(UPLOADED, UPLOADED, &[UPDATED], &[&long]);
    let run = the_run(&log);
    assert_eq!(run["result"], "failed");
    assert!(run["problem"].as_str().unwrap().len() < 5000);
}
