//! Devices that share a thread, and what a thread keeps of what it has read.

use std::{
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use panos_sim::{Fault, Host, Listening, Settings, Simulator, What, When};

use crate::{client::*, pki};

/// Any port at an address that this test has for itself: what it lets go, no other test gets meanwhile.
fn alone(number: u8) -> SocketAddr {
    ([127, 0, 77, number], 0).into()
}

fn on(host: &Host, change: impl FnOnce(&mut Settings)) -> Simulator {
    let mut settings = settings();
    change(&mut settings);
    Simulator::start_on(host, settings).unwrap()
}

fn version(device: &Simulator) -> Reply {
    post(device, &[("type", "version")])
}

#[test]
fn devices_on_one_thread_are_devices_of_their_own() {
    let host = Host::start().unwrap();
    let names = ["fw-1", "fw-2", "fw-3", "fw-4", "fw-5"];
    let named = |settings: &mut Settings, name: &str| {
        settings.hostname = name.to_owned();
        settings.listen = alone(1);
    };
    let mut devices: Vec<Simulator> =
        names.iter().map(|name| on(&host, |settings| named(settings, name))).collect();
    let mut fingerprints: Vec<String> = devices.iter().map(|it| shown(it.address()).unwrap()).collect();
    assert!(devices.iter().zip(&fingerprints).all(|(it, shown)| it.certificate_fingerprint() == *shown));
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 5);
    for (device, name) in devices.iter().zip(names) {
        config(
            device,
            "set",
            "/config/shared/address/entry[@name='p']",
            &format!("<fqdn>{name}.test</fqdn>"),
        )
        .has("success");
    }
    for (device, name) in devices.iter().zip(names) {
        let candidate = device.candidate_xml();
        assert!(candidate.contains(&format!("{name}.test")) && candidate.matches(".test<").count() == 1);
        assert_eq!(device.requests().len(), 1);
    }
    // One that never answers, one that lets nobody in, one that restarts: to the last two they are nothing.
    let asked = |device: &Simulator| TcpStream::connect(device.address()).unwrap();
    devices[0].inject(Fault::new(When::Always, What::Silence));
    let address = devices[0].address();
    let waiting = std::thread::spawn(move || {
        let headers = [("X-PAN-KEY", KEY), FORM];
        request(address, "POST", "/api/", &headers, form(&[("type", "version")]).as_bytes())
    });
    while devices[0].requests().len() < 2 {
        std::thread::yield_now();
    }
    devices[1].set_listening(Listening::Silent);
    let mut silent = asked(&devices[1]);
    devices[2].reboot(Duration::from_secs(600), true);
    commit_and_wait(&devices[3], MINE).has("<result>OK</result>");
    version(&devices[4]).has("success");
    // Each that goes takes its own with it before it is gone, and nothing of the others'.
    let (mut kept, gone) = (tls(devices[4].address()).unwrap(), devices[0].address());
    drop(devices.drain(..3));
    assert!(waiting.join().unwrap().is_err());
    silent.set_nonblocking(true).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert!(TcpStream::connect(gone).is_err());
    assert_eq!(devices[1].connection_records().iter().filter(|it| !it.closed).count(), 1);
    std::io::Write::write_all(&mut kept, b"GET /api/?type=version&key=").unwrap();
    std::io::Write::write_all(&mut kept, format!("{KEY} HTTP/1.1\r\nHost: f\r\n\r\n").as_bytes()).unwrap();
    assert!(kept.read(&mut [0; 64]).unwrap() > 0);
    commit_and_wait(&devices[1], MINE).has("<result>OK</result>");
}

#[test]
fn a_thread_ends_with_the_last_of_its_devices_and_not_before() {
    let device = on(&Host::start().unwrap(), |_| {});
    version(&device).has("success");
    let host = Host::start().unwrap();
    drop(on(&host, |_| {}));
    version(&on(&host, |_| {})).has("success");
    // What was dropped is gone, however busy its thread is: the port is free at once.
    for _ in 0..20 {
        let device = on(&host, |settings| {
            settings.listen = alone(2);
            settings.service_listen = alone(2);
        });
        let (api, service) = (device.address(), device.service_address());
        drop(device);
        assert!(TcpListener::bind(api).is_ok() && TcpListener::bind(service).is_ok());
    }
    let begun = Instant::now();
    drop((device, host));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_was_read_once_answers_for_nothing_else() {
    let host = Host::start().unwrap();
    let (first, second) = (on(&host, |_| {}), on(&host, |_| {}));
    let legacy = on(&host, |settings| settings.legacy_only = true);
    let upload = |device: &Simulator, name: &str, passphrase: &str, file: &[u8]| {
        let parameters = [
            ("category", "keypair"),
            ("format", "pkcs12"),
            ("certificate-name", name),
            ("passphrase", passphrase),
        ];
        import(device, &parameters, file)
    };
    let entry = |device: &Simulator, name: &str| {
        config(device, "get", &format!("/config/shared/certificate/entry[@name='{name}']"), "").text()
    };
    let (one, other) = (pki::self_signed("one.test"), pki::self_signed("other.test"));
    let file = one.pkcs12("secret", &[], false);
    for device in [&first, &second, &second] {
        upload(device, "vpn", "secret", &file).has("success");
        assert!(entry(device, "vpn").contains(">one.test</common-name>"));
    }
    // The key itself: what stands beside it is when each of them got it.
    let key = |device: &Simulator| {
        let entry = entry(device, "vpn");
        let (_, element) = entry.split_once("<private-key").unwrap();
        element.split(['<', '>']).nth(1).unwrap().to_owned()
    };
    assert_eq!(key(&first), key(&second));
    assert!(key(&first).starts_with("-AQ=="), "{}", key(&first));
    // Another passphrase, another byte, a device that does not read such files; and the first of all is still good.
    upload(&second, "wrong", "Secret", &file).has("Invalid passphrase");
    upload(&second, "wrong", "secre", &file).has("Invalid passphrase");
    let mut changed = file.clone();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    upload(&second, "changed", "secret", &changed).has("status=\"error\"");
    upload(&legacy, "modern", "secret", &file).has("Failed to extract certificate");
    upload(&second, "other", "secret", &other.pkcs12("secret", &[], false)).has("success");
    assert!(entry(&second, "other").contains(">other.test</common-name>"));
    upload(&first, "again", "secret", &file).has("success");
    // The same with PEM, whose key may be encrypted.
    let cipher = openssl::symm::Cipher::aes_256_cbc();
    let key = one.key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").unwrap();
    let pem = [key, one.certificate.to_pem().unwrap()].concat();
    let pem_upload = |name: &str, passphrase: &str, file: &[u8]| {
        let parameters = [
            ("category", "keypair"),
            ("format", "pem"),
            ("certificate-name", name),
            ("passphrase", passphrase),
        ];
        import(&first, &parameters, file)
    };
    pem_upload("pem", "secret", &pem).has("success");
    pem_upload("pem-2", "Secret", &pem).has("private key doesn't exist");
    pem_upload("pem-3", "secret", other.pem().as_bytes()).has("success");
    assert!(entry(&first, "pem-3").contains(">other.test</common-name>"));
    // What is served is the certificate that runs now, with its own key, also after many others.
    config(&first, "set", PORTAL, "<certificate>vpn</certificate>");
    for expected in [&one, &other, &one] {
        upload(&first, "vpn", "secret", &expected.pkcs12("secret", &[], false)).has("success");
        commit_and_wait(&first, MINE).has("<result>OK</result>");
        assert_eq!(shown(first.service_address()).unwrap(), expected.fingerprint());
    }
}
