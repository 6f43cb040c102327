//! How far long work is, on standard error, where that is a terminal.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::quantity::rate;

/// How often the user is told.
const REDRAW_PAUSE: Duration = Duration::from_millis(100);

/// A bar for work of a known length.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(message: &str, length: u64) -> Self {
        let template = "{msg}: {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left";
        let bar = Self::with_template(template, length);
        bar.say(message.to_owned());
        bar
    }

    /// One that looks as indicatif's `template` says.
    pub(crate) fn with_template(template: &str, length: u64) -> Self {
        let bar = ProgressBar::new(length);
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        // indicatif's own has four decimals.
        let per_second = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // What cannot be written is not shown.
            let _ = write!(out, "{}/s", rate(state.per_sec()));
        };
        bar.set_style(style.with_key("per_sec", per_second));
        Self(bar)
    }

    /// What is being done, beside the bar.
    pub(crate) fn say(&self, message: String) {
        self.0.set_message(message);
    }

    /// How much is done.
    pub(crate) fn position(&self) -> u64 {
        self.0.position()
    }

    pub(crate) fn set_position(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Does `work`, and shows meanwhile how much of it is `done`.
    pub(crate) fn watch<T>(&self, done: &AtomicU64, work: impl FnOnce() -> T) -> T {
        let (finished, finish) = std::sync::mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                while finish.recv_timeout(REDRAW_PAUSE)
                    == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
                {
                    self.0.set_position(done.load(Relaxed));
                }
                self.0.set_position(done.load(Relaxed));
            });
            let result = work();
            drop(finished);
            result
        })
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// A bar for reading files, shown once it turns out to take long. It goes when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadingBar {
    message: &'static str,
    began: Instant,
    shown: Option<Progress>,
}

impl ReadingBar {
    /// How long it may take before anybody wants to be told.
    const PATIENCE: Duration = Duration::from_millis(500);

    pub(crate) fn new(message: &'static str) -> Self {
        Self {
            message,
            began: Instant::now(),
            shown: None,
        }
    }

    /// So many bytes are read, of so many.
    pub(crate) fn show(&mut self, read_bytes: u64, all_bytes: u64) {
        if self.began.elapsed() < Self::PATIENCE {
            return;
        }
        let template = "{msg}: {wide_bar} {binary_bytes} of {binary_total_bytes}, {eta} left";
        let bar = self.shown.get_or_insert_with(|| {
            let bar = Progress::with_template(template, all_bytes);
            bar.say(self.message.to_owned());
            bar
        });
        bar.set_position(read_bytes);
    }
}

impl Drop for ReadingBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.shown {
            bar.finish();
        }
    }
}
