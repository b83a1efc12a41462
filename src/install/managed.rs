//! A firewall that Panorama manages, changed through it: each request is passed on, and the firewall answers.
//!
//! An upload is not passed on, as far as is known: Panorama would take it for itself. So the certificate has to be on the
//! firewall already.

use panos_xmlapi::{Error, Location, Reason, Serial, Session, SystemInfo};

use super::error::{Activity, InstallError};
use super::ha;
use super::request::{Existing, InstallRequest};
use super::unsuitable::Unsuitable;

/// The firewall's own session through Panorama's, and what it says of itself. Nothing is changed.
///
/// # Errors
/// No Panorama; a firewall that is not connected, or that Panorama does not know; another one that answers; the passive
/// member of a pair.
pub async fn through(
    panorama: &Session,
    system: &SystemInfo,
    serial: &Serial,
) -> Result<(Session, SystemInfo), InstallError> {
    if !system.is_panorama() {
        return Err(Unsuitable::NotPanorama(Location::Managed(serial.clone())).into());
    }
    let looking = InstallError::during(Activity::Looking);
    let session = panorama.redirected_to(serial.as_str()).map_err(looking)?;
    let answer = match session.system_info().await {
        Ok(answer) => answer,
        Err(Error::Refused(refusal)) if refusal.reason == Reason::NotConnected => {
            // The same words for one that is switched off and for one that nobody knows.
            let known = panorama.managed_devices().await.map_err(looking)?;
            return Err(match known.iter().any(|device| device.serial == serial.as_str()) {
                true => looking(Error::Refused(refusal)),
                false => Unsuitable::NotManaged(serial.clone()).into(),
            });
        }
        Err(error) => return Err(looking(error)),
    };
    // Some requests are not passed on, and Panorama answers for itself without a word.
    if answer.serial.as_deref() != Some(serial.as_str()) {
        let answered = answer.serial.unwrap_or_else(|| "one without a serial number".to_owned());
        return Err(Unsuitable::OtherAnswered { serial: serial.clone(), answered }.into());
    }
    let state = ha::known(session.ha_state().await).map_err(looking)?;
    if state.enabled && !ha::is_active(&state) {
        let state = state.local.unwrap_or_default();
        return Err(Unsuitable::NotActive { serial: serial.clone(), state }.into());
    }
    Ok((session, answer))
}

/// Refuses what would need an upload to a managed firewall.
///
/// # Errors
/// Such a request.
pub(super) fn check_no_upload(request: &InstallRequest, has_it: bool) -> Result<(), Unsuitable> {
    match request.managed() {
        Some(serial) if !has_it || request.existing == Existing::Replace => {
            Err(Unsuitable::NoUpload(serial.clone()))
        }
        _ => Ok(()),
    }
}
