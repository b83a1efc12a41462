//! A place in the network between the programs and a device: whoever has it decides, for each connection, who answers.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub struct Switch {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
}

impl Switch {
    /// Listens at this IP address. `route` is asked at each connection.
    pub fn at(ip: &str, route: impl Fn() -> SocketAddr + Send + 'static) -> Self {
        Self::on(TcpListener::bind((ip, 0)).unwrap(), route)
    }

    /// The same where somebody has begun to listen.
    pub fn on(listener: TcpListener, route: impl Fn() -> SocketAddr + Send + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let stopping = Arc::new(AtomicBool::new(false));
        let over = stopping.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // A device whose port is closed for a moment closes ours too.
                let (Ok(client), Ok(server)) = (stream, TcpStream::connect(route())) else { continue };
                let copies = [(&client, &server), (&server, &client)];
                for (from, to) in
                    copies.map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()))
                {
                    std::thread::spawn(move || copy(from, to));
                }
            }
        });
        Self { address, stopping }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}
