//! Standard output, of which no error is passed over: what a full disk did not take is not said to be written.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::os::fd::AsFd as _;

use super::Failure;

/// How large pieces are written.
const PIECE_BYTES: usize = 1 << 16;

/// Standard output. What is written to it is there once it is flushed.
///
/// It is the file itself: `io::stdout()` reports success where standard output may not be written (`EBADF`).
///
/// # Errors
///
/// Those of opening it once more.
pub(super) fn standard() -> io::Result<BufWriter<File>> {
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok(BufWriter::with_capacity(PIECE_BYTES, file))
}

/// How many columns standard output has, where it is a terminal.
pub(super) fn columns() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(width.0.into())
}

/// Prints all of `text`. It is no failure if nobody reads it any more: a program that reads only the beginning, as
/// `head` does, closes the pipe.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let print = || {
        let mut out = standard()?;
        out.write_all(text.as_bytes())?;
        out.flush()
    };
    match print() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritten(&error)),
        _ => Ok(()),
    }
}

/// Standard output failed.
pub(super) fn unwritten(error: &io::Error) -> Failure {
    Failure(format!("standard output cannot be written: {error}"))
}
