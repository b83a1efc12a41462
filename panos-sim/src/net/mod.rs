//! The two ports, and the timer that lets things happen without a request.

mod api_port;
mod connection;
mod receive;
mod respond;
mod service_port;
mod spoil;
mod tap;
mod timer;

pub(crate) use api_port::keep_api_port;
pub(crate) use service_port::keep_service_port;
pub(crate) use timer::keep_time;
