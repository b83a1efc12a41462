//! Puts certificates that certmonger obtained from FreeIPA onto Palo Alto Networks devices.
//!
//! Data flows one way: arguments, request, bundle, session, plan, apply, verify, record.
//! [`cli`] knows the words a person types and reads; [`install`] knows what it means to install a
//! certificate; [`panos_xmlapi`] speaks to devices, [`certificate`] reads key material, [`host`] knows this machine.

pub mod certificate;
pub mod cli;
pub mod delivery;
pub mod error;
mod files;
pub mod host;
pub mod install;
pub mod settings;
mod text;

// Libraries copy what passes through them, and wipe nothing: the form of an upload, the API key in the HTTP library's
// buffers, what the PKCS#12 writer encrypts. So each block of memory is wiped when it is given back, whoever had it.
#[global_allocator]
static MEMORY: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);
