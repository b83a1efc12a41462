//! The handle by which a test holds a running device.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    ConnectionRecord, Error, Fault, Host, Listening, LockKind, PushOutcome, RequestRecord, Result, Serving,
    Settings, UploadRecord,
    config::{self, Scope},
    device::{HaPair, HaSide, Managed, Peer, Work},
    host::Running,
    refusal::Refusal,
    shared::Shared,
    xml::{Element, Path, Style, document, parse_fragment},
};

/// How many more ports are tried for two devices that are to have the same one.
const OTHER_PORTS: usize = 20;

/// A running device. Dropping it stops it.
///
/// Its methods can be called from any thread at any time; a request in flight is seen either
/// wholly before or wholly after a call.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    service_address: SocketAddr,
    /// Dropped to stop it.
    running: Option<Running>,
}

impl Simulator {
    /// Starts a device on a thread of its own; it listens when this returns.
    pub fn start(settings: Settings) -> Result<Self> {
        Self::start_as(&Host::start()?, settings, None)
    }

    /// Starts a device on a thread that it shares with others; it listens when this returns.
    pub fn start_on(host: &Host, settings: Settings) -> Result<Self> {
        Self::start_as(host, settings, None)
    }

    /// Starts two devices that are peers of an active/passive pair; the first is active.
    ///
    /// Each names its own and the other's address (without a port) in its HA state. Where the two
    /// listen on different addresses, such as 127.0.0.1 and 127.0.0.2, and the second on any port,
    /// it takes the port of the first, so that a client finds the peer by its address alone.
    pub fn pair(first: Settings, second: Settings) -> Result<(Self, Self)> {
        let is_any = |settings: &Settings| settings.listen.port() == 0;
        let mut left = if is_any(&first) && is_any(&second) { OTHER_PORTS } else { 0 };
        loop {
            match Self::pair_at(first.clone(), second.clone()) {
                // The port that the system gave to the first one may be somebody's at the second one's address.
                Err(Error::Listen { .. }) if left > 0 => left -= 1,
                ended => return ended,
            }
        }
    }

    fn pair_at(first: Settings, mut second: Settings) -> Result<(Self, Self)> {
        let peer = |settings: &Settings| Peer {
            address: settings.listen.ip().to_string(),
            sw_version: settings.sw_version.clone(),
            model: settings.model.clone(),
        };
        let (one, other) = HaPair::sides(peer(&first), peer(&second));
        let first = Self::start_as(&Host::start()?, first, Some(one))?;
        if second.listen.port() == 0 && second.listen.ip() != first.address.ip() {
            second.listen.set_port(first.address.port());
        }
        let second = Self::start_as(&Host::start()?, second, Some(other))?;
        Ok((first, second))
    }

    fn start_as(host: &Host, settings: Settings, ha: Option<HaSide>) -> Result<Self> {
        settings.check()?;
        let (api, address) = listen(settings.listen)?;
        let (service, service_address) = listen(settings.service_listen)?;
        let shared = Arc::new(Shared::new(settings)?);
        shared.device(|device, _| device.ha = ha);
        let running = host.run(Arc::clone(&shared), api, service)?;
        Ok(Self { shared, address, service_address, running: Some(running) })
    }

    /// Address of the API and management port (HTTPS).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of the second TLS port, which shows what the served profile is bound to.
    pub fn service_address(&self) -> SocketAddr {
        self.service_address
    }

    /// SHA-256, lower-case hexadecimal, of the certificate the management port shows now; empty
    /// when it shows none.
    pub fn certificate_fingerprint(&self) -> String {
        self.shared.device(|device, _| {
            let shown = device.shown_identity();
            shown.map(|identity| identity.fingerprint().to_owned()).unwrap_or_default()
        })
    }

    /// The certificate the management port shows now, as PEM; empty when it shows none.
    pub fn certificate_pem(&self) -> String {
        let shown = self.shared.device(|device, _| device.shown_identity().cloned());
        shown.and_then(|identity| identity.pem()).unwrap_or_default()
    }

