//! What is said on the way. Where the result is JSON, it stands beside it.

use tokio::time::Instant;

use super::Request;
use crate::cli::report;
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

pub(super) fn how_long(request: &Request, since: Instant) {
    request.tell(&format!(
        "Certificate install and commit by the post-save process on: {} took {} seconds.",
        joined(&request.places),
        since.elapsed().as_secs()
    ));
}

fn joined(places: &[Destination]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
