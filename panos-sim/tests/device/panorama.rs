//! A Panorama and its firewalls.

use std::time::Duration;

use panos_sim::{
    DeviceGroup, DisconnectedInPush, Host, PushOutcome, SelectivePush, Settings, Simulator, Stack,
};

use crate::{client::*, pki};

const DEV: &str = "/config/devices/entry[@name='localhost.localdomain']";

fn serial(number: usize) -> String {
    format!("0019000000{number:05}")
}

/// A Panorama with a stack of two templates and so many firewalls.
struct Estate {
    panorama: Simulator,
    firewalls: Vec<Simulator>,
}

impl Estate {
    fn of(count: usize, change: impl FnOnce(&mut Settings)) -> Self {
        let serials: Vec<String> = (1..=count).map(serial).collect();
        let mut settings = settings();
        settings.model = "Panorama".into();
        settings.serial = "000710000001".into();
        settings.sw_version = "11.2.5-h1".into();
        settings.profiles.clear();
        settings.templates = vec!["branch".into(), "base".into()];
        settings.stacks = vec![Stack {
            name: "branches".into(),
            templates: settings.templates.clone(),
            devices: serials.clone(),
        }];
        settings.device_groups =
            vec![DeviceGroup { name: "offices".into(), devices: serials.clone(), ..DeviceGroup::default() }];
        change(&mut settings);
        let panorama = Simulator::start(settings).unwrap();
        let host = Host::start().unwrap();
        let firewalls = serials.iter().map(|serial| {
            let mut settings = self::settings();
            settings.serial.clone_from(serial);
            settings.hostname = format!("fw-{serial}");
            let firewall = Simulator::start_on(&host, settings).unwrap();
            panorama.manage(&firewall);
            firewall
        });
        Self { firewalls: firewalls.collect(), panorama }
    }

    /// Puts a profile into a template, as an administrator, and commits all to the Panorama.
    fn profile(&self, admin: &str, template: &str, name: &str, certificate: &str) {
        let path = format!(
            "{DEV}/template/entry[@name='{template}']/config/shared/ssl-tls-service-profile/entry[@name='{name}']"
        );
        let element = format!("<protocol-settings/><certificate>{certificate}</certificate>");
        self.panorama.add_pending_change(admin, &path, &element).unwrap();
        self.panorama.commit_as(admin);
        assert!(self.panorama.wait_idle(Duration::from_secs(5)));
    }

    /// A certificate in a template, uploaded and committed.
    fn certificate(&self, template: &str, name: &str) {
        let parameters = [
            ("category", "keypair"),
            ("format", "pem"),
            ("certificate-name", name),
            ("passphrase", "dummy"),
            ("target-tpl", template),
        ];
        import(&self.panorama, &parameters, pki::self_signed(name).pem().as_bytes()).has("success");
    }

    /// Pushes and returns the finished job.
    fn push(&self, cmd: &str) -> Reply {
        let reply = self.try_push(cmd);
        reply.has("Job enqueued with jobid");
        let job = reply.job();
        assert!(self.panorama.wait_idle(Duration::from_secs(60)));
        show_job(&self.panorama, job)
    }

    fn try_push(&self, cmd: &str) -> Reply {
        post(&self.panorama, &[("type", "commit"), ("action", "all"), ("cmd", cmd)])
    }

    fn stack(&self, more: &str) -> Reply {
        self.push(&format!(
            "<commit-all><template-stack><name>branches</name>{more}</template-stack></commit-all>"
        ))
    }

    fn ask(&self, serial: &str, cmd: &str) -> Reply {
        post(&self.panorama, &[("type", "op"), ("cmd", cmd), ("target", serial)])
    }

    fn pushed(&self, number: usize) -> String {
        self.ask(&serial(number), "<show><config><pushed-template></pushed-template></config></show>").text()
    }
}

/// What a job says of one firewall.
fn entry(job: &Reply, number: usize) -> String {
    let text = job.text();
    let entries = text.split("<entry>").find(|entry| entry.contains(&serial(number)));
    entries.unwrap_or_default().to_owned()
}

