//! `pan_instcert`: put an issued certificate on devices.

fn main() -> std::process::ExitCode {
    pancert::cli::instcert::main()
}
