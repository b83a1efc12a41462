//! A reply: its envelope, each typed reading of it, and what it means where it is a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panos_xmlapi::{
    CertificateEntry, HaState, Job, JobState, Lock, ManagedDevice, Operation, PendingChange, Refusal, Reply,
    ServiceProfile, SystemInfo, TemplateStack, own_name,
};

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let Ok(reply) = Reply::parse(body) else { return };
    assert_eq!(Reply::parse(reply.as_xml().as_bytes()).as_ref(), Ok(&reply), "what we log is what we read");
    assert!(!reply.messages.iter().any(|line| line.is_empty()));
    if let Ok(system) = SystemInfo::read(&reply) {
        let _ = (system.version(), system.is_panorama(), system.default_location(), system.name_limit());
    }
    let _ =
        (HaState::read(&reply), PendingChange::read_all(&reply), Lock::read_all(&reply), own_name(&reply));
    let _ = (ManagedDevice::read_all(&reply), TemplateStack::read_all(&reply));
    if let Ok(job) = Job::read(&reply) {
        well_ended(&job);
    }
    Job::read_all(&reply).iter().flatten().for_each(well_ended);
    if let Some(result) = reply.result() {
        let _ = (CertificateEntry::read_all(result), ServiceProfile::read_all(result));
    }
    let http = [200, 400, 403][usize::from(first % 3)];
    let operation = [
        Operation::Keygen,
        Operation::Op("show jobs"),
        Operation::Config("set"),
        Operation::Commit,
        Operation::Import,
        Operation::Export,
    ][usize::from(first / 3 % 6)];
    let _ = Refusal::read(operation, http, &reply).to_string();
});

/// Only what says so in so many words has ended well.
fn well_ended(job: &Job) {
    if job.state() == JobState::Done {
        assert_eq!((job.status.as_deref(), job.result.as_deref()), (Some("FIN"), Some("OK")));
        assert!(job.devices.iter().all(|device| device.result.as_deref() == Some("OK")));
    }
}
