//! What to do about a device's answer, or about its silence.

use panos_xmlapi::{Error, Reason};

/// What to do next, where there is something to say.
pub(super) fn advice_for(error: &Error) -> Option<String> {
    use panos_xmlapi::IdentityError;
    let text = match error {
        Error::Unreachable { .. } => {
            "Check the name, the port, and that the management interface allows HTTPS from here."
        }
        Error::Identity(IdentityError::PinMismatch { .. }) => {
            "If the device's certificate was replaced on purpose, give the new fingerprint with --pin."
        }
        Error::Identity(_) => {
            "Trust the issuing CA with --ca-file FILE, or exactly this certificate with --pin SHA256 after comparing the fingerprint."
        }
        Error::Refused(refusal) => match &refusal.reason {
            Reason::InvalidKey => {
                "The API key is not valid on this device, or its administrator has no XML API rights: make a new key."
            }
            Reason::KeyExpired => "Make a new API key; the device limits the lifetime of its keys.",
            Reason::PermissionMissing(_) if refusal.says("superuser") => {
                "Give the administrator the role Superuser, or a custom role with this right."
            }
            Reason::PermissionMissing(Some(right)) => {
                return Some(format!("Enable '{right}' on the XML API tab of the administrator's role."));
            }
            Reason::Locked(Some(holder)) => return Some(format!("Ask {holder} to release the lock.")),
            Reason::Locked(None) => "Ask the administrator who holds the lock to release it.",
            Reason::Busy => {
                "Wait until the device is less busy, then run it again; or wait longer with --commit-timeout."
            }
            Reason::SessionTimedOut => "Run it again.",
            Reason::FullCommitNeeded => {
                "The device commits only all changes together now, as after a configuration was loaded: commit on the device, or run it again with --commit full, which commits everybody's changes."
            }
            Reason::TemplateOwned => "It comes from a template of Panorama: make the change there.",
            Reason::NotConnected => "Connect the firewall to Panorama, then run it again.",
            _ => return None,
        },
        Error::ClientCertificate => {
            "The device's management interface lets only administrators in who have a client certificate: take the certificate profile off it (Device > Setup > Management > Authentication Settings), or name the address of an interface without one."
        }
        Error::Status { status: 429 | 502..=504, .. } => {
            "The device is busy or its management plane is restarting: wait until its web interface answers, then run it again."
        }
        Error::Interrupted { .. } | Error::TimedOut { .. } => {
            "Check whether the device is restarting or overloaded, then try again."
        }
        Error::InvalidReply { .. } | Error::Status { .. } | Error::TooLarge { .. } => {
            "Check that this is the management address of a PAN-OS device."
        }
        _ => return None,
    };
    Some(text.to_owned())
}