    /// The requests since the start or the last [`clear_requests`](Self::clear_requests).
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.log().requests()
    }

    /// Forgets the requests recorded so far.
    pub fn clear_requests(&self) {
        self.shared.log().clear();
    }

    /// The files with private keys that were uploaded since the start, with their passphrases, whatever became of them.
    pub fn uploads(&self) -> Vec<UploadRecord> {
        self.shared.device(|device, _| device.uploads.clone())
    }

    /// How many connections the API port has accepted.
    pub fn connections(&self) -> usize {
        self.shared.log().connections().len()
    }

    /// Every connection the API port has accepted, oldest first.
    pub fn connection_records(&self) -> Vec<ConnectionRecord> {
        self.shared.log().connections().to_vec()
    }

    /// The candidate configuration: stable text, without the marks of uncommitted changes.
    pub fn candidate_xml(&self) -> String {
        (self.shared).device(|device, _| stable(device.config.candidate()))
    }

    /// The running configuration: stable text.
    pub fn running_xml(&self) -> String {
        (self.shared).device(|device, _| stable(device.config.running()))
    }

    /// The XPaths that somebody has changed and nobody has committed, each with its owner.
    pub fn pending_changes(&self) -> Vec<(String, String)> {
        self.shared.device(|device, _| {
            let journal = device.config.journal().iter();
            journal.map(|change| (change.path.to_string(), change.owner.clone())).collect()
        })
    }

    /// An administrator edits the candidate: `element` is merged at `xpath`, as by `action=set`,
    /// whatever locks there are.
    pub fn add_pending_change(&self, admin: &str, xpath: &str, element: &str) -> Result<()> {
        let elements = parse_fragment(element).map_err(|e| Error::Xml(e.to_string()))?;
        self.edit(admin, xpath, |tree, path| config::set(tree, path, elements))
    }

    /// Removes a node of the candidate, as by `action=delete`, whatever locks there are.
    pub fn delete_from_candidate(&self, admin: &str, xpath: &str) -> Result<()> {
        self.edit(admin, xpath, |tree, path| config::delete(tree, path).map(|_| ()))
    }

    fn edit(
        &self,
        admin: &str,
        xpath: &str,
        edit: impl FnOnce(&mut Element, &Path) -> std::result::Result<(), Refusal>,
    ) -> Result<()> {
        let path: Path = xpath.parse().map_err(|_| Error::Xml(format!("bad XPath {xpath:?}")))?;
        self.shared.device(|device, _| {
            (device.config)
                .change(admin, |tree| edit(tree, &path))
                .map_err(|refusal| Error::Xml(document(&refusal.envelope(), Style::Usual)))
        })
    }

    /// An administrator takes a device-wide lock; whoever held a config lock loses it.
    pub fn take_lock(&self, kind: LockKind, admin: &str, comment: &str) {
        (self.shared).device(|device, _| device.locks.put(kind, "shared", admin, comment));
    }

    /// An administrator gives a device-wide lock back; nothing happens if it is not held.
    pub fn release_lock(&self, kind: LockKind, admin: &str) {
        self.shared.device(|device, _| {
            let _ = device.locks.release(kind, "shared", admin, false);
        });
    }

    /// The locks held now, each with its owner.
    pub fn locks(&self) -> Vec<(LockKind, String)> {
        self.shared.device(|device, _| {
            let locks = device.locks.iter();
            locks.map(|lock| (lock.kind, lock.owner.clone())).collect()
        })
    }

    /// The next commit that is enqueued ends with FAIL and these lines; nothing of it becomes
    /// running.
    pub fn fail_next_commit(&self, lines: &[&str]) {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        (self.shared).device(|device, _| device.next_commit_fails = Some(lines));
    }

    /// How many commits were enqueued since the start, by whomever; a reboot does not forget them.
    pub fn commits(&self) -> u64 {
        (self.shared).device(|device, _| device.commits)
    }

    /// How long jobs run that are enqueued from now on.
    pub fn set_commit_duration(&self, duration: Duration) {
        (self.shared).device(|device, _| device.settings.commit_duration = duration);
    }

    /// Starts a full commit by this administrator, as from the web GUI, whatever locks there are;
    /// returns the job's number.
    pub fn commit_as(&self, admin: &str) -> u64 {
        self.shared.device(|device, now| {
            let work = Work::Commit {
                snapshot: device.config.snapshot(&Scope::default()),
                fails: device.next_commit_fails.take(),
            };
            device.enqueue(admin, "Commit", "", work, now)
        })
    }

    /// Waits until no job is pending or running and no configuration is on its way from the peer.
    /// Returns whether that came about within `timeout`.
    pub fn wait_idle(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            let due = self.shared.device(|device, _| device.next_event());
            match due {
                None => return true,
                Some(due) if due > deadline => return false,
                Some(due) => {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            }
        }
    }

    /// Injects a fault; several can wait at the same time, the oldest that matches strikes.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults().inject(fault);
    }

    /// Takes back all faults that are not spent, and opens the port again.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
        self.shared.set_listening(Listening::Normal);
    }

    /// What the API port does with connections from now on.
    pub fn set_listening(&self, listening: Listening) {
        self.shared.set_listening(listening);
    }

    /// What the service port does with connections from now on.
    pub fn set_serving(&self, serving: Serving) {
        self.shared.device(|device, _| device.set_serving(serving));
    }

    /// Restarts the device, as [`What::Reboot`](crate::What::Reboot) does.
    pub fn reboot(&self, outage: Duration, keeps_candidate: bool) {
        (self.shared).device(|device, now| device.reboot(now, outage, keeps_candidate));
    }

    /// A Panorama manages this firewall from now on; it is connected.
    pub fn manage(&self, firewall: &Simulator) {
        let serial = firewall.shared.device(|device, _| device.settings.serial.clone());
        let shared = Arc::clone(&firewall.shared);
        let (fails, away) = self.shared.device(|device, _| {
            let Settings { failing_pushes, not_connected, .. } = &device.settings;
            (failing_pushes.contains(&serial), not_connected.contains(&serial))
        });
        self.managed(&serial, |managed| {
            managed.firewall = Some(shared);
            managed.connected = !away;
            if fails {
                managed.outcome = PushOutcome::Fails(vec!["Validation Error:".to_owned()]);
            }
        });
    }

    /// A Panorama has been told of a firewall that has never been connected.
    pub fn manage_unseen(&self, serial: &str) {
        self.managed(serial, |_| {});
    }

    /// Connects a managed firewall to its Panorama, or takes it from it.
    pub fn set_connected(&self, serial: &str, connected: bool) {
        self.managed(serial, |managed| managed.connected = connected);
    }

    /// What the next pushes to a managed firewall come to.
    pub fn set_push_outcome(&self, serial: &str, outcome: PushOutcome) {
        self.managed(serial, |managed| managed.outcome = outcome);
    }

    fn managed(&self, serial: &str, change: impl FnOnce(&mut Managed)) {
        self.shared.device(|device, _| change(device.fleet.devices.entry(serial.to_owned()).or_default()));
    }

    /// Makes this device of a pair the active one.
    pub fn make_active(&self) {
        self.shared.device(|device, _| {
            if let Some(ha) = &device.ha {
                ha.make_active();
            }
        });
    }

    /// Takes this device of a pair out of the pair's work, as `request high-availability state suspend` does, or
    /// back in as the passive one.
    pub fn suspend(&self, suspended: bool) {
        self.shared.device(|device, _| {
            if let Some(ha) = &device.ha {
                ha.suspend(suspended);
            }
        });
    }

    /// Whether this device is the active one of a pair; a device without a peer is.
    pub fn is_active(&self) -> bool {
        (self.shared).device(|device, _| device.ha.as_ref().is_none_or(HaSide::is_active))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.running.take());
        self.shared.device(|device, _| {
            if let Some(ha) = &device.ha {
                ha.leave();
            }
        });
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let wrap = |cause| Error::Listen { address, cause };
    let listener = TcpListener::bind(address).map_err(wrap)?;
    listener.set_nonblocking(true).map_err(wrap)?;
    let address = listener.local_addr().map_err(wrap)?;
    Ok((listener, address))
}

fn stable(tree: &Element) -> String {
    document(&tree.canonical(), Style::Usual)
}
