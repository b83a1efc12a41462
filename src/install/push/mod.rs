//! The push from Panorama to its firewalls: planned before anything is changed, asked for once Panorama runs the
//! certificate, followed to each firewall's own result, and proven on each firewall.
//!
//! The job as a whole says nothing: it can be a failure with a firewall's part still pending, and a success with one that
//! failed. Nor is a firewall's `OK` the end: what a local object overrides has not arrived.

mod carry;
mod error;
mod follow;
mod goal;
mod limit;
mod plan;
mod policy;
mod prove;
mod scope;
mod state;
mod stopped;
mod way_back;

pub use carry::{Pusher, of_stacks};
pub use error::PushIncomplete;
pub use goal::{Expected, PushGoal, Rebound};
pub use limit::{InvalidLimit, MaxFailures};
pub use plan::{LeftBy, LeftToPush, PushPlan, PushPlanError, StackPlan};
pub use policy::{PushPolicy, StacksToPush};
pub(super) use prove::on_firewall;
pub use scope::{Likely, SelectiveRefusal};
pub use state::{OpenDevice, PushState, Standing};
pub use stopped::PushStopped;
pub use way_back::{FormerBinding, FormerUse, Stage, WayBack};
