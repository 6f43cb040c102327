//! How many instructions an operation takes, and the most that it may take: a guard against regress that
//! no noise of the machine can trip.
//!
//! `cargo bench -p cashpoint-benches --bench instructions` needs valgrind, and gungraun's runner in the
//! version of `Cargo.lock`: `cargo install gungraun-runner`. It fails above a limit. Each count is of 1,000
//! operations on 1,000 accounts, with the loop around them.

#![expect(
    missing_docs,
    unused_qualifications,
    reason = "what gungraun's macros expand to"
)]

use std::hint::black_box;

use cashpoint::{AccountNumber, Amount, Cents, Ledger, Operation, Refusal, Session};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig};

const ACCOUNTS: usize = 1_000;

/// The most instructions for an operation in a session: the lookup and the compare-and-swap.
const IN_SESSION_MAX: u64 = 60;

/// The most for an operation on its own, which pins the map as well.
const PER_OPERATION_MAX: u64 = 112;

/// The most for an operation of a batch of which no two in a row are on one account.
const IN_BATCH_MAX: u64 = 127;

/// What is left over for entering and leaving, once for all operations.
const AROUND_MAX: u64 = 1_000;

const CENT: Amount = match Amount::from_cents(1) {
    Some(amount) => amount,
    None => Amount::MAX,
};

type Accounts = (Ledger, Vec<AccountNumber>);

fn accounts() -> Accounts {
    let ledger = Ledger::new(ACCOUNTS);
    let initial = Cents::new(1_000_000).unwrap_or_default();
    let numbers: Vec<_> = (0..ACCOUNTS)
        .filter_map(|_| ledger.create(initial).ok())
        .collect();
    // What a thread does once is not counted.
    let session = ledger.pin();
    assert!(
        numbers
            .iter()
            .all(|number| session.balance(*number).is_ok())
    );
    drop(session);
    (ledger, numbers)
}

fn in_session(
    accounts: Accounts,
    operation: impl Fn(&Session<'_>, AccountNumber) -> i64,
) -> Accounts {
    let session = accounts.0.pin();
    for number in &accounts.1 {
        black_box(operation(&session, *number));
    }
    drop(session);
    accounts
}

fn one_by_one(accounts: Accounts, operation: impl Fn(&Ledger, AccountNumber) -> i64) -> Accounts {
    for number in &accounts.1 {
        black_box(operation(&accounts.0, *number));
    }
    accounts
}

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, ACCOUNTS as u64 * instructions + AROUND_MAX)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

#[library_benchmark(config = at_most(IN_SESSION_MAX), setup = accounts)]
#[bench::counted()]
fn session_deposit(accounts: Accounts) -> Accounts {
    in_session(accounts, |session, number| {
        let updated = session.deposit(number, CENT);
        updated.map_or(0, |updated| updated.balance.get())
    })
}

#[library_benchmark(config = at_most(IN_SESSION_MAX), setup = accounts)]
#[bench::counted()]
fn session_withdraw(accounts: Accounts) -> Accounts {
    in_session(accounts, |session, number| {
        let updated = session.withdraw(number, CENT);
        updated.map_or(0, |updated| updated.balance.get())
    })
}

#[library_benchmark(config = at_most(IN_SESSION_MAX), setup = accounts)]
#[bench::counted()]
fn session_balance(accounts: Accounts) -> Accounts {
    in_session(accounts, |session, number| {
        session.balance(number).map_or(0, Cents::get)
    })
}

#[library_benchmark(config = at_most(PER_OPERATION_MAX), setup = accounts)]
#[bench::counted()]
fn deposit(accounts: Accounts) -> Accounts {
    one_by_one(accounts, |ledger, number| {
        ledger.deposit(number, CENT).map_or(0, Cents::get)
    })
}

#[library_benchmark(config = at_most(PER_OPERATION_MAX), setup = accounts)]
#[bench::counted()]
fn withdraw(accounts: Accounts) -> Accounts {
    one_by_one(accounts, |ledger, number| {
        ledger.withdraw(number, CENT).map_or(0, Cents::get)
    })
}

#[library_benchmark(config = at_most(PER_OPERATION_MAX), setup = accounts)]
#[bench::counted()]
fn balance(accounts: Accounts) -> Accounts {
    one_by_one(accounts, |ledger, number| {
        ledger.balance(number).map_or(0, Cents::get)
    })
}

/// A batch, and where its outcomes go.
type Batch = (
    Accounts,
    Vec<(AccountNumber, Operation)>,
    Vec<Result<Cents, Refusal>>,
);

fn batch() -> Batch {
    let accounts = accounts();
    let numbers = accounts.1.iter();
    let deposits = numbers.map(|number| (*number, Operation::Deposit(CENT)));
    let deposits = deposits.collect();
    (accounts, deposits, Vec::with_capacity(ACCOUNTS))
}

#[library_benchmark(config = at_most(IN_BATCH_MAX), setup = batch)]
#[bench::counted()]
fn batch_deposit((accounts, deposits, mut outcomes): Batch) -> Batch {
    accounts.0.pin().apply(&deposits, &mut outcomes);
    (accounts, deposits, outcomes)
}

library_benchmark_group!(
    name = operations;
    benchmarks =
        session_deposit, session_withdraw, session_balance,
        deposit, withdraw, balance,
        batch_deposit
);

main!(library_benchmark_groups = operations);
