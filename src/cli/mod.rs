//! The command line.

mod bench;
mod health;
mod logging;
mod serve;
mod settings;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A lock-free ledger service, exact to the cent.
#[derive(Debug, Parser)]
#[command(name = "cashpoint", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Health(health::Arguments),
    Bench(bench::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  cashpoint serve                 serve on port 8000; open http://localhost:8000 in a browser
  cashpoint serve --port 9000     on another port
  cashpoint serve --help          all settings, and the environment variables that set them
  cashpoint health                is the service on this machine well? The exit code tells
  cashpoint bench http            measure a server of its own; bench --help has more";

/// Why a command failed, in one line for a person.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs the command that the process was started with, and returns its exit code: 0 if it succeeded, 1
/// if it failed, 2 if the command line or a variable of the environment is wrong.
#[must_use]
pub fn run() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Bench(arguments) => bench::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
