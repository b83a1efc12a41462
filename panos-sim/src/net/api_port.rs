//! The API port: listening, closed, or silent.

use std::{io, net::SocketAddr, sync::Arc, time::Instant};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    time::sleep_until,
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
    loop {
        accept(&shared, &listener, &mut port).await;
        drop(listener);
        // Bound but not listening: the number stays ours, and connections are refused.
        listener = loop {
            match reserved(address) {
                Ok(socket) => {
                    closed(&mut port).await;
                    if let Ok(listener) = socket.listen(1024) {
                        break listener;
                    }
                }
                // Somebody's dying connection; the system lets go of it soon.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
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

/// When the port opens again: now (`None` inside), at a moment, or only when told (`None`).
fn opens(port: &Port) -> Option<Instant> {
    match port.listening {
        Listening::Refused => None,
        _ => Some(port.closed_until.unwrap_or_else(Instant::now)),
    }
}

/// Waits until the port is to be open.
async fn closed(port: &mut watch::Receiver<Port>) {
    loop {
        let until = opens(&port.borrow_and_update());
        match until {
            Some(moment) if moment <= Instant::now() => return,
            Some(moment) => tokio::select! {
                () = sleep_until(moment.into()) => {}
                _ = port.changed() => {}
            },
            None => {
                let _ = port.changed().await;
            }
        }
    }
}

/// Accepts connections until the port is to be closed.
async fn accept(shared: &Arc<Shared>, listener: &TcpListener, port: &mut watch::Receiver<Port>) {
    loop {
        let now = *port.borrow_and_update();
        if opens(&now).is_none_or(|moment| moment > Instant::now()) {
            return;
        }
        tokio::select! {
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
            () = connection::serve(Arc::clone(&shared), tcp, number) => {}
            _ = dropped => {}
        }
    }
    shared.log().connection(number, |record| record.closed = true);
}
