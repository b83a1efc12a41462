//! Puts certificates that certmonger obtained from FreeIPA onto Palo Alto Networks devices.
//!
//! This library is all of the three programs `pan_getcert`, `pan_instcert` and `pan_certctl`; what stands in `src/bin` only
//! calls it. It is not made for other programs: those want [`panos_xmlapi`], the client, which knows nothing of it.
//!
//! # Where to begin
//!
//! | to understand | read |
//! |---|---|
//! | what is typed and printed | [`cli`]: one module for each program, [`cli::certctl`] with one for each verb |
//! | options, the configuration file, and what is made of both | [`settings`] |
//! | what is wanted, kept on the disk and tried again | [`delivery`] |
//! | one transaction on one device: assess, plan, apply, commit, verify, roll back | [`install`] |
//! | certificates, keys, chains and PKCS#12 | [`certificate`] |
//! | this machine: certmonger, FreeIPA's client, the key file, the log | [`host`] |
//! | exit codes | [`error`] |
//!
//! Each uses only those below it. `docs/architecture.md` follows one renewal through all of them, and `CONTRIBUTING.md` says
//! where something new goes.

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
