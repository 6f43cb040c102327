//! The ledger in a program, without HTTP.
//!
//! `cargo run --example embed`
//!
//! It opens accounts, moves money, meets each refusal, and lists what there is. It fails if anything is
//! not as it says.

use std::error::Error;

use cashpoint::{Amount, Cents, CreateError, Ledger, UnknownAccount, WithdrawError};

fn main() -> Result<(), Box<dyn Error>> {
    // At most two accounts may exist at a time, under any race.
    let ledger = Ledger::new(2);
    let alice = ledger.create("100.0".parse()?)?;
    let bob = ledger.create(Cents::ZERO)?;
    println!("opened {alice} with 100.0\nopened {bob} with 0.0");

    // Every operation returns the balance that it left.
    let rent = Amount::new("70.25".parse()?).ok_or("an amount is more than nothing")?;
    let left = ledger.withdraw(alice, rent)?;
    let paid = ledger.deposit(bob, rent)?;
    println!("moved {rent}: {left} and {paid}");
    expect(left.to_string() == "29.75" && paid.to_string() == "70.25")?;

    // A refusal says why, and changes nothing.
    match ledger.withdraw(alice, rent) {
        Err(WithdrawError::InsufficientFunds { available }) => {
            println!("refused {rent}: only {available} is there");
        }
        other => return Err(format!("a withdrawal without funds: {other:?}").into()),
    }
    expect(ledger.create(Cents::ZERO) == Err(CreateError::LimitReached { limit: 2 }))?;
    println!(
        "refused a third account: the limit is {}",
        ledger.account_limit()
    );

    // With many operations to do, do them in one session: it pins the map only once.
    let session = ledger.pin();
    let cent = Amount::from_cents(1).ok_or("a cent is an amount")?;
    for _ in 0..1_000 {
        session.withdraw(alice, cent)?;
        session.deposit(bob, cent)?;
    }
    let mut total = 0;
    for account in session.accounts_after(None) {
        println!("{} holds {}", account.number, account.balance);
        total += account.balance.get();
    }
    expect(total == 10_000)?;

    // Closing returns what was left. Nobody can pay into a closed account.
    let last = ledger.close(alice)?;
    println!("closed {alice} with {last} on it");
    expect(last.to_string() == "19.75" && ledger.balance(alice) == Err(UnknownAccount))?;
    Ok(())
}

fn expect(as_said: bool) -> Result<(), &'static str> {
    as_said
        .then_some(())
        .ok_or("the ledger does not do what this example says")
}
