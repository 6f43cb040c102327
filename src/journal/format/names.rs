//! Files that are named by a position.
//!
//! A position has one name: twenty digits, and what kind of file it is. What is called anything else, as `+7.snapshot`
//! or `9.snapshot`, is no file of the ledger, and stands for no position.

use crate::journal::Position;
use crate::journal::error::JournalError;
use crate::journal::storage::Storage;

/// The name of the file at `position` whose kind is told by `suffix`.
pub(in crate::journal) fn name(position: Position, suffix: &str) -> String {
    format!("{position:020}{suffix}")
}

/// The position that a file name stands for. `None` if it is not the name of such a file.
pub(in crate::journal) fn position_in(file: &str, suffix: &str) -> Option<Position> {
    let position = file.strip_suffix(suffix)?.parse().ok()?;
    (name(position, suffix) == file).then_some(position)
}

/// The positions of all such files, in order.
///
/// # Errors
///
/// [`JournalError::Io`] if they cannot be listed.
pub(in crate::journal) fn positions(
    storage: &dyn Storage,
    suffix: &str,
) -> Result<Vec<Position>, JournalError> {
    let names = storage
        .names()
        .map_err(JournalError::file("list", storage, ""))?;
    let mut positions: Vec<_> = names
        .iter()
        .filter_map(|name| position_in(name, suffix))
        .collect();
    positions.sort_unstable();
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_one_name() {
        let suffix = ".snapshot";
        for position in [0, 9, 512, u64::MAX] {
            assert_eq!(position_in(&name(position, suffix), suffix), Some(position));
        }
        for other in [
            "9.snapshot",
            "+7.snapshot",
            "+0000000000000000007.snapshot",
            "000000000000000000512.snapshot",
            "0000000000000000512.snapshot",
            "00000000000000000512.SNAPSHOT",
            "00000000000000000512.snapshot ",
            "00000000000000000512.journal",
            "00000000000000000 12.snapshot",
            "18446744073709551616.snapshot",
            "-0000000000000000512.snapshot",
            "0000000000000000051a.snapshot",
            "next.snapshot",
            ".snapshot",
            "",
        ] {
            assert_eq!(position_in(other, suffix), None, "{other:?}");
        }
    }
}
