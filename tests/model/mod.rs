//! The sequential model: what a ledger does if one operation comes after another.
//!
//! Whole cents in a list, and nothing of the code that it is held against. Three systems are: the ledger, the
//! service (both `tests/engine`), and the server over a socket (`tests/contract`). proptest draws a state to
//! begin with and the calls, each with an eye to the state that it finds: amounts just at a balance and one
//! cent beside it, accounts that are closed, a number that nobody has. What has to come of the last call is
//! part of the state, so that each system only translates its own answer into an [`Outcome`].
//!
//! A system that differs fails with the calls that led there, as few as proptest finds.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;

/// The largest balance, in cents, written down a second time on purpose.
const BALANCE_MAX: i64 = 999_999_999_999_999;

/// An account, by its place in the order of creation. Beyond the last one: a number that nobody has.
pub(crate) type Which = usize;

/// Something to do to a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Read,
    Deposit(i64),
    Withdraw(i64),
}

/// A call of a ledger, a service or a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Create(i64),
    Change(Which, Change),
    Close(Which),
    /// At most so many of the accounts created after one, or after none.
    List {
        after: Option<Which>,
        limit: usize,
    },
    /// Several changes by one call.
    Batch(Vec<(Which, Change)>),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Opened(Which),
    Balance(i64),
    Listed(Vec<(Which, i64)>),
    Batch(Vec<Outcome>),
    Unknown,
    /// The balance that was too small.
    Insufficient(i64),
    /// The balance that cannot grow by that much.
    TooMuch(i64),
    /// The number of accounts that are allowed.
    Full(usize),
}

/// What the model knows.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    limit: usize,
    /// Balances in order of creation; none where the account is closed.
    accounts: Vec<Option<i64>>,
    /// What the last calls have to come to.
    outcomes: Vec<Outcome>,
}

impl Model {
    /// A model that allows one of `limits`, with some accounts open already.
    pub(crate) fn any(limits: impl Strategy<Value = usize> + 'static) -> BoxedStrategy<Self> {
        limits
            .prop_flat_map(|limit| (Just(limit), vec(initial(), 0..=limit)))
            .prop_map(|(limit, balances)| Self {
                limit,
                accounts: balances.into_iter().map(Some).collect(),
                outcomes: Vec::new(),
            })
            .boxed()
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The outcomes of the last transition, in the order of its calls.
    pub(crate) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The open accounts and their balances, in order of creation.
    pub(crate) fn open(&self) -> Vec<(Which, i64)> {
        let accounts = self.accounts.iter().enumerate();
        accounts
            .filter_map(|(which, balance)| Some((which, (*balance)?)))
            .collect()
    }

    /// Does all calls of a transition.
    pub(crate) fn after(mut self, calls: &[Call]) -> Self {
        self.outcomes.clear();
        for call in calls {
            let outcome = self.call(call);
            self.outcomes.push(outcome);
        }
        self
    }

    fn call(&mut self, call: &Call) -> Outcome {
        match call {
            Call::Create(balance) => self.create(*balance),
            Call::Change(which, change) => self.change(*which, *change),
            Call::Close(which) => match self.accounts.get_mut(*which).and_then(Option::take) {
                Some(balance) => Outcome::Balance(balance),
                None => Outcome::Unknown,
            },
            Call::List { after, limit } => Outcome::Listed(self.list(*after, *limit)),
            Call::Batch(changes) => {
                let changes = changes.iter();
                Outcome::Batch(
                    changes
                        .map(|(which, it)| self.change(*which, *it))
                        .collect(),
                )
            }
        }
    }

    fn create(&mut self, balance: i64) -> Outcome {
        if self.open().len() == self.limit {
            return Outcome::Full(self.limit);
        }
        self.accounts.push(Some(balance));
        Outcome::Opened(self.accounts.len() - 1)
    }

    fn change(&mut self, which: Which, change: Change) -> Outcome {
        let Some(Some(balance)) = self.accounts.get_mut(which) else {
            return Outcome::Unknown;
        };
        match change {
            Change::Deposit(amount) if *balance + amount > BALANCE_MAX => {
                return Outcome::TooMuch(*balance);
            }
            Change::Withdraw(amount) if amount > *balance => {
                return Outcome::Insufficient(*balance);
            }
            Change::Deposit(amount) => *balance += amount,
            Change::Withdraw(amount) => *balance -= amount,
            Change::Read => {}
        }
        Outcome::Balance(*balance)
    }

    /// At most `limit` of the accounts created after one, or after none.
    pub(crate) fn list(&self, after: Option<Which>, limit: usize) -> Vec<(Which, i64)> {
        let mut listed = self.open();
        listed.retain(|(which, _)| after.is_none_or(|after| *which > after));
        listed.truncate(limit);
        listed
    }

    /// Any call, of which the last kind only if asked for.
    pub(crate) fn any_call(&self, with_batches: bool) -> BoxedStrategy<Call> {
        let after = prop::option::of(self.any_account());
        let call = prop_oneof![
            3 => initial().prop_map(Call::Create),
            9 => self.any_change().prop_map(|(which, change)| Call::Change(which, change)),
            1 => self.any_account().prop_map(Call::Close),
            1 => (after, 0..50_usize).prop_map(|(after, limit)| Call::List { after, limit }),
        ];
        if with_batches {
            prop_oneof![5 => call, 1 => self.any_batch()].boxed()
        } else {
            call.boxed()
        }
    }

    /// Changes of which some are repeated, and some of these beyond the longest run that shares a step.
    fn any_batch(&self) -> impl Strategy<Value = Call> + use<> {
        let times = prop_oneof![6 => 1..=3_usize, 1 => 60..=70_usize, 1 => 125..=130_usize];
        vec((self.any_change(), times), 0..6).prop_map(|runs| {
            let changes = runs.into_iter();
            Call::Batch(
                changes
                    .flat_map(|(change, times)| std::iter::repeat_n(change, times))
                    .collect(),
            )
        })
    }

    /// An account: an open one, one that is closed, or a number that nobody has.
    fn any_account(&self) -> impl Strategy<Value = Which> + use<> {
        let some: RangeInclusive<Which> = 0..=self.accounts.len();
        // The latest few more often, so that they see more than one call each.
        let latest = self.accounts.len().saturating_sub(3)..=self.accounts.len();
        prop_oneof![some, latest]
    }

    fn any_change(&self) -> impl Strategy<Value = (Which, Change)> + use<> {
        let accounts = self.accounts.clone();
        self.any_account().prop_flat_map(move |which| {
            let balance = accounts.get(which).copied().flatten().unwrap_or_default();
            let change = prop_oneof![
                1 => Just(Change::Read),
                4 => amount_near(BALANCE_MAX - balance).prop_map(Change::Deposit),
                4 => amount_near(balance).prop_map(Change::Withdraw),
            ];
            (Just(which), change)
        })
    }
}

/// A balance to begin with.
fn initial() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0..=300_i64,
        1 => 0..=BALANCE_MAX,
        1 => BALANCE_MAX - 300..=BALANCE_MAX,
    ]
}

/// An amount: a small one, any, or one just at the largest that is granted.
fn amount_near(granted_max: i64) -> impl Strategy<Value = i64> {
    let beside = (granted_max - 1).clamp(1, BALANCE_MAX)..=(granted_max + 1).min(BALANCE_MAX);
    prop_oneof![6 => 1..=300_i64, 1 => 1..=BALANCE_MAX, 3 => beside]
}
