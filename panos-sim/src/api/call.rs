//! What every kind of request is handed.

use std::time::Instant;

use super::request::ApiRequest;
use crate::device::Session;

/// An authenticated request.
pub(super) struct Call<'a> {
    pub(super) session: &'a Session,
    pub(super) request: &'a ApiRequest,
    pub(super) now: Instant,
}
