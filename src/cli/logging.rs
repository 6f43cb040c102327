//! The log: lines on standard error, for people or for machines.

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;

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
    /// Start, stop, and requests that were refused.
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

/// Sets up the log of this process.
pub(super) fn start(level: Level, format: Format) {
    let filter = match level {
        // There is no level above `ERROR` in tracing.
        Level::Critical | Level::Error => LevelFilter::ERROR,
        Level::Warning => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        Format::Text => subscriber
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init(),
        Format::Json => subscriber.json().flatten_event(true).init(),
    }
}
