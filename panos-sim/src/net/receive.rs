//! From HTTP to an API request: query, form, multipart, headers.

use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, Request,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, USER_AGENT},
};
use openssl::base64;

use crate::{
    api::{ApiRequest, is_secret},
    refusal::Refusal,
};

/// One request is limited to 5 MB.
const LARGEST: usize = 5_000_000;

/// The connection broke before the request was complete.
#[derive(Debug)]
pub(super) struct Incomplete;

/// Reads a request to its end. What is wrong with it is the second value; it is recorded all the
/// same.
pub(super) async fn receive(
    request: Request<Incoming>,
    connection: u64,
) -> Result<(ApiRequest, Option<Refusal>), Incomplete> {
    let (head, body) = request.into_parts();
    let header = |name: &str| text(&head.headers, name);
    let mut read = ApiRequest {
        connection,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        header_key: header("x-pan-key"),
        basic: header(AUTHORIZATION.as_str()).and_then(|value| basic(&value)),
        session_cookie: header(COOKIE.as_str()).is_some_and(|c| c.contains("PHPSESSID=")),
        user_agent: header(USER_AGENT.as_str()),
        ..ApiRequest::default()
    };
    query(&mut read, head.uri.query().unwrap_or_default());

    let body = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Ok((read, Some(Refusal::bad_request("Request too large"))));
        }
        Err(_) => return Err(Incomplete),
    };
    read.body_bytes = body.len();
    let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let wrong = if content_type.starts_with("multipart/form-data") {
        multipart(&mut read, &content_type, &body).await.err()
    } else {
        let pairs = form_urlencoded::parse(&body).into_owned();
        read.params.extend(pairs);
        None
    };
    Ok((read, wrong))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn query(read: &mut ApiRequest, query: &str) {
    let mut redacted = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if is_secret(&name) {
            read.secret_in_url = true;
            redacted.append_pair(&name, "REDACTED");
        } else {
            redacted.append_pair(&name, &value);
        }
        read.params.push((name.into_owned(), value.into_owned()));
    }
    read.query = redacted.finish();
}

/// `Basic` credentials.
fn basic(header: &str) -> Option<(String, String)> {
    let decoded = base64::decode_block(header.strip_prefix("Basic ")?.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

async fn multipart(read: &mut ApiRequest, content_type: &str, body: &[u8]) -> Result<(), Refusal> {
    let broken = |cause: multer::Error| Refusal::bad_request(format!("Malformed upload: {cause}"));
    let boundary = boundary(content_type)?;
    let mut parts = multer::Multipart::with_reader(body, boundary);
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let content = part.bytes().await.map_err(broken)?;
        match (is_file, name.as_str()) {
            (true, _) => read.file = Some(content.to_vec()),
            (false, "file") => {
                return Err(Refusal::bad_request("Malformed upload: file without a filename"));
            }
            (false, _) => {
                let value = String::from_utf8_lossy(&content).into_owned();
                read.params.push((name, value));
            }
        }
    }
    Ok(())
}

/// The boundary as real devices read it: everything behind `boundary=`. They take quotes for a part
/// of it and then find no parts; and clients put characters into it that would need quotes, such
/// as the `/` and `=` of pan-python.
fn boundary(content_type: &str) -> Result<&str, Refusal> {
    content_type
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("boundary="))
        .filter(|boundary| !boundary.is_empty() && !boundary.starts_with('"'))
        .ok_or_else(|| Refusal::bad_request("Malformed upload: no parts found"))
}
