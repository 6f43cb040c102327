//! The log: lines on standard error, for people or for machines.

mod outlet;
mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use tracing::dispatcher::with_default;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, error, warn};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Failure;
use outlet::Outlet;
use queue::{Entry, Queue};

/// How much is logged. The names are those of the service that this one replaces.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Level {
    /// Only what ends the service.
    Critical,
    /// What went wrong here.
    Error,
    /// What may go wrong soon.
    #[value(alias = "warn")]
    Warning,
    /// Start, stop and refused requests: at most ten a second of 4xx, ten of 5xx, and the number of the others.
    Info,
    /// A line for every request.
    Debug,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How long the end of the process waits for lines that are not yet written.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Said where lines are missing.
const LOST: &str = "lines are missing here: they could not be written, or not as fast as they came";

/// The lines of this process, for whoever ends it.
static LINES: OnceLock<Queue> = OnceLock::new();

/// Sets up the log of this process.
///
/// Whoever logs formats a line and puts it into a queue. One thread writes them to standard error: whatever becomes of
/// that, nobody waits for it but this thread, and nothing fails. Lines that cannot be written in time are lost and
/// counted. `tracing-appender` would do most of it; but it does not count what fails to be written, leaves half a line
/// where a write was cut short, and its end waits for a standard error that is stuck.
pub(super) fn start(level: Level, format: Format) -> Result<Log, Failure> {
    let failed = |error| Failure(format!("the log does not start: {error}"));
    let voice = Voice {
        level,
        format,
        is_colourful: io::stderr().is_terminal(),
    };
    // Not by way of `io::stderr()`: its lock would be held for as long as a write takes.
    let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
    let (queue, end) = queue::queue();
    thread::Builder::new()
        .name("cashpoint-log".to_owned())
        .spawn(move || {
            Outlet::new(File::from(stderr), |lost| voice.lost_line(lost)).run(&end);
        })
        .map_err(failed)?;
    voice
        .subscriber(queue.clone())
        .try_init()
        .map_err(|error| Failure(format!("the log does not start: {error}")))?;
    std::panic::set_hook(Box::new(log_panic));
    let _ = LINES.set(queue);
    Ok(Log(voice))
}

/// Waits until what was logged so far is written, but no longer than `limit`.
pub(super) fn flush(limit: Duration) {
    if let Some(lines) = LINES.get() {
        lines.flush(limit);
    }
}

/// The log of this process. Its last lines are written when it is dropped, if they can be within [`FLUSH_MAX`].
#[derive(Debug)]
pub(super) struct Log(Voice);

impl Log {
    /// Says why the process fails: as the other commands do where people read it, and as a line of the log where
    /// programs do.
    pub(super) fn say(&self, failure: &Failure) {
        match (self.0.format, LINES.get()) {
            (Format::Text, Some(lines)) => {
                lines.push(format!("error: {failure}\n").as_bytes(), true);
            }
            _ => error!("{failure}"),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        flush(FLUSH_MAX);
    }
}

/// How this process logs.
#[derive(Clone, Copy, Debug)]
struct Voice {
    level: Level,
    format: Format,
    is_colourful: bool,
}

impl Voice {
    fn subscriber(self, queue: Queue) -> Dispatch {
        let filter = match self.level {
            // There is no level above `ERROR` in tracing.
            Level::Critical | Level::Error => LevelFilter::ERROR,
            Level::Warning => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(filter)
            .with_writer(queue)
            // They would go to standard error, and panic if that fails.
            .log_internal_errors(false)
            .with_target(false);
        match self.format {
            Format::Text => subscriber.with_ansi(self.is_colourful).finish().into(),
            Format::Json => subscriber.json().flatten_event(true).finish().into(),
        }
    }

    /// The line that says how many are missing where it stands.
    fn lost_line(self, lines_lost: u64) -> Vec<u8> {
        let (queue, end) = queue::queue();
        with_default(&self.subscriber(queue), || match self.level {
            Level::Critical | Level::Error => error!(lines_lost, "{LOST}"),
            _ => warn!(lines_lost, "{LOST}"),
        });
        match end.next(Some(Duration::ZERO)) {
            Ok(Entry::Line { text, .. }) => text,
            _ => Vec::new(),
        }
    }
}

/// Logs a panic, and does not wait for anything. Programs that read the log are not to meet other text.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace =
        matches!(backtrace.status(), BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(
        thread = thread::current().name(),
        reason = panic.payload_as_str(),
        backtrace,
        "panicked at {}: this is a fault of the program",
        location.unwrap_or_default()
    );
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _, pipe};
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use tracing::info;

    use super::*;

    #[test]
    #[ignore = "it is for a process of its own, which the tests below start"]
    fn has_a_thread_that_panics() {
        let log = start(Level::Info, Format::Json).unwrap();
        let began = Instant::now();
        let panicking = thread::Builder::new().name("faulty".to_owned());
        let panicking = panicking
            .spawn(|| panic!("first line\nsecond line"))
            .unwrap();
        assert!(panicking.join().is_err());
        let took = began.elapsed();
        assert!(took < FLUSH_MAX / 2, "the panic waited {took:?}");
        info!("went on");
        drop(log);
        assert!(began.elapsed() < FLUSH_MAX * 2);
    }

    fn run(stderr: impl Into<Stdio>) -> bool {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "command::logging::tests::has_a_thread_that_panics",
            ])
            .args(["--ignored", "--nocapture"])
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(stderr)
            .status()
            .unwrap()
            .success()
    }

    #[test]
    fn a_panic_is_one_line_of_the_log() {
        let (mut reader, writer) = pipe().unwrap();
        assert!(run(writer));
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        let lines: Vec<serde_json::Value> = said
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert_eq!(lines[0]["level"], "ERROR");
        assert_eq!(lines[0]["thread"], "faulty");
        assert_eq!(lines[0]["reason"], "first line\nsecond line");
        let message = lines[0]["message"].as_str().unwrap();
        assert!(
            message.starts_with("panicked at crates/cashpoint-cli/src/command/logging.rs:"),
            "{message}"
        );
        assert_eq!(lines[1]["message"], "went on");
    }

    #[test]
    fn a_panic_does_not_wait_for_a_log_that_is_stuck_or_fails() {
        let (_reader, mut writer) = pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        while writer.write(&[b'\n'; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(&writer, false).unwrap();
        assert!(run(writer));
        assert!(run(File::options().write(true).open("/dev/full").unwrap()));
    }

    #[test]
    fn what_is_lost_is_told_at_every_level_and_in_both_formats() {
        for level in Level::value_variants() {
            for format in [Format::Text, Format::Json] {
                let voice = Voice {
                    level: *level,
                    format,
                    is_colourful: false,
                };
                let line = String::from_utf8(voice.lost_line(7)).unwrap();
                assert!(line.contains(LOST) && line.contains("lines_lost"), "{line}");
                assert!(line.ends_with('\n'));
                assert_eq!(line.matches('\n').count(), 1, "{line}");
            }
        }
    }
}
