//! The program `portsim`: parse, dispatch, exit status. What it can do is in the library.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    // A panic is a fault of ours; Rust would leave with 101, the contract says 1.
    let status = std::panic::catch_unwind(|| match cli::parse(std::env::args_os()) {
        Ok(command) => cli::dispatch(command),
        Err(status) => status,
    });
    ExitCode::from(status.unwrap_or(cli::Status::CouldNotFinish) as u8)
}
