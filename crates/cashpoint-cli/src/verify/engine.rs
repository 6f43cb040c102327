//! The engine in this process.

use cashpoint::{
    AccountNumber, Amount, Cents, DepositError, Ledger, UnknownAccount, WithdrawError,
};

use super::history::{Action, Outcome};
use super::subject::{Answered, Created, Listed, Oddities, Room, Session, Subject};
use crate::client::{Broken, Manner};

/// A ledger of its own.
#[derive(Debug)]
pub(super) struct EngineSubject(Ledger);

impl EngineSubject {
    pub(super) fn new(account_limit: usize) -> Self {
        Self(Ledger::new(account_limit))
    }
}

impl Subject for EngineSubject {
    fn session(&self) -> Box<dyn Session + '_> {
        Box::new(&self.0)
    }

    fn room(&self) -> Result<Room, Broken> {
        Ok(Room {
            count: self.0.count() as i64,
            limit: self.0.account_limit() as i64,
        })
    }
}

impl Session for &Ledger {
    fn create(&mut self, initial: Cents) -> Created {
        match Ledger::create(self, initial) {
            Ok(number) => Created::Opened(number),
            // It has no other reason to refuse one.
            Err(_) => Created::LimitReached,
        }
    }

    fn call_as(
        &mut self,
        _manner: Manner,
        number: AccountNumber,
        action: Action,
    ) -> Option<Answered> {
        let outcome = match action {
            Action::Balance | Action::List => match self.balance(number) {
                Ok(balance) => Outcome::Balance(balance.get()),
                Err(UnknownAccount) => Outcome::UnknownAccount,
            },
            Action::Deposit(sum) => match self.deposit(number, Amount::from_cents(sum)?) {
                Ok(balance) => Outcome::Balance(balance.get()),
                Err(DepositError::UnknownAccount) => Outcome::UnknownAccount,
                // No run deposits that much, so it is an answer that fits no order.
                Err(_) => Outcome::InsufficientFunds,
            },
            Action::Withdraw(sum) => match self.withdraw(number, Amount::from_cents(sum)?) {
                Ok(balance) => Outcome::Balance(balance.get()),
                Err(WithdrawError::UnknownAccount) => Outcome::UnknownAccount,
                Err(_) => Outcome::InsufficientFunds,
            },
            Action::Close => match self.close(number) {
                Ok(_) => Outcome::Closed,
                Err(UnknownAccount) => Outcome::UnknownAccount,
            },
        };
        Some(outcome.into())
    }

    fn list(&mut self) -> Option<Listed> {
        let session = self.pin();
        let accounts = session.accounts_after(None);
        let rows: Vec<_> = accounts
            .map(|account| (account.number, account.balance.get()))
            .collect();
        let total = rows.len() as u64;
        Some(Listed { rows, total })
    }

    fn take_oddities(&mut self) -> Oddities {
        Oddities::default()
    }
}
