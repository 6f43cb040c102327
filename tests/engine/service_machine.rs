//! The service against the sequential model, and the times that it tells: in memory, and durable. A durable one is
//! opened again after each run, and is still what the model is.
//!
//! - A new account has `created_at == last_updated`, and that is the time that its creation told.
//! - A deposit or a withdrawal that is granted sets `last_updated` to the time that it told. Nothing else does.
//! - The times of an account never run backwards, and each is the clock's, unless that was set back.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

#[cfg(feature = "durable")]
use cashpoint::durable::{DurableConfig, DurableLedger};
use cashpoint::service::{AccountSummary, Service, Timestamp};
use cashpoint::{AccountNumber, CommandError, CreationNumber, Receipt, Refusal};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::model::{Call, Change, Model, Outcome, Which};
use crate::{amount, cents, nobody, outcome};
#[cfg(feature = "durable")]
use tempfile::TempDir;

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Model;
    type Transition = Call;

    fn init_state() -> BoxedStrategy<Model> {
        Model::any(0..=5_usize)
    }

    fn transitions(model: &Model) -> BoxedStrategy<Call> {
        model.any_call(false)
    }

    fn apply(model: Model, call: &Call) -> Model {
        model.after(std::slice::from_ref(call))
    }
}

/// An account as the service told of it.
struct Told {
    number: AccountNumber,
    created: CreationNumber,
    created_at: Timestamp,
    last_updated: Timestamp,
}

struct Subject {
    service: Service,
    told: Vec<Told>,
}

impl Subject {
    fn number(&self, which: Which) -> AccountNumber {
        self.told.get(which).map_or_else(nobody, |told| told.number)
    }

    fn call(&mut self, call: &Call) -> Outcome {
        match *call {
            Call::Create(balance) => self.create(balance),
            Call::Change(which, Change::Read) => outcome(self.service.balance(self.number(which))),
            Call::Change(which, Change::Deposit(sum)) => {
                let before = Timestamp::now();
                let number = self.number(which);
                let answer = wait_for(self.service.deposit(number, amount(sum)));
                self.moved(which, before, answer)
            }
            Call::Change(which, Change::Withdraw(sum)) => {
                let before = Timestamp::now();
                let number = self.number(which);
                let answer = wait_for(self.service.withdraw(number, amount(sum)));
                self.moved(which, before, answer)
            }
            Call::Close(which) => refused_or(
                wait_for(self.service.close(self.number(which))),
                |receipt| Outcome::Balance(receipt.balance.get()),
            ),
            Call::List { after, limit } => Outcome::Listed(self.list(after, limit)),
            Call::Batch(_) => panic!("the service has no batches"),
        }
    }

    fn create(&mut self, balance: i64) -> Outcome {
        let before = Timestamp::now();
        let answer = wait_for(self.service.create(cents(balance)));
        let Ok(opened) = answer else {
            return refused_or(answer, |_| unreachable!());
        };
        assert_eq!(opened.balance, cents(balance));
        assert_is_now(opened.at, before, None);
        let last = self.told.last().map(|told| told.created);
        let [newest] = self.service.accounts_after(last, 2)[..] else {
            panic!("the newest account is not the last of all");
        };
        assert_eq!(newest.number, opened.number);
        self.told.push(Told {
            number: opened.number,
            created: newest.created,
            created_at: opened.at,
            last_updated: opened.at,
        });
        Outcome::Opened(self.told.len() - 1)
    }

    /// Notes the time of a deposit or a withdrawal.
    fn moved(
        &mut self,
        which: Which,
        before: Timestamp,
        answer: Result<Receipt, CommandError>,
    ) -> Outcome {
        if let Ok(receipt) = answer {
            assert_eq!(receipt.number, self.number(which));
            let told = &mut self.told[which];
            assert!(
                receipt.at >= told.last_updated,
                "the account's times run backwards"
            );
            assert_is_now(receipt.at, before, Some(told.last_updated));
            told.last_updated = receipt.at;
        }
        refused_or(answer, |receipt| Outcome::Balance(receipt.balance.get()))
    }

    fn list(&self, after: Option<Which>, limit: usize) -> Vec<(Which, i64)> {
        let beyond = CreationNumber::from_u64(u64::MAX);
        let cursor = after.map(|which| self.told.get(which).map_or(beyond, |told| told.created));
        let listed = self.service.accounts_after(cursor, limit);
        listed.into_iter().map(|it| self.listed(&it)).collect()
    }

