//! The `cashpoint` binary. What it does is in [`command`], one file for each.

// They panic where they cannot write. `command::output` prints what is to be printed.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod bench;
mod client;
mod command;
mod export;
mod present;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run()
}
