//! A ledger on disk in a program, without HTTP.
//!
//! `cargo run --example durable`
//!
//! It keeps a ledger in a directory for temporary files, moves money, retries safely, goes away, comes back, and
//! finds everything. It fails if anything is not as it says.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use cashpoint::durable::{DurableConfig, DurableLedger};
use cashpoint::{
    AccountNumber, Amount, Cents, Change, Command, CommandError, IdempotencyKey, NotDone, Refusal,
};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("cashpoint-example-{}", std::process::id()));
    let shown = show(&directory);
    fs::remove_dir_all(&directory)?;
    shown
}

fn show(directory: &Path) -> Result<(), Box<dyn Error>> {
    let ledger = open(directory)?;
    let (alice, bob) = one_at_a_time(&ledger)?;
    many_at_a_time(&ledger, alice, bob)?;
    block_on(in_async_code(&ledger, bob))?;

    // Dropped, it finishes what was submitted. A crash would do as well: what was answered is on disk.
    drop(ledger);
    let ledger = open(directory)?;
    println!("opened again: {} records", ledger.recovery().records);
    println!("{alice} holds {}", ledger.balance(alice)?);
    println!("{bob} holds {}", ledger.balance(bob)?);
    expect(ledger.balance(alice)?.to_string() == "19.75")?;
    expect(ledger.balance(bob)?.to_string() == "80.26")?;

    // Only one process has a directory at a time.
    expect(open(directory).is_err())
}

fn open(directory: &Path) -> Result<DurableLedger, Box<dyn Error>> {
    Ok(DurableLedger::open(directory, DurableConfig::new(1_000))?)
}

/// Each answer is waited for: what it says is on disk by then.
fn one_at_a_time(ledger: &DurableLedger) -> Result<(AccountNumber, AccountNumber), Box<dyn Error>> {
    let alice = ledger.create("100.0".parse()?).wait()?;
    let bob = ledger.create(Cents::ZERO).wait()?;
    println!("opened {} with {}", alice.number, alice.balance);
    let (alice, bob) = (alice.number, bob.number);

    // With a key it is safe to ask again, also after a crash: it is done once. A program that is to ask again after its
    // own crash keeps the key, beside what it is for.
    let rent: Amount = "70.25".parse()?;
    let withdraw = Change::Withdraw {
        number: alice,
        amount: rent,
    };
    let deposit = Change::Deposit {
        number: bob,
        amount: rent,
    };
    let key = IdempotencyKey::random();
    let paid = ledger.execute(withdraw.with_key(key.clone())).wait()?;
    let again = ledger.execute(withdraw.with_key(key.clone())).wait()?;
    println!("paid {rent}: {} is left", paid.balance);
    expect(!paid.replayed && again.replayed && again.balance == paid.balance)?;
    let other = ledger.execute(deposit.with_key(key)).wait();
    expect(other == Err(NotDone::KeyReused.into()))?;
    ledger.execute(deposit).wait()?;

    // A refusal is an answer as well. It changes nothing.
    let refused = ledger.withdraw(alice, rent).wait();
    let refusal = refused.err().and_then(CommandError::refusal);
    let Some(Refusal::InsufficientFunds { available }) = refusal else {
        return Err(format!("a withdrawal without funds: {refused:?}").into());
    };
    println!("refused {rent}: only {available} is there");
    Ok((alice, bob))
}

/// Many changes share a sync of the disk: that is how they become fast.
fn many_at_a_time(
    ledger: &DurableLedger,
    from: AccountNumber,
    to: AccountNumber,
) -> Result<(), Box<dyn Error>> {
    let amount = Amount::from_cents(1).ok_or("a cent is an amount")?;
    let submissions: Vec<_> = (0..10)
        .map(|_| {
            let withdraw = Change::Withdraw {
                number: from,
                amount,
            };
            let deposit = Change::Deposit { number: to, amount };
            let changes = [withdraw, deposit].repeat(100).into_iter();
            ledger.submit(changes.map(Command::from).collect())
        })
        .collect();
    // All of them are under way before the first is waited for.
    let mut done = 0;
    for submission in submissions {
        for answer in submission.wait() {
            answer?;
            done += 1;
        }
    }
    println!("made {done} changes in all, in 10 submissions");
    expect(done == 2_000)
}

/// In async code, an answer is awaited; any runtime will do.
async fn in_async_code(
    ledger: &DurableLedger,
    number: AccountNumber,
) -> Result<(), Box<dyn Error>> {
    let cent = Amount::from_cents(1).ok_or("a cent is an amount")?;
    let receipt = ledger.deposit(number, cent).await?;
    println!("deposited {cent}: {} is there", receipt.balance);
    Ok(())
}

/// The smallest runtime there is: this thread sleeps until it is woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

fn expect(as_said: bool) -> Result<(), Box<dyn Error>> {
    as_said
        .then_some(())
        .ok_or_else(|| "the ledger does not do what this example says".into())
}
