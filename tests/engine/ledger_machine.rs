//! The ledger against the sequential model: random calls, each by a method of its own or several in a session.

use std::rc::Rc;

use cashpoint::{AccountNumber, Cents, CreateError, CreationNumber, Ledger, Operation, Session};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::model::{Call, Change, Model, Outcome, Which};
use crate::{amount, cents, nobody, outcome};

/// Some calls, and how they are made.
#[derive(Clone, Debug)]
enum Calls {
    /// By a method of the ledger, where it has one.
    One(Call),
    /// In a session, which is refreshed before each of them if so asked.
    InSession { calls: Vec<Call>, refreshed: bool },
}

impl Calls {
    fn calls(&self) -> &[Call] {
        match self {
            Self::One(call) => std::slice::from_ref(call),
            Self::InSession { calls, .. } => calls,
        }
    }
}

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Model;
    type Transition = Calls;

    fn init_state() -> BoxedStrategy<Model> {
        // The larger one is for listings over several pages of the creation index.
        Model::any(prop_oneof![4 => 0..=5_usize, 1 => Just(80)])
    }

    fn transitions(model: &Model) -> BoxedStrategy<Calls> {
        let calls = vec(model.any_call(true), 0..8);
        prop_oneof![
            2 => model.any_call(true).prop_map(Calls::One),
            1 => (calls, any::<bool>())
                .prop_map(|(calls, refreshed)| Calls::InSession { calls, refreshed }),
        ]
        .boxed()
    }

    fn apply(model: Model, transition: &Calls) -> Model {
        model.after(transition.calls())
    }
}

/// A ledger, and the names that it gave to accounts, in order of their creation.
struct Subject {
    ledger: Rc<Ledger>,
    names: Vec<(AccountNumber, CreationNumber)>,
}

impl Subject {
    fn number(&self, which: Which) -> AccountNumber {
        self.names
            .get(which)
            .map_or_else(nobody, |(number, _)| *number)
    }

    /// The place of an account in the order of creation; beyond the end for a number that nobody has.
    fn cursor(&self, which: Which) -> CreationNumber {
        let beyond = CreationNumber::from_u64(u64::MAX);
        self.names
            .get(which)
            .map_or(beyond, |(_, created)| *created)
    }

    fn which(&self, number: AccountNumber) -> Which {
        let mut names = self.names.iter();
        names.position(|(name, _)| *name == number).unwrap()
    }

    /// Makes a call by the method that the ledger has for it.
    fn call(&mut self, call: &Call) -> Outcome {
        match *call {
            Call::Create(balance) => {
                let created = self.ledger.create(cents(balance));
                self.opened(created)
            }
            Call::Change(which, change) => {
                let number = self.number(which);
                match change {
                    Change::Read => outcome(self.ledger.balance(number)),
                    Change::Deposit(sum) => outcome(self.ledger.deposit(number, amount(sum))),
                    Change::Withdraw(sum) => outcome(self.ledger.withdraw(number, amount(sum))),
                }
            }
            Call::Close(which) => outcome(self.ledger.close(self.number(which))),
            Call::List { .. } | Call::Batch(_) => {
                self.in_session(std::slice::from_ref(call), false).remove(0)
            }
        }
    }

    /// Makes calls in one session.
    fn in_session(&mut self, calls: &[Call], refreshed: bool) -> Vec<Outcome> {
        let ledger = Rc::clone(&self.ledger);
        let mut session = ledger.pin();
        let mut outcomes = Vec::new();
        for call in calls {
            if refreshed {
                session = session.refresh();
            }
            outcomes.push(self.call_in(&session, call));
        }
        outcomes
    }

