//! Every pair of operations on one account, and the triples that matter.
//!
//! What is specified: each operation takes effect at one instant. So the outcomes are those of all
//! sequential orders, as a model of one line an operation computes them, neither more nor fewer.
//!
//! Pairs and two-by-two run in 2 threads, triples in 3, all without a bound on preemption. Four operations at
//! once run in 4 threads with at most 3 preemptions, 2 with plain loads.

use std::collections::BTreeSet;

use crate::outcomes::{
    amount, assert_outcomes, assert_outcomes_of_few_preemptions, cents, concurrently,
};
use loom::sync::Arc;
use loom_tests::{self as engine, Account, Cents, DepositError, Refusal, WithdrawError};

#[derive(Clone, Copy, Debug)]
enum Operation {
    Balance,
    Deposit(i64),
    Withdraw(i64),
    Close,
    /// Several in one step.
    Together(&'static [Operation]),
}

use Operation::{Balance, Close, Deposit, Together, Withdraw};

/// What an operation returned, in cents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Returned {
    Cents(i64),
    /// Insufficient funds, or too much; and the balance that this was decided on.
    Refused(i64),
    Unknown,
    Several(Vec<Returned>),
}

impl Operation {
    /// Does it to the shipped account.
    fn on(self, account: &Account) -> Returned {
        match self {
            Balance => account.balance().map_or(Returned::Unknown, got),
            Close => account.close().map_or(Returned::Unknown, got),
            Deposit(sum) => match account.deposit(amount(sum)) {
                Ok(balance) => got(balance),
                Err(DepositError::BalanceLimit { balance }) => Returned::Refused(balance.get()),
                Err(_) => Returned::Unknown,
            },
            Withdraw(sum) => match account.withdraw(amount(sum)) {
                Ok(balance) => got(balance),
                Err(WithdrawError::InsufficientFunds { available }) => {
                    Returned::Refused(available.get())
                }
                Err(_) => Returned::Unknown,
            },
            Together(operations) => {
                let mut outcomes = Vec::new();
                account.apply(operations.iter().map(|it| it.shipped()), &mut outcomes);
                let returned = outcomes.into_iter().map(|outcome| match outcome {
                    Ok(balance) => got(balance),
                    Err(
                        Refusal::BalanceLimit { balance }
                        | Refusal::InsufficientFunds { available: balance },
                    ) => Returned::Refused(balance.get()),
                    Err(_) => Returned::Unknown,
                });
                Returned::Several(returned.collect())
            }
        }
    }

    /// The engine's own value for it.
    fn shipped(self) -> engine::Operation {
        match self {
            Balance => engine::Operation::Balance,
            Deposit(sum) => engine::Operation::Deposit(amount(sum)),
            Withdraw(sum) => engine::Operation::Withdraw(amount(sum)),
            Close | Together(_) => unreachable!("no part of a batch"),
        }
    }

    /// Does it to the sequential model: a balance, or nothing once closed.
    fn on_model(self, state: &mut Option<i64>) -> Returned {
        if let Together(operations) = self {
            let returned = operations.iter().map(|it| it.on_model(state));
            return Returned::Several(returned.collect());
        }
        let Some(balance) = *state else {
            return Returned::Unknown;
        };
        let after = match self {
            Balance => balance,
            Close => {
                *state = None;
                return Returned::Cents(balance);
            }
            Deposit(sum) => balance + sum,
            Withdraw(sum) => balance - sum,
            Together(_) => unreachable!("done above"),
        };
        if !(0..=Cents::MAX.get()).contains(&after) {
            return Returned::Refused(balance);
        }
        *state = Some(after);
        Returned::Cents(after)
    }
}

fn got(balance: Cents) -> Returned {
    Returned::Cents(balance.get())
}

/// What each thread's operations returned, and the balance at the end, if the account is still open.
type Outcome = (Vec<Vec<Returned>>, Option<i64>);

/// The outcomes of all orders in which the threads' operations can take effect.
fn sequential_outcomes(initial: i64, threads: &[Vec<Operation>]) -> BTreeSet<Outcome> {
    fn go_on(
        state: Option<i64>,
        done: &[Vec<Returned>],
        threads: &[Vec<Operation>],
        outcomes: &mut BTreeSet<Outcome>,
    ) {
        let mut at_end = true;
        for (thread, operations) in threads.iter().enumerate() {
            let Some(next) = operations.get(done[thread].len()) else {
                continue;
            };
            at_end = false;
            let (mut state, mut done) = (state, done.to_vec());
            done[thread].push(next.on_model(&mut state));
            go_on(state, &done, threads, outcomes);
        }
        if at_end {
            outcomes.insert((done.to_vec(), state));
        }
    }
    let mut outcomes = BTreeSet::new();
    go_on(
        Some(initial),
        &vec![Vec::new(); threads.len()],
        threads,
        &mut outcomes,
    );
    outcomes
}

