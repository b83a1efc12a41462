//! Words that a person types or a file holds: addresses, names, fingerprints, points in time.
#![no_main]

use std::str::FromStr;

use fuzz::is_readable;
use libfuzzer_sys::fuzz_target;
use pancert::cli::certctl::when;
use pancert::install::names::{CommonName, ObjectName, ProfileName};
use panos_xmlapi::{Address, Fingerprint, Host, Location, StackName, TemplateName, VsysName};

fuzz_target!(|text: &str| {
    if let Ok(address) = Address::from_str(text) {
        let shown = address.to_string();
        is_readable(&shown);
        assert_eq!(Address::from_str(&shown).as_ref(), Ok(&address), "{shown}");
        assert_eq!(shown, shown.to_ascii_lowercase());
        // It is a name in a URL, in a file's name and in a header, and stays one.
        assert!(!shown.contains(['/', '@', '?', '#', '%', '\\', ' ']), "{shown}");
        assert!(!matches!(address.host(), Host::Name(name) if name.starts_with(['-', '.'])), "{shown}");
        assert_ne!(address.port(), 0);
    }
    if let Ok(fingerprint) = Fingerprint::from_str(text) {
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(fingerprint.colons().parse(), Ok(fingerprint));
    }
    if let Ok(name) = CommonName::from_str(text) {
        stays_a_file(name.as_str());
        assert_eq!(name.to_string().parse().as_ref(), Ok(&name));
    }
    if let Ok(name) = ProfileName::from_str(text) {
        assert!(!name.as_str().contains(['\'', '"', '<', '&', '/', ']']));
    }
    if let Ok(name) = ObjectName::from_str(text) {
        stays_a_file(name.as_str());
        for made in [name.with_year(2026), name.with_year(i32::MIN), name.with_serial("00a1b2c3d4e5f60718")] {
            assert!(made.is_err() || made.is_ok_and(|made| made.as_str().len() <= 63));
        }
    }
    let object = ObjectName::from_str("gp.example.com").expect("a name");
    let _ = object.with_serial(text);
    if let Ok(vsys) = VsysName::from_str(text) {
        assert!(vsys.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
    if let Ok(template) = TemplateName::from_str(text) {
        assert!(!template.as_str().contains(['\'', '"', '<', '&', '/', ']']), "{text:?}");
    }
    if let Ok(stack) = StackName::from_str(text) {
        assert!(
            !stack.as_str().contains(['\'', '"', '/', ']', '\n']) && stack.as_str().len() <= 63,
            "{text:?}"
        );
    }
    if let Ok(location) = Location::try_from(text.to_owned()) {
        assert_eq!(Location::try_from(String::from(location.clone())).as_ref(), Ok(&location), "{text:?}");
        assert!(location.base().as_str().starts_with("/config/"));
    }
    if let (Ok(since), Ok(until)) = (when::since(text), when::until(text)) {
        let _ = when::in_short(until - since);
    }
});

fn stays_a_file(name: &str) {
    assert!(!name.is_empty() && !name.starts_with(['.', '-']) && !name.contains(['/', '\0']), "{name:?}");
}
