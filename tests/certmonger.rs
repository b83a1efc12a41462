//! What the library believes of certmonger, asked of a real certmonger on a bus of its own, and of recorded listings.
//!
//! The bus and the certmonger live in a temporary folder; the machine's own are not touched. Where certmonger or

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use std::ffi::OsString;
use std::path::Path;

use common::bus::{Bus, NAME, recorded, until};
use pancert::certificate::{Bundle, KeyAlgorithm, Source};
use pancert::host::certmonger::{
    Changes, Getcert, GetcertError, KeyType, Listing, NewRequest, Phase, Storage, Tracked, post_save_command,
};
use rand::RngExt;
use rand::seq::IndexedRandom;

/// Strings that a splitter, a shell, getopt or a careless programmer would trip over.
fn nasty_strings(count: usize) -> Vec<String> {
    let fixed = [
        "'",
        "\"",
        "\\",
        "\\\\",
        "''",
        "\"\"",
        "\\'",
        "\\\"",
        "' '",
        "\" \"",
        "a b",
        " a",
        "a ",
        " ",
        "   ",
        "it's",
        "\\ ",
        "a\\",
        "'\"'\"'",
        "$HOME",
        "$(id)",
        "`id`",
        "; id",
        "& id",
        "| id",
        "> /x",
        "*",
        "?",
        "~",
        "#x",
        "-",
        "--",
        "-C",
        "--help",
        "=",
        "%s%n",
        "ä ß",
        "漢字",
        "🦀 '🦀",
        "a'b\"c\\d e",
        "\u{a0}",
        "\u{2028}",
        "{}",
        "!",
        "\\n",
        "\\0",
        "a,b:c",
    ];
    let alphabet: Vec<char> = "ab'\"\\ $;&|`~*?#-=%{}()<>!äß漢🦀".chars().collect();
    let mut random = rand::rng();
    let invented = std::iter::repeat_with(|| {
        let length = random.random_range(1..24);
        (0..length).map(|_| *alphabet.choose(&mut random).unwrap()).collect()
    });
    fixed.iter().map(|text| (*text).to_owned()).chain(invented).take(count).collect()
}

fn with_command(command: String) -> Changes {
    Changes { post_save: Some(command), ..Changes::default() }
}

