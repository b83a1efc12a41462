//! Files and commands that are there before `pan_getcert` comes.

use std::path::PathBuf;

use super::Scene;
use crate::common::bus::until;
use crate::common::pki::{self, CertificateSpec};
use crate::common::programs;
use crate::common::world::{Ended, NAME, PORTAL};

fn placeholder(scene: &Scene) -> pki::Issued {
    let placeholder = pki::self_signed(&CertificateSpec::named(NAME).san(NAME));
    placeholder.write(scene.bus.folder.path(), NAME);
    placeholder
}

fn key(scene: &Scene) -> PathBuf {
    scene.bus.path(&format!("{NAME}.key"))
}

#[tokio::test]
async fn a_placeholder_of_another_tool_is_replaced_and_never_installed() {
    let scene = Scene::new().await;
    placeholder(&scene);
    let before = std::fs::read(key(&scene)).unwrap();
    let ended = scene.first(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    assert!(
        ended.stderr.contains(&format!(
            "{NAME}.crt is there already (CN=gp.example.com, issued by CN=gp.example.com)"
        )),
        "{ended:#?}"
    );
    assert!(ended.stderr.contains("it is replaced by a new key"), "{ended:#?}");
    assert_eq!(scene.issuer(), "Stand-in CA");
    assert_ne!(std::fs::read(key(&scene)).unwrap(), before);
    assert!(scene.is_served());
}

#[tokio::test]
async fn a_placeholder_that_certmonger_took_for_issued_is_not_installed_either() {
    let scene = Scene::new().await;
    placeholder(&scene);
    let getcert = scene.bus.run("getcert", Some(crate::common::authority::NAME));
    let mut request = scene.bus.new_request(None);
    request.certificate = scene.bus.path(&format!("{NAME}.crt"));
    request.key = key(&scene);
    getcert.request(&request).await.unwrap();
    until("certmonger watches it", || async {
        (scene.tracked().await.state.as_str() == "MONITORING").then_some(())
    })
    .await;
    scene.ask(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    assert_eq!(scene.issuer(), "Stand-in CA");
    assert!(scene.is_served());
}

#[tokio::test]
async fn a_key_that_is_there_is_used_or_replaced_as_it_was_said() {
    let scene = Scene::new().await;
    let placeholder = placeholder(&scene);
    std::fs::remove_file(scene.bus.path(&format!("{NAME}.crt"))).unwrap();
    let is_used =
        || scene.issued().public_key().unwrap().public_eq(&placeholder.certificate.public_key().unwrap());
    let ended = scene.first(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    assert!(ended.stderr.contains("it is used for the new certificate"), "{ended:#?}");
    assert!(is_used() && scene.is_served());

    let id = scene.tracked().await.id;
    let stopped = std::process::Command::new("getcert")
        .args(["stop-tracking", "-s", "-i", &id])
        .env("DBUS_SESSION_BUS_ADDRESS", scene.bus.address())
        .output();
    assert!(stopped.unwrap().status.success());
    std::fs::remove_file(scene.bus.path(&format!("{NAME}.crt"))).unwrap();
    let ended = scene.first(&["-p", PORTAL, "--rekey", "-G", "ec"]).exits(0).says("FINISHED: ");
    assert!(ended.stderr.contains("it is replaced by a new key"), "{ended:#?}");
    assert!(!is_used());
    assert!(scene.is_served());
}

#[tokio::test]
async fn another_programs_command_is_named_and_can_be_kept() {
    let scene = Scene::new().await;
    let (other, ran) = (scene.bus.path("other program"), scene.bus.path("ran"));
    let script = format!("#!/bin/sh\necho \"$@\" >> {}\n", ran.display());
    programs::write(&other, &script);
    let command = format!("'{}' 'a b'", other.display());
    let getcert = scene.bus.run("getcert", Some(crate::common::authority::NAME));
    let mut request = scene.bus.new_request(None);
    request.post_save = Some(command.clone());
    (request.principal, request.dns) = (None, vec![NAME.to_owned()]);
    getcert.request(&request).await.unwrap();
    until("it runs", || async { ran.exists().then_some(()) }).await;
    let ended = scene.ask(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    assert!(ended.stderr.contains(&format!("this post-save command is replaced: {command}")), "{ended:#?}");
    assert!(ended.stderr.contains("--and-run "), "{ended:#?}");
}

#[tokio::test]
async fn a_further_command_runs_after_ours_at_each_save_and_is_not_waited_for() {
    let scene = Scene::new().await;
    let (other, ran) = (scene.bus.path("other program"), scene.bus.path("ran"));
    // It ends when it is told to.
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {}\nwhile [ ! -e {} ]; do sleep 0.1; done\n",
        ran.display(),
        scene.bus.path("end").display()
    );
    programs::write(&other, &script);
    let command = format!("'{}' 'a  b' --x", other.display());
    scene.first(&["-p", PORTAL, "--and-run", &command]).exits(0).says("FINISHED: ");
    let runs = || std::fs::read_to_string(&ran).unwrap_or_default().lines().count();
    until("it runs", || async { (runs() == 1).then_some(()) }).await;
    assert_eq!(std::fs::read_to_string(&ran).unwrap(), "a  b --x\n");
    // It is kept though it is not typed again, and runs though ours fails.
    scene.ask(&["-p", PORTAL]).exits(0);
    scene.device.fail_next_commit(&["no"]);
    scene.ask(&["-p", PORTAL, "--resubmit"]).exits(14);
    until("it runs again", || async { (runs() == 2).then_some(()) }).await;
    scene.ask(&["-p", PORTAL, "--and-run", ""]).exits(0);
    assert!(!scene.tracked().await.post_save.unwrap().contains("and-run"));
    std::fs::write(scene.bus.path("end"), "").unwrap();
}

#[tokio::test]
async fn a_key_file_that_is_gone_is_named_with_the_command_that_makes_a_new_one() {
    let scene = Scene::new().await;
    scene.first(&["-p", PORTAL]).exits(0);
    std::fs::remove_file(key(&scene)).unwrap();
    for further in [&[][..], &["--resubmit"]] {
        let ended = scene.ask(&[&["-p", PORTAL], further].concat()).exits(10);
        assert!(ended.stderr.contains(&format!("{NAME}.key is gone")), "{ended:#?}");
        assert!(ended.stderr.contains("\n  pan_getcert --rekey -c gp.example.com "), "{ended:#?}");
    }
    // certmonger has tried by itself meanwhile, and can't.
    let id = scene.tracked().await.id;
    scene.bus.getcert().resubmit(&id, &Default::default()).await.unwrap();
    until("certmonger lacks the key", || async {
        ["NEED_CSR", "NEED_KEY_PAIR"].contains(&scene.tracked().await.state.as_str()).then_some(())
    })
    .await;
    scene.ask(&["-p", PORTAL]).exits(10).says("--rekey");
    assert_eq!(scene.authority.submitted().len(), 1);
    scene.ask(&["-p", PORTAL, "--rekey"]).exits(0).says("FINISHED: ");
    assert!(scene.is_served());
}

#[tokio::test]
async fn a_folder_that_is_called_after_the_host_is_as_good_as_any() {
    let scene = Scene::new().await;
    let folder = scene.bus.path(&format!("of {NAME}"));
    std::fs::create_dir(&folder).unwrap();
    let mut command = scene.command_in(&folder);
    command.args(["--ca", crate::common::authority::NAME, "-p", PORTAL]);
    Ended::of(command.arg(scene.device.address().to_string())).exits(0).says("FINISHED: ");
    assert!(folder.join(format!("{NAME}.crt")).exists());
    assert!(crate::common::world::served(&scene.device).is_some());
}
