//! The engine through its public interface: under real threads, against a sequential model, and money
//! against arbitrary precision.

#![expect(
    clippy::unwrap_used,
    reason = "a test states what it expects by panicking"
)]

mod listing;
mod money;
mod operations;
mod threads;

use cashpoint::{Amount, Cents, Ledger, Session};

/// That the engine can be shared, and that a session cannot: `LocalGuard` belongs to its thread.
const fn _shared_between_threads<T: Send + Sync + 'static>() {}
const _: () = _shared_between_threads::<Ledger>();
const _: () = _shared_between_threads::<cashpoint::Account>();

fn cents(value: i64) -> Cents {
    Cents::new(value).unwrap()
}

fn amount(value: i64) -> Amount {
    Amount::from_cents(value).unwrap()
}

/// All the money in a ledger, in cents. Of one instant only while nothing moves.
fn total<Facts>(session: &Session<'_, Facts>) -> i64 {
    let accounts = session.accounts_after(None);
    accounts.map(|account| account.balance.get()).sum()
}
