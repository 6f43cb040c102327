//! The engine through its public interface: under real threads, against a sequential model, and money
//! against arbitrary precision.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test states what it expects by panicking"
)]

#[path = "../exact/mod.rs"]
mod exact;
#[path = "../model/mod.rs"]
mod model;

mod debug;
mod ledger_machine;
mod listing;
mod money;
mod service_machine;
mod threads;

use cashpoint::{AccountNumber, Amount, Cents, Ledger, Refusal, Session};

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

/// A number that no account has.
fn nobody() -> AccountNumber {
    "00000000-0000-4000-8000-000000000000".parse().unwrap()
}

/// What an operation on an account came to, whichever method did it, in the model's words.
fn outcome<E: Into<Refusal>>(result: Result<Cents, E>) -> model::Outcome {
    match result.map_err(Into::into) {
        Ok(balance) => model::Outcome::Balance(balance.get()),
        Err(Refusal::UnknownAccount) => model::Outcome::Unknown,
        Err(Refusal::InsufficientFunds { available }) => {
            model::Outcome::Insufficient(available.get())
        }
        Err(Refusal::BalanceLimit { balance }) => model::Outcome::TooMuch(balance.get()),
        Err(other) => panic!("{other}"),
    }
}

/// All the money in a ledger, in cents. Of one instant only while nothing moves.
fn total<Metadata>(session: &Session<'_, Metadata>) -> i64 {
    let accounts = session.accounts_after(None);
    accounts.map(|account| account.balance.get()).sum()
}