#[test]
fn a_push_brings_the_template_to_every_firewall_of_the_stack() {
    let estate = Estate::of(3, |_| {});
    estate.certificate("branch", "vpn");
    estate.profile("me", "branch", "portal-tpl", "vpn");
    assert!(estate.pushed(1).contains("<result/>"));
    let job = estate.stack("");
    job.has("<type>CommitAll</type>").has("<push_type>template-stack</push_type>").has("<result>OK</result>");
    for number in 1..=3 {
        // The text of a success stands among the errors.
        let told = entry(&job, number);
        assert!(told.contains("<status>commit succeeded</status><result>OK</result>"), "{told}");
        assert!(
            told.contains("\\n<errors><line>Configuration committed successfully</line></errors>"),
            "{told}"
        );
        let there = estate.pushed(number);
        assert!(
            there.contains("<entry name=\"portal-tpl\" ptpl=\"branches\">") && there.contains("name=\"vpn\"")
        );
    }
    // Asked through the Panorama, the firewall answers; in what runs there is nothing of the template.
    estate.ask(&serial(2), "<show><system><info/></system></show>").has(&serial(2));
    let path = "/config/shared/ssl-tls-service-profile/entry[@name='portal-tpl']";
    let config = |action: &str| {
        let parameters = [("type", "config"), ("action", action), ("xpath", path), ("target", &serial(2))];
        post(&estate.panorama, &parameters)
    };
    config("get").has("src=\"tpl\"");
    config("show").has("No such node");
    // What a stack's first template has wins over the second's; a local object over both.
    estate.certificate("base", "other");
    estate.profile("me", "base", "portal-tpl", "other");
    estate.profile("me", "base", "only-base", "other");
    let local = "<protocol-settings/><certificate>vpn</certificate>";
    config_set(&estate.firewalls[0], "only-base", local);
    estate.stack("");
    let there = estate.pushed(1);
    assert!(there.contains("name=\"only-base\""), "{there}");
    let profile = there.split("name=\"portal-tpl\"").nth(1).unwrap().split("</entry>").next().unwrap();
    assert!(profile.contains(">vpn<"), "{there}");
    config_get(&estate.firewalls[0], "only-base", false);
    config_get(&estate.firewalls[1], "only-base", true);
    // Unless the push takes the local one away.
    estate.stack("<force-template-values>yes</force-template-values>");
    config_get(&estate.firewalls[0], "only-base", true);
}

fn config_set(firewall: &Simulator, name: &str, element: &str) {
    let path = format!("/config/shared/ssl-tls-service-profile/entry[@name='{name}']");
    config(firewall, "set", &path, element).has("code=\"20\"");
    firewall.commit_as("me");
    assert!(firewall.wait_idle(Duration::from_secs(5)));
}

#[track_caller]
fn config_get(firewall: &Simulator, name: &str, from_template: bool) {
    let path = format!("/config/shared/ssl-tls-service-profile/entry[@name='{name}']");
    let text = config(firewall, "get", &path, "").text();
    assert_eq!(text.contains("src=\"tpl\""), from_template, "{text}");
}

#[test]
fn a_push_takes_the_firewalls_own_pending_changes_along_unless_it_is_told_not_to() {
    let estate = Estate::of(1, |_| {});
    let pending = || estate.firewalls[0].pending_changes().len();
    estate.firewalls[0]
        .add_pending_change("jane", "/config/shared/address/entry[@name='a']", "<fqdn>a.test</fqdn>")
        .unwrap();
    estate.stack("<validate-only>yes</validate-only>").has("<result>OK</result>");
    estate.stack("<merge-with-candidate-cfg>no</merge-with-candidate-cfg>").has("<result>OK</result>");
    assert_eq!(pending(), 1);
    estate.stack("").has("<result>OK</result>");
    assert_eq!(pending(), 0);
}