    fn listed(&self, summary: &AccountSummary) -> (Which, i64) {
        let mut all = self.told.iter();
        let which = all.position(|told| told.number == summary.number).unwrap();
        let told = &self.told[which];
        assert_eq!(summary.created, told.created);
        assert_eq!(summary.created_at, told.created_at);
        assert_eq!(summary.last_updated, told.last_updated);
        (which, summary.balance.get())
    }
}

/// That `at` is what the clock showed after `before`, or else the account's `last` time.
fn assert_is_now(at: Timestamp, before: Timestamp, last: Option<Timestamp>) {
    let after = Timestamp::now();
    // A clock that was set back meanwhile says nothing.
    if before <= after {
        let latest = last.map_or(after, |last| last.max(after));
        assert!((before..=latest).contains(&at), "{at:?} is not now");
    }
}

/// What came of a change, in the model's words.
fn refused_or(
    answer: Result<Receipt, CommandError>,
    granted: impl FnOnce(Receipt) -> Outcome,
) -> Outcome {
    let refusal = match answer {
        Ok(receipt) => {
            assert!(!receipt.replayed, "no key was sent");
            return granted(receipt);
        }
        Err(CommandError::Refused { refusal, replayed }) => {
            assert!(!replayed, "no key was sent");
            refusal
        }
        Err(CommandError::NotDone(not_done)) => panic!("{not_done}"),
    };
    match refusal {
        Refusal::UnknownAccount => Outcome::Unknown,
        Refusal::InsufficientFunds { available } => Outcome::Insufficient(available.get()),
        Refusal::BalanceLimit { balance } => Outcome::TooMuch(balance.get()),
        Refusal::AccountLimit { limit } => Outcome::Full(limit),
    }
}

/// Waits for a future on this thread.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

fn check(subject: &Subject, model: &Model) {
    assert_eq!(subject.service.count(), model.open().len());
    assert_eq!(subject.service.account_limit(), model.limit());
    // Of every account, the times as well.
    assert_eq!(subject.list(None, usize::MAX), model.open());
}

fn start(service: Service, model: &Model) -> Subject {
    let mut subject = Subject {
        service,
        told: Vec::new(),
    };
    for (which, balance) in model.open() {
        assert_eq!(subject.create(balance), Outcome::Opened(which));
    }
    subject
}

struct InMemory;

impl StateMachineTest for InMemory {
    type SystemUnderTest = Subject;
    type Reference = Reference;

    fn init_test(model: &Model) -> Subject {
        start(Service::in_memory(model.limit()), model)
    }

    fn apply(mut subject: Subject, model: &Model, call: Call) -> Subject {
        assert_eq!([subject.call(&call)], model.outcomes(), "of {call:?}");
        subject
    }

    fn check_invariants(subject: &Subject, model: &Model) {
        check(subject, model);
        #[cfg(feature = "durable")]
        assert!(subject.service.durable_ledger().is_none());
    }
}

#[cfg(feature = "durable")]
struct Durable;

#[cfg(feature = "durable")]
fn open(directory: &TempDir, model: &Model) -> Service {
    let mut config = DurableConfig::new(model.limit());
    config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
    Service::durable(DurableLedger::open(directory.path(), config).unwrap())
}

#[cfg(feature = "durable")]
impl StateMachineTest for Durable {
    type SystemUnderTest = (Subject, TempDir);
    type Reference = Reference;

    fn init_test(model: &Model) -> Self::SystemUnderTest {
        let directory = tempfile::tempdir().unwrap();
        (start(open(&directory, model), model), directory)
    }

    fn apply(
        (mut subject, directory): Self::SystemUnderTest,
        model: &Model,
        call: Call,
    ) -> Self::SystemUnderTest {
        assert_eq!([subject.call(&call)], model.outcomes(), "of {call:?}");
        (subject, directory)
    }

    fn check_invariants((subject, _): &Self::SystemUnderTest, model: &Model) {
        check(subject, model);
        let behind = subject.service.durable_ledger().unwrap();
        assert_eq!(behind.count(), model.open().len());
    }

    fn teardown((mut subject, directory): Self::SystemUnderTest, model: Model) {
        subject.service = Service::in_memory(0);
        subject.service = open(&directory, &model);
        check(&subject, &model);
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_service_in_memory_does_what_the_model_does(sequential 1..40 => InMemory);
}

#[cfg(feature = "durable")]
prop_state_machine! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_durable_service_does_what_the_model_does_and_still_does_when_opened_again(
        sequential 1..40 => Durable
    );
}
