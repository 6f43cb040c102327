//! A reader beside the one thread that settles: the durable ledger publishes like this.
//!
//! Two threads, without a bound on preemption.

use std::collections::BTreeSet;

use crate::outcomes::{assert_outcomes, assert_outcomes_also_of_stale_reads, cents, concurrently};
use loom::sync::Arc;
use loom_tests::{Account, Cents, Link, close, settle};

/// What a reader saw, read by read; nothing where the account was closed.
type Seen = Vec<Option<i64>>;

fn balance(account: &Account) -> Option<i64> {
    account.balance().ok().map(Cents::get)
}

#[test]
fn a_reader_sees_only_what_was_settled_and_that_in_order() {
    const READS: usize = 3;
    let settled = [Some(100), Some(50), Some(170), None];
    // Each read sees what the one before saw, or something later.
    let mut specified = BTreeSet::from([vec![]]);
    for _ in 0..READS {
        let longer = specified.iter().flat_map(|seen: &Seen| {
            let last = seen.last().copied().unwrap_or(settled[0]);
            let from = settled.iter().position(|it| *it == last).unwrap();
            settled[from..]
                .iter()
                .map(|next| [&seen[..], &[*next]].concat())
        });
        specified = longer.collect();
    }
    assert_eq!(specified.len(), 20);
    assert_outcomes(
        || {
            let account = Arc::new(Account::open(cents(100)));
            let of_reader = Arc::clone(&account);
            concurrently([
                Box::new(move || {
                    settle(&account, cents(50));
                    settle(&account, cents(170));
                    account.close().unwrap();
                    Seen::new()
                }) as Box<dyn FnOnce() -> Seen + Send>,
                Box::new(move || (0..READS).map(|_| balance(&of_reader)).collect()),
            ])
            .swap_remove(1)
        },
        &specified,
    );
}

#[test]
fn who_sees_a_settled_balance_sees_what_was_noted_before() {
    assert_outcomes_also_of_stale_reads(
        || {
            let shared = Arc::new((Account::open(cents(100)), Link::new(false)));
            let of_reader = Arc::clone(&shared);
            concurrently([
                Box::new(move || {
                    let (account, note) = &*shared;
                    let _ = note.set(true);
                    settle(account, cents(50));
                    None
                }) as Box<dyn FnOnce() -> Option<(i64, bool)> + Send>,
                Box::new(move || {
                    let (account, note) = &*of_reader;
                    Some((account.balance().unwrap().get(), note.is_there()))
                }),
            ])
            .swap_remove(1)
        },
        // Never the new balance without its note.
        &BTreeSet::from([Some((100, false)), Some((100, true)), Some((50, true))]),
    );
}

#[test]
fn what_is_closed_is_not_settled() {
    let settled_late = || {
        let account = Account::open(cents(100));
        let capacity = loom_tests::Capacity::new(1);
        loom_tests::open(&capacity, || {}).unwrap();
        close(&account, || {}, &capacity).unwrap();
        settle(&account, cents(50));
        balance(&account)
    };
    assert_outcomes(settled_late, &BTreeSet::from([None]));
}
