//! What `getcert list` prints.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pancert::host::certmonger::{Listing, Phase, State};

fuzz_target!(|text: &str| {
    let _ = State::new(text).phase(true);
    let Ok(listing) = Listing::parse(text) else { return };
    let mut ids: Vec<&str> = listing.requests.iter().map(|request| request.id.as_str()).collect();
    for request in &listing.requests {
        // "Issued" is said only where certmonger said it.
        if request.phase() == Phase::Done {
            assert!(text.contains("MONITORING"));
        }
        assert!(!request.state.as_str().is_empty());
        for storage in [&request.key, &request.certificate].into_iter().flatten() {
            assert!(!storage.kind.is_empty() && text.contains(&storage.kind));
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "two requests of one name");
    let file = Path::new("/etc/pki/tls/certs/gp.example.com.crt");
    if let Some(found) = listing.for_certificate(file) {
        assert_eq!(found.certificate.as_ref().and_then(|at| at.location.as_deref()), Some(file));
    }
});
