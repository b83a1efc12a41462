//! What is said on the way. Where the result is JSON, it stands beside it.

use panos_xmlapi::Address;
use tokio::time::Instant;

use super::Request;
use crate::cli::report;
use crate::delivery::watch::Standing;
use crate::settings::destination::Destination;

impl Request {
    /// A line of what is done.
    pub(super) fn tell(&self, text: &str) {
        report::result(self.caller.name, self.json, text);
    }
}

pub(super) fn what_is_asked(request: &Request) {
    request.tell(&format!("Certificate Common Name: {}", request.named.common_name));
    request.tell(&format!("CERT_NAME: {}", request.shown_name));
    request.tell(&format!("PAN_FQDN: {}", joined(&request.places)));
    let kinds = ["Primary", "Secondary"];
    for (kind, profile) in kinds.iter().zip(&request.profiles) {
        request.tell(&format!("{kind} SSL/TLS Profile name: {profile}"));
    }
}

/// How long it took where something was done: what only waits took none.
pub(super) fn how_long(request: &Request, standings: &[(Address, Standing)], since: Instant) {
    let waits = standings.iter().map(|(_, standing)| matches!(standing, Standing::Waits(_)));
    let done = request.places.iter().zip(waits).filter(|(_, waits)| !waits);
    let done = joined(done.map(|(place, _)| place));
    if done.is_empty() {
        return;
    }
    request.tell(&format!(
        "Certificate install and commit by the post-save process on: {done} took {} seconds.",
        since.elapsed().as_secs()
    ));
}

fn joined<'a>(places: impl IntoIterator<Item = &'a Destination>) -> String {
    places.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
