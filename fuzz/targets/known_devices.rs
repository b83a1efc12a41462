//! The devices known from before: what is remembered is read, and nobody else's line is lost.
#![no_main]

use std::cell::OnceCell;

use fuzz::Place;
use libfuzzer_sys::fuzz_target;
use pancert::install::KnownDevices;
use panos_xmlapi::{Address, Fingerprint};

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

fuzz_target!(|data: &[u8]| PLACE.with(|place| {
    let place = place.get_or_init(Place::new);
    place.put("known_devices", data);
    let mut known = match KnownDevices::load(place.path()) {
        Ok(known) => known,
        Err(error) => {
            drop(error.to_string());
            return;
        }
    };
    let addresses = ["fw1.example.com", "fw2:8443", "[2001:db8::1]"];
    let addresses = addresses.map(|text| text.parse::<Address>().expect("an address"));
    let before = addresses.clone().map(|address| known.pin_of(&address));
    let certificate = Fingerprint::of_der(data);
    let said: Vec<Fingerprint> = before.iter().copied().flatten().collect();
    known.remember(&addresses[0], certificate, before[0], &said).expect("it can be written");
    let after = KnownDevices::load(place.path()).expect("what was written is read");
    assert_eq!(after.pin_of(&addresses[0]), Some(certificate));
    for (address, before) in addresses.iter().zip(before).skip(1) {
        assert_eq!(after.pin_of(address), before, "{address}");
    }
}));
