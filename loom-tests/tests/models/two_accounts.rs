//! What an observer may conclude from one account about another: the orderings.
//!
//! Here it is the runs with plain loads that count, because these may read stale values: with loads as
//! read-modify-writes every read is of the newest. So both must reach every outcome.
//!
//! Two threads, without a bound on preemption; under 100 executions each.

use std::collections::BTreeSet;

use crate::outcomes::{
    amount, assert_outcomes, assert_outcomes_also_of_stale_reads, cents, concurrently,
};
use loom::sync::Arc;
use loom_tests::{Account, Cents};

/// What the observer saw: the balances of accounts, nothing where one was closed.
type Seen = Vec<Option<i64>>;

fn balance(account: &Account) -> Option<i64> {
    account.balance().ok().map(Cents::get)
}

/// Runs `mover` beside `observer` on two accounts of 100, and returns what the observer saw.
///
/// The mover comes first: loom then begins with the execution in which it has done all, and lets the
/// observer's loads read every value, stale or new, that their orderings allow.
fn observed(
    mover: impl Fn(&Account, &Account) + Send + 'static,
    observer: impl Fn(&Account, &Account) -> Seen + Send + 'static,
) -> Seen {
    let accounts = Arc::new([100, 100].map(|balance| Account::open(cents(balance))));
    let of_observer = Arc::clone(&accounts);
    concurrently([
        Box::new(move || {
            let [one, other] = &*accounts;
            mover(one, other);
            Seen::new()
        }) as Box<dyn FnOnce() -> Seen + Send>,
        Box::new(move || {
            let [one, other] = &*of_observer;
            observer(one, other)
        }),
    ])
    .swap_remove(1)
}

#[test]
fn who_sees_the_deposit_of_a_transfer_sees_its_withdrawal() {
    assert_outcomes_also_of_stale_reads(
        || {
            observed(
                |from, to| {
                    from.withdraw(amount(30)).unwrap();
                    to.deposit(amount(30)).unwrap();
                },
                |from, to| vec![balance(to), balance(from)],
            )
        },
        // Never 130 and 100: that would be 230 cents where there are 200.
        &BTreeSet::from([
            vec![Some(100), Some(100)],
            vec![Some(100), Some(70)],
            vec![Some(130), Some(70)],
        ]),
    );
}

#[test]
fn who_sees_the_payout_of_a_closed_account_sees_it_closed() {
    assert_outcomes_also_of_stale_reads(
        || {
            observed(
                |from, to| {
                    let left = from.close().unwrap();
                    to.deposit(amount(left.get())).unwrap();
                },
                |from, to| vec![balance(to), balance(from)],
            )
        },
        &BTreeSet::from([
            vec![Some(100), Some(100)],
            vec![Some(100), None],
            vec![Some(200), None],
        ]),
    );
}

#[test]
fn who_finds_an_account_closed_sees_what_came_before_the_closing() {
    assert_outcomes_also_of_stale_reads(
        || {
            observed(
                |closed, spent| {
                    spent.withdraw(amount(100)).unwrap();
                    closed.close().unwrap();
                },
                |closed, spent| match closed.balance() {
                    Ok(_) => vec![],
                    Err(_) => vec![balance(spent)],
                },
            )
        },
        &BTreeSet::from([vec![], vec![Some(0)]]),
    );
}

#[test]
fn who_closes_an_account_sees_what_came_before_the_balance_left_on_it() {
    assert_outcomes_also_of_stale_reads(
        || {
            observed(
                |paid, spent| {
                    spent.withdraw(amount(100)).unwrap();
                    // Refused where the closing comes first.
                    let _ = paid.deposit(amount(100));
                },
                |paid, spent| match paid.close() {
                    Ok(left) if left == cents(200) => vec![balance(spent)],
                    _ => vec![],
                },
            )
        },
        &BTreeSet::from([vec![], vec![Some(0)]]),
    );
}

#[test]
fn who_is_refused_for_want_of_funds_sees_what_came_before() {
    assert_outcomes_also_of_stale_reads(
        || {
            observed(
                |drained, spent| {
                    spent.withdraw(amount(100)).unwrap();
                    // Either this withdrawal or the observer's is granted.
                    let _ = drained.withdraw(amount(100));
                },
                |drained, spent| match drained.withdraw(amount(100)) {
                    Ok(_) => vec![],
                    Err(_) => vec![balance(spent)],
                },
            )
        },
        &BTreeSet::from([vec![], vec![Some(0)]]),
    );
}

#[test]
fn who_is_granted_a_withdrawal_from_a_deposit_sees_what_came_before_it() {
    assert_outcomes_also_of_stale_reads(
        || {
            observed(
                |paid, spent| {
                    spent.withdraw(amount(100)).unwrap();
                    paid.deposit(amount(100)).unwrap();
                },
                |paid, spent| match paid.withdraw(amount(200)) {
                    Ok(_) => vec![balance(spent)],
                    Err(_) => vec![],
                },
            )
        },
        &BTreeSet::from([vec![], vec![Some(0)]]),
    );
}

/// The balance goes and comes back (ABA): the observer may have read it before that, and its exchange then
/// succeeds on the one that came back.
#[test]
fn who_withdraws_from_a_balance_that_came_back_sees_what_came_between() {
    // With plain loads four of the five come up.
    assert_outcomes(
        || {
            let accounts = Arc::new([100, 100].map(|balance| Account::open(cents(balance))));
            let of_observer = Arc::clone(&accounts);
            concurrently([
                Box::new(move || {
                    let [paid, spent] = &*accounts;
                    let was_first = paid.withdraw(amount(100)).is_ok();
                    spent.withdraw(amount(100)).unwrap();
                    paid.deposit(amount(100)).unwrap();
                    (was_first, None)
                }) as Box<dyn FnOnce() -> (bool, Option<i64>) + Send>,
                Box::new(move || {
                    let [paid, spent] = &*of_observer;
                    let granted = paid.withdraw(amount(50)).is_ok();
                    (granted, balance(spent))
                }),
            ])
        },
        &BTreeSet::from([
            // The observer came first.
            vec![(false, None), (true, Some(100))],
            vec![(false, None), (true, Some(0))],
            // It came between, and was refused.
            vec![(true, None), (false, Some(100))],
            vec![(true, None), (false, Some(0))],
            // It came last.
            vec![(true, None), (true, Some(0))],
        ]),
    );
}
