//! The XML API: a request in, a reply out. Knows nothing of sockets.

mod call;
mod commit;
mod commit_all;
mod config;
mod export;
mod import;
mod op;
mod reply;
mod request;

use std::time::Instant;

pub(crate) use reply::Answer;
pub(crate) use request::{ApiRequest, is_secret};

use crate::{
    Credential,
    device::{Device, Right, Session},
    refusal::Refusal,
    xml::Element,
};
use call::Call;
use reply::Reply;

/// What `type` may be, as documented.
const TYPES: [&str; 10] =
    ["keygen", "config", "commit", "op", "report", "log", "import", "export", "user-id", "version"];

/// A reply and who it is for.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) administrator: Option<String>,
}

/// Carries a request out.
pub(crate) fn answer(device: &mut Device, request: &ApiRequest, now: Instant) -> Answered {
    device.advance(now);
    let mut administrator = None;
    let reply = dispatch(device, request, now, &mut administrator);
    device.advance(now);
    Answered { answer: Answer::from(reply).encoded(device.settings.encoding), administrator }
}

fn dispatch(
    device: &mut Device,
    request: &ApiRequest,
    now: Instant,
    administrator: &mut Option<String>,
) -> Result<Reply, Refusal> {
    if !matches!(request.path.trim_end_matches('/'), "/api") {
        return Err(Refusal::bad_request(format!("Illegal path {}", request.path)));
    }
    let kind = request.required("type", "calling the API")?;
    if kind == "keygen" {
        return keygen(device, request, now);
    }
    let session = authenticate(device, request, now)?;
    *administrator = Some(session.administrator.clone());
    let right = match kind {
        "version" => None,
        "config" => Some(Right::Config),
        "op" => Some(Right::Op),
        "commit" => Some(Right::Commit),
        "import" => Some(Right::Import),
        "export" => Some(Right::Export),
        known if TYPES.contains(&known) => {
            return Err(Refusal::code(17, format!(" {known} is not supported by this simulated device")));
        }
        _ => return Err(Refusal::illegal("type", &TYPES)),
    };
    if let Some(right) = right {
        session.needs(right)?;
    }
    // An empty one counts for nothing, and these two types ignore it.
    let target =
        request.param("target").filter(|target| !target.is_empty() && !["version", "log"].contains(&kind));
    match target {
        Some(target) if target != device.settings.serial => forward(device, &session, request, kind, target),
        _ => carry_out(device, &Call { session: &session, request, now }, kind),
    }
}

fn carry_out(device: &mut Device, call: &Call<'_>, kind: &str) -> Result<Reply, Refusal> {
    match kind {
        "config" => config::answer(device, call),
        "op" => op::answer(device, call),
        "commit" => commit::answer(device, call),
        "import" => import::answer(device, call),
        "export" => export::answer(device, call),
        _ => Ok(version(device)),
    }
}

/// Lets a firewall answer in a Panorama's place. Which name it records for that nobody has published: it is the
/// Panorama's administrator here.
fn forward(
    device: &Device,
    session: &Session,
    request: &ApiRequest,
    kind: &str,
    target: &str,
) -> Result<Reply, Refusal> {
    let managed = device.fleet.devices.get(target).filter(|managed| managed.connected);
    let Some(firewall) = managed.and_then(|managed| managed.firewall.clone()) else {
        return Err(Refusal::code(13, format!("{target} not connected")));
    };
    if kind == "import" {
        return Err(Refusal::bad_request("Illegal parameter [target]"));
    }
    let rehearsal = device.fleet.rehearsal;
    firewall.device(|firewall, now| {
        let call = Call { session, request, now };
        if rehearsal {
            carry_out(&mut firewall.without_effect(), &call, kind)
        } else {
            carry_out(firewall, &call, kind)
        }
    })
}

fn authenticate(device: &Device, request: &ApiRequest, now: Instant) -> Result<Session, Refusal> {
    let accounts = &device.accounts;
    match request.credential() {
        Credential::Header if device.settings.accepts_header_key => {
            accounts.by_key(request.header_key.as_deref().unwrap_or_default(), now)
        }
        Credential::Parameter => accounts.by_key(request.param("key").unwrap_or_default(), now),
        Credential::Basic => match &request.basic {
            Some((user, password)) => accounts.by_password(user, password, now),
            None => Err(Refusal::invalid_credential()),
        },
        _ => Err(Refusal::invalid_credential()),
    }
}

fn keygen(device: &mut Device, request: &ApiRequest, now: Instant) -> Result<Reply, Refusal> {
    let user = request.required("user", "generating a key")?;
    let password = request.required("password", "generating a key")?;
    let key = device.accounts.generate(user, password, now)?;
    let response = Element::new("response")
        .attribute("status", "success")
        .child(Element::new("result").child(Element::leaf("key", key)));
    Ok(Reply::Spaced(response))
}

fn version(device: &Device) -> Reply {
    let settings = &device.settings;
    let multi_vsys = if settings.multi_vsys { "on" } else { "off" };
    Reply::DoublySpaced(
        Element::new("response").attribute("status", "success").child(
            Element::new("result")
                .child(Element::leaf("sw-version", &settings.sw_version))
                .child(Element::leaf("multi-vsys", multi_vsys))
                .child(Element::leaf("model", &settings.model))
                .child(Element::leaf("serial", &settings.serial)),
        ),
    )
}
