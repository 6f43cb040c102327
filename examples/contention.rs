//! Threads that fight for one account, and a sum that comes out to the cent.
//!
//! `cargo run --release --example contention`
//!
//! Half of the threads deposit, half withdraw, and are refused when there is too little. Each keeps its own
//! books; in the end they are held against the balance. It fails if a cent is missing or too many.

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use cashpoint::{AccountNumber, Amount, Cents, Ledger};

const OPERATIONS_PER_THREAD: u32 = 500_000;

/// What one thread did, as it knows itself.
#[derive(Default)]
struct Books {
    granted: u32,
    refused: u32,
    /// Cents paid in, less those taken out.
    moved: i64,
}

fn main() -> ExitCode {
    let threads = thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2)
        * 2;
    let ledger = Ledger::new(1);
    let Ok(account) = ledger.create(Cents::ZERO) else {
        return ExitCode::FAILURE;
    };

    let start = Instant::now();
    let books: Vec<Books> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let ledger = &ledger;
                scope.spawn(move || work(ledger, account, thread))
            })
            .collect();
        let ended = running.into_iter().filter_map(|thread| thread.join().ok());
        ended.collect()
    });
    let elapsed = start.elapsed();

    println!(
        "{:>6}  {:<11} {:>10} {:>10} {:>14}",
        "thread", "does", "granted", "refused", "cents moved"
    );
    for (
        thread,
        Books {
            granted,
            refused,
            moved,
        },
    ) in books.iter().enumerate()
    {
        println!(
            "{thread:>6}  {:<11} {granted:>10} {refused:>10} {moved:>14}",
            job(thread)
        );
    }
    let expected: i64 = books.iter().map(|books| books.moved).sum();
    let found = ledger.close(account).map(Cents::get);
    println!(
        "{:>6}  {:<11} {:>10} {:>10} {expected:>14}",
        "sum", "", "", ""
    );
    println!(
        "the account held {} cents",
        found.map_or_else(|error| error.to_string(), |it| it.to_string())
    );
    let operations = books.len() * OPERATIONS_PER_THREAD as usize;
    println!(
        "{operations} operations on one account in {} ms",
        elapsed.as_millis()
    );

    if books.len() == threads && found == Ok(expected) {
        println!("no cent was made or lost");
        ExitCode::SUCCESS
    } else {
        eprintln!("the books do not balance");
        ExitCode::FAILURE
    }
}

fn job(thread: usize) -> &'static str {
    if thread.is_multiple_of(2) {
        "deposits"
    } else {
        "withdraws"
    }
}

fn work(ledger: &Ledger, account: AccountNumber, thread: usize) -> Books {
    let mut books = Books::default();
    for turn in 0..OPERATIONS_PER_THREAD {
        // From 1 to 7 cents. A withdrawal is refused when the depositors lag behind.
        let Some(amount) = Amount::from_cents(1 + i64::from(turn % 7)) else {
            continue;
        };
        let cents = amount.cents().get();
        let (granted, moved) = if thread.is_multiple_of(2) {
            (ledger.deposit(account, amount).is_ok(), cents)
        } else {
            (ledger.withdraw(account, amount).is_ok(), -cents)
        };
        if granted {
            books.granted += 1;
            books.moved += moved;
        } else {
            books.refused += 1;
        }
    }
    books
}
