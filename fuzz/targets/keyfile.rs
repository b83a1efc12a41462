//! The file of API keys: a device gets only a key that stands there for it, and what `keygen` stores it reads.
#![no_main]

use std::cell::OnceCell;

use fuzz::Place;
use libfuzzer_sys::fuzz_target;
use pancert::host::keyfile::{KeyFile, NewKey, resolve};
use secrecy::{ExposeSecret as _, SecretString};

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

const HOSTS: [&str; 4] = ["fw1.example.com", "FW2:8443", "[2001:db8::1]:443", "192.0.2.1"];

fuzz_target!(|data: &[u8]| PLACE.with(|place| {
    let place = place.get_or_init(Place::new);
    let path = place.put("panrc", data);
    let before: Vec<Option<String>> = match KeyFile::load(&path) {
        Ok(file) => HOSTS.iter().map(|host| key(&file, host)).collect(),
        Err(error) => {
            drop(error.to_string());
            vec![None; HOSTS.len()]
        }
    };
    for key in before.iter().flatten() {
        // Nothing is made up.
        assert!(data.windows(key.len()).any(|window| window == key.as_bytes()));
    }
    let new = SecretString::from("LUFRPT1NEW==");
    if KeyFile::store(&path, &NewKey { host: HOSTS[0], username: "cert", key: &new }).is_ok() {
        let after = KeyFile::load(&path).expect("what was stored is read");
        assert_eq!(key(&after, HOSTS[0]).as_deref(), Some("LUFRPT1NEW=="));
        for (host, before) in HOSTS.iter().zip(&before).skip(1) {
            assert_eq!(key(&after, host), *before, "{host} has another key than before");
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = resolve(Some(text));
    }
}));

fn key(file: &KeyFile, host: &str) -> Option<String> {
    let _ = file.username_for(host);
    match file.key_for(host) {
        Ok(key) => Some(key.expose_secret().to_owned()),
        Err(error) => {
            drop(error.to_string());
            None
        }
    }
}
