//! A listing beside writers: an account that is there throughout is listed once, with a balance that it had; one that
//! comes or goes meanwhile, at most once.
//!
//! The page, the accounts, the capacity and their coming and going are the shipped ones. The map is
//! replaced by a link for each account, and the order of page and link, which is that of
//! `Session::publish` and `Session::unlink`, is the model's own: the shuttle tests have the shipped one.
//!
//! Two threads without a bound on preemption, but for the last.

use std::collections::BTreeSet;

use crate::outcomes::{
    amount, assert_outcomes, assert_outcomes_of_few_preemptions, cents, concurrently,
};
use loom::sync::Arc;
use loom_tests::{Account, Capacity, Link, Page, close, open};

/// How many accounts there are places for. Each has its own place on the page and its own link.
const PLACES: usize = 3;

struct Directory {
    capacity: Capacity,
    page: Page<PLACES>,
    accounts: [(Link, Account); PLACES],
}

/// The accounts that were listed, by place, and their balances.
type Listed = Vec<(usize, i64)>;

impl Directory {
    /// One with two accounts in it, and room for as many as `limit`.
    fn of_two(limit: usize) -> Arc<Self> {
        let directory = Self {
            capacity: Capacity::new(limit),
            page: Page::new(),
            accounts: [0, 1, 2].map(|_| (Link::new(false), Account::open(cents(100)))),
        };
        directory.open(0);
        directory.open(1);
        Arc::new(directory)
    }

    fn open(&self, place: usize) {
        let publish = || {
            // No first half is 0.
            self.page.write(place, (1, place as u64));
            let _ = self.accounts[place].0.set(true);
        };
        let _ = open(&self.capacity, publish);
    }

    fn close(&self, place: usize) {
        let unlink = || {
            let _ = self.accounts[place].0.set(false);
            let _ = self.page.remove(place);
        };
        let (link, account) = &self.accounts[place];
        if link.is_there() {
            let _ = close(account, unlink, &self.capacity);
        }
    }

    fn deposit(&self, place: usize) {
        self.accounts[place].1.deposit(amount(50)).unwrap();
    }

    fn list(&self) -> Listed {
        let numbers = (0..PLACES).filter_map(|place| self.page.read(place));
        numbers
            .filter_map(|(_, place)| {
                let place = usize::try_from(place).unwrap();
                let (link, account) = &self.accounts[place];
                let balance = link.is_there().then(|| account.balance())?.ok()?;
                Some((place, balance.get()))
            })
            .collect()
    }
}

/// What a listing shows beside a writer.
fn listed_beside(limit: usize, writer: fn(&Directory)) -> Listed {
    let directory = Directory::of_two(limit);
    let of_writer = Arc::clone(&directory);
    concurrently([
        Box::new(move || {
            writer(&of_writer);
            Listed::new()
        }) as Box<dyn FnOnce() -> Listed + Send>,
        Box::new(move || directory.list()),
    ])
    .swap_remove(1)
}

#[test]
fn a_listing_beside_a_creation_has_the_new_account_or_not() {
    assert_outcomes(
        || listed_beside(3, |it| it.open(2)),
        &BTreeSet::from([vec![(0, 100), (1, 100)], vec![(0, 100), (1, 100), (2, 100)]]),
    );
}

#[test]
fn a_listing_beside_a_closing_has_the_closed_account_or_not() {
    assert_outcomes(
        || listed_beside(2, |it| it.close(0)),
        &BTreeSet::from([vec![(0, 100), (1, 100)], vec![(1, 100)]]),
    );
}

/// It is not of one instant: it may show both an account and the one that took its slot.
#[test]
fn a_listing_beside_one_that_goes_and_one_that_comes_has_either_or_both_or_none() {
    assert_outcomes(
        || {
            listed_beside(2, |it| {
                it.close(0);
                it.open(2);
            })
        },
        &BTreeSet::from([
            vec![(0, 100), (1, 100)],
            vec![(1, 100)],
            vec![(1, 100), (2, 100)],
            vec![(0, 100), (1, 100), (2, 100)],
        ]),
    );
}

#[test]
fn a_listing_beside_deposits_shows_balances_that_were() {
    assert_outcomes(
        || {
            listed_beside(2, |it| {
                it.deposit(0);
                it.deposit(1);
            })
        },
        &BTreeSet::from([
            vec![(0, 100), (1, 100)],
            // The first was read before, the second after.
            vec![(0, 100), (1, 150)],
            vec![(0, 150), (1, 100)],
            vec![(0, 150), (1, 150)],
        ]),
    );
}

#[test]
fn who_was_listed_and_then_not_does_not_come_back() {
    assert_outcomes(
        || {
            let directory = Directory::of_two(2);
            let of_writer = Arc::clone(&directory);
            concurrently([
                Box::new(move || {
                    of_writer.close(0);
                    [false; 2]
                }) as Box<dyn FnOnce() -> [bool; 2] + Send>,
                Box::new(move || {
                    [0; 2].map(|place| directory.list().iter().any(|it| it.0 == place))
                }),
            ])[1]
        },
        &BTreeSet::from([[true, true], [true, false], [false, false]]),
    );
}

/// Three threads, at most 3 preemptions, 2 with plain loads: without a bound it is 340,000 executions.
#[test]
fn a_listing_beside_a_closing_and_a_creation_at_once_has_who_stays() {
    assert_outcomes_of_few_preemptions(
        || {
            let directory = Directory::of_two(3);
            let on = |writer: fn(&Directory)| {
                let directory = Arc::clone(&directory);
                Box::new(move || {
                    writer(&directory);
                    Listed::new()
                }) as Box<dyn FnOnce() -> Listed + Send>
            };
            let (closing, creation) = (on(|it| it.close(0)), on(|it| it.open(2)));
            let listing = Box::new(move || directory.list()) as Box<_>;
            concurrently([closing, creation, listing]).swap_remove(2)
        },
        &BTreeSet::from([
            vec![(0, 100), (1, 100)],
            vec![(1, 100)],
            vec![(1, 100), (2, 100)],
            vec![(0, 100), (1, 100), (2, 100)],
        ]),
    );
}
