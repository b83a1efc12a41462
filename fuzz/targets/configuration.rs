//! The configuration file, and the words that tell where in it something is wrong.
#![no_main]

use std::cell::OnceCell;

use fuzz::{Place, is_readable};
use libfuzzer_sys::fuzz_target;
use pancert::settings::config::Config;

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

fuzz_target!(|data: &[u8]| PLACE.with(|place| {
    let path = place.get_or_init(Place::new).put("pan_getcert.toml", data);
    match Config::load(Some(&path)) {
        Ok(config) => {
            for device in config.devices() {
                assert!(config.lists(device));
                let _ = config.device(device);
            }
            for group in config.groups() {
                assert!(config.group(group).is_some());
            }
            let _ = (config.drift(), config.delegated());
        }
        Err(error) => {
            let text = error.to_string();
            is_readable(&text);
            assert!(text.len() < 8192, "a message of {} bytes", text.len());
            let _ = (error.exit(), error.advice());
        }
    }
}));
