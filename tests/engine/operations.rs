//! Random operations on a ledger, against a model of a few lines.

use std::collections::BTreeMap;

use cashpoint::{
    AccountNumber, Cents, CreateError, DepositError, Ledger, UnknownAccount, WithdrawError,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{amount, cents};

const ACCOUNT_LIMIT: usize = 4;

#[derive(Clone, Debug)]
enum Operation {
    Create(i64),
    Balance(usize),
    Deposit(usize, i64),
    Withdraw(usize, i64),
    Close(usize),
    List,
}

fn operation() -> impl Strategy<Value = Operation> {
    // Accounts by order of creation: also those that are closed, and some that never are.
    let which = 0..8_usize;
    let sum = || {
        prop_oneof![
            1..=300_i64,
            Just(Cents::MAX.get()),
            Just(Cents::MAX.get() - 200)
        ]
    };
    prop_oneof![
        3 => (0..=200_i64).prop_map(Operation::Create),
        1 => which.clone().prop_map(Operation::Balance),
        4 => (which.clone(), sum()).prop_map(|(which, sum)| Operation::Deposit(which, sum)),
        4 => (which.clone(), sum()).prop_map(|(which, sum)| Operation::Withdraw(which, sum)),
        1 => which.prop_map(Operation::Close),
        1 => Just(Operation::List),
    ]
}

/// The model: the balance of each open account, by order of creation.
#[derive(Default)]
struct Model {
    numbers: Vec<AccountNumber>,
    open: BTreeMap<usize, i64>,
}

impl Model {
    /// The number of an account, of one that nobody has if there is none.
    fn number(&self, which: usize) -> AccountNumber {
        let nobody = || "00000000-0000-4000-8000-000000000000".parse().unwrap();
        self.numbers.get(which).copied().unwrap_or_else(nobody)
    }
}

/// Does one operation to both, and holds the one against the other.
fn check(operation: &Operation, ledger: &Ledger, model: &mut Model) {
    match *operation {
        Operation::Create(sum) => {
            let created = ledger.create(cents(sum));
            if model.open.len() == ACCOUNT_LIMIT {
                let limit = ACCOUNT_LIMIT;
                assert_eq!(created, Err(CreateError::LimitReached { limit }));
            } else {
                model.open.insert(model.numbers.len(), sum);
                model.numbers.push(created.unwrap());
            }
        }
        Operation::Balance(which) => {
            let expected = model.open.get(&which).copied();
            let balance = ledger.balance(model.number(which));
            assert_eq!(balance.map(Cents::get), expected.ok_or(UnknownAccount));
        }
        Operation::Deposit(which, sum) => {
            let number = model.number(which);
            let expected = match model.open.get_mut(&which) {
                None => Err(DepositError::UnknownAccount),
                Some(balance) if *balance + sum > Cents::MAX.get() => {
                    Err(DepositError::BalanceLimit {
                        balance: cents(*balance),
                    })
                }
                Some(balance) => {
                    *balance += sum;
                    Ok(*balance)
                }
            };
            assert_eq!(
                ledger.deposit(number, amount(sum)).map(Cents::get),
                expected
            );
        }
        Operation::Withdraw(which, sum) => {
            let number = model.number(which);
            let expected = match model.open.get_mut(&which) {
                None => Err(WithdrawError::UnknownAccount),
                Some(balance) if *balance < sum => Err(WithdrawError::InsufficientFunds {
                    available: cents(*balance),
                }),
                Some(balance) => {
                    *balance -= sum;
                    Ok(*balance)
                }
            };
            assert_eq!(
                ledger.withdraw(number, amount(sum)).map(Cents::get),
                expected
            );
        }
        Operation::Close(which) => {
            let number = model.number(which);
            let expected = model.open.remove(&which).ok_or(UnknownAccount);
            assert_eq!(ledger.close(number).map(Cents::get), expected);
        }
        Operation::List => {
            let session = ledger.pin();
            let listed: Vec<_> = session
                .accounts_after(None)
                .map(|account| (account.number, account.balance.get()))
                .collect();
            let expected: Vec<_> = model
                .open
                .iter()
                .map(|(which, balance)| (model.number(*which), *balance))
                .collect();
            assert_eq!(listed, expected);
        }
    }
    assert_eq!(ledger.count(), model.open.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_ledger_does_what_the_model_does(operations in vec(operation(), 1..60)) {
        let ledger = Ledger::new(ACCOUNT_LIMIT);
        let mut model = Model::default();
        for operation in &operations {
            check(operation, &ledger, &mut model);
        }
    }
}
