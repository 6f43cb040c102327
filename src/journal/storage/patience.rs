//! Renames that are tried again.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long a rename that is not permitted now is tried again. What waits for it was decided: it cannot be refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after one there is the next try.
const PAUSE: Duration = Duration::from_millis(50);

/// Tries a rename again while the directory is not writable or a name is in the way. Nothing was done then, and whoever
/// did that may be about to undo it. What the disk fails in is not tried again.
pub(in crate::journal) fn patiently(rename: impl Fn() -> io::Result<()>) -> io::Result<()> {
    use io::ErrorKind::{AlreadyExists, IsADirectory, PermissionDenied};
    let start = Instant::now();
    loop {
        match rename() {
            Err(error)
                if matches!(
                    error.kind(),
                    PermissionDenied | AlreadyExists | IsADirectory
                ) && start.elapsed() < PATIENCE =>
            {
                thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}
