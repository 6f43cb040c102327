//! What can be wrong with a journal.

use std::io;
use std::path::{Path, PathBuf};

use super::storage::Storage;
use crate::timestamp::{Timestamp, about};

/// Why a journal cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk refused.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which directory or file.
        path: String,
        /// What the disk said.
        source: io::Error,
    },
    /// Another process has the directory.
    #[error(
        "{} is in use by another process: stop it, or choose another directory", path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory was written by a version that this one does not know.
    #[error(
        "{segment} has format version {found}, and this program reads version {}: use the program that wrote it",
        super::FORMAT_VERSION
    )]
    Version {
        /// The file: a segment or a snapshot.
        segment: String,
        /// The version in it.
        found: u32,
    },
    /// What is written is not what was written once, other than at the torn end of the last segment.
    #[error(
        "{segment} is damaged at byte {offset}: {what}. Nothing has been changed. Restore this file from a \
         backup or a replica; `cashpoint journal check` shows what is whole before it"
    )]
    Damaged {
        /// The file.
        segment: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A file that has to be there is not.
    #[error(
        "a segment is missing: {what}. Nothing has been changed. Restore it from a backup or a replica"
    )]
    Missing {
        /// Which.
        what: String,
    },
    /// There are more accounts in the journal than the ledger may hold.
    #[error(
        "the journal holds {accounts} accounts, and only {limit} are allowed: raise the limit \
         (--max-accounts)"
    )]
    TooManyAccounts {
        /// How many there are.
        accounts: usize,
        /// The largest number allowed.
        limit: usize,
    },
    /// The clock is years ahead of or behind the last record.
    #[error(
        "the clock is {} {} the last record of the journal: one of the two times is wrong. Correct the clock; if it is \
         right, accept it (--accept-clock)",
        about(clock.distance(*last_record)), if clock > last_record { "ahead of" } else { "behind" }
    )]
    Clock {
        /// What the clock shows.
        clock: Timestamp,
        /// The time of the last record.
        last_record: Timestamp,
    },
}

impl JournalError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            what,
            path: path.display().to_string(),
            source,
        }
    }

    /// For `map_err`: something that was tried with a file of `storage`.
    pub(crate) fn file<'a>(
        what: &'static str,
        storage: &'a dyn Storage,
        name: &'a str,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            what,
            path: format!("{}/{name}", storage.describe()),
            source,
        }
    }

    /// Whether what is on the disk is not what was written there: then a start is refused.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. } | Self::Missing { .. } | Self::Version { .. }
        )
    }

    /// Whether the disk is full: then nothing is broken, and to make room helps.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}
