//! Files that reports are written to.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::Failure;

/// Finds out before a run whether a file can be written after it.
fn check_writable(file: &Path) -> Result<(), Failure> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map(drop)
        .map_err(|error| Failure(format!("{} cannot be written: {error}", file.display())))
}

/// Finds out before a run whether all files can be written after it, each to a place of its own.
pub(super) fn check_all(files: &[&PathBuf]) -> Result<(), Failure> {
    for (index, file) in files.iter().enumerate() {
        if files.iter().take(index).any(|other| other == file) {
            return Err(Failure(format!(
                "{} is named for two reports: one would overwrite the other",
                file.display()
            )));
        }
        check_writable(file)?;
    }
    Ok(())
}

pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text)
        .map_err(|error| Failure(format!("{} cannot be written: {error}", file.display())))?;
    super::tell(format_args!("written: {}", file.display()));
    Ok(())
}
