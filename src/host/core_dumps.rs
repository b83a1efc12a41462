//! No core of a process that reads secrets: neither its own, nor one of a program that it starts.

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Forbids cores from now on. A core of size 0 holds for programs that are started as well; that this process is not
/// dumpable keeps it from programs which collect cores whatever their size, and from other processes of the same user.
///
/// # Errors
/// The system forbids to forbid it.
pub fn forbid() -> Result<(), Errno> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    match setrlimit(Resource::Core, none) {
        // A sandbox may have set the limit itself, and allow no other.
        Err(error) if getrlimit(Resource::Core).current != Some(0) => return Err(error),
        _ => {}
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}
