//! What certmonger's post-save commands say about what is forgotten: the next renewal goes by them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use panos_xmlapi::Address;

use crate::cli::certctl::certmonger::getcert;
use crate::cli::post_save::{Names, PostSave, Without};
use crate::delivery::{Installation, InstallationKey};
use crate::host::certmonger::{GetcertError, Listing};
use crate::install::names::ProfileName;

/// How the renewals of one installation go on.
pub(super) enum Renewal {
    /// certmonger could not be asked, or only root may.
    Unknown(String),
    /// certmonger has no request for the certificate, or one without a command of ours.
    None,
    /// There is a command of ours for the certificate.
    Command {
        /// certmonger's name for the request.
        id: String,
        /// Whether the certmonger is that on the session bus.
        session_bus: bool,
        /// What it runs.
        command: Box<PostSave>,
        /// How it names the device.
        names: Names,
        /// Whether the device is taken out.
        untracked: bool,
    },
}

/// Those of all installations that are forgotten.
pub(super) struct Renewals {
    each: BTreeMap<InstallationKey, Renewal>,
    /// The new commands, by the request's bus and name.
    changes: BTreeMap<(bool, String), String>,
}

impl Renewals {
    /// Asks certmonger.
    pub(super) async fn ask(installations: &[Installation]) -> Self {
        let mut listings: BTreeMap<bool, Result<Listing, String>> = BTreeMap::new();
        let mut each = BTreeMap::new();
        for record in installations {
            let session_bus = record.spec.options.session_bus;
            if let Entry::Vacant(new) = listings.entry(session_bus) {
                new.insert(list(session_bus).await);
            }
            let renewal = match listings.get(&session_bus) {
                Some(Ok(listing)) => Renewal::of(record, listing),
                Some(Err(why)) => Renewal::Unknown(why.clone()),
                None => Renewal::None,
            };
            each.insert(record.key(), renewal);
        }
        Self { each, changes: BTreeMap::new() }
    }

    /// What is known of one installation.
    pub(super) fn of(&self, key: &InstallationKey) -> &Renewal {
        self.each.get(key).unwrap_or(&Renewal::None)
    }

    /// Works out the commands without these devices.
    ///
    /// # Errors
    /// Why one of them can't be taken out, and what to do instead.
    pub(super) fn plan_to_untrack(&mut self, installations: &[Installation]) -> Result<(), String> {
        let mut devices: BTreeMap<(bool, String), Vec<Address>> = BTreeMap::new();
        for record in installations {
            let device = &record.spec.device;
            match self.each.get_mut(&record.key()) {
                Some(Renewal::Unknown(why)) => {
                    return Err(format!("nothing was forgotten: the post-save command is not known: {why}"));
                }
                Some(Renewal::Command { names: Names::Group(group), .. }) => {
                    return Err(format!(
                        "nothing was forgotten: the post-save command names {device} by the group '{group}'; take it \
                         out of that group in the configuration file, then run this without --untrack-device"
                    ));
                }
                Some(Renewal::Command { names: Names::Target(target), .. }) => {
                    return Err(format!(
                        "nothing was forgotten: the post-save command names {device} by the target '{target}'; run \
                         pan_getcert with the targets that remain, then this without --untrack-device"
                    ));
                }
                Some(Renewal::Command { id, session_bus, names: Names::Device, untracked, .. }) => {
                    *untracked = true;
                    devices.entry((*session_bus, id.clone())).or_default().push(device.clone());
                }
                _ => {}
            }
        }
        for (request, devices) in devices {
            let is_it = |renewal: &&Renewal| matches!(renewal, Renewal::Command { id, session_bus, .. } if (*session_bus, id) == (request.0, &request.1));
            let Some(Renewal::Command { command, id, .. }) = self.each.values().find(is_it) else { continue };
            let bus = if request.0 { " -s" } else { "" };
            let command = match command.without(&devices) {
                Without::Command(command) => command,
                Without::NoneLeft => {
                    return Err(format!(
                        "nothing was forgotten: no device would be left in the post-save command; end the renewals \
                         with 'getcert stop-tracking{bus} -i {id}', then run this without --untrack-device"
                    ));
                }
                Without::NotSafe => {
                    return Err(format!(
                        "nothing was forgotten: the post-save command of request {id} can't be changed safely; run \
                         pan_getcert with the devices that remain, then this without --untrack-device"
                    ));
                }
            };
            self.changes.insert(request, command);
        }
        Ok(())
    }

