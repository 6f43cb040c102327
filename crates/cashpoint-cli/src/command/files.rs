//! Files that reports are written to.

use std::fs::{self, OpenOptions};
use std::path::Path;

use super::Failure;

/// Finds out before a run whether a file can be written after it.
pub(super) fn check_writable(file: &Path) -> Result<(), Failure> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map(drop)
        .map_err(|error| Failure(format!("{} cannot be written: {error}", file.display())))
}

pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text)
        .map_err(|error| Failure(format!("{} cannot be written: {error}", file.display())))?;
    super::tell(format_args!("written: {}", file.display()));
    Ok(())
}
