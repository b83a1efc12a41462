//! One connection to the API port, from TLS handshake to the end.

use std::{pin::Pin, sync::Arc};

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use openssl::ssl::Ssl;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::{
    receive::{Incomplete, receive},
    respond::{HangUp, ReplyBody, dated, respond},
    spoil::{Fate, spoil, suffer},
    tap::{Tap, TapHandle},
};
use crate::{
    api::{self, Answer, Answered, ApiRequest},
    refusal::Refusal,
    shared::Shared,
};

/// Serves a connection until it ends.
pub(super) async fn serve(shared: Arc<Shared>, tcp: TcpStream, number: u64) {
    let _ = tcp.set_nodelay(true);
    let tap = TapHandle::default();
    if let Some(stream) = handshake(&shared, tcp, number).await {
        let keep_alive = shared.device(|device, _| device.settings.keep_alive);
        let service = service_fn(|request| {
            let (shared, tap) = (Arc::clone(&shared), tap.clone());
            async move { reply(&shared, request, number, &tap).await }
        });
        let io = TokioIo::new(Tap::new(stream, tap.clone()));
        // How a connection ends is the client's business, or a fault's.
        let _ = http1::Builder::new().keep_alive(keep_alive).serve_connection(io, service).await;
    }
}

/// `None` where no handshake comes about: no certificate, one without its key, or a client that
/// does not like what it is shown.
async fn handshake(shared: &Shared, tcp: TcpStream, number: u64) -> Option<SslStream<TcpStream>> {
    let identity = shared.device(|device, _| device.shown_identity().cloned())?;
    let server = identity.server().ok()?;
    let shown = identity.fingerprint().to_owned();
    shared.log().connection(number, |record| record.certificate_fingerprint = Some(shown));
    let ssl = Ssl::new(&server).ok()?;
    let mut stream = SslStream::new(ssl, tcp).ok()?;
    Pin::new(&mut stream).accept().await.ok()?;
    shared.log().connection(number, |record| record.handshake_completed = true);
    Some(stream)
}

async fn reply(
    shared: &Shared,
    request: Request<Incoming>,
    connection: u64,
    tap: &TapHandle,
) -> Result<Response<ReplyBody>, HangUp> {
    let received = receive(request, connection).await;
    (shared.log()).connection(connection, |record| record.application_bytes = tap.received());
    let (request, wrong) = received.map_err(|Incomplete| HangUp)?;
    let mut record = request.record();
    let fault = shared.faults().strike(&record);
    record.fault = fault.as_ref().map(|fault| format!("{:?}", fault.what));
    let number = shared.log().received(record);

    let answered = shared.device(|device, now| match (wrong, &fault) {
        (Some(refusal), _) => refused(refusal),
        (None, Some(fault)) => suffer(device, &request, fault, now),
        (None, None) => api::answer(device, &request, now),
    });
    let (status, code) = (answered.answer.status.clone(), answered.answer.code.clone());
    let session = session_for(&request, number);
    let fate = match &fault {
        None => {
            let ahead = shared.device(|device, _| device.settings.clock_ahead);
            Fate::Reply(Box::new(dated(respond(answered.answer, session.as_deref()), ahead)))
        }
        Some(fault) => spoil(&fault.what, answered.answer, session.as_deref(), tap),
    };
    shared.log().answered(number, |record| {
        record.administrator = answered.administrator;
        record.status = status;
        record.code = code;
        if let Fate::Reply(response) = &fate {
            record.http_status = Some(response.status().as_u16());
        }
    });
    if matches!(fate, Fate::Silence) {
        std::future::pending::<()>().await;
    }
    fate.into()
}

fn refused(refusal: Refusal) -> Answered {
    Answered { answer: Answer::from(refusal), administrator: None }
}

/// A session begins with the first request that brings none.
fn session_for(request: &ApiRequest, number: u64) -> Option<String> {
    let digest = openssl::sha::sha1(&number.to_be_bytes());
    let id: String = digest[..13].iter().map(|byte| format!("{byte:02x}")).collect();
    (!request.session_cookie).then_some(id)
}
