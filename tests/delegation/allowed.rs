//! What is delegated works, and no more than the configuration file says.

use crate::common::world::{GATEWAY, NAME, PORTAL};
use crate::sandbox::{GETCERT, INSTCERT, Sandbox};

#[test]
fn a_certificate_is_installed_with_what_root_configured() {
    let Some(sandbox) = Sandbox::new("profile = 'GP portal'") else { return };
    let device = sandbox.world.target();
    let plan = sandbox.delegated(INSTCERT, &["--dry-run", &device]).exits(0);
    assert!(plan.stdout.contains(PORTAL), "{plan:#?}");
    sandbox.delegated(INSTCERT, &["-s", GATEWAY, "--json", &device]).exits(0);
    assert!(sandbox.world.served().is_some());
    assert!(sandbox.path("log/pan_instcert.log").is_file());
    assert!(sandbox.path("lib/pan_getcert/installations").is_dir());
}

#[test]
fn a_request_is_made_and_its_post_save_command_says_what_was_typed_and_nothing_else() {
    let Some(sandbox) = Sandbox::new("") else { return };
    let device = sandbox.world.target();
    sandbox.delegated(GETCERT, &["-p", PORTAL, "-v", &device]).exits(0).says("FINISHED: ");
    let asked = sandbox.asked().unwrap();
    let command = asked.lines().find(|line| line.contains("pan_instcert")).unwrap();
    // The list has a new name each time.
    let (before, rest) = command.split_once(" --profile-list=").unwrap();
    let (list, after) = rest.split_once(' ').unwrap();
    assert!(list.len() == 16 && list.bytes().all(|byte| byte.is_ascii_hexdigit()), "{command}");
    let command = format!("{before} {after}");
    let wanted = format!(
        "{INSTCERT} -c {NAME} --cert-dir=/etc/ssl/certs --key-dir=/etc/ssl/private '--profile={PORTAL}' \
         --log-file=/var/log/pan_instcert.log --state-dir=/var/lib/pan_getcert {device}"
    );
    assert_eq!(command, wanted);
}

#[test]
fn what_the_file_narrows_is_refused_beyond_it() {
    let narrowed = "[delegated]\ncommon-names = ['gp.example.com', '*.vpn.example.com', '192.0.2.1']\n\
                    cert-names = ['portal']\nprofiles = ['GP portal']\n";
    let Some(sandbox) = Sandbox::new(narrowed) else { return };
    let device = sandbox.world.target();
    let before = sandbox.snapshot();
    for (program, words, says) in [
        (GETCERT, &["--san=a.example.com"][..], "'a.example.com' is not among the common-names"),
        (GETCERT, &["--san=a.b.vpn.example.com"], "'a.b.vpn.example.com' is not among the common-names"),
        (
            GETCERT,
            &["--san=a.vpn.example.com", "--ip=192.0.2.2"],
            "'192.0.2.2' is not among the common-names",
        ),
        (GETCERT, &["-n", "other"], "'other' is not among the cert-names"),
        (INSTCERT, &["-n", "other"], "'other' is not among the cert-names"),
        (GETCERT, &["-p", GATEWAY], "'GP gateway' is not among the profiles"),
        (INSTCERT, &["-p", PORTAL, "-s", GATEWAY], "'GP gateway' is not among the profiles"),
    ] {
        let ended = sandbox.delegated(program, &[words, &[&device]].concat()).exits(1).says(says);
        assert_eq!(sandbox.snapshot(), before, "{ended:#?}");
        sandbox.assert_silence(&ended);
    }
    for program in [GETCERT, INSTCERT] {
        let words = ["--delegated", "-c", "web.example.com", &device];
        sandbox
            .run(program, &words)
            .unwrap()
            .exits(1)
            .says("'web.example.com' is not among the common-names");
    }
    sandbox.delegated(INSTCERT, &["-n", "portal", "-p", PORTAL, &device]).exits(0);
}

#[test]
fn devices_that_the_file_does_not_list_are_not_delegated() {
    let Some(sandbox) = Sandbox::new("") else { return };
    let before = sandbox.snapshot();
    for program in [GETCERT, INSTCERT] {
        for devices in [&[sandbox.other()][..], &[sandbox.world.target(), sandbox.other()]] {
            let ended = sandbox.delegated(program, devices).exits(1).says("lists no device");
            assert_eq!(sandbox.snapshot(), before, "{ended:#?}");
            sandbox.assert_silence(&ended);
        }
    }
}

#[test]
fn without_a_configuration_file_that_is_roots_nothing_is_delegated() {
    let Some(sandbox) = Sandbox::new("") else { return };
    let device = sandbox.world.target();
    let config = sandbox.path("etc/pan_getcert.toml");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&config, Some(65534), None).unwrap();
        for program in [GETCERT, INSTCERT] {
            sandbox.delegated(program, &[&device]).exits(1).says("it belongs to user id 65534, not to root");
        }
    }
    std::fs::remove_file(&config).unwrap();
    for program in [GETCERT, INSTCERT] {
        sandbox.delegated(program, &[&device]).exits(1).says("no delegation on this machine");
    }
    sandbox.assert_silence(&"no configuration");
}

#[test]
fn a_certificate_that_serves_something_else_is_neither_renewed_nor_given_away() {
    let Some(sandbox) = Sandbox::new("") else { return };
    let device = sandbox.world.target();
    for post_save in ["systemctl reload nginx", "/usr/bin/pan_instcertx -c x", ""] {
        sandbox.tracked(post_save);
        let before = sandbox.snapshot();
        for more in ["-v", "--rekey", "--resubmit"] {
            let ended =
                sandbox.delegated(GETCERT, &[more, &device]).exits(1).says("not allowed with --delegated");
            assert_eq!(sandbox.snapshot(), before, "{ended:#?}");
        }
    }
    sandbox.assert_silence(&"another's certificate");
}