    /// Changes the commands as it was planned.
    ///
    /// # Errors
    /// What certmonger says.
    pub(super) async fn untrack(&self) -> Result<(), GetcertError> {
        for ((session_bus, id), command) in &self.changes {
            getcert(*session_bus).set_post_save(id, command).await?;
        }
        Ok(())
    }
}

async fn list(session_bus: bool) -> Result<Listing, String> {
    if !session_bus && !rustix::process::geteuid().is_root() {
        return Err("only root may ask certmonger".to_owned());
    }
    getcert(session_bus).list().await.map_err(|error| error.to_string())
}

impl Renewal {
    fn of(record: &Installation, listing: &Listing) -> Self {
        let spec = &record.spec;
        let files = spec.options.certificate_files(&spec.common_name);
        let Some(tracked) = files.iter().find_map(|file| listing.for_certificate(file)) else {
            return Self::None;
        };
        let command = tracked.post_save.as_deref().and_then(PostSave::read);
        let Some(command) = command.filter(|command| command.is_for(spec)) else { return Self::None };
        let names = command.names(&spec.destination());
        let (id, session_bus) = (tracked.id.clone(), spec.options.session_bus);
        Self::Command { id, session_bus, command: Box::new(command), names, untracked: false }
    }

    /// In one word, for other programs.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::None => "none",
            Self::Command { names: Names::No, .. } => "not-named",
            Self::Command { untracked: true, .. } => "changed",
            Self::Command { untracked: false, .. } => "unchanged",
        }
    }

    /// What is about to happen to the command, if anything.
    pub(super) fn plan(&self) -> Option<String> {
        match self {
            Self::Command { untracked: true, id, .. } => Some(format!(
                "The post-save command of certmonger's request {id} is changed: this device is taken out."
            )),
            _ => None,
        }
    }

    /// What follows for the next renewal on a device.
    pub(super) fn about_device(&self, device: &Address) -> Option<String> {
        match self {
            Self::Unknown(why) => Some(format!(
                "certmonger's post-save command is unchanged, and may still name it ({why}): see 'getcert list'."
            )),
            Self::None => None,
            Self::Command { names: Names::No, .. } => {
                Some("certmonger's post-save command does not name it, and is unchanged.".to_owned())
            }
            Self::Command { untracked: true, .. } => {
                Some("certmonger's post-save command does not name it any more.".to_owned())
            }
            Self::Command { names: Names::Group(group), .. } => Some(format!(
                "certmonger's post-save command is unchanged and names it by the group '{group}': the next renewal \
                 installs it again, unless {device} is taken out of that group in the configuration file."
            )),
            Self::Command { names: Names::Target(target), .. } => Some(format!(
                "certmonger's post-save command is unchanged and names it by the target '{target}': the next renewal \
                 installs it again. Run pan_getcert with the targets that remain."
            )),
            Self::Command { names: Names::Device, .. } => Some(format!(
                "certmonger's post-save command is unchanged and names {device}: the next renewal installs it again. \
                 Run pan_getcert with the devices that remain, or use --untrack-device."
            )),
        }
    }

    /// What follows for the next renewal in a profile.
    pub(super) fn about_profile(&self, profile: &ProfileName, is_configured: bool) -> Option<String> {
        match self {
            _ if is_configured => Some(format!(
                "The configuration file names '{profile}' for this device: the next delivery binds it again unless it is taken out there."
            )),
            Self::Command { command, .. } if command.names_profile(profile.as_str()) => Some(format!(
                "certmonger's post-save command is unchanged and names '{profile}': the next renewal binds it again. \
                 Run pan_getcert with the profiles that remain."
            )),
            _ => None,
        }
    }
}
