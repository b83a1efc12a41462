//! The management port and its certificate; restarts.

use std::time::Duration;

use openssl::{
    ssl::{Ssl, SslContext, SslMethod},
    x509::X509,
};
use panos_sim::{Listening, ManagementCertificate, Simulator};

use crate::{client::*, pki};

fn with(certificate: ManagementCertificate) -> Simulator {
    let mut settings = settings();
    settings.management_certificate = certificate;
    Simulator::start(settings).unwrap()
}

#[test]
fn shows_a_certificate_of_each_kind() {
    let ca = pki::self_signed("CA");
    let given = pki::self_signed("fw.example.test");
    let kinds = [
        (ManagementCertificate::SelfSigned, 2, true),
        (ManagementCertificate::SelfSignedLeaf, 2, false),
        (ManagementCertificate::SelfSignedV1, 0, false),
        (
            ManagementCertificate::Issued {
                name: "fw.example.test".into(),
                ca_certificate: ca.certificate_pem(),
                ca_key: ca.key_pem(),
            },
            2,
            false,
        ),
        (
            ManagementCertificate::Given { certificate: given.certificate_pem(), key: given.key_pem() },
            2,
            true,
        ),
    ];
    for (kind, version, is_ca) in kinds {
        let device = with(kind.clone());
        assert_eq!(shown(device.address()).unwrap(), device.certificate_fingerprint());
        let certificate = X509::from_pem(device.certificate_pem().as_bytes()).unwrap();
        assert_eq!(certificate.version(), version, "{kind:?}");
        let text = String::from_utf8(certificate.to_text().unwrap()).unwrap();
        assert_eq!(text.contains("CA:TRUE"), is_ca, "{kind:?}");
    }
}

/// Binds the management interface to a new certificate and starts the commit.
fn rebind(device: &Simulator) -> (pki::Made, u64) {
    let made = pki::self_signed("fw.example.test");
    import_pair(device, "mgmt-1", &made.pem()).has("success");
    let mgmt = PORTAL.replace("portal", "mgmt");
    config(device, "set", &mgmt, "<certificate>mgmt-1</certificate>").has("code=\"20\"");
    let element = "<ssl-tls-service-profile>mgmt</ssl-tls-service-profile>";
    config(device, "set", MGMT_BINDING, element).has("code=\"20\"");
    (made, commit(device, MINE).job())
}

#[test]
fn a_new_management_certificate_restarts_the_port_under_open_connections() {
    use std::io::Read;
    let device = start();
    let before = device.certificate_fingerprint();
    let mut open = tls(device.address()).unwrap();
    let (made, job) = rebind(&device);
    let end = open.read(&mut [0; 16]);
    assert_eq!(end.unwrap_or(0), 0, "the connection was dropped");
    show_job(&device, job);
    assert!(device.wait_idle(Duration::from_secs(5)));
    assert_ne!(device.certificate_fingerprint(), before);
    assert_eq!(shown(device.address()).unwrap(), made.fingerprint());
    show_job(&device, job).has("<result>OK</result>");
}

#[test]
fn the_new_certificate_is_seen_before_the_job_ends() {
    let mut settings = settings();
    settings.commit_duration = Duration::from_secs(2);
    settings.restart_outage = Duration::ZERO;
    let device = Simulator::start(settings).unwrap();
    let (made, job) = rebind(&device);
    while device.certificate_fingerprint() != made.fingerprint() {
        std::thread::yield_now();
    }
    show_job(&device, job).has("<status>ACT</status>");
}

#[test]
fn a_restart_loses_jobs_and_runs_an_auto_commit() {
    let device = start();
    device.add_pending_change("me", PORTAL, "<certificate>x</certificate>").unwrap();
    let candidate = device.candidate_xml();
    device.set_commit_duration(Duration::from_secs(1));
    let job = device.commit_as("jane");
    device.reboot(Duration::from_millis(500), true);
    assert!(shown(device.address()).is_err(), "refused while it boots");
    show_job(&device, job).has("code=\"7\"");
    op(&device, "<show><chassis-ready/></show>").has("<result>no</result>");
    commit(&device, MINE).has("status=\"error\"").has("A commit is in progress.");
    op(&device, "<show><jobs><all/></jobs></show>").has("<type>AutoCom</type>");
    assert!(device.wait_idle(Duration::from_secs(5)));
    op(&device, "<show><chassis-ready/></show>").has("<result>yes</result>");
    assert_eq!(device.candidate_xml(), candidate);
    device.reboot(Duration::ZERO, false);
    assert_eq!(device.candidate_xml(), device.running_xml());
}

#[test]
fn the_port_can_be_closed_or_silent() {
    let device = start();
    device.set_listening(Listening::Refused);
    // The port's keeper hears of it in a moment.
    while std::net::TcpStream::connect(device.address()).is_ok() {
        std::thread::yield_now();
    }
    device.clear_faults();
    show_job(&device, 1);
    device.set_listening(Listening::Silent);
    let tcp = loop {
        let tcp = std::net::TcpStream::connect(device.address()).unwrap();
        if device.connection_records().last().is_some_and(|c| !c.closed) {
            break tcp;
        }
    };
    tcp.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let context = SslContext::builder(SslMethod::tls_client()).unwrap().build();
    assert!(Ssl::new(&context).unwrap().connect(tcp).is_err());
    assert!(!device.connection_records().last().unwrap().handshake_completed);
}