/// The outcome of one execution on the shipped account.
fn run(initial: i64, threads: &[Vec<Operation>]) -> Outcome {
    let account = Arc::new(Account::open(cents(initial)));
    let returned = concurrently(threads.iter().cloned().map(|operations| {
        let account = Arc::clone(&account);
        Box::new(move || operations.iter().map(|it| it.on(&account)).collect()) as Box<_>
    }));
    (returned, account.balance().ok().map(Cents::get))
}

#[track_caller]
fn assert_linearizable(initial: i64, threads: &[Vec<Operation>]) {
    let specified = sequential_outcomes(initial, threads);
    let threads = threads.to_vec();
    assert_outcomes(move || run(initial, &threads), &specified);
}

/// One of each operation, with sums of which two together are too much for a balance of 100.
const EACH: [Operation; 4] = [Balance, Deposit(30), Withdraw(80), Close];

#[test]
fn every_pair_of_operations_is_linearizable() {
    for one in EACH {
        for other in [Balance, Deposit(50), Withdraw(70), Close] {
            println!("{one:?} | {other:?}");
            assert_linearizable(100, &[vec![one], vec![other]]);
        }
    }
}

#[test]
fn every_two_operations_against_one_are_linearizable() {
    for first in EACH {
        for second in EACH {
            for other in [Deposit(50), Withdraw(70), Close] {
                println!("{first:?}, {second:?} | {other:?}");
                assert_linearizable(100, &[vec![first, second], vec![other]]);
            }
        }
    }
}

#[test]
fn two_operations_against_two_are_linearizable() {
    for (one, other) in [
        ([Withdraw(80), Deposit(30)], [Deposit(50), Withdraw(70)]),
        ([Deposit(30), Balance], [Withdraw(120), Balance]),
        ([Withdraw(80), Close], [Deposit(50), Withdraw(70)]),
        ([Deposit(30), Close], [Close, Deposit(50)]),
    ] {
        assert_linearizable(100, &[one.to_vec(), other.to_vec()]);
    }
}

#[test]
fn every_three_operations_at_once_are_linearizable() {
    for (first, one) in EACH.into_iter().enumerate() {
        for (second, two) in EACH.into_iter().enumerate().skip(first) {
            for three in EACH.into_iter().skip(second) {
                println!("{one:?} | {two:?} | {three:?}");
                assert_linearizable(100, &[vec![one], vec![two], vec![three]]);
            }
        }
    }
}

#[test]
fn four_operations_at_once_are_linearizable() {
    for operations in [
        [Withdraw(80), Deposit(30), Close, Balance],
        [Withdraw(80), Withdraw(70), Deposit(50), Deposit(30)],
        [Withdraw(80), Withdraw(70), Close, Close],
        [RUNS[0], Withdraw(70), Deposit(50), Close],
    ] {
        println!("{operations:?}");
        let threads = operations.map(|operation| vec![operation]).to_vec();
        let specified = sequential_outcomes(100, &threads);
        let model = move || run(100, &threads);
        assert_outcomes_of_few_preemptions(model, &specified);
    }
}

/// Runs that change the balance, that come back to it, that are refused in part, and in whole.
const RUNS: [Operation; 4] = [
    Together(&[Deposit(30), Withdraw(120), Withdraw(20)]),
    Together(&[Withdraw(80), Deposit(80)]),
    Together(&[Withdraw(170), Balance, Deposit(30)]),
    Together(&[Balance, Withdraw(999)]),
];

#[test]
fn several_operations_together_are_one_step_against_any_other() {
    for run in RUNS {
        for other in [Balance, Deposit(50), Withdraw(70), Close] {
            println!("{run:?} | {other:?}");
            assert_linearizable(100, &[vec![run], vec![other]]);
            assert_linearizable(100, &[vec![run, Balance], vec![other, Deposit(7)]]);
        }
    }
}

#[test]
fn several_operations_together_are_one_step_against_several() {
    for one in RUNS {
        for other in RUNS {
            println!("{one:?} | {other:?}");
            assert_linearizable(100, &[vec![one], vec![other]]);
        }
    }
}

#[test]
fn nobody_sees_a_balance_between_operations_that_are_done_together() {
    assert_outcomes(
        || {
            let account = Arc::new(Account::open(cents(100)));
            let [_, read] = returned(&account, [RUNS[0], Balance]);
            read
        },
        &BTreeSet::from([Returned::Cents(100), Returned::Cents(10)]),
    );
}

