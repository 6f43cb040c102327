//! Compares a snapshot with what the records lead to, as it is read.

use crate::journal::scan::Boundary;
use crate::journal::snapshot::{Flaw, Reading, SHORT};
use crate::journal::state::ledger_state::LedgerState;
use crate::values::key_digest::KeyDigest;

/// The first thing in which `snapshot` is not what was replayed up to `boundary`.
///
/// How long the ledger keeps keys is a setting that no file has. So of the keys, the newest are compared, as many as both
/// have; those that only the snapshot has must be past the time for which the replay keeps them.
///
/// # Errors
///
/// [`Flaw`] if the snapshot cannot be read. Whether it is whole is known only at its end: if it is not, the result means
/// nothing.
pub(in crate::journal) fn difference(
    snapshot: &mut Reading,
    replayed: &LedgerState,
    boundary: Boundary,
) -> Result<Option<String>, Flaw> {
    let header = snapshot.header();
    if header.boundary != boundary || header.last_at != replayed.last_at {
        return Ok(Some("its place in the journal is another one".to_owned()));
    }
    if let Some(difference) = accounts(snapshot, replayed)? {
        return Ok(Some(difference));
    }
    match closed(snapshot, replayed)? {
        true => keys(snapshot, replayed),
        false => Ok(Some("its closed accounts are others".to_owned())),
    }
}

fn accounts(snapshot: &mut Reading, replayed: &LedgerState) -> Result<Option<String>, Flaw> {
    let count = snapshot.header().accounts;
    let count_replayed = replayed.accounts.len();
    if count != count_replayed as u64 {
        return Ok(Some(format!(
            "it has {count} open accounts, and there are {count_replayed}"
        )));
    }
    for (number_replayed, state_replayed) in replayed.accounts.by_creation() {
        let (number, state) = snapshot.account()?.ok_or(Flaw::NotWhole(SHORT))?;
        if number != number_replayed {
            return Ok(Some(format!(
                "it has account {number} in the place of {number_replayed}"
            )));
        }
        if state != *state_replayed {
            let (balance, balance_replayed) = (state.balance, state_replayed.balance);
            return Ok(Some(if balance == balance_replayed {
                format!("it has other times or entries of account {number}")
            } else {
                format!("it has {balance} on account {number}, and there are {balance_replayed}")
            }));
        }
    }
    Ok(None)
}

/// Whether the closed accounts are the same, in whatever order.
fn closed(snapshot: &mut Reading, replayed: &LedgerState) -> Result<bool, Flaw> {
    let mut seen = Vec::new();
    while let Some((number, position)) = snapshot.closed()? {
        if replayed.closed.get(&number) != Some(&position) {
            return Ok(false);
        }
        seen.push(position);
    }
    let count = seen.len();
    // No two are at one place, so one place twice is one account twice.
    seen.sort_unstable();
    seen.dedup();
    Ok(count == replayed.closed.len() && count == seen.len())
}

fn keys(snapshot: &mut Reading, replayed: &LedgerState) -> Result<Option<String>, Flaw> {
    let count = snapshot.header().keys;
    let count_replayed = replayed.keys.len() as u64;
    let more_replayed = usize::try_from(count_replayed.saturating_sub(count)).unwrap_or(usize::MAX);
    for _ in count_replayed..count {
        let (key, kept) = snapshot.key()?.ok_or(Flaw::NotWhole(SHORT))?;
        // Those that the replay has dropped are past its time.
        if !replayed.keys.is_over(kept.at, replayed.last_at) {
            return Ok(Some(format!("it has a key that no record has: {key}")));
        }
    }
    for (key_replayed, kept_replayed) in replayed.keys.iter().skip(more_replayed) {
        let (key, kept) = snapshot.key()?.ok_or(Flaw::NotWhole(SHORT))?;
        if KeyDigest::of(&key) != key_replayed || kept != *kept_replayed {
            return Ok(Some(format!(
                "it has other keys, or other answers to them; see {key}"
            )));
        }
    }
    Ok(None)
}