#[tokio::test(flavor = "current_thread")]
async fn no_value_adds_or_changes_an_argument_of_the_post_save_command() {
    let bus = Bus::with_certmonger().await;
    let getcert = bus.getcert();
    let recorder = bus.recorder();
    let id = getcert.request(&bus.new_request(None)).await.unwrap();
    bus.until_phase(Phase::Done).await;

    let strings = nasty_strings(480);
    for (round, arguments) in strings.chunks(60).enumerate() {
        let file = bus.path(&format!("a 'b' {round}"));
        let mut words = vec![file.clone().into_os_string()];
        words.extend(arguments.iter().map(OsString::from));
        let command = post_save_command(&recorder, &words).unwrap();
        getcert.set_post_save(&id, &command).await.unwrap();
        assert_eq!(
            bus.until_phase(Phase::Done).await.post_save.unwrap(),
            command,
            "certmonger shows it as it is"
        );
        getcert.resubmit(&id, &Changes::default()).await.unwrap();
        assert_eq!(recorded(&file).await, arguments, "{command}");
        bus.until_phase(Phase::Done).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn certmonger_drops_empty_arguments_and_this_is_why_they_are_refused() {
    let bus = Bus::with_certmonger().await;
    let file = bus.path("empty");
    let command = format!("{} {} '' a \"\" 'b'", bus.recorder().display(), file.display());
    bus.getcert().request(&bus.new_request(Some(command))).await.unwrap();
    assert_eq!(recorded(&file).await, ["a", "b"]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_certificate_is_requested_watched_and_renewed_as_the_programs_need_it() {
    let bus = Bus::with_certmonger().await;
    let getcert = bus.getcert();
    let certificate = bus.path("gp.example.com.crt");
    let source = || Source::locate(NAME, bus.folder.path(), bus.folder.path()).unwrap();
    assert_eq!(getcert.tracked(&certificate).await.unwrap(), None);
    assert!(matches!(getcert.status(&certificate).await, Err(GetcertError::NotTracked)));

    // The post-save command runs until the file it is given exists.
    let waiter = bus.script("waiter", "until test -e \"$file\"; do sleep 0.05; done");
    let release = bus.path("release");
    let command = post_save_command(&waiter, &[&release]).unwrap();
    let id = getcert.request(&bus.new_request(Some(command.clone()))).await.unwrap();
    bus.until_phase(Phase::Saving).await;
    assert_eq!(getcert.status(&certificate).await.unwrap().phase(), Phase::Saving);
    let first = Bundle::load(&source(), NAME).unwrap();
    assert_eq!(first.key_algorithm(), KeyAlgorithm::Ec(256));
    std::fs::write(&release, "").unwrap();
    let request = bus.until_phase(Phase::Done).await;
    assert_eq!(getcert.status(&certificate).await.unwrap().phase(), Phase::Done);

    let text = |text: &str| Some(text.to_owned());
    assert_eq!((request.id.as_str(), request.stuck), (id.as_str(), Some(false)));
    assert_eq!((request.ca, request.subject), (text("local"), text("CN=gp.example.com")));
    assert_eq!(request.dns, [NAME, "vpn.example.com"]);
    assert_eq!(request.principals, ["HTTP/gp.example.com@EXAMPLE.COM"]);
    assert_eq!((request.pre_save, request.post_save), (text(""), Some(command)));
    assert_eq!(request.key.unwrap().location, Some(bus.path("gp.example.com.key")));
    assert_eq!((request.ca_error, request.auto_renew), (None, Some(true)));

    // The same files again: refused, with the nickname to go on with.
    let again = getcert.request(&bus.new_request(None)).await;
    assert!(matches!(again, Err(GetcertError::AlreadyTracked { nickname }) if nickname == id));
    let same_key = NewRequest { certificate: bus.path("other.crt"), ..bus.new_request(None) };
    let same_key = getcert.request(&same_key).await;
    assert!(matches!(same_key, Err(GetcertError::AlreadyTracked { nickname }) if nickname == id));

    // A new command alone issues nothing.
    getcert.set_post_save(&id, "/bin/true").await.unwrap();
    let request = bus.until_phase(Phase::Done).await;
    assert_eq!(request.post_save, text("/bin/true"));
    assert_eq!(Bundle::load(&source(), NAME).unwrap().fingerprint(), first.fingerprint());

    // A new certificate for the same key, then one for a new key of another kind.
    let file = bus.path("renewed");
    let record = |file: &Path| post_save_command(&bus.recorder(), &[file.as_os_str(), "x".as_ref()]).unwrap();
    getcert.resubmit(&id, &with_command(record(&file))).await.unwrap();
    assert_eq!(recorded(&file).await, ["x"]);
    let second = Bundle::load(&source(), NAME).unwrap();
    assert_ne!(second.fingerprint(), first.fingerprint());
    bus.until_phase(Phase::Done).await;
    // A post-save command that fails is run once all the same: why the installations are recorded here.
    let counted = bus.path("counted");
    let fails =
        post_save_command(&bus.script("fails", "echo once >>\"$file\"; exit 7"), &[&counted]).unwrap();
    getcert.resubmit(&id, &with_command(fails)).await.unwrap();
    until("the command is run", async || counted.exists().then_some(())).await;
    let request = bus.until_phase(Phase::Done).await;
    assert_eq!((request.ca_error, request.stuck), (None, Some(false)));
    assert_eq!(std::fs::read_to_string(&counted).unwrap(), "once\n");
    let file = bus.path("rekeyed");
    getcert.rekey(&id, &with_command(record(&file)), Some(KeyType::Ec), Some(384)).await.unwrap();
    recorded(&file).await;
    assert_eq!(Bundle::load(&source(), NAME).unwrap().key_algorithm(), KeyAlgorithm::Ec(384));
    bus.until_phase(Phase::Done).await;

    // ipa-getcert neither shows nor adopts another CA's request, but trips over it.
    let ipa = bus.run("ipa-getcert", None);
    assert_eq!(ipa.tracked(&certificate).await.unwrap(), None);
    assert!(matches!(ipa.request(&bus.new_request(None)).await, Err(GetcertError::AlreadyTracked { .. })));
}

#[tokio::test(flavor = "current_thread")]
async fn what_certmonger_refuses_is_told_apart() {
    let bus = Bus::with_certmonger().await;
    let getcert = bus.getcert();
    let nowhere = NewRequest { certificate: "/nonexist/a.crt".into(), ..bus.new_request(None) };
    let error = getcert.request(&nowhere).await.unwrap_err();
    assert!(matches!(&error, GetcertError::Path { said } if said.contains("/nonexist")), "{error}");
    let folder = NewRequest { certificate: bus.folder.path().into(), ..bus.new_request(None) };
    let error = getcert.request(&folder).await.unwrap_err();
    assert!(matches!(error, GetcertError::Path { .. }), "{error}");
    let error = bus.run("getcert", Some("nosuch")).request(&bus.new_request(None)).await.unwrap_err();
    assert!(matches!(error, GetcertError::NoSuchCa { .. }), "{error}");
    for error in [
        getcert.set_post_save("nosuch", "/bin/true").await.unwrap_err(),
        getcert.resubmit("nosuch", &Changes::default()).await.unwrap_err(),
        getcert.rekey("nosuch", &Changes::default(), None, None).await.unwrap_err(),
    ] {
        assert!(matches!(error, GetcertError::NotTracked), "{error}");
    }
    assert_eq!(getcert.list().await.unwrap(), Listing { tracked: Some(0), requests: vec![] });
}

#[tokio::test(flavor = "current_thread")]
async fn without_certmonger_or_without_a_bus_it_is_said_that_it_is_not_running() {
    let bus = Bus::start();
    let without_certmonger = bus.getcert();
    let without_bus =
        Getcert::new(["env", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexist/bus", "getcert"], Some("local"));
    for getcert in [without_certmonger, without_bus.on_session_bus(true)] {
        for error in [
            getcert.request(&bus.new_request(None)).await.unwrap_err(),
            getcert.tracked(&bus.path("a.crt")).await.unwrap_err(),
            getcert.status(&bus.path("a.crt")).await.unwrap_err(),
        ] {
            assert!(matches!(error, GetcertError::NotRunning { .. }), "{error}");
        }
    }
}

/// The recordings lie beside the checkout on machines that have them; they are other people's data and no part of
/// this project.
#[test]
fn recorded_listings_are_read_as_their_index_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/replies");
    let Ok(index) = std::fs::read_to_string(folder.join("index.toml")) else {
        eprintln!("skipped: no recorded replies beside the checkout");
        return;
    };
    let index: toml::Table = index.parse().unwrap();
    let entries = index["reply"].as_array().unwrap().iter().map(|entry| entry.as_table().unwrap());
    let mut checked = (0, 0);
    for entry in
        entries.filter(|entry| text(entry, "file").is_some_and(|file| file.starts_with("certmonger/")))
    {
        let file = text(entry, "file").unwrap();
        let parsed = Listing::parse(&std::fs::read_to_string(folder.join(&file)).unwrap());
        assert_eq!(parsed.is_ok(), entry["parses"].as_bool().unwrap(), "{file}: {parsed:?}");
        checked.0 += 1;
        if let (Ok(listing), Some(expected)) = (parsed, entry.get("expect").and_then(toml::Value::as_table)) {
            checked.1 += compare(&listing, expected, &file);
        }
    }
    eprintln!("checked {} recorded listings with {} requests", checked.0, checked.1);
    assert!(checked.0 > 0, "an index without listings");
}

fn text(table: &toml::Table, name: &str) -> Option<String> {
    table.get(name).and_then(toml::Value::as_str).map(str::to_owned)
}

fn compare(listing: &Listing, expected: &toml::Table, file: &str) -> usize {
    let tracked = expected.get("tracked").and_then(toml::Value::as_integer);
    assert_eq!(listing.tracked.map(i64::from), tracked, "{file}");
    let requests = expected["requests"].as_array().unwrap();
    assert_eq!(listing.requests.len(), requests.len(), "{file}");
    for (found, wanted) in listing.requests.iter().zip(requests) {
        for (name, value) in wanted.as_table().unwrap() {
            let found = field(found, name);
            assert_eq!(found.as_ref(), Some(value), "{file}: {name}");
        }
    }
    requests.len()
}

fn field(request: &Tracked, name: &str) -> Option<toml::Value> {
    let text = |text: &Option<String>| text.clone().map(toml::Value::String);
    let answer = |yes: Option<bool>| yes.map(|yes| toml::Value::from(if yes { "yes" } else { "no" }));
    let kind = |storage: &Option<Storage>| storage.as_ref().map(|storage| storage.kind.clone().into());
    let location = |storage: &Option<Storage>| {
        let location = storage.as_ref()?.location.clone()?;
        Some(location.into_os_string().into_string().ok()?.into())
    };
    match name {
        "id" => Some(request.id.clone().into()),
        "status" => Some(request.state.as_str().into()),
        "stuck" => answer(request.stuck),
        "ca_error" => text(&request.ca_error),
        "key_type" => kind(&request.key),
        "key_location" => location(&request.key),
        "cert_type" => kind(&request.certificate),
        "cert_location" => location(&request.certificate),
        "cert_nickname" => text(&request.certificate.as_ref()?.nickname),
        "ca" => text(&request.ca),
        "issuer" => text(&request.issuer),
        "subject" => text(&request.subject),
        "issued" => text(&request.issued),
        "expires" => text(&request.expires),
        "dns" => Some(request.dns.clone().into()),
        "pre_save" => text(&request.pre_save),
        "post_save" => text(&request.post_save),
        "track" => answer(request.track),
        "auto_renew" => answer(request.auto_renew),
        _ => None,
    }
}
