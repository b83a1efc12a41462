//! What is asked for, in the product's own types.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pancert::delivery::{InstallSpec, Installation, Requester};
use pancert::install::request::{
    CommitScope, ContainerChoice, Existing, FoundPeer, InstallRequest, PushPolicy, Rebind, StacksToPush,
    Target, Upload,
};
use pancert::install::result::CertificateFacts;
use pancert::install::retry::RetryPolicy;
use pancert::settings::options::DeviceOptions;
use pancert::settings::request::InstallOptions;
use panos_xmlapi::{Address, Location, Trust};

use super::device::{CERTIFICATES, NAMES, PROFILES};
use super::world::{Order, Scenario, World, base};

fn device() -> Address {
    "fw".parse().unwrap()
}

/// The first certificate or its renewal. Both are valid for a year.
pub fn facts(number: u8) -> CertificateFacts {
    CertificateFacts {
        fingerprint: CERTIFICATES[usize::from(number) - 1].1,
        serial: number.to_string(),
        not_before: Some(base() - TimeDelta::days(1) + TimeDelta::hours(i64::from(number))),
        not_after: base() + TimeDelta::days(365),
    }
}

/// Whether the certificates are valid, by this clock.
pub fn in_time(now: DateTime<Utc>) -> bool {
    let facts = facts(1);
    facts.not_before.unwrap() < now && now < facts.not_after
}

/// A request as it is written into the queue.
pub fn spec_of(order: &Order, number: usize, sequence: u64, world: &World) -> InstallSpec {
    let certificate = world.file.filter(|_| in_time(world.now())).map(facts);
    InstallSpec {
        id: ["first", "second"][number].to_owned(),
        sequence,
        requested_at: world.now(),
        requested_by: Requester { uid: 0, sudo_user: None },
        attended: order.attended,
        list: order.list.map(str::to_owned),
        common_name: "gp.example.com".parse().unwrap(),
        name: NAMES[order.name].parse().unwrap(),
        device: device(),
        location: if order.vsys { Location::Vsys("vsys2".parse().unwrap()) } else { Location::Shared },
        peer: None,
        profiles: order.profiles.iter().map(|profile| PROFILES[*profile].parse().unwrap()).collect(),
        profiles_configured: false,
        certificate,
        served: Vec::new(),
        files: None,
        options: InstallOptions {
            cert_dir: "/etc/ssl/certs".into(),
            key_dir: "/etc/ssl/private".into(),
            cert_file: None,
            cert_key: None,
            year: false,
            session_bus: false,
            blind: true,
            force: false,
            take_over: false,
            config: None,
            target: None,
            device: DeviceOptions::default(),
        },
    }
}

/// What a record wants of the device.
pub fn request_of(record: &Installation, scenario: &Scenario) -> InstallRequest {
    let spec = &record.spec;
    InstallRequest {
        common_name: spec.common_name.clone(),
        base_name: spec.name.clone(),
        object: spec.name.clone(),
        target: Target {
            device: device(),
            trust: Trust::Pinned(Vec::new()),
            pin: None,
            key_file: "/etc/ipa/.panrc".into(),
            peer_from_ha_state: FoundPeer { state_dir: "/".into(), authorities: Trust::Pinned(Vec::new()) },
            named_by: None,
        },
        peer: None,
        location: spec.location.clone(),
        push: PushPolicy {
            stacks: StacksToPush::AllOfTemplate,
            only: Vec::new(),
            everybody: false,
            max_failures: None,
        },
        profiles: record.profiles(),
        upload: Upload::Pkcs12(ContainerChoice::Auto),
        key_export: panos_xmlapi::KeyExport::Blocked,
        commit: if scenario.commits_everything { CommitScope::Everybody } else { CommitScope::OwnChanges },
        commit_timeout: Duration::from_secs(1800),
        existing: Existing::Keep,
        rebind: Rebind::Named,
        keep: None,
        retry_policy: RetryPolicy::default(),
        served: Vec::new(),
    }
}
