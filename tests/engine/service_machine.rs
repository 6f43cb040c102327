//! The service against the sequential model, and the times that it tells.
//!
//! - A new account has `created_at == last_updated`, and that is the time that its creation told.
//! - A deposit or a withdrawal that is granted sets `last_updated` to the time that it told. Nothing else does.
//! - The times of an account never run backwards, and each is the clock's, unless that was set back.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cashpoint::service::{AccountSummary, Receipt, Service, Timestamp};
use cashpoint::{AccountNumber, CreateError, CreationNumber, OperationError};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::model::{Call, Change, Model, Outcome, Which};
use crate::{amount, cents, nobody, outcome};

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
                let receipt = at_once(self.service.deposit(self.number(which), amount(sum)));
                self.moved(which, before, receipt)
            }
            Call::Change(which, Change::Withdraw(sum)) => {
                let before = Timestamp::now();
                let receipt = at_once(self.service.withdraw(self.number(which), amount(sum)));
                self.moved(which, before, receipt)
            }
            Call::Close(which) => outcome(at_once(self.service.close(self.number(which)))),
            Call::List { after, limit } => Outcome::Listed(self.list(after, limit)),
            Call::Batch(_) => panic!("the service has no batches"),
        }
    }

    fn create(&mut self, balance: i64) -> Outcome {
        let before = Timestamp::now();
        let opened = match at_once(self.service.create(cents(balance))) {
            Ok(opened) => opened,
            Err(CreateError::LimitReached { limit }) => return Outcome::Full(limit),
            Err(other) => panic!("{other}"),
        };
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
    fn moved<E: Into<OperationError>>(
        &mut self,
        which: Which,
        before: Timestamp,
        receipt: Result<Receipt, E>,
    ) -> Outcome {
        if let Ok(receipt) = &receipt {
            let told = &mut self.told[which];
            assert!(
                receipt.at >= told.last_updated,
                "the account's times run backwards"
            );
            assert_is_now(receipt.at, before, Some(told.last_updated));
            told.last_updated = receipt.at;
        }
        outcome(receipt.map(|receipt| receipt.balance))
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
        let Told {
            number,
            created,
            created_at,
            last_updated,
        } = self.told[which];
        let expected = AccountSummary {
            number,
            created,
            balance: summary.balance,
            created_at,
            last_updated,
        };
        assert_eq!(*summary, expected);
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

/// What a future gives that is ready when it is first asked, as those of a service in memory are.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a service in memory never waits"),
    }
}

struct ServiceMachine;

impl StateMachineTest for ServiceMachine {
    type SystemUnderTest = Subject;
    type Reference = Reference;

    fn init_test(model: &Model) -> Subject {
        let mut subject = Subject {
            service: Service::in_memory(model.limit()),
            told: Vec::new(),
        };
        for (which, balance) in model.open() {
            assert_eq!(subject.create(balance), Outcome::Opened(which));
        }
        subject
    }

    fn apply(mut subject: Subject, model: &Model, call: Call) -> Subject {
        assert_eq!([subject.call(&call)], model.outcomes(), "of {call:?}");
        subject
    }

    fn check_invariants(subject: &Subject, model: &Model) {
        assert_eq!(subject.service.count(), model.open().len());
        assert_eq!(subject.service.account_limit(), model.limit());
        // Of every account, the times as well.
        assert_eq!(subject.list(None, usize::MAX), model.open());
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_service_does_what_the_model_does(sequential 1..40 => ServiceMachine);
}
