//! The ledger under real threads: no cent is made or lost, and no limit is broken.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::thread;

use cashpoint::{AccountNumber, Cents, Ledger};

use crate::{amount, cents, total};

const THREADS: usize = 4;

/// A sequence that looks random and is the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((bits ^ (bits >> 31)) % bound as u64).unwrap()
    }
}

/// Runs `work` on every thread at once, with the number of the thread.
fn on_all_threads(work: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(thread);
            });
        }
    });
}

#[test]
fn transfers_neither_make_nor_lose_a_cent() {
    const ACCOUNTS: usize = 8;
    let ledger = Ledger::new(ACCOUNTS);
    let numbers: Vec<_> = (0..ACCOUNTS)
        .map(|_| ledger.create(cents(100)).unwrap())
        .collect();
    on_all_threads(|thread| {
        let mut session = ledger.pin();
        let mut random = Numbers(thread as u64);
        for turn in 0..20_000 {
            let from = numbers[random.below(ACCOUNTS)];
            let to = numbers[random.below(ACCOUNTS)];
            let sum = amount(1 + i64::try_from(random.below(150)).unwrap());
            if session.withdraw(from, sum).is_ok() {
                session.deposit(to, sum).unwrap();
            }
            if turn % 1_000 == 0 {
                session = session.refresh();
            }
        }
    });
    assert_eq!(total(&ledger.pin()), 800);
}

#[test]
fn a_balance_is_never_seen_below_zero_or_off_the_steps() {
    // Only whole hundreds move, so nobody may ever read anything else.
    let ledger = Ledger::new(1);
    let number = ledger.create(cents(300)).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Relaxed) {
                let balance = ledger.balance(number).unwrap().get();
                assert!(balance % 100 == 0 && balance <= 300 * 100, "{balance}");
            }
        });
        on_all_threads(|_| {
            for _ in 0..20_000 {
                if ledger.withdraw(number, amount(200)).is_ok() {
                    ledger.deposit(number, amount(200)).unwrap();
                }
            }
        });
        done.store(true, Relaxed);
        watcher.join().unwrap();
    });
    assert_eq!(ledger.balance(number), Ok(cents(300)));
}

#[test]
fn the_limit_holds_while_accounts_come_and_go_and_no_slot_is_lost() {
    const LIMIT: usize = 3;
    let ledger = Ledger::new(LIMIT);
    let open = AtomicI64::new(0);
    on_all_threads(|_| {
        for _ in 0..5_000 {
            let mine: Vec<_> = (0..2)
                .filter_map(|_| ledger.create(Cents::ZERO).ok())
                .collect();
            let mine_count = i64::try_from(mine.len()).unwrap();
            // Counted after they exist and before they go: never more than really are.
            let now_open = open.fetch_add(mine_count, Relaxed) + mine_count;
            assert!(now_open <= 3, "{now_open} accounts with a limit of {LIMIT}");
            assert!(ledger.count() <= LIMIT);
            open.fetch_sub(mine_count, Relaxed);
            for number in mine {
                ledger.close(number).unwrap();
            }
        }
    });
    assert_eq!(ledger.count(), 0);
    let refilled = (0..LIMIT).filter(|_| ledger.create(Cents::ZERO).is_ok());
    assert_eq!(refilled.count(), LIMIT, "every slot is there again");
}

#[test]
fn what_was_deposited_comes_out_when_accounts_are_closed_under_load() {
    let ledger = Ledger::new(1);
    for _ in 0..2_000 {
        let number = ledger.create(Cents::ZERO).unwrap();
        let (paid_in, paid_out) = (AtomicI64::new(0), AtomicI64::new(0));
        on_all_threads(|thread| match thread {
            0 => {
                thread::yield_now();
                let left = ledger.close(number).unwrap();
                paid_out.fetch_add(left.get(), Relaxed);
            }
            1 => {
                if ledger.withdraw(number, amount(1)).is_ok() {
                    paid_out.fetch_add(1, Relaxed);
                }
            }
            _ => {
                while ledger.deposit(number, amount(1)).is_ok() {
                    paid_in.fetch_add(1, Relaxed);
                }
            }
        });
        assert_eq!(paid_in.into_inner(), paid_out.into_inner());
    }
}

#[test]
fn of_many_who_close_an_account_one_gets_the_balance() {
    let ledger = Ledger::new(1);
    for _ in 0..2_000 {
        let number = ledger.create(cents(100)).unwrap();
        let paid_out = AtomicI64::new(0);
        on_all_threads(|_| {
            if let Ok(balance) = ledger.close(number) {
                paid_out.fetch_add(balance.get(), Relaxed);
            }
        });
        assert_eq!((paid_out.into_inner(), ledger.count()), (100, 0));
    }
}

#[test]
fn numbers_of_accounts_are_all_different() {
    let ledger = Ledger::new(THREADS * 1_000);
    on_all_threads(|_| {
        for _ in 0..1_000 {
            ledger.create(Cents::ZERO).unwrap();
        }
    });
    let session = ledger.pin();
    let mut numbers: Vec<AccountNumber> =
        session.accounts_after(None).map(|it| it.number).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), THREADS * 1_000);
}
