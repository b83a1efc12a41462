//! What the caller's environment can bring about: nothing, in any run.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::common::world::{Ended, NAME, PORTAL, World};
use crate::common::{pki, programs};
use crate::sandbox::{GETCERT, INSTCERT};

const CERTCTL: &str = env!("CARGO_BIN_EXE_pan_certctl");

/// What OpenSSL would load is used here to break it: a run that loads it can't make a fingerprint.
fn hostile_openssl(folder: &Path, mode: u32) -> std::path::PathBuf {
    let path = folder.join("openssl.cnf");
    std::fs::remove_file(&path).ok();
    let text = "openssl_conf = x\n[x]\nalg_section = y\n[y]\ndefault_properties = no-such=thing\n";
    pki::write(&path, text.as_bytes(), mode);
    path
}

#[test]
fn what_openssl_would_load_is_refused_where_others_could_have_written_it() {
    let world = World::new();
    let config = hostile_openssl(world.folder.path(), 0o666);
    let open = world.path("open");
    std::fs::create_dir(&open).unwrap();
    let everybody: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&open, everybody).unwrap();
    for (program, words) in [
        (GETCERT, &["-c", NAME, "fw1"][..]),
        (INSTCERT, &["-c", NAME, "fw1"]),
        (CERTCTL, &["status"]),
        (CERTCTL, &["retry"]),
    ] {
        let places = ["--state-dir", world.folder.path().to_str().unwrap(), "--log-file", "/nonexistent/log"];
        for (variable, path) in [
            ("OPENSSL_CONF", config.clone()),
            ("OPENSSL_CONF_INCLUDE", open.clone()),
            ("OPENSSL_MODULES", open.clone()),
            ("OPENSSL_ENGINES", open.clone()),
        ] {
            let mut command = Command::new(program);
            command.args(words).args(places).env_clear().env(variable, &path);
            let ended = Ended::of(&mut command).exits(1);
            for says in [variable, path.to_str().unwrap(), "other users can change it", "env -u "] {
                assert!(ended.stderr.contains(says), "no '{says}' in {ended:#?}");
            }
        }
    }
    // What only root, or the caller, could have written is his own business, and so is nothing.
    for path in ["", "/dev/null", "/nonexistent/openssl.cnf"] {
        let mut command = world.command();
        command.args(["-p", PORTAL]).arg(world.target()).env("OPENSSL_CONF", path);
        Ended::of(&mut command).exits(0);
    }
}

#[test]
fn neither_proxies_nor_other_authorities_have_a_say_in_https() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let there = format!("http://{}", proxy.local_addr().unwrap());
    // The simulator's own certificate is nobody's but its own: were these believed, it would be trusted.
    let world = World::new();
    let file = world.path("simulator.pem");
    let seen = openssl_of(&world.target());
    pki::write(&file, &seen, 0o644);
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).arg(world.target());
    for variable in ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"] {
        command.env(variable, &file);
    }
    command.env("SSL_CERT_DIR", world.folder.path());
    for variable in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(variable, &there);
    }
    Ended::of(&mut command).exits(16);
    // And what is trusted is reached without the proxy.
    let mut command = world.command();
    command.args(["-p", PORTAL]).arg(world.target()).envs([("https_proxy", &there), ("ALL_PROXY", &there)]);
    Ended::of(&mut command).exits(0);
    assert!(proxy.accept().is_err(), "the proxy was spoken to");
}

/// The certificate that a server shows, as PEM.
fn openssl_of(target: &str) -> Vec<u8> {
    use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    context.set_verify(SslVerifyMode::NONE);
    let stream = std::net::TcpStream::connect(target).unwrap();
    let tls = Ssl::new(&context.build()).unwrap().connect(stream).unwrap();
    tls.ssl().peer_certificate().unwrap().to_pem().unwrap()
}

const SLIPPED: [&str; 10] = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "KRB5_CONFIG",
    "http_proxy",
    "SSL_CERT_FILE",
    "OPENSSL_CONF",
    "DBUS_SESSION_BUS_ADDRESS",
    "BASH_ENV",
    "LANGUAGE",
];

#[test]
fn children_get_an_environment_of_their_own() {
    let world = World::new();
    let bin = world.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let seen = world.path("seen");
    let script = format!("#!/bin/sh\nenv >>'{}'\necho 'State MONITORING, stuck: no.'\n", seen.display());
    programs::write(&bin.join("getcert"), &script);
    let mut command = Command::new(INSTCERT);
    command.args(["-c", NAME, "-p", PORTAL, "-k"]).arg(world.path(".panrc"));
    command.args(["--pin", &world.device.certificate_fingerprint()]).arg(world.target());
    for option in ["-C", "-K"] {
        command.arg(option).arg(world.folder.path());
    }
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("TZ", "UTC");
    // The loader reads some of these for our own program as well: they name nothing that is there.
    for variable in SLIPPED {
        command.env(variable, "/nonexistent/slipped");
    }
    command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/slipped");
    Ended::of(&mut command).exits(0);
    let seen = std::fs::read_to_string(seen).unwrap();
    let names: Vec<&str> =
        seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    for name in names {
        // What the shell itself sets, and what was meant for the child.
        let meant = ["PATH", "TZ", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name);
        let bus = name == "DBUS_SYSTEM_BUS_ADDRESS" && !rustix::process::geteuid().is_root();
        assert!(meant || bus, "{name} was handed on: {seen}");
    }
    assert!(seen.contains("LC_ALL=C\n") && seen.contains("TZ=UTC"), "{seen}");
}

#[test]
fn programs_are_not_taken_from_folders_that_others_can_write() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let bin = world.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let ran = world.path("ran");
    programs::write(&bin.join("getcert"), &format!("#!/bin/sh\n: >'{}'\n", ran.display()));
    let words = |command: &mut Command| {
        command.args(["-c", NAME, "-k"]).arg(world.path(".panrc")).arg("-C").arg(world.folder.path());
        command.arg("-K").arg(world.folder.path()).args(["--pin", &world.device.certificate_fingerprint()]);
        command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
        command.arg(world.target()).env_clear().env("PATH", &bin);
    };
    for (mode, owner, runs) in [(0o777, 0, false), (0o775, 0, false), (0o755, 65534, false), (0o755, 0, true)]
    {
        std::fs::set_permissions(&bin, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&bin, Some(owner), None).unwrap();
        let mut command = Command::new(INSTCERT);
        words(&mut command);
        let ended = Ended::of(&mut command);
        assert_eq!(ran.exists(), runs, "{mode:o} {owner} {ended:#?}");
    }
}
