//! Compares a snapshot with what the records lead to.

use super::books::Books;
use super::scan::Boundary;
use super::snapshot::Snapshot;

/// The first thing in which `snapshot` is not what was replayed up to `boundary`.
///
/// How long the ledger keeps keys is a setting that no file has. So of the keys, the newest are compared, as many as both
/// have.
pub(super) fn difference(
    snapshot: &Snapshot,
    replayed: &Books,
    boundary: Boundary,
) -> Option<String> {
    let saved = &snapshot.books;
    if snapshot.boundary != boundary || saved.last_at != replayed.last_at {
        return Some("its place in the journal is another one".to_owned());
    }
    accounts(saved, replayed)
        .or_else(|| {
            (saved.closed != replayed.closed).then(|| "its closed accounts are others".to_owned())
        })
        .or_else(|| keys(saved, replayed))
}

fn accounts(saved: &Books, replayed: &Books) -> Option<String> {
    let (count, count_replayed) = (saved.accounts.len(), replayed.accounts.len());
    if count != count_replayed {
        return Some(format!(
            "it has {count} open accounts, and there are {count_replayed}"
        ));
    }
    let mut pairs = saved
        .accounts
        .by_creation()
        .zip(replayed.accounts.by_creation());
    pairs.find_map(
        |((number, standing), (number_replayed, standing_replayed))| {
            if number != number_replayed {
                return Some(format!(
                    "it has account {number} in the place of {number_replayed}"
                ));
            }
            (standing != standing_replayed).then(|| {
                let (balance, balance_replayed) = (standing.balance, standing_replayed.balance);
                if balance == balance_replayed {
                    format!("it has other times or entries of account {number}")
                } else {
                    format!(
                        "it has {balance} on account {number}, and there are {balance_replayed}"
                    )
                }
            })
        },
    )
}

fn keys(saved: &Books, replayed: &Books) -> Option<String> {
    let newest = |books: &Books| {
        let keys = books.keys.iter().map(|(key, kept)| (key.clone(), *kept));
        let mut keys: Vec<_> = keys.collect();
        keys.reverse();
        keys
    };
    let (saved, replayed) = (newest(saved), newest(replayed));
    let differs = saved
        .iter()
        .zip(&replayed)
        .find(|(one, other)| one != other);
    differs.map(|((key, _), _)| format!("it has other keys, or other answers to them; see {key}"))
}
