//! The API port: listening, closed, or silent.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    time::sleep,
};

use super::connection;
use crate::{
    Listening,
    shared::{Port, Shared},
};

/// Keeps the port; runs for ever, stopped by dropping it.
pub(crate) async fn keep_api_port(shared: Arc<Shared>, mut listener: TcpListener) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut port = shared.port();
    // None is over yet; one may have been ordered before this runs for the first time.
    let mut closures = 0;
    loop {
        accept(&shared, &listener, &mut port, closures).await;
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
                Err(_) => sleep(std::time::Duration::from_millis(1)).await,
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
async fn accept(shared: &Arc<Shared>, listener: &TcpListener, port: &mut watch::Receiver<Port>, over: u64) {
    loop {
        let now = *port.borrow_and_update();
        if now.listening == Listening::Refused || now.closures != over {
            return;
        }
        tokio::select! {
            biased;
            _ = port.changed() => {}
            accepted = listener.accept() => if let Ok((tcp, _)) = accepted {
                let number = shared.log().connected();
                tokio::spawn(hold(Arc::clone(shared), tcp, number, now));
            },
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
