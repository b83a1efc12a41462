//! The API port: listening, closed, or silent.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

use super::connection;
use crate::{
    Listening,
    shared::{Port, Shared},
};

/// Until the next attempt where the process has no file left for a connection.
pub(super) const NONE_TO_BE_HAD: Duration = Duration::from_millis(5);

/// Keeps the port; runs for ever, stopped by dropping it. Its connections are `callers`.
pub(crate) async fn keep_api_port(shared: Arc<Shared>, mut listener: TcpListener, callers: &mut JoinSet<()>) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut port = shared.port();
    // None is over yet; one may have been ordered before this runs for the first time.
    let mut closures = 0;
    loop {
        accept(&shared, &listener, callers, &mut port, closures).await;
        drop(listener);
        // Bound but not listening: the number stays ours, and connections are refused.
        listener = loop {
            match reserved(address) {
                Ok(socket) => {
                    closures = closed(&mut port, closures).await;
                    if let Ok(listener) = socket.listen(1024) {
                        break listener;
                    }
                }
                // Somebody's dying connection; the system lets go of it soon.
                Err(_) => sleep(Duration::from_millis(1)).await,
            }
        };
    }
}

fn reserved(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Waits until the port is to be open again; returns the closures that are over.
async fn closed(port: &mut watch::Receiver<Port>, mut over: u64) -> u64 {
    loop {
        let now = *port.borrow_and_update();
        if now.closures != over {
            over = now.closures;
            tokio::select! {
                () = sleep(now.outage) => {}
                _ = port.wait_for(|port| port.closures != over) => {}
            }
        } else if now.listening == Listening::Refused {
            let _ = port.changed().await;
        } else {
            return over;
        }
    }
}

/// Accepts connections until the port is to be closed.
async fn accept(
    shared: &Arc<Shared>,
    listener: &TcpListener,
    callers: &mut JoinSet<()>,
    port: &mut watch::Receiver<Port>,
    over: u64,
) {
    loop {
        let now = *port.borrow_and_update();
        if now.listening == Listening::Refused || now.closures != over {
            return;
        }
        tokio::select! {
            biased;
            _ = port.changed() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    let number = shared.log().connected();
                    callers.spawn(hold(Arc::clone(shared), tcp, number, now));
                }
                Err(_) => sleep(NONE_TO_BE_HAD).await,
            },
            // Nothing is kept of one that is over.
            Some(_) = callers.join_next() => {}
        }
    }
}

/// Serves a connection until it ends or is to be dropped.
async fn hold(shared: Arc<Shared>, tcp: TcpStream, number: u64, born: Port) {
    let mut port = shared.port();
    let dropped = port.wait_for(|port| port.epoch != born.epoch);
    if born.listening == Listening::Silent {
        let _ = dropped.await;
    } else {
        tokio::select! {
            // First: one step of TLS 1.3 is enough for the other side to call it a connection.
            biased;
            _ = dropped => {}
            () = connection::serve(Arc::clone(&shared), tcp, number) => {}
        }
    }
    shared.log().connection(number, |record| record.closed = true);
}