#[test]
fn every_firewall_has_its_own_result() {
    let estate = Estate::of(6, |_| {});
    let set = |number, outcome| estate.panorama.set_push_outcome(&serial(number), outcome);
    let lines = vec!["Validation Error:".to_owned(), "Commit failed".to_owned()];
    set(2, PushOutcome::Fails(lines.clone()));
    set(3, PushOutcome::StaysPending);
    estate.panorama.set_connected(&serial(4), false);
    set(5, PushOutcome::FailsQuietly(lines));
    set(6, PushOutcome::Late(Duration::from_millis(200)));
    let job = estate.stack("");
    job.has("<status>FIN</status>").has("<result>FAIL</result>");
    for (number, expected) in [
        (1, "<status>commit succeeded</status><result>OK</result>"),
        (2, "<status>commit failed</status><result>FAIL</result>"),
        (3, "<status>config sent to device</status><result>PEND</result>"),
        (4, "<status>not connected</status><result>FAIL</result>"),
        (5, "<status>commit failed</status><result>FAIL</result>"),
    ] {
        assert!(entry(&job, number).contains(expected), "{number}: {}", entry(&job, number));
    }
    assert!(entry(&job, 2).contains("<errors><line>Validation Error:</line>"));
    // The job as a whole can call it a success all the same.
    let some = |numbers: &[usize]| {
        let members: String =
            numbers.iter().map(|number| format!("<member>{}</member>", serial(*number))).collect();
        estate.stack(&format!("<device>{members}</device>"))
    };
    let job = some(&[1, 3, 5, 6]);
    job.has("<result>OK</result>");
    assert!(entry(&job, 5).contains("<result>FAIL</result>") && entry(&job, 2).is_empty());
    // What was late is there in the end.
    let id = job.text().split("<id>").nth(1).unwrap().split('<').next().unwrap().parse().unwrap();
    assert!(entry(&show_job(&estate.panorama, id), 6).contains("<result>OK</result>"));
    // By name, or the firewall not at all.
    let absent = Estate::of(2, |settings| settings.disconnected_in_push = DisconnectedInPush::Absent);
    absent.panorama.set_connected(&serial(2), false);
    let job = absent.stack("");
    job.has("<result>OK</result>");
    assert!(entry(&job, 2).is_empty() && !entry(&job, 1).is_empty());
}

#[test]
fn a_firewall_refuses_what_its_commit_would_refuse() {
    let estate = Estate::of(2, |_| {});
    estate.certificate("branch", "vpn");
    estate.profile("me", "branch", "p", "vpn");
    estate.stack("");
    // One firewall's own profile uses the template's certificate, which goes away.
    config_set(&estate.firewalls[0], "portal", "<certificate>vpn</certificate>");
    let shared = format!("{DEV}/template/entry[@name='branch']/config/shared");
    for list in ["ssl-tls-service-profile/entry[@name='p']", "certificate/entry[@name='vpn']"] {
        estate.panorama.delete_from_candidate("me", &format!("{shared}/{list}")).unwrap();
    }
    estate.panorama.commit_as("me");
    assert!(estate.panorama.wait_idle(Duration::from_secs(5)));
    let job = estate.stack("");
    job.has("<result>FAIL</result>");
    let told = entry(&job, 1);
    assert!(told.contains("'vpn' is not a valid reference</line>"), "{told}");
    assert!(told.contains("<line>Commit failed</line></errors>"), "{told}");
    assert!(entry(&job, 2).contains("<result>OK</result>"));
    assert!(estate.pushed(1).contains("name=\"vpn\"") && !estate.pushed(2).contains("name=\"vpn\""));
}

#[test]
fn only_some_administrators_changes_are_pushed_where_that_works() {
    let admin = "<admin><member>me</member></admin>";
    let estate = Estate::of(1, |_| {});
    estate.certificate("branch", "vpn");
    estate.profile("me", "branch", "first", "vpn");
    estate.stack("");
    estate.profile("jane", "branch", "hers", "vpn");
    estate.profile("me", "branch", "mine", "vpn");
    let scope = op(
        &estate.panorama,
        "<show><config><push-scope><admin><member>me</member></admin></push-scope></config></show>",
    );
    scope.has("name='mine'");
    assert!(!scope.text().contains("name='hers'"));
    estate.stack(admin).has("<result>OK</result>");
    assert!(estate.pushed(1).contains("name=\"mine\"") && !estate.pushed(1).contains("name=\"hers\""));
    estate.stack("").has("<result>OK</result>");
    assert!(estate.pushed(1).contains("name=\"hers\""));

    let cmd = |more: &str| {
        format!("<commit-all><template-stack><name>branches</name>{more}</template-stack></commit-all>")
    };
    for mode in [
        SelectivePush::AfterFullPush,
        SelectivePush::AfterFailover,
        SelectivePush::OutsideAuditWindow,
        SelectivePush::NotForRole,
    ] {
        let estate = Estate::of(1, |settings| settings.selective_push = mode);
        estate.try_push(&cmd(admin)).has("status=\"error\"").has("Push of selected changes failed");
        estate.stack("");
        let again = estate.try_push(&cmd(admin)).text();
        assert_eq!(again.contains("status=\"error\""), mode == SelectivePush::NotForRole, "{again}");
    }
    let old = Estate::of(1, |settings| settings.sw_version = "10.1.9".into());
    old.try_push(&cmd(admin)).has("commit-all -&gt; template-stack -&gt; admin unexpected here");
    // To a template no release takes it.
    let template = format!("<commit-all><template><name>branch</name>{admin}</template></commit-all>");
    estate.try_push(&template).has("commit-all -&gt; template -&gt; admin unexpected here");
    estate
        .push(&template.replace(admin, ""))
        .has("<push_type>template</push_type>")
        .has("<result>OK</result>");
}

