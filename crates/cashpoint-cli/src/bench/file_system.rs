//! The directory of a ledger that is measured: which file system it is on, for what a sync costs depends on little
//! else, and whether it may be filled.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sysinfo::{DiskRefreshKind, Disks};

use crate::client::Broken;

/// What `directory` is on, or will be once it is made, such as `ext4 at /home`.
pub(crate) fn file_system(directory: &Path) -> io::Result<String> {
    let directory = existing(directory)?;
    // Without their sizes: a network that does not answer would be waited for.
    let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing());
    let disk = disks
        .iter()
        .filter(|disk| directory.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().components().count());
    Ok(disk.map_or("unknown".to_owned(), |disk| {
        let kind = disk.file_system().to_string_lossy();
        let warning = match &*kind {
            "tmpfs" | "ramfs" => " (IN MEMORY: a sync does nothing there)",
            _ => "",
        };
        format!("{kind} at {}{warning}", disk.mount_point().display())
    }))
}

/// The directory itself, or the closest above it that is there.
fn existing(directory: &Path) -> io::Result<PathBuf> {
    let directory = std::path::absolute(directory)?;
    let there = directory.ancestors().find(|it| it.exists());
    there.unwrap_or(&directory).canonicalize()
}

/// Refuses a directory with something in it: a bench must not fill the ledger of somebody.
pub(super) fn needs_empty(directory: &Path) -> Result<(), Broken> {
    let is_in_use = |mut entries: fs::ReadDir| entries.next().is_some();
    match fs::read_dir(directory).is_ok_and(is_in_use) {
        true => Err(Broken(format!(
            "{} is not empty: the bench needs a directory that it may fill",
            directory.display()
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_told_from_a_disk() {
        let memory = file_system(Path::new("/dev/shm/not/there/yet")).unwrap();
        assert!(
            memory.starts_with("tmpfs at /dev/shm (IN MEMORY"),
            "{memory}"
        );
        let disk = file_system(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(!disk.contains("IN MEMORY") && disk != "unknown", "{disk}");
    }
}
