//! From an answer to HTTP.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::{
    Response, StatusCode,
    body::{Body, Bytes, Frame, SizeHint},
    ext::ReasonPhrase,
    header::{
        CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_TYPE, DATE, HeaderValue, LOCATION, SET_COOKIE,
    },
};

use crate::{api::Answer, clock};

/// A body that may promise more than it delivers.
#[derive(Debug)]
pub(super) struct ReplyBody {
    data: Option<Bytes>,
    promised: u64,
    end: End,
}

/// What happens where the data end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// The connection is to break.
    Breaks,
    Broken,
}

/// The connection is to end without (the rest of) a reply.
#[derive(Debug, thiserror::Error)]
#[error("the simulated device hangs up")]
pub(super) struct HangUp;

impl ReplyBody {
    fn whole(data: Vec<u8>) -> Self {
        Self { promised: data.len() as u64, data: Some(data.into()), end: End::Whole }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = HangUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HangUp>>> {
        match (self.data.take(), self.end) {
            (Some(data), _) => Poll::Ready(Some(Ok(Frame::data(data)))),
            (None, End::Whole) => Poll::Ready(None),
            (None, End::Breaks) => {
                // A pause, in which hyper sends what it has; an error at once would discard it.
                self.end = End::Broken;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (None, End::Broken) => Poll::Ready(Some(Err(HangUp))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}

/// A reply with this status, type and body, and nothing else.
pub(super) fn plain(status: u16, content_type: &str, body: Vec<u8>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// A redirect.
pub(super) fn redirect(status: u16, location: &str) -> Response<ReplyBody> {
    let mut response = plain(status, "text/html", b"<html><body>Moved</body></html>".to_vec());
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

/// The device's answer; a session cookie goes along where one is wanted.
pub(super) fn respond(answer: Answer, session: Option<&str>) -> Response<ReplyBody> {
    let mut response = plain(answer.http_status, answer.content_type, answer.body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache, must-revalidate"));
    let cookie = session.map(|id| format!("PHPSESSID={id}; path=/; secure; HttpOnly"));
    if let Some(Ok(value)) = cookie.map(|cookie| HeaderValue::from_str(&cookie)) {
        headers.insert(SET_COOKIE, value);
    }
    let file = (answer.file_name).map(|name| format!("attachment; filename={name}"));
    if let Some(Ok(value)) = file.map(|file| HeaderValue::from_str(&file)) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    let phrase = answer.reason.map(|reason| ReasonPhrase::try_from(reason.into_bytes()));
    if let Some(Ok(phrase)) = phrase {
        response.extensions_mut().insert(phrase);
    }
    response
}

/// With the time by a clock that is so many seconds ahead.
pub(super) fn dated(mut response: Response<ReplyBody>, ahead: i64) -> Response<ReplyBody> {
    if let Ok(value) = HeaderValue::from_str(&clock::http(ahead)) {
        response.headers_mut().insert(DATE, value);
    }
    response
}

/// Lets the connection break in the middle of the body.
pub(super) fn break_off(mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    let body = response.body_mut();
    if let Some(data) = &mut body.data {
        data.truncate(data.len() / 2);
    }
    body.end = End::Breaks;
    response
}

/// Lets the connection end after the reply.
pub(super) fn last(mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    (response.headers_mut()).insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
