//! Whether certmonger confirms a certificate: what it has not issued is not delivered.

use std::path::Path;

use crate::host::certmonger::{Getcert, GetcertError, Phase};
use crate::install::problem::RetryClass;
use crate::settings::resolve::CertmongerBus;

/// Why certmonger does not confirm a certificate.
#[derive(Debug, Clone)]
pub(super) struct NotConfirmed {
    pub(super) what: String,
    pub(super) advice: Option<String>,
    pub(super) retry_class: RetryClass,
}

/// Asks it.
pub(super) async fn ask_certmonger(bus: CertmongerBus, file: &Path) -> Result<(), NotConfirmed> {
    const BLIND: &str = "For a certificate that is not certmonger's, or to go on all the same, use -b.";
    let getcert = Getcert::new(["getcert"], None).on_session_bus(bus == CertmongerBus::Session);
    let no = |what: String| NotConfirmed {
        what,
        advice: Some(BLIND.to_owned()),
        retry_class: RetryClass::Permanent,
    };
    match getcert.status(file).await {
        Ok(status) => match status.phase() {
            Phase::Done | Phase::Saving => Ok(()),
            _ => Err(no(format!("the certificate's state is {}, it is not issued", status.state))),
        },
        Err(GetcertError::NotTracked) => Err(no(format!("{} is not tracked", file.display()))),
        Err(error) => {
            let advice =
                error.advice().map(|advice| format!("{advice}; to go on without certmonger, use -b"));
            let advice = advice.or_else(|| Some(BLIND.to_owned()));
            Err(NotConfirmed { what: error.to_string(), advice, retry_class: RetryClass::Transient })
        }
    }
}
