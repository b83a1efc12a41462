//! `pan_certctl enroll`: what FreeIPA lacks is printed, and added after a yes with an administrator's ticket; and the page
//! that says the same can be typed from top to bottom.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::common::world::Ended;
use crate::support::{Desk, HOST, NAME, PORTAL};

/// A machine that is enrolled, and a server that knows nothing of the name.
fn bare() -> Desk {
    let support = Desk::new();
    support.remove("run/state/services/HTTP_gp.example.com");
    support.remove("run/state/hosts/gp.example.com");
    support
}

fn enroll(support: &Desk, more: &[&str], input: &str) -> Ended {
    let words = [&["pan_certctl", "enroll", "--service", NAME], more].concat();
    let mut command = support.command(&words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn printed(ended: &Ended) -> Vec<String> {
    let lines = ended.stdout.lines().filter_map(|line| line.trim().strip_prefix("run: "));
    lines.map(str::to_owned).collect()
}

/// The calls that were meant to change something.
fn changes(support: &Desk) -> Vec<String> {
    let is_change = |line: &String| {
        let verb = line.split(' ').nth(1).unwrap();
        !verb.ends_with("-show") && !verb.ends_with("-find")
    };
    support.asked().into_iter().filter(is_change).collect()
}

const SERVICE: [&str; 3] = [
    "ipa host-add gp.example.com --force",
    "ipa service-add HTTP/gp.example.com --force",
    "ipa service-add-host HTTP/gp.example.com --hosts=certs.example.com",
];

#[test]
fn what_is_missing_is_printed_and_nothing_is_changed_without_a_ticket_and_a_yes() {
    let support = bare();
    let ended = enroll(&support, &["--yes"], "").exits(10).says("there is no Kerberos ticket");
    assert_eq!(printed(&ended), SERVICE);
    assert!(ended.stderr.contains("kinit admin"), "{ended:#?}");
    support.type_in("kinit admin");
    for answer in ["", "no\n", "yess\n"] {
        enroll(&support, &[], answer).exits(10).says("nothing was changed").says("--yes");
    }
    enroll(&support, &["--json"], "yes\n").exits(10);
    assert_eq!(changes(&support), Vec::<String>::new());
    // Looking needs the host's keytab only, and leaves the administrator's ticket alone.
    assert!(support.asked().iter().all(|line| line.starts_with("host ")), "{:#?}", support.asked());
}

#[test]
fn exactly_what_is_missing_is_added_after_a_yes_and_a_second_run_has_nothing_to_do() {
    let support = bare();
    support.type_in("kinit admin");
    let ended = enroll(&support, &[], "y\n").exits(0).says("FreeIPA is ready for HTTP/gp.example.com");
    assert_eq!(ended.stdout.matches("done: ").count(), 3, "{ended:#?}");
    let wanted: Vec<String> = SERVICE.iter().map(|line| line.replace("ipa ", "admin ")).collect();
    assert_eq!(changes(&support), wanted);
    for more in [&[][..], &["--yes"]] {
        enroll(&support, more, "").exits(0).says("nothing to do: FreeIPA is ready for HTTP/gp.example.com");
    }
    assert_eq!(changes(&support).len(), 3);
    let found = support.usual();
    assert_eq!((found.troubles(), found.code), (Vec::new(), 0), "{found:#?}");

    // A further name, a profile and a sub-CA, all at once: only what they lack.
    support.profile("gpServer", "-");
    let options = ["-T", "gpServer", "-X", "gateways", "--san", "vpn.example.com", "-G", "EC"];
    let ended = enroll(&support, &[&options[..], &["--yes", "--json"]].concat(), "").exits(0);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let own = "pan_getcert-gpServer-gateways";
    let wanted = [
        "ipa host-add vpn.example.com --force".to_owned(),
        "ipa service-add HTTP/vpn.example.com --force".to_owned(),
        format!("ipa service-add-host HTTP/vpn.example.com --hosts={HOST}"),
        "ipa ca-add gateways --subject=CN=gateways,O=EXAMPLE.COM".to_owned(),
        format!("ipa caacl-add {own}"),
        format!("ipa caacl-add-profile {own} --certprofiles=gpServer"),
        format!("ipa caacl-add-ca {own} --cas=gateways"),
        format!("ipa caacl-add-service {own} --services=HTTP/gp.example.com"),
        format!("ipa caacl-add-service {own} --services=HTTP/vpn.example.com"),
    ];
    assert_eq!(told["ran"], Value::from(wanted.to_vec()), "{told:#}");
    assert_eq!((&told["exit"], &told["principal"]), (&0.into(), &"HTTP/gp.example.com".into()));
    enroll(&support, &options, "").exits(0).says("nothing to do");
    let found = support.check(&[&options[..], &["-p", PORTAL, &support.target()]].concat());
    assert_eq!((found.troubles(), found.code), (Vec::new(), 0), "{found:#?}");
    // The usual CA is where it was.
    enroll(&support, &[], "").exits(0).says("nothing to do");
}

#[test]
fn what_no_command_adds_stops_before_anything_is_changed() {
    let support = bare();
    support.type_in("kinit admin");
    enroll(&support, &["-T", "gpServer", "--yes"], "").exits(6).says("no certificate profile 'gpServer'");
    enroll(&support, &["-G", "EC", "--yes"], "").exits(6).says("takes RSA keys only").says("use -G RSA");
    support.write("run/state/down", "", 0o644);
    enroll(&support, &["--yes"], "").exits(10).says("did not answer everything");
    assert_eq!(changes(&support), Vec::<String>::new());
    support.remove("run/state/down");
    support.remove("etc/ipa/default.conf");
    enroll(&support, &["--yes"], "").exits(5).says("ipa-client-install");
    for name in ["*.example.com", "HTTP/x/gp.example.com", "", "ht tp/gp.example.com"] {
        Ended::of(&mut support.command(&["pan_certctl", "enroll", "--service", name])).exits(1);
    }
}

#[test]
fn a_ticket_without_the_rights_is_told_by_the_servers_words_and_a_run_that_broke_off_goes_on() {
    let support = bare();
    support.write("run/state/admin", "jane\n", 0o600);
    let ended = enroll(&support, &["--yes"], "").exits(10).says("Insufficient access");
    assert!(ended.stderr.contains("0 of 3 commands were run"), "{ended:#?}");
    // Somebody has added the host meanwhile, and a rule was begun.
    support.host(NAME, &[NAME]);
    support.profile("gpServer", "-");
    support.acl("pan_getcert-gpServer", "");
    support.type_in("kinit admin");
    let ended = enroll(&support, &["-T", "gpServer", "--yes"], "").exits(0);
    assert_eq!(
        printed(&ended),
        [
            SERVICE[1],
            SERVICE[2],
            "ipa caacl-add-profile pan_getcert-gpServer --certprofiles=gpServer",
            "ipa caacl-add-service pan_getcert-gpServer --services=HTTP/gp.example.com"
        ]
    );
    // Without a keytab the own ticket is enough to look.
    support.remove("etc/krb5.keytab");
    enroll(&support, &["-T", "gpServer"], "").exits(0).says("nothing to do");
    support.remove("run/state/admin");
    enroll(&support, &[], "").exits(5).says("get a ticket: kinit admin");
}

/// The lines of the page's examples, whole.
fn page() -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/freeipa-setup.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh example\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_page_can_be_typed_from_top_to_bottom_and_says_what_enroll_prints() {
    let support = bare();
    for file in ["etc/ipa/default.conf", "etc/ipa/ca.crt", "run/state/certmonger"] {
        support.remove(file);
    }
    std::fs::create_dir(support.path("run/work")).unwrap();
    // What asks certmonger or a device is tried elsewhere, and the verb of this page by itself.
    let elsewhere = ["ipa-getcert ", "getcert ", "pan_getcert ", "pan_certctl "];
    let typed: Vec<String> =
        page().into_iter().filter(|line| !elsewhere.iter().any(|other| line.starts_with(other))).collect();
    assert!(typed.len() >= 18, "{typed:#?}");
    for line in &typed {
        let command = format!("cd /run/work && {line}");
        let ended = Ended::of(&mut support.command(&["sh", "-c", &command]));
        assert_eq!(ended.code, Some(0), "{line}: {ended:#?}");
    }
    let all = ["-T", "gpServer", "-X", "gateways", "-G", "EC"];
    for options in [&[][..], &all[..2], &all[..4], &all] {
        enroll(&support, options, "").exits(0).says("nothing to do");
    }

    // And the other way round: what enroll prints stands on the page, and it prints all of it but the profile.
    let support = bare();
    support.profile("gpServer", "-");
    let mut said: Vec<String> = Vec::new();
    support.type_in("kinit admin");
    for options in [&[][..], &all[..2], &all[..4]] {
        said.extend(printed(&enroll(&support, options, "yes\n").exits(0)));
    }
    let on_page: Vec<String> = page()
        .into_iter()
        .filter(|line| line.starts_with("ipa ") && !line.contains("certprofile-") && !line.contains("-show "))
        .collect();
    assert_eq!(said, on_page);
}