#[test]
fn device_groups_carry_templates_only_where_they_are_told_to() {
    let estate = Estate::of(2, |_| {});
    estate.certificate("branch", "vpn");
    estate.profile("me", "branch", "p", "vpn");
    let push = |template: &str| {
        estate.push(&format!(
            "<commit-all><shared-policy><device-group><entry name=\"offices\"><devices><entry name=\"{}\"/></devices>\
             </entry></device-group><include-template>{template}</include-template></shared-policy></commit-all>",
            serial(2)
        ))
    };
    push("no").has("<push_type>shared-policy</push_type><dgname>offices</dgname>").has("<result>OK</result>");
    assert!(!estate.pushed(2).contains("name=\"p\""));
    let job = push("yes");
    assert!(entry(&job, 1).is_empty() && estate.pushed(2).contains("name=\"p\""));
    let group = "<commit-all><log-collector-config><log-collector-group>g</log-collector-group></log-collector-config></commit-all>";
    let reply = estate.try_push(group);
    reply.has("<msg><line>Generated config and committed to connected collectors in group g</line></msg>");
    assert!(!reply.text().contains("<job>"));
    estate
        .try_push("<commit-all><template-stack><name>ghost</name></template-stack></commit-all>")
        .has("'ghost' is not a valid reference");
    commit(&start(), "<commit-all><template-stack><name>x</name></template-stack></commit-all>")
        .has("is unexpected");
}

#[test]
fn a_panorama_tells_what_each_firewall_last_got() {
    let estate = Estate::of(2, |_| {});
    estate.panorama.manage_unseen("001900000000099");
    let show = |what: &str| op(&estate.panorama, &format!("<show>{what}</show>"));
    let stack = || show("<template-stack><name>branches</name></template-stack>");
    stack().has("<last-commit-all-state-tpl>none<").has("<template-version/>").has("Out of Sync");
    estate.certificate("branch", "vpn");
    estate.profile("me", "branch", "p", "vpn");
    estate.stack("");
    stack().has("<template-status>In Sync</template-status><template-version>1</template-version>");
    estate.profile("me", "branch", "q", "vpn");
    stack().has("<template-status>Out of Sync</template-status><template-version>1</template-version>");
    estate.panorama.set_connected(&serial(1), false);
    estate.stack("");
    let told = stack().text();
    assert!(
        told.contains("not connected") && told.contains("<template-version>2</template-version>"),
        "{told}"
    );
    show("<templates></templates>")
        .has("<entry name=\"branch\">")
        .has("<template-stack>yes</template-stack>");
    show("<devicegroups></devicegroups>").has("<entry name=\"offices\">");
    let all = show("<devices><all></all></devices>");
    all.has("001900000000099").has(&serial(1)).has("<connected>no</connected>");
    let connected = show("<devices><connected></connected></devices>").text();
    assert!(connected.contains(&serial(2)) && !connected.contains(&serial(1)));
    for gone in [&serial(1), "001900000000099", "001900000000077"] {
        estate.ask(gone, "<show><clock/></show>").has("code=\"13\"").has(&format!("{gone} not connected"));
    }
    op(&start(), "<show><devices><all/></devices></show>").has("code=\"17\"");
}

#[test]
fn hundreds_of_firewalls_are_one_process() {
    // Two files each.
    let estate = Estate::of(150, |settings| settings.commit_duration = Duration::from_millis(500));
    estate.certificate("branch", "vpn");
    estate.profile("me", "branch", "p", "vpn");
    let job = estate.stack("");
    assert_eq!(job.text().matches("<result>OK</result>").count(), 151);
    assert!(estate.firewalls.iter().all(|firewall| firewall.pending_changes().is_empty()));
    assert!(estate.pushed(150).contains("name=\"p\""));
}