    fn call_in(&mut self, session: &Session<'_>, call: &Call) -> Outcome {
        match call {
            Call::Create(balance) => {
                let created = session.create(cents(*balance), ());
                self.opened_in(session, created)
            }
            Call::Change(which, change) => {
                let number = self.number(*which);
                match *change {
                    Change::Read => outcome(session.balance(number)),
                    Change::Deposit(sum) => {
                        outcome(session.deposit(number, amount(sum)).map(|it| it.balance))
                    }
                    Change::Withdraw(sum) => {
                        outcome(session.withdraw(number, amount(sum)).map(|it| it.balance))
                    }
                }
            }
            Call::Close(which) => outcome(session.close(self.number(*which))),
            Call::List { after, limit } => {
                let cursor = after.map(|which| self.cursor(which));
                let accounts = session.accounts_after(cursor).take(*limit);
                Outcome::Listed(
                    accounts
                        .map(|it| {
                            let which = self.which(it.number);
                            assert_eq!(it.created, self.cursor(which));
                            (which, it.balance.get())
                        })
                        .collect(),
                )
            }
            Call::Batch(changes) => {
                let operations: Vec<_> = changes.iter().map(|it| self.operation(*it)).collect();
                // What is in it before is of no account.
                let mut outcomes = vec![Ok(Cents::MAX)];
                session.apply(&operations, &mut outcomes);
                Outcome::Batch(outcomes.into_iter().map(outcome).collect())
            }
        }
    }

    fn operation(&self, (which, change): (Which, Change)) -> (AccountNumber, Operation) {
        let operation = match change {
            Change::Read => Operation::Balance,
            Change::Deposit(sum) => Operation::Deposit(amount(sum)),
            Change::Withdraw(sum) => Operation::Withdraw(amount(sum)),
        };
        (self.number(which), operation)
    }

    fn opened(&mut self, created: Result<AccountNumber, CreateError>) -> Outcome {
        let ledger = Rc::clone(&self.ledger);
        self.opened_in(&ledger.pin(), created)
    }

    /// Notes the names of a new account: its place in the order of creation is where the listing ends.
    fn opened_in(
        &mut self,
        session: &Session<'_>,
        created: Result<AccountNumber, CreateError>,
    ) -> Outcome {
        match created {
            Ok(number) => {
                let before = self.names.last().map(|(_, created)| *created);
                let mut after: Vec<_> = session.accounts_after(before).collect();
                let newest = after.pop().unwrap();
                assert_eq!(
                    (newest.number, after.len()),
                    (number, 0),
                    "it is the last of all"
                );
                self.names.push((number, newest.created));
                Outcome::Opened(self.names.len() - 1)
            }
            Err(CreateError::LimitReached { limit }) => Outcome::Full(limit),
            Err(other) => panic!("{other}"),
        }
    }
}

struct LedgerMachine;

impl StateMachineTest for LedgerMachine {
    type SystemUnderTest = Subject;
    type Reference = Reference;

    fn init_test(model: &Model) -> Subject {
        let mut subject = Subject {
            ledger: Rc::new(Ledger::new(model.limit())),
            names: Vec::new(),
        };
        for (which, balance) in model.open() {
            let opened = subject.call(&Call::Create(balance));
            assert_eq!(opened, Outcome::Opened(which));
        }
        subject
    }

    fn apply(mut subject: Subject, model: &Model, transition: Calls) -> Subject {
        let outcomes = match &transition {
            Calls::One(call) => vec![subject.call(call)],
            Calls::InSession { calls, refreshed } => subject.in_session(calls, *refreshed),
        };
        assert_eq!(outcomes, model.outcomes(), "of {transition:?}");
        subject
    }

    fn check_invariants(subject: &Subject, model: &Model) {
        let open = model.open();
        assert_eq!(subject.ledger.count(), open.len());
        assert_eq!(subject.ledger.account_limit(), model.limit());
        let session = subject.ledger.pin();
        let listed = session.accounts_after(None);
        let listed: Vec<_> = listed.map(|it| (it.number, it.balance.get())).collect();
        let expected: Vec<_> = open
            .into_iter()
            .map(|(which, balance)| (subject.number(which), balance))
            .collect();
        assert_eq!(listed, expected);
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_ledger_does_what_the_model_does(sequential 1..40 => LedgerMachine);
}
