//! What systemd says of a service.

use super::command;

/// Whether a unit is active. Where systemd can't be asked it is taken for active, so that who asks finds out
/// more by trying.
pub async fn is_active(unit: &str) -> bool {
    match command::ask("systemctl", &["is-active", "--quiet", unit], &[]).await {
        Ok(said) => said.success,
        Err(_) => true,
    }
}
