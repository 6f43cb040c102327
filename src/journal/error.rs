//! What can be wrong with a journal.

use std::io;
use std::path::{Path, PathBuf};

use super::storage::Storage;
use crate::values::timestamp::{Timestamp, about};

/// Why a journal cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system refused.
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
    /// Somebody else can change the ledger, or put another in its place.
    #[error(
        "others can change the ledger in {}: {what}. Mend that, or choose another directory. If nobody untrusted can reach \
         this one, allow it with --insecure-data (INSECURE_DATA=true)", path.display()
    )]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// By what, and how to mend it.
        what: String,
    },
    /// This process may not write in the directory.
    #[error(
        "this process runs as user {user} and may not write to {path}, which belongs to user {owner} (mode {mode:04o}): \
         `chown -R {user} {directory}` gives it the ledger"
    )]
    NotWritable {
        /// The directory.
        directory: String,
        /// It, or the file in it that cannot be written.
        path: String,
        /// Who we are.
        user: u32,
        /// Who it belongs to.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// A ledger has to be there, and is not.
    #[error(
        "{} holds no ledger, and --existing says that there is one: is its disk mounted? To begin a new ledger, start \
         without --existing", path.display()
    )]
    NoLedger {
        /// The directory.
        path: PathBuf,
    },
    /// There is no ledger, but something else.
    #[error(
        "{path} holds no ledger and is not empty: it holds {name}. A new ledger is begun in an empty directory only. \
         Choose another directory, or move what is in this one elsewhere"
    )]
    NotEmpty {
        /// The directory.
        path: String,
        /// One of the names in it.
        name: String,
    },
    /// The directory or the last segment was moved, replaced or removed while the ledger was open.
    #[error(
        "{path} is not what it was when the ledger was opened: {what}. Nothing more is acknowledged. All that was \
         acknowledged is in the files that were opened: bring them back to their place, and restart"
    )]
    Displaced {
        /// The directory.
        path: String,
        /// What has become of it.
        what: String,
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

    /// Says of a missing segment which snapshots would have done without it, were they whole.
    pub(super) fn without(self, broken_snapshots: &[String]) -> Self {
        match self {
            Self::Missing { what } if !broken_snapshots.is_empty() => Self::Missing {
                what: format!(
                    "{what}, and what would replace it is broken: {}",
                    broken_snapshots.join(", ")
                ),
            },
            error => error,
        }
    }

    /// Whether the disk is full: then nothing is broken, and to make room helps.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_disk_full(source))
    }
}

/// Whether the disk is full.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}
