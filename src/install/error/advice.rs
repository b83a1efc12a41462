//! What to do about a device's answer, or about its silence.

use panos_xmlapi::{Error, Reason};

use crate::host::keyfile::keygen;

/// What to do next, where there is something to say.
pub(super) fn advice_for(error: &Error) -> Option<String> {
    use panos_xmlapi::IdentityError;
    let text = match error {
        Error::Unreachable { .. } => {
            "check the name, the port, and that the management interface allows HTTPS from here"
        }
        Error::Identity(IdentityError::PinMismatch { .. }) => {
            "if the device's certificate was replaced on purpose, give the new fingerprint with --pin"
        }
        Error::Identity(_) => {
            "trust the issuing CA with --ca-file FILE, or exactly this certificate with --pin SHA256 after comparing the fingerprint"
        }
        Error::Refused(refusal) => match &refusal.reason {
            Reason::InvalidKey => {
                return Some(format!(
                    "the API key is not valid on this device, or its administrator has no XML API rights: make a new key: {}",
                    keygen("FQDN", None)
                ));
            }
            Reason::KeyExpired => {
                return Some(format!(
                    "the device limits the lifetime of its keys: make a new one: {}",
                    keygen("FQDN", None)
                ));
            }
            Reason::PermissionMissing(_) if refusal.says("superuser") => {
                "give the administrator the role Superuser, or a custom role with this right"
            }
            Reason::PermissionMissing(Some(right)) => {
                return Some(format!("enable '{right}' on the XML API tab of the administrator's role"));
            }
            Reason::Locked(Some(holder)) => return Some(format!("ask {holder} to release the lock")),
            Reason::Locked(None) => "ask the administrator who holds the lock to release it",
            Reason::Busy => {
                "wait until the device is less busy, then run it again; or wait longer with --commit-timeout"
            }
            Reason::SessionTimedOut => "run it again",
            Reason::FullCommitNeeded => {
                "the device commits only all changes together now, as after a configuration was loaded: commit on the device, or run it again with --commit full, which commits everybody's changes"
            }
            Reason::TemplateOwned => "it comes from a template of Panorama: make the change there",
            Reason::NotConnected => "connect the firewall to Panorama, then run it again",
            _ => return None,
        },
        Error::ClientCertificate => {
            "the device's management interface lets only administrators in who have a client certificate: take the certificate profile off it (Device > Setup > Management > Authentication Settings), or name the address of an interface without one"
        }
        Error::Status { status: 429 | 502..=504, .. } => {
            "the device is busy or its management plane is restarting: wait until its web interface answers, then run it again"
        }
        Error::Interrupted { .. } | Error::TimedOut { .. } => {
            "check whether the device is restarting or overloaded, then try again"
        }
        Error::InvalidReply { .. } | Error::Status { .. } | Error::TooLarge { .. } => {
            "check that this is the management address of a PAN-OS device"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
