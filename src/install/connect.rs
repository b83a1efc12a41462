//! The way to a device: its key, and whom to trust there.

use super::failure::{Doing, Failure};
use super::request::{Pin, Wish};
use crate::fingerprint::Fingerprint;
use crate::host::keyfile::KeyFile;
use crate::panos::session::Session;

/// A session with the device, nothing being sent yet, and the administrator's name where the key file has it.
///
/// # Errors
/// No key; a trust that can't be set up.
pub(super) fn connect(wish: &Wish, wanted: Fingerprint) -> Result<(Session, Option<String>), Failure> {
    let host = wish.device.host().to_string();
    let keys = KeyFile::load(&wish.key_file)?;
    let key = keys.key_for(&host)?;
    let session = Session::new(&wish.device, &wish.trust, key, wish.patience.limits)
        .map_err(Failure::while_doing(Doing::Looking))?;
    if wish.pin == Pin::Remembered {
        // A run that died may have given it to the management interface; nobody else has its key.
        session.also_accept(wanted);
    }
    Ok((session, keys.username_for(&host).map(str::to_owned)))
}
