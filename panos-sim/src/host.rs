//! A thread that simulated devices run on.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle},
    sync::oneshot,
    task::JoinSet,
};

use crate::{Error, Result, net, shared::Shared};

/// A thread for devices to share, as [`Simulator::start_on`](crate::Simulator::start_on) does; it ends with the last of its
/// devices and copies of this.
///
/// A device never waits in it: what it computes (the signature of a handshake, a container that is opened, a push to all
/// firewalls) is all that the others of the same thread wait for.
#[derive(Debug, Clone)]
pub struct Host(Arc<Thread>);

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    /// Dropped to stop it.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Starts the thread.
    pub fn start() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("panos-sim".into())
            .spawn(move || {
                let _ = runtime.block_on(stopped);
            })
            .map_err(Error::Thread)?;
        Ok(Self(Arc::new(Thread { runtime: handle, stop: Some(stop), thread: Some(thread) })))
    }

    /// Runs a device until what is returned is dropped.
    pub(crate) fn run(
        &self,
        shared: Arc<Shared>,
        api: std::net::TcpListener,
        service: std::net::TcpListener,
    ) -> Result<Running> {
        let (api, service) = {
            let _inside = self.0.runtime.enter();
            let own = |listener| TcpListener::from_std(listener).map_err(Error::Thread);
            (own(api)?, own(service)?)
        };
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        self.0.runtime.spawn(async move {
            keep(shared, api, service, stopped).await;
            drop(end);
        });
        Ok(Running { stop: Some(stop), ended: Mutex::new(ended), _host: self.clone() })
    }
}

/// Until it is told to stop; nothing of the device is open when it returns.
async fn keep(shared: Arc<Shared>, api: TcpListener, service: TcpListener, stopped: oneshot::Receiver<()>) {
    let (mut callers, mut visitors) = (JoinSet::new(), JoinSet::new());
    tokio::select! {
        () = net::keep_api_port(Arc::clone(&shared), api, &mut callers) => {}
        () = net::keep_service_port(Arc::clone(&shared), service, &mut visitors) => {}
        () = net::keep_time(shared) => {}
        _ = stopped => {}
    }
    callers.shutdown().await;
    visitors.shutdown().await;
}

/// A device that runs on a thread, until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    /// Dropped to stop it.
    stop: Option<oneshot::Sender<()>>,
    /// Ends when all of it has ended. Several threads may hold the device, of which one drops it.
    ended: Mutex<mpsc::Receiver<()>>,
    /// Not before the device does the thread end.
    _host: Host,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Nothing is ever sent: it returns when the other side is gone, also by a panic, which was reported there.
        let _ = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner).recv();
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
