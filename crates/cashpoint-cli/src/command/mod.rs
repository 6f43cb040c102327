//! The command line.

mod bench;
mod config_file;
mod ending;
mod environment;
mod files;
mod health;
mod journal;
mod ledger;
mod logging;
mod output;
mod schema;
mod serve;
mod settings;
mod supervisor;
mod verify;

use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::client::Broken;
use crate::present::notice::tell;

/// A lock-free ledger service, exact to the cent.
#[derive(Debug, Parser)]
#[command(name = "cashpoint", version = VERSION, arg_required_else_help = true, after_help = EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Health(health::Arguments),
    Bench(bench::Arguments),
    Verify(verify::Arguments),
    Journal(journal::Arguments),
    Schema(schema::Arguments),
    /// Print a script that has a shell complete commands and options.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page.
    #[command(after_help = "Example:\n  cashpoint man | man -l -")]
    Man {
        /// Write it and the pages of all commands to this directory instead.
        #[arg(long, value_name = "DIRECTORY")]
        all: Option<PathBuf>,
    },
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(cashpoint completions bash)
  cashpoint completions zsh > ~/.zfunc/_cashpoint
  cashpoint completions fish > ~/.config/fish/completions/cashpoint.fish";

/// With the commit that it was built from, where that is known.
const VERSION: &str = match env!("CASHPOINT_COMMIT").is_empty() {
    true => env!("CARGO_PKG_VERSION"),
    false => concat!(
        env!("CARGO_PKG_VERSION"),
        " (",
        env!("CASHPOINT_COMMIT"),
        ")"
    ),
};

const EXAMPLES: &str = "\
Examples:
  cashpoint serve                 serve on port 8000; open http://localhost:8000 in a browser
  cashpoint serve --port 9000     on another port
  cashpoint serve --help          all settings, and the environment variables that set them
  cashpoint health                is the service on this machine well? The exit code tells
  cashpoint bench http            measure a server of its own; bench --help has more
  cashpoint verify http           does a server lose money? verify --help has more
  cashpoint journal check data    is a durable ledger whole? journal --help has more";

/// Why a command failed, in one line for a person.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self(broken.to_string())
    }
}

/// How long a command that is stopped at once takes to say what it leaves behind.
const LAST_WORDS_MAX: Duration = Duration::from_millis(100);

/// The exit code of a command that is stopped at once, as shells have it.
const INTERRUPTED: i32 = 130;

/// Is set at the first Ctrl-C or SIGTERM. A second one ends the process at once, and says what it `leaves` behind.
fn stop_at_interrupt(leaves: Option<String>) -> Result<Arc<AtomicBool>, Broken> {
    let last_words = match leaves {
        Some(leaves) => format!("stopped at once; left behind: {leaves}"),
        None => "stopped at once; nothing is left behind".to_owned(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if set.swap(true, Relaxed) {
            // Nobody may be reading what is told: it ends all the same.
            let last_words = last_words.clone();
            thread::spawn(move || tell(last_words));
            thread::sleep(LAST_WORDS_MAX);
            std::process::exit(INTERRUPTED);
        }
        // Beside this thread: it has to see the second one, also if nobody reads what is told.
        thread::spawn(|| {
            tell("stopping, with a report of what was seen; once more to stop at once");
        });
    })
    .map_err(|error| Broken(format!("no signal handlers: {error}")))?;
    Ok(stop)
}

/// Has a write beyond the limit of the size of files (`ulimit -f`) fail as one on a full disk does. As long as nobody
/// handles its signal, it kills the process without a word.
fn survive_file_size_limit() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _entered = runtime.enter();
    // It stays handled after this, to the end of the process.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// Prints help, or the version, or what is wrong with the command line; returns the exit code.
fn answer(said: &clap::Error) -> ExitCode {
    let printed = said.print().and_then(|()| io::stdout().flush());
    match printed {
        Err(error) if !said.use_stderr() && error.kind() != io::ErrorKind::BrokenPipe => {
            tell(format_args!("error: {}", output::unwritten(&error)));
            ExitCode::FAILURE
        }
        _ => u8::try_from(said.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

/// Prints what `write` writes.
fn printed(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    write(&mut text).map_err(|error| Failure(error.to_string()))?;
    output::print(&String::from_utf8_lossy(&text)).map(|()| ExitCode::SUCCESS)
}

/// Runs the command that the process was started with, and returns its exit code: 0 if it succeeded, 1
/// if it failed, 2 if the command line or a variable of the environment is wrong. `cashpoint verify` has a
/// fourth: 3 where there is no verdict.
#[must_use]
pub(crate) fn run() -> ExitCode {
    // Without it the command does what it does, as long as no file is too large.
    let _ = survive_file_size_limit();
    let parsed = match environment::parse::<CommandLine>() {
        Ok(parsed) => parsed,
        Err(said) => return answer(&said),
    };
    let result = match parsed.arguments.command {
        Command::Serve(ref arguments) if arguments.print_config => {
            let settings = environment::in_force("serve", &parsed);
            output::print(&settings).map(|()| ExitCode::SUCCESS)
        }
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Health(arguments) => health::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Bench(arguments) => bench::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Journal(arguments) => Ok(journal::run(arguments)),
        Command::Schema(arguments) => schema::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Completions { shell } => printed(|out| {
            clap_complete::generate(shell, &mut CommandLine::command(), "cashpoint", out);
            Ok(())
        }),
        Command::Man { all: None } => {
            printed(|out| clap_mangen::Man::new(CommandLine::command()).render(out))
        }
        Command::Man { all: Some(at) } => clap_mangen::generate_to(CommandLine::command(), &at)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| Failure(format!("{}: {error}", at.display()))),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            tell(format_args!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}
