//! Commits, locks, reverts.

use std::time::Duration;

use panos_sim::{Administrator, LockKind, Settings, Simulator, WhenBusy};

use crate::{client::*, pki};

const JANES: &str = "/config/shared/address/entry[@name='printer']";

fn bind(device: &Simulator, name: &str) -> pki::Made {
    let made = pki::self_signed("a.test");
    import_pair(device, name, &made.pem()).has("success");
    let element = format!("<certificate>{name}</certificate>");
    config(device, "set", PORTAL, &element).has("code=\"20\"");
    made
}

#[test]
fn a_commit_of_ones_own_leaves_the_others_pending() {
    let device = start();
    device.add_pending_change("jane", JANES, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
    let made = bind(&device, "vpn");
    let before = device.running_xml();
    let reply = commit(&device, MINE);
    reply.has("Commit job enqueued with jobid 2");
    assert_eq!(device.running_xml(), before, "nothing runs before the job");
    assert!(device.wait_idle(Duration::from_secs(5)));
    show_job(&device, reply.job())
        .has("<status>FIN</status>")
        .has("<result>OK</result>")
        .has("administrators: me");
    assert_eq!(shown(device.service_address()).unwrap(), made.fingerprint());
    assert_eq!(device.pending_changes(), [(JANES.to_owned(), "jane".to_owned())]);
    assert!(!device.running_xml().contains("printer"));
    op(&device, "<check><pending-changes/></check>").has("<result>yes</result>");
    op(&device, "<show><config><list><changes/></list></config></show>")
        .has("<owner>jane</owner><action> EDIT</action>");
    let mine = "<show><config><list><changes><partial><admin><member>me</member></admin></partial>\
                </changes></list></config></show>";
    assert!(!op(&device, mine).text().contains("<journal>"));
}

#[test]
fn a_full_commit_publishes_everybodys_edits() {
    let device = start();
    device.add_pending_change("jane", JANES, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
    commit_and_wait(&device, "<commit><description>all</description></commit>")
        .has("<description>all</description>")
        .has("OK");
    assert!(device.running_xml().contains("printer"));
    assert_eq!(device.candidate_xml(), device.running_xml());
    op(&device, "<check><pending-changes/></check>").has("<result>no</result>");
}

#[test]
fn nothing_to_commit_has_two_answers_and_no_job() {
    let device = start();
    commit(&device, "<commit/>").has("code=\"19\"").has("There are no changes to commit.");
    commit(&device, MINE).has("code=\"13\"").has("would be the same as the previous commit");
    bind(&device, "vpn");
    commit(&device, MINE).has("<job>2</job>");
    commit(&device, MINE).has("code=\"13\"");
    commit(&device, "<commit><force/></commit>").has("<job>3</job>");
}

#[test]
fn validation_names_what_is_broken_and_nothing_of_it_runs() {
    let device = start();
    let before = device.running_xml();
    config(&device, "set", PORTAL, "<certificate>ghost</certificate>");
    let new = "/config/shared/ssl-tls-service-profile/entry[@name='typo']";
    config(&device, "set", new, "<certificate>ghost</certificate>");
    commit_and_wait(&device, MINE)
        .has("<response status=\"success\">")
        .has("<result>FAIL</result>")
        .has("<line>Validation Error:</line>")
        .has(" -&gt; typo is missing 'protocol-settings'")
        .has(" -&gt; certificate 'ghost' is not a valid reference")
        .has("<line>Commit failed</line>");
    assert_eq!(device.running_xml(), before);
    let job = op(&device, "<validate><full/></validate>").job();
    assert!(device.wait_idle(Duration::from_secs(5)));
    show_job(&device, job).has("<type>Validate</type>").has("<result>FAIL</result>");
}

#[test]
fn a_commit_can_be_told_to_fail() {
    let device = start();
    bind(&device, "vpn");
    device.fail_next_commit(&["client device phase 1 failure"]);
    commit_and_wait(&device, MINE)
        .has("<line>client device phase 1 failure</line><line>Commit failed</line>");
    assert!(shown(device.service_address()).is_err());
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert!(shown(device.service_address()).is_ok());
}

#[test]
fn jobs_wait_in_a_queue_or_are_refused() {
    let device = start();
    device.set_commit_duration(Duration::from_secs(60));
    device.commit_as("jane");
    bind(&device, "vpn");
    let job = commit(&device, MINE).job();
    show_job(&device, job).has("<status>PEND</status>").has("<result>PEND</result>");
    show_job(&device, 2).has("<status>ACT</status>").has("<tfin>Still Active</tfin>");
    show_job(&device, 99).has("code=\"7\"").has("job 99 not found");
    op(&device, "<show><jobs><pending/></jobs></show>").has("<id>2</id>").has("<id>3</id>");

    let mut settings = settings();
    settings.when_busy = WhenBusy::Refuse;
    let device = Simulator::start(settings).unwrap();
    device.set_commit_duration(Duration::from_secs(60));
    device.commit_as("jane");
    bind(&device, "vpn");
    commit(&device, MINE).has("Another commit/validate is in progress. Please try again later");
}

#[test]
fn a_certificate_in_use_cannot_be_deleted() {
    let device = start();
    bind(&device, "vpn");
    let entry = "/config/shared/certificate/entry[@name='vpn']";
    config(&device, "delete", entry, "")
        .has("code=\"10\"")
        .has("vpn cannot be deleted because of references from:")
        .has(" shared -> ssl-tls-service-profile -> portal -> certificate");
    bind(&device, "new");
    config(&device, "delete", entry, "").has("code=\"20\"");
}

#[test]
fn a_rename_takes_its_references_along() {
    let device = start();
    bind(&device, "vpn");
    let entry = "/config/shared/certificate/entry[@name='vpn']";
    let parameters = [("type", "config"), ("action", "rename"), ("xpath", entry), ("newname", "old")];
    post(&device, &parameters).has("code=\"20\"");
    config(&device, "get", PORTAL, "").has(">old</certificate>");
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert!(shown(device.service_address()).is_ok());
}

#[test]
fn a_revert_takes_back_ones_own_and_only_that() {
    let device = start();
    let clean = device.candidate_xml();
    device.add_pending_change("jane", JANES, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
    let with_janes = device.candidate_xml();
    bind(&device, "vpn");
    let mine = "<revert><config><partial><admin><member>me</member></admin></partial></config>\
                </revert>";
    op(&device, mine).has("All changes were reverted from configuration");
    assert_eq!(device.candidate_xml(), with_janes);
    op(&device, "<revert><config/></revert>").has("success");
    assert_eq!(device.candidate_xml(), clean);
}

#[test]
fn locks_of_others_stop_edits_and_commits() {
    let device = start();
    let made = pki::self_signed("a.test");
    device.take_lock(LockKind::Config, "jane", "change window");
    op(&device, "<show><config-locks/></show>").has("<entry name=\"jane\">").has("<![CDATA[change window]]>");
    import_pair(&device, "vpn", &made.pem()).has("Configuration is locked by jane");
    config(&device, "set", PORTAL, "<certificate>x</certificate>").has("locked by jane");
    op(&device, "<request><config-lock><add/></config-lock></request>")
        .has("Config for scope shared is currently locked by jane");
    device.release_lock(LockKind::Config, "jane");
    bind(&device, "vpn");
    device.take_lock(LockKind::Commit, "jane", "");
    commit(&device, MINE).has("code=\"14\"").has("holding device wide commit locks");
    let remove = "<request><commit-lock><remove><admin>jane</admin></remove></commit-lock></request>";
    op(&device, remove).has("Commit lock released for jane");
    commit(&device, MINE).has("code=\"19\"");
}

#[test]
fn a_successful_commit_gives_the_locks_back() {
    let device = start();
    let add = "<request><config-lock><add><comment>mine</comment></add></config-lock></request>";
    op(&device, add).has("Successfully acquired lock.");
    op(&device, add).has("You already own a config lock for scope shared");
    bind(&device, "vpn");
    device.fail_next_commit(&["no"]);
    commit_and_wait(&device, MINE).has("FAIL");
    assert_eq!(device.locks(), [(LockKind::Config, "me".to_owned())]);
    commit_and_wait(&device, MINE).has("<result>OK</result>");
    assert_eq!(device.locks(), []);
    let remove = "<request><config-lock><remove/></config-lock></request>";
    op(&device, remove).has("Config is not currently locked for scope shared");
}

#[test]
fn only_a_superuser_releases_what_others_hold() {
    let rights = panos_sim::Rights::DEPLOYMENT;
    let administrator = Administrator::with_rights("me", "secret", rights);
    let device = Simulator::start(Settings::default().with_key(administrator, KEY)).unwrap();
    device.take_lock(LockKind::Config, "jane", "");
    let remove = "<request><config-lock><remove/></config-lock></request>";
    op(&device, remove).has("status=\"error\"");
    assert_eq!(device.locks().len(), 1);
}

#[test]
fn several_virtual_systems_want_to_be_named_in_lock_listings() {
    let mut settings = settings();
    settings.multi_vsys = true;
    let device = Simulator::start(settings).unwrap();
    op(&device, "<show><config-locks/></show>").has("vsys not provided");
    op(&device, "<show><config-locks><vsys>all</vsys></config-locks></show>").has("success");
}
