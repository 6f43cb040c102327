//! What clients ask for, at random.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::model::Model;
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Command};
use crate::values::idempotency_key::IdempotencyKey;
use crate::values::money::{Amount, Cents};

/// Draws commands with an eye to what they will find.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    /// The commands with a key, some of which are asked again, with the same change or another.
    keyed: Vec<Command>,
    keys: usize,
}

impl Workload {
    pub(super) fn new() -> Self {
        Self {
            keyed: Vec::new(),
            keys: 0,
        }
    }

    pub(super) fn command(&mut self, random: &mut Xoshiro256PlusPlus, model: &Model) -> Command {
        let change = change(random, model);
        let recent = self.keyed.len().saturating_sub(12);
        let used = self
            .keyed
            .get(random.random_range(recent..=self.keyed.len()));
        let command = match (random.random_range(0..100), used) {
            (0..35, _) | (70.., None) => return change.into(),
            (80.., Some(used)) => return used.clone(),
            (70..80, Some(used)) => Command {
                change,
                key: used.key.clone(),
            },
            _ => Command {
                change,
                key: Some(self.new_key(random)),
            },
        };
        self.keyed.push(command.clone());
        command
    }

    fn new_key(&mut self, random: &mut Xoshiro256PlusPlus) -> IdempotencyKey {
        self.keys += 1;
        let length = match random.random_range(0..8) {
            0 => 255,
            1 => random.random_range(8..255),
            _ => 0,
        };
        let key = format!("key-{}-{:x<length$}", self.keys, "");
        key[..key.len().min(IdempotencyKey::LEN_MAX)]
            .parse()
            .unwrap()
    }
}

fn change(random: &mut Xoshiro256PlusPlus, model: &Model) -> Change {
    let number = account(random, model);
    let amount = Amount::from_cents(match random.random_range(0..20) {
        0 => Cents::MAX.get(),
        _ => random.random_range(1..120),
    });
    let amount = amount.unwrap();
    match random.random_range(0..100) {
        0..18 => Change::Open {
            initial: Cents::new(random.random_range(0..200)).unwrap(),
        },
        18..55 => Change::Deposit { number, amount },
        55..92 => Change::Withdraw { number, amount },
        _ => Change::Close { number },
    }
}

/// An account that is open or closed, or a number that nobody has.
fn account(random: &mut Xoshiro256PlusPlus, model: &Model) -> AccountNumber {
    let open = model.open();
    if !open.is_empty() && random.random_range(0..10) > 0 {
        return open[random.random_range(0..open.len())].0;
    }
    let all = &model.accounts;
    match all.get(random.random_range(0..=all.len())) {
        Some(account) => account.number,
        None => any_number(random),
    }
}

pub(super) fn any_number(random: &mut Xoshiro256PlusPlus) -> AccountNumber {
    let bytes = random.random::<u128>().to_be_bytes();
    AccountNumber::from_random_bytes(bytes)
}
