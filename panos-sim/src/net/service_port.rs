//! The second port: TLS with whatever the served profile is bound to.

use std::{pin::Pin, sync::Arc, time::Duration};

use openssl::ssl::Ssl;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_openssl::SslStream;

use super::api_port::NONE_TO_BE_HAD;
use crate::shared::Shared;

/// A portal has little to say.
const PAGE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\nConnection: close\r\n\r\nportal\r\n";

/// How long a connection may last.
const LONGEST: Duration = Duration::from_secs(30);

/// Keeps the port; runs for ever, stopped by dropping it. Its connections are `visitors`.
pub(crate) async fn keep_service_port(
    shared: Arc<Shared>,
    listener: TcpListener,
    visitors: &mut JoinSet<()>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    let shared = Arc::clone(&shared);
                    visitors.spawn(async move {
                        let _ = timeout(LONGEST, greet(&shared, tcp)).await;
                    });
                }
                Err(_) => sleep(NONE_TO_BE_HAD).await,
            },
            // Nothing is kept of one that is over.
            Some(_) = visitors.join_next() => {}
        }
    }
}

/// Without a certificate the connection ends before the handshake does.
async fn greet(shared: &Shared, tcp: TcpStream) -> Option<()> {
    let identity = shared.device(|device, _| device.served_identity())?;
    let server = identity.server().ok()?;
    let ssl = Ssl::new(&server).ok()?;
    let mut stream = SslStream::new(ssl, tcp).ok()?;
    Pin::new(&mut stream).accept().await.ok()?;
    let mut request = [0; 4096];
    if stream.read(&mut request).await.ok()? > 0 {
        stream.write_all(PAGE).await.ok()?;
    }
    stream.shutdown().await.ok()
}
