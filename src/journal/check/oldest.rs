//! Where the records that are there begin.
//!
//! Old segments may be taken away. Then what was before is told by the oldest snapshot with all segments from its place
//! on; and what is read begins there.

use crate::journal::Position;
use crate::journal::error::JournalError;
use crate::journal::format::segment;
use crate::journal::snapshot::{self, Flaw, Snapshot};
use crate::journal::storage::Storage;
use crate::values::key_policy::KeyPolicy;

/// The snapshot to begin at. `None` if the first segment is there, or none at all.
///
/// # Errors
///
/// [`JournalError::Missing`] if the first segment is not there, and no snapshot that is whole tells what was in it;
/// [`JournalError::Version`] if the snapshot is of another format;
/// [`JournalError::Io`] if the files cannot be listed.
pub(crate) fn oldest(storage: &dyn Storage) -> Result<Option<Snapshot>, JournalError> {
    let mut snapshots = snapshot::positions(storage)?;
    snapshots.reverse();
    let segments = segment::positions(storage)?;
    let Some(first) = segments.first().filter(|first| **first > 0) else {
        return Ok(None);
    };
    for position in snapshots {
        if !are_all_there(storage, &segments, position) {
            continue;
        }
        match snapshot::load(storage, KeyPolicy::default(), position) {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(Flaw::Version(found)) => {
                let segment = snapshot::name(position);
                return Err(JournalError::Version { segment, found });
            }
            // One that cannot be read is as one that is broken; a newer one may have replaced it just now.
            Err(Flaw::Io(_) | Flaw::NotWhole(_)) => {}
        }
    }
    Err(JournalError::Missing {
        what: format!(
            "those before {} are not there, and no snapshot that is whole, with all segments behind it, says what was \
             in them (in {})",
            segment::name(*first),
            storage.describe()
        ),
    })
}

/// Whether no segment from `start` on is missing, as far as their lengths tell. A segment may end before its length is
/// used, but never by as much as a segment.
fn are_all_there(storage: &dyn Storage, segments: &[Position], start: Position) -> bool {
    let first = segments.iter().position(|position| *position == start);
    let Some(relevant) = first.and_then(|first| segments.get(first..)) else {
        return false;
    };
    relevant.windows(2).all(|pair| match pair {
        [one, next] => {
            let length = storage
                .open(&segment::name(*one))
                .and_then(|file| file.length());
            length.is_ok_and(|length| next - one <= length)
        }
        _ => true,
    })
}
