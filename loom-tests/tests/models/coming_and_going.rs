//! Opening and closing accounts: the limit, and the order of closing, unlinking and releasing.
//!
//! The map is replaced by two places, each of which holds an account that can be found or not: loom cannot
//! see papaya's own atomics. The cells outlive their links, so that a thread can hold on to one that is
//! unlinked, as it does under a guard.
//!
//! Two threads or three, without a bound on preemption; four with at most 3, 2 with plain
//! loads.

use std::collections::BTreeSet;

use crate::outcomes::{
    amount, assert_outcomes_also_of_stale_reads, assert_outcomes_of_few_preemptions, cents,
    concurrently,
};
use loom::sync::Arc;
use loom_tests::{Account, Capacity, Cents, Link, close, open};

/// A place of the shelf: an account that can be found while it is `linked`.
struct Place {
    account: Account,
    linked: Link,
}

impl Place {
    fn new(linked: bool) -> Self {
        Self {
            account: Account::open(cents(100)),
            linked: Link::new(linked),
        }
    }

    fn find(&self) -> Option<&Account> {
        self.linked.is_there().then_some(&self.account)
    }
}

/// A directory of two places under a limit.
struct Directory {
    capacity: Capacity,
    places: [Place; 2],
}

impl Directory {
    /// One with `linked` accounts in it.
    fn with(linked: usize, limit: usize) -> Arc<Self> {
        let capacity = Capacity::new(limit);
        let places = [0, 1].map(|place| {
            let is_linked = place < linked;
            if is_linked {
                open(&capacity, || ()).unwrap();
            }
            Place::new(is_linked)
        });
        Arc::new(Self { capacity, places })
    }

    /// Opens an account at a place. Whether there was a slot for it.
    fn open(&self, place: usize) -> bool {
        let publish = || {
            let was_linked = self.places[place].linked.set(true);
            assert!(!was_linked, "a place is filled once");
        };
        open(&self.capacity, publish).is_ok()
    }

    /// Closes the account at a place; its final balance if it was there, and open.
    fn close(&self, place: usize) -> Option<i64> {
        let unlink = || {
            let was_linked = self.places[place].linked.set(false);
            assert!(was_linked, "an account is unlinked once");
        };
        let account = self.places[place].find()?;
        close(account, unlink, &self.capacity).ok().map(Cents::get)
    }

    fn count_linked(&self) -> usize {
        self.places.iter().filter(|it| it.find().is_some()).count()
    }
}

type Thread<T> = Box<dyn FnOnce() -> T + Send>;

fn on<T>(
    directory: &Arc<Directory>,
    operation: impl FnOnce(&Directory) -> T + Send + 'static,
) -> Thread<T> {
    let directory = Arc::clone(directory);
    Box::new(move || operation(&directory))
}

#[test]
fn of_two_creations_for_one_slot_exactly_one_succeeds() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(0, 1);
            let opened = concurrently([
                on(&directory, |it| it.open(0)),
                on(&directory, |it| it.open(1)),
            ]);
            (
                opened,
                directory.count_linked(),
                directory.capacity.in_use(),
            )
        },
        &BTreeSet::from([(vec![true, false], 1, 1), (vec![false, true], 1, 1)]),
    );
}

#[test]
fn of_three_creations_for_two_slots_exactly_two_succeed() {
    assert_outcomes_also_of_stale_reads(
        || {
            let capacity = Arc::new(Capacity::new(2));
            let opened = concurrently((0..3).map(|_| {
                let capacity = Arc::clone(&capacity);
                Box::new(move || open(&capacity, || ()).is_ok()) as Thread<bool>
            }));
            (opened, capacity.in_use())
        },
        &BTreeSet::from([
            (vec![true, true, false], 2),
            (vec![true, false, true], 2),
            (vec![false, true, true], 2),
        ]),
    );
}

#[test]
fn of_four_creations_for_two_slots_exactly_two_succeed() {
    let two_of_four = (0..16_u8).filter(|granted| granted.count_ones() == 2);
    let specified = two_of_four
        .map(|granted| {
            (
                vec![1, 2, 4, 8]
                    .into_iter()
                    .map(|bit| granted & bit != 0)
                    .collect(),
                2,
            )
        })
        .collect();
    assert_outcomes_of_few_preemptions(
        || {
            let capacity = Arc::new(Capacity::new(2));
            let opened: Vec<_> = concurrently((0..4).map(|_| {
                let capacity = Arc::clone(&capacity);
                Box::new(move || open(&capacity, || ()).is_ok()) as Thread<bool>
            }));
            (opened, capacity.in_use())
        },
        &specified,
    );
}

#[test]
fn a_reservation_that_is_dropped_frees_its_slot() {
    assert_outcomes_also_of_stale_reads(
        || {
            let capacity = Arc::new(Capacity::new(1));
            let of_other = Arc::clone(&capacity);
            concurrently([
                Box::new(move || capacity.reserve_and_release()) as Thread<bool>,
                Box::new(move || of_other.reserve_and_release()),
            ])
        },
        // The slot is freed again at once, so one or both get it. Never none.
        &BTreeSet::from([vec![true, true], vec![true, false], vec![false, true]]),
    );
}

#[test]
fn a_creation_beside_a_closing_is_granted_its_slot_or_refused_and_the_limit_holds() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(1, 1);
            let mut done = concurrently([
                on(&directory, |it| (it.open(1), None)),
                on(&directory, |it| (false, it.close(0))),
            ]);
            let (_, closed) = done.swap_remove(1);
            let (opened, _) = done.swap_remove(0);
            (opened, closed, directory.capacity.in_use())
        },
        // A refusal is right while the closing is under way, and also before it.
        &BTreeSet::from([(true, Some(100), 1), (false, Some(100), 0)]),
    );
}

