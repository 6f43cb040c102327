//! This engine: each operation on its own, in a session, and in batches.

use std::hint::black_box;

use cashpoint::{AccountNumber, Amount, Cents, Ledger, Operation, Refusal, Session};

use crate::race::{Contestant, INITIAL_CENTS, Worker};
use crate::workload::Step;

/// How many operations a thread does before it lets go of what its session held up.
const OPERATIONS_PER_SESSION: usize = 1024;

/// How many operations a batch holds.
const BATCH: usize = 256;

/// One cent.
const CENT: Amount = match Amount::from_cents(1) {
    Some(amount) => amount,
    None => Amount::MAX,
};

fn open(accounts: usize) -> (Ledger, Vec<AccountNumber>) {
    let ledger = Ledger::new(accounts);
    let initial = Cents::new(INITIAL_CENTS).unwrap_or_default();
    let numbers: Vec<_> = (0..accounts)
        .filter_map(|_| ledger.create(initial).ok())
        .collect();
    assert_eq!(numbers.len(), accounts, "an account was not created");
    (ledger, numbers)
}

fn total(ledger: &Ledger) -> i64 {
    let session = ledger.pin();
    let accounts = session.accounts_after(None);
    accounts.map(|account| account.balance.get()).sum()
}

/// Each operation on its own.
#[derive(Debug)]
pub struct PerOperation(pub(crate) Ledger);

impl Contestant for PerOperation {
    const NAME: &'static str = "cashpoint, one by one";
    type Key = AccountNumber;
    type Worker<'a> = &'a Ledger;

    fn open(accounts: usize) -> (Self, Vec<AccountNumber>) {
        let (ledger, numbers) = open(accounts);
        (Self(ledger), numbers)
    }

    fn worker(&self) -> &Ledger {
        &self.0
    }

    fn total(&self) -> i64 {
        total(&self.0)
    }
}

impl Worker<AccountNumber> for &Ledger {
    fn balance(&mut self, key: AccountNumber) -> i64 {
        Ledger::balance(self, key).map_or(0, Cents::get)
    }

    fn deposit(&mut self, key: AccountNumber) -> i64 {
        Ledger::deposit(self, key, CENT).map_or(0, Cents::get)
    }

    fn withdraw(&mut self, key: AccountNumber) -> i64 {
        Ledger::withdraw(self, key, CENT).map_or(0, Cents::get)
    }
}

/// Each thread in a session.
#[derive(Debug)]
pub struct InSession(Ledger);

impl Contestant for InSession {
    const NAME: &'static str = "cashpoint, session";
    type Key = AccountNumber;
    type Worker<'a> = SessionWorker<'a>;

    fn open(accounts: usize) -> (Self, Vec<AccountNumber>) {
        let (ledger, numbers) = open(accounts);
        (Self(ledger), numbers)
    }

    fn worker(&self) -> SessionWorker<'_> {
        SessionWorker(&self.0)
    }

    fn total(&self) -> i64 {
        total(&self.0)
    }
}

/// A thread that pins the ledger anew now and then.
#[derive(Debug)]
pub struct SessionWorker<'a>(&'a Ledger);

impl Worker<AccountNumber> for SessionWorker<'_> {
    fn balance(&mut self, key: AccountNumber) -> i64 {
        Worker::balance(&mut self.0, key)
    }

    fn deposit(&mut self, key: AccountNumber) -> i64 {
        Worker::deposit(&mut self.0, key)
    }

    fn withdraw(&mut self, key: AccountNumber) -> i64 {
        Worker::withdraw(&mut self.0, key)
    }

    fn work(&mut self, steps: &[(AccountNumber, Step)]) -> i64 {
        let in_session = |steps| {
            let mut session = &self.0.pin();
            Worker::work(&mut session, steps)
        };
        steps.chunks(OPERATIONS_PER_SESSION).map(in_session).sum()
    }
}

impl Worker<AccountNumber> for &Session<'_> {
    fn balance(&mut self, key: AccountNumber) -> i64 {
        Session::balance(self, key).map_or(0, Cents::get)
    }

    fn deposit(&mut self, key: AccountNumber) -> i64 {
        let updated = Session::deposit(self, key, CENT);
        updated.map_or(0, |updated| updated.balance.get())
    }

    fn withdraw(&mut self, key: AccountNumber) -> i64 {
        let updated = Session::withdraw(self, key, CENT);
        updated.map_or(0, |updated| updated.balance.get())
    }
}

/// Each thread in a session, with batches. Making the batch is part of the time.
#[derive(Debug)]
pub struct Batches(Ledger);

impl Contestant for Batches {
    const NAME: &'static str = "cashpoint, batches of 256";
    type Key = AccountNumber;
    type Worker<'a> = BatchWorker<'a>;

    fn open(accounts: usize) -> (Self, Vec<AccountNumber>) {
        let (ledger, numbers) = open(accounts);
        (Self(ledger), numbers)
    }

    fn worker(&self) -> BatchWorker<'_> {
        BatchWorker {
            ledger: &self.0,
            operations: Vec::with_capacity(BATCH),
            outcomes: Vec::with_capacity(BATCH),
        }
    }

    fn total(&self) -> i64 {
        total(&self.0)
    }
}

/// A thread that makes batches.
#[derive(Debug)]
pub struct BatchWorker<'a> {
    ledger: &'a Ledger,
    operations: Vec<(AccountNumber, Operation)>,
    outcomes: Vec<Result<Cents, Refusal>>,
}

impl BatchWorker<'_> {
    fn one(&mut self, number: AccountNumber, operation: Operation) -> i64 {
        let operation = [(number, operation)];
        self.ledger.pin().apply(&operation, &mut self.outcomes);
        let outcome = self.outcomes.first().copied();
        outcome.and_then(Result::ok).map_or(0, Cents::get)
    }
}

impl Worker<AccountNumber> for BatchWorker<'_> {
    fn balance(&mut self, key: AccountNumber) -> i64 {
        self.one(key, Operation::Balance)
    }

    fn deposit(&mut self, key: AccountNumber) -> i64 {
        self.one(key, Operation::Deposit(CENT))
    }

    fn withdraw(&mut self, key: AccountNumber) -> i64 {
        self.one(key, Operation::Withdraw(CENT))
    }

    fn work(&mut self, steps: &[(AccountNumber, Step)]) -> i64 {
        let mut moved = 0;
        for batch in steps.chunks(BATCH) {
            self.operations.clear();
            self.operations.extend(batch.iter().map(|(number, step)| {
                let operation = match step {
                    Step::Balance => Operation::Balance,
                    Step::Deposit => Operation::Deposit(CENT),
                    Step::Withdraw => Operation::Withdraw(CENT),
                };
                (*number, operation)
            }));
            self.ledger
                .pin()
                .apply(&self.operations, &mut self.outcomes);
            for (outcome, (_, step)) in black_box(&self.outcomes).iter().zip(batch) {
                moved += match step {
                    Step::Deposit if outcome.is_ok() => 1,
                    Step::Withdraw if outcome.is_ok() => -1,
                    _ => 0,
                };
            }
        }
        moved
    }
}
