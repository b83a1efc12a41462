//! What an injected fault does to a request and its reply.

use std::time::Instant;

use hyper::Response;

use super::{
    respond::{HangUp, ReplyBody, break_off, last, plain, redirect, respond},
    tap::{Outgoing, TapHandle},
};
use crate::{
    Effect, Fault, ManagementCertificate, What,
    api::{self, Answer, Answered, ApiRequest},
    certificate::management_identity,
    device::Device,
    refusal::Refusal,
};

/// What becomes of a request.
pub(super) enum Fate {
    /// This reply.
    Reply(Box<Response<ReplyBody>>),
    /// The connection ends.
    HangUp,
    /// Nothing happens, for ever.
    Silence,
}

/// Carries a request out as far as the fault lets it. The answer is what the device meant to say.
pub(super) fn suffer(device: &mut Device, request: &ApiRequest, fault: &Fault, now: Instant) -> Answered {
    if fault.effect == Effect::None {
        change(device, &fault.what, now);
    }
    let answered = if fault.effect == Effect::Done || answers_normally(&fault.what) {
        api::answer(device, request, now)
    } else {
        // The reply as it would have been, without its effect.
        api::answer(&mut device.without_effect(), request, now)
    };
    if fault.effect == Effect::Done {
        change(device, &fault.what, now);
    }
    answered
}

/// Whether the fault is in the device, and this request no worse off than those that follow.
fn answers_normally(what: &What) -> bool {
    matches!(what, What::InvalidCredentials(_) | What::SwapCertificate | What::ForgetJobs | What::Failover)
}

fn change(device: &mut Device, what: &What, now: Instant) {
    match what {
        What::InvalidCredentials(time) => device.accounts.refuse_until(now + *time),
        What::SwapCertificate => {
            let wanted = ManagementCertificate::SelfSigned;
            if let Ok(identity) = management_identity(&wanted, "another.invalid") {
                device.swap_identity(identity);
            }
        }
        What::ForgetJobs => device.jobs.forget(),
        What::Reboot { outage, keeps_candidate } => device.reboot(now, *outage, *keeps_candidate),
        What::Failover => {
            if let Some(ha) = &device.ha {
                ha.fail_over();
            }
        }
        _ => {}
    }
}

/// The reply that goes out in place of the device's answer.
pub(super) fn spoil(what: &What, answer: Answer, session: Option<&str>, tap: &TapHandle) -> Fate {
    let html = |text: &str| format!("<html><head><title>{text}</title></head><body>{text}</body></html>");
    let real = |answer| respond(answer, session);
    let response = match what {
        What::Close | What::Reboot { .. } => return Fate::HangUp,
        What::Silence => return Fate::Silence,
        What::Status(status) => plain(*status, "text/html", html("Trouble").into_bytes()),
        What::Forbidden => real(Refusal::invalid_credential().into()),
        What::Refused { status, code, text } => real(Refusal::told(*status, *code, text).into()),
        What::SessionTimedOut => real(Refusal::code(22, "Session timed out").into()),
        What::Body { content_type, body } => plain(200, content_type, body.clone()),
        What::Answer { status, body } => plain(*status, "application/xml; charset=UTF-8", body.clone()),
        What::Html => plain(200, "text/html", html("Welcome").into_bytes()),
        What::Redirect { status, location } => redirect(*status, location),
        What::Huge(size) => plain(200, "application/xml; charset=UTF-8", huge(*size)),
        What::DoctypeBomb => plain(200, "application/xml; charset=UTF-8", bomb()),
        What::TruncatedXml => {
            let mut answer = answer;
            answer.body.truncate(answer.body.len() / 2);
            real(answer)
        }
        What::TruncatedBody => break_off(real(answer)),
        What::Garbage => {
            let noise = (0..512_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8);
            tap.set(Outgoing::Instead(noise.collect()));
            real(answer)
        }
        What::Drip(pause) => {
            tap.set(Outgoing::Drip(*pause));
            last(real(answer))
        }
        What::SwapCertificate => last(real(answer)),
        What::InvalidCredentials(_) | What::ForgetJobs | What::Failover => real(answer),
    };
    Fate::Reply(Box::new(response))
}

/// A well-formed reply of about this size.
fn huge(size: usize) -> Vec<u8> {
    let (head, line, tail) = (
        "<response status=\"success\"><result>",
        "<line>all work and no play makes a long reply</line>",
        "</result></response>",
    );
    let mut body = head.as_bytes().to_vec();
    body.extend(line.bytes().cycle().take(size / line.len() * line.len()));
    body.extend(tail.bytes());
    body
}

/// Ten entities, each ten times the one before.
fn bomb() -> Vec<u8> {
    let mut body = String::from("<!DOCTYPE response [<!ENTITY e0 \"boom\">");
    for level in 1..10 {
        let inner = format!("&e{};", level - 1).repeat(10);
        body.push_str(&format!("<!ENTITY e{level} \"{inner}\">"));
    }
    body.push_str("]><response status=\"success\"><result>&e9;</result></response>");
    body.into_bytes()
}

impl From<Fate> for Result<Response<ReplyBody>, HangUp> {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Reply(response) => Ok(*response),
            _ => Err(HangUp),
        }
    }
}
