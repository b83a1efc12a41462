//! `pan_certctl`: look after what was installed.

fn main() -> std::process::ExitCode {
    pancert::cli::certctl::main()
}