#[test]
fn of_two_deposits_that_only_one_has_room_for_exactly_one_is_granted() {
    let full = Cents::MAX.get();
    let specified = BTreeSet::from([
        (
            vec![vec![Returned::Cents(full)], vec![Returned::Refused(full)]],
            Some(full),
        ),
        (
            vec![
                vec![Returned::Refused(full - 1)],
                vec![Returned::Cents(full - 1)],
            ],
            Some(full - 1),
        ),
    ]);
    let threads = [vec![Deposit(3)], vec![Deposit(2)]];
    assert_outcomes(move || run(full - 3, &threads), &specified);
}

// The outcomes of those that follow are written out, so that they can be read, and so that an error in
// the sequential model does not hide one in the account.

#[test]
fn when_funds_cover_only_one_withdrawal_exactly_one_is_granted() {
    assert_outcomes(
        || {
            let account = Arc::new(Account::open(cents(100)));
            let granted = granted(&account, [Withdraw(70), Withdraw(80)]);
            (granted, account.balance().unwrap().get())
        },
        &BTreeSet::from([(vec![true, false], 30), (vec![false, true], 20)]),
    );
}

#[test]
fn a_deposit_between_two_withdrawals_can_pay_for_the_second() {
    assert_outcomes(
        || {
            let account = Arc::new(Account::open(cents(100)));
            let granted = granted(&account, [Withdraw(70), Withdraw(80), Deposit(50)]);
            (granted, account.balance().unwrap().get())
        },
        &BTreeSet::from([
            (vec![true, true, true], 0),
            (vec![true, false, true], 80),
            (vec![false, true, true], 70),
        ]),
    );
}

#[test]
fn a_deposit_is_part_of_the_final_balance_or_refused() {
    assert_outcomes(
        || {
            let account = Arc::new(Account::open(cents(100)));
            let [deposited, closed, read] = returned(&account, [Deposit(50), Close, Balance]);
            assert!(account.balance().is_err());
            (deposited, closed, read)
        },
        &BTreeSet::from([
            // Refused: the account was closed before.
            (Returned::Unknown, Returned::Cents(100), Returned::Unknown),
            (
                Returned::Unknown,
                Returned::Cents(100),
                Returned::Cents(100),
            ),
            // Granted: the final balance includes it.
            (
                Returned::Cents(150),
                Returned::Cents(150),
                Returned::Unknown,
            ),
            (
                Returned::Cents(150),
                Returned::Cents(150),
                Returned::Cents(100),
            ),
            (
                Returned::Cents(150),
                Returned::Cents(150),
                Returned::Cents(150),
            ),
        ]),
    );
}

#[test]
fn what_a_closing_returns_is_what_deposits_and_withdrawals_left() {
    assert_outcomes(
        || {
            let account = Arc::new(Account::open(cents(100)));
            let [withdrawn, closed, deposited] =
                returned(&account, [Withdraw(120), Close, Deposit(50)]);
            (withdrawn, closed, deposited)
        },
        &BTreeSet::from([
            (Returned::Unknown, Returned::Cents(100), Returned::Unknown),
            (
                Returned::Unknown,
                Returned::Cents(150),
                Returned::Cents(150),
            ),
            (
                Returned::Refused(100),
                Returned::Cents(100),
                Returned::Unknown,
            ),
            (
                Returned::Refused(100),
                Returned::Cents(150),
                Returned::Cents(150),
            ),
            (
                Returned::Cents(30),
                Returned::Cents(30),
                Returned::Cents(150),
            ),
        ]),
    );
}

#[test]
fn of_two_closings_exactly_one_gets_the_balance() {
    assert_outcomes(
        || {
            let account = Arc::new(Account::open(cents(100)));
            returned(&account, [Close, Close])
        },
        &BTreeSet::from([
            [Returned::Cents(100), Returned::Unknown],
            [Returned::Unknown, Returned::Cents(100)],
        ]),
    );
}

/// What each operation returned, all at once.
fn returned<const N: usize>(account: &Arc<Account>, operations: [Operation; N]) -> [Returned; N] {
    let returned = concurrently(operations.map(|operation| {
        let account = Arc::clone(account);
        Box::new(move || operation.on(&account)) as Box<_>
    }));
    returned.try_into().unwrap()
}

/// Which of the operations were granted, all at once.
fn granted<const N: usize>(account: &Arc<Account>, operations: [Operation; N]) -> Vec<bool> {
    returned(account, operations)
        .map(|it| matches!(it, Returned::Cents(_)))
        .to_vec()
}