#[test]
fn no_more_accounts_than_allowed_can_ever_be_found() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(1, 1);
            let found = concurrently([
                // Looks for the new one first: if the old one is found after it, both are there.
                on(&directory, |it| {
                    let new = it.places[1].find().is_some();
                    let old = it.places[0].find().is_some();
                    (new, old)
                }),
                on(&directory, |it| (it.open(1), false)),
                on(&directory, |it| (false, it.close(0).is_some())),
            ]);
            found[0]
        },
        &BTreeSet::from([(false, true), (false, false), (true, false)]),
    );
}

#[test]
fn two_closings_release_one_slot() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(2, 2);
            let closed = concurrently([
                on(&directory, |it| it.close(0)),
                on(&directory, |it| it.close(0)),
            ]);
            (closed, directory.capacity.in_use())
        },
        &BTreeSet::from([(vec![Some(100), None], 1), (vec![None, Some(100)], 1)]),
    );
}

#[test]
fn closings_of_two_accounts_release_two_slots() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(2, 2);
            let closed = concurrently([
                on(&directory, |it| it.close(0)),
                on(&directory, |it| it.close(1)),
            ]);
            (closed, directory.capacity.in_use())
        },
        &BTreeSet::from([(vec![Some(100), Some(100)], 0)]),
    );
}

#[test]
fn the_count_beside_a_creation_and_a_closing_is_never_above_the_limit() {
    for (limit, counts) in [(1, 0..=1), (2, 0..=2)] {
        assert_outcomes_also_of_stale_reads(
            move || {
                let directory = Directory::with(1, limit);
                concurrently([
                    on(&directory, |it| usize::from(it.open(1))),
                    on(&directory, |it| it.close(0).map_or(0, |_| 1)),
                    on(&directory, |it| it.capacity.in_use()),
                ])[2]
            },
            &counts.collect(),
        );
    }
}

#[test]
fn a_creation_a_closing_and_two_deposits_at_once_lose_no_cent() {
    assert_outcomes_of_few_preemptions(
        || {
            let directory = Directory::with(1, 2);
            let deposit = |place: usize| {
                on(&directory, move |it: &Directory| {
                    let account = it.places[place].find()?;
                    account.deposit(amount(50)).ok().map(Cents::get)
                })
            };
            let done = concurrently([
                on(&directory, |it| it.open(1).then_some(100)),
                on(&directory, |it| it.close(0)),
                deposit(0),
                deposit(1),
            ]);
            let left = directory.places[1].account.balance().map(Cents::get);
            (done, left.unwrap(), directory.capacity.in_use())
        },
        &BTreeSet::from([
            // The closing came before the deposit, or includes it; the other deposit found the new
            // account, or did not.
            (vec![Some(100), Some(100), None, None], 100, 1),
            (vec![Some(100), Some(100), None, Some(150)], 150, 1),
            (vec![Some(100), Some(150), Some(150), None], 100, 1),
            (vec![Some(100), Some(150), Some(150), Some(150)], 150, 1),
        ]),
    );
}

#[test]
fn a_late_depositor_is_refused_or_part_of_the_final_balance() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(1, 1);
            let done = concurrently([
                on(&directory, |it| {
                    let account = it.places[0].find()?;
                    account.deposit(amount(50)).ok().map(Cents::get)
                }),
                on(&directory, |it| it.close(0)),
            ]);
            (done[0], done[1])
        },
        &BTreeSet::from([(None, Some(100)), (Some(150), Some(150))]),
    );
}

#[test]
fn an_account_that_cannot_be_found_any_more_is_closed() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(1, 1);
            concurrently([
                on(&directory, |it| {
                    it.close(0);
                    ""
                }),
                on(&directory, |it| {
                    // Got hold of the cell before, as under a guard that was taken before.
                    let held = &it.places[0].account;
                    match it.places[0].find() {
                        Some(_) => "findable",
                        None if held.deposit(amount(50)).is_ok() => "a deposit into the void",
                        None => "closed",
                    }
                }),
            ])[1]
        },
        &BTreeSet::from(["findable", "closed"]),
    );
}

#[test]
fn whoever_gets_the_slot_of_a_closed_account_sees_that_it_is_gone() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(1, 1);
            concurrently([
                on(&directory, |it| {
                    it.close(0);
                    (false, false)
                }),
                on(&directory, |it| {
                    let opened = it.open(1);
                    (opened, it.places[0].find().is_some())
                }),
            ])[1]
        },
        // Never opened, and the old account still there.
        &BTreeSet::from([(false, true), (false, false), (true, false)]),
    );
}

/// The number of slots in use goes and comes back (ABA): the reservation may have read it before that.
#[test]
fn whoever_gets_a_slot_that_was_taken_and_given_back_sees_that_nobody_is_there() {
    assert_outcomes_also_of_stale_reads(
        || {
            let directory = Directory::with(0, 1);
            concurrently([
                on(&directory, |it| {
                    if it.open(0) {
                        it.close(0).unwrap();
                    }
                    (false, false)
                }),
                on(&directory, |it| {
                    let opened = it.open(1);
                    (opened, it.places[0].find().is_some())
                }),
            ])[1]
        },
        // Never opened, and the other account still there.
        &BTreeSet::from([(false, true), (false, false), (true, false)]),
    );
}
