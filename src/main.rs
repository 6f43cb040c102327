//! The `cashpoint` binary. All it does is in [`cashpoint::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    cashpoint::cli::run()
}
