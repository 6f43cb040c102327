//! Whether there is a ledger, and whether one may be begun.
//!
//! A disk that is not mounted looks like an empty directory, and a wrong path leads to a strange one. No ledger may be
//! begun in either by mistake: `--existing` is for the first, and the second is told by what else is there.

use std::path::PathBuf;

use super::Storage;
use crate::journal::error::JournalError;
use crate::journal::format::{head, segment};
use crate::journal::snapshot;

/// The file that earlier versions lock. It stays when the process goes; its lock does not.
pub(super) const LOCK: &str = "lock";

/// What file systems bring along.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// Whether it is the name of a file that only a ledger has.
pub(in crate::journal) fn is_ours(name: &str) -> bool {
    name == head::NAME || segment::position_in(name).is_some() || snapshot::is_name(name)
}

/// Looks whether a ledger is in `storage`; if not, whether one may be begun there.
///
/// # Errors
///
/// [`JournalError::NoLedger`] if there is none and one `must_exist`; [`JournalError::NotEmpty`] if there is none, and
/// something else; [`JournalError::Io`] if it cannot be listed. Nothing is changed in any case.
pub(crate) fn check(storage: &dyn Storage, must_exist: bool) -> Result<(), JournalError> {
    let mut names = storage
        .names()
        .map_err(JournalError::file("list", storage, ""))?;
    // What was begun and never finished is no ledger: nothing in it was acknowledged.
    let is_unfinished =
        |name: &str| [segment::UNFINISHED, snapshot::UNFINISHED, head::UNFINISHED].contains(&name);
    if names.iter().any(|name| is_ours(name)) {
        return Ok(());
    }
    if must_exist {
        let path = PathBuf::from(storage.describe());
        return Err(JournalError::NoLedger { path });
    }
    names.sort_unstable();
    let strange = names.into_iter().find(|name| match name.as_str() {
        OF_THE_FILE_SYSTEM => false,
        LOCK => !is_empty(storage, name),
        name => !is_unfinished(name),
    });
    match strange {
        None => Ok(()),
        Some(name) => Err(JournalError::NotEmpty {
            path: storage.describe(),
            // Anybody may have named it, with anything that a terminal obeys.
            name: name.escape_debug().to_string(),
        }),
    }
}

/// Whether a file is empty, as the one is that earlier versions lock.
fn is_empty(storage: &dyn Storage, name: &str) -> bool {
    let length = storage.open(name).and_then(|file| file.length());
    length.is_ok_and(|length| length == 0)
}
