//! `pan_getcert`: ask FreeIPA for a certificate, have it installed now and at each renewal.

fn main() -> std::process::ExitCode {
    pancert::cli::getcert::main()
}
