//! The simulator as a program.

fn main() -> std::process::ExitCode {
    panos_sim::program::main()
}
