//! Listings: their order, their pages, and what they show while accounts come and go.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use cashpoint::{AccountNumber, Cents, CreationNumber, Ledger};

/// The accounts of a page, and the cursor to the next, as the value that a client would be given.
fn page(ledger: &Ledger, cursor: Option<u64>, limit: usize) -> (Vec<AccountNumber>, Option<u64>) {
    let session = ledger.pin();
    let cursor = cursor.map(CreationNumber::from_u64);
    let page: Vec<_> = session.accounts_after(cursor).take(limit).collect();
    let next = page.last().map(|account| account.created.get());
    (page.iter().map(|account| account.number).collect(), next)
}

/// All accounts, page by page.
fn paged(ledger: &Ledger, limit: usize) -> Vec<AccountNumber> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let (page, next) = page(ledger, cursor, limit);
        let is_last = page.len() < limit;
        all.extend(page);
        if is_last {
            return all;
        }
        cursor = next;
    }
}

#[test]
fn accounts_are_listed_in_order_of_creation_whatever_the_pages() {
    let ledger = Ledger::new(100);
    let created: Vec<_> = (0..100)
        .map(|_| ledger.create(Cents::ZERO).unwrap())
        .collect();
    for limit in [1, 7, 50, 100, 101] {
        assert_eq!(paged(&ledger, limit), created, "pages of {limit}");
    }
}

#[test]
fn a_listing_resumes_after_an_account_that_is_gone() {
    let ledger = Ledger::new(5);
    let created: Vec<_> = (0..5)
        .map(|_| ledger.create(Cents::ZERO).unwrap())
        .collect();
    let (first, cursor) = page(&ledger, None, 3);
    assert_eq!(first, created[..3]);
    ledger.close(created[2]).unwrap();
    ledger.close(created[3]).unwrap();
    let later = ledger.create(Cents::ZERO).unwrap();
    assert_eq!(page(&ledger, cursor, 10).0, [created[4], later]);
}

#[test]
fn who_is_there_throughout_is_listed_exactly_once_while_others_come_and_go() {
    const STAYING: usize = 200;
    let ledger = Ledger::new(1_000);
    let churn = |done: &AtomicBool| {
        while !done.load(Relaxed) {
            let numbers: Vec<_> = (0..20)
                .map(|_| ledger.create(Cents::ZERO).unwrap())
                .collect();
            for number in numbers {
                ledger.close(number).unwrap();
            }
        }
    };
    // Between those that stay, some that go before the listings begin.
    let staying: Vec<_> = (0..STAYING)
        .map(|_| {
            let going = ledger.create(Cents::ZERO).unwrap();
            let number = ledger.create(Cents::ZERO).unwrap();
            ledger.close(going).unwrap();
            number
        })
        .collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| churn(&done));
        scope.spawn(|| churn(&done));
        for round in 0..300 {
            let listed = paged(&ledger, 1 + round % 64);
            let distinct: HashSet<_> = listed.iter().collect();
            assert_eq!(distinct.len(), listed.len(), "an account is listed twice");
            let found: Vec<_> = listed
                .into_iter()
                .filter(|it| staying.contains(it))
                .collect();
            assert_eq!(found, staying, "round {round}");
        }
        done.store(true, Relaxed);
    });
    assert_eq!(
        paged(&ledger, 10),
        staying,
        "nobody stays in the creation index for good"
    );
}
