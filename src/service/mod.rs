//! The ledger as a service: the operations that a server, a command line or a program calls, with the
//! times that belong to them.
//!
//! What changes money is `async`, because an answer may have to wait until its record is durable; what
//! reads is not, because readers never wait. In memory, which is all there is so far, every call is
//! ready at once and no runtime is needed to await it.

use crate::account_number::AccountNumber;
use crate::account_times::AccountTimes;
use crate::error::{CreateError, DepositError, UnknownAccount, WithdrawError};
use crate::ledger::Ledger;
use crate::money::{Amount, Cents};
use crate::roster::CreationNumber;
use crate::session::Posting;

pub use crate::timestamp::Timestamp;

/// A ledger that knows when things happened. Errors and linearization are those of [`Ledger`].
///
/// ```
/// # async fn example() -> Result<(), cashpoint::LedgerError> {
/// use cashpoint::{Amount, Cents, service::Service};
///
/// let service = Service::in_memory(1_000);
/// let opened = service.create(Cents::ZERO).await?;
/// let receipt = service.deposit(opened.number, Amount::from_cents(50).unwrap()).await?;
/// assert_eq!(receipt.balance.get(), 50);
/// assert!(receipt.at >= opened.at);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Service {
    ledger: Ledger<AccountTimes>,
}

/// What a creation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The new account's number.
    pub number: AccountNumber,
    /// When it was created.
    pub at: Timestamp,
}

/// What a deposit or a withdrawal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The balance right after it.
    pub balance: Cents,
    /// When it happened. Times of one account never run backwards, whatever the clock does.
    pub at: Timestamp,
}

/// An account as a listing found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountSummary {
    /// Its number.
    pub number: AccountNumber,
    /// Its place in the order of creation, from which a listing can go on.
    pub created: CreationNumber,
    /// Its balance.
    pub balance: Cents,
    /// When it was created.
    pub created_at: Timestamp,
    /// When money last moved on it; when it was created if none ever did.
    pub last_updated: Timestamp,
}

impl Service {
    /// A service that keeps up to `account_limit` accounts in memory, and nothing beyond the process.
    #[must_use]
    pub fn in_memory(account_limit: usize) -> Self {
        Self {
            ledger: Ledger::with_facts(account_limit),
        }
    }

    /// Opens an account that holds `initial`.
    ///
    /// # Errors
    ///
    /// Those of [`Ledger::create`].
    pub async fn create(&self, initial: Cents) -> Result<Opened, CreateError> {
        let at = Timestamp::now();
        let number = self
            .ledger
            .pin()
            .create(initial, AccountTimes::created(at))?;
        Ok(Opened { number, at })
    }

    /// The balance of an account.
    ///
    /// # Errors
    ///
    /// Those of [`Ledger::balance`].
    pub fn balance(&self, number: AccountNumber) -> Result<Cents, UnknownAccount> {
        self.ledger.balance(number)
    }

    /// Adds `amount` to an account.
    ///
    /// # Errors
    ///
    /// Those of [`Ledger::deposit`].
    pub async fn deposit(
        &self,
        number: AccountNumber,
        amount: Amount,
    ) -> Result<Receipt, DepositError> {
        self.ledger.pin().deposit(number, amount).map(receipt)
    }

    /// Takes `amount` out of an account.
    ///
    /// # Errors
    ///
    /// Those of [`Ledger::withdraw`].
    pub async fn withdraw(
        &self,
        number: AccountNumber,
        amount: Amount,
    ) -> Result<Receipt, WithdrawError> {
        self.ledger.pin().withdraw(number, amount).map(receipt)
    }

    /// Closes an account for good and returns the balance that was left on it.
    ///
    /// # Errors
    ///
    /// Those of [`Ledger::close`].
    pub async fn close(&self, number: AccountNumber) -> Result<Cents, UnknownAccount> {
        self.ledger.close(number)
    }

    /// Up to `limit` accounts in order of creation, from the first one created after `cursor`. What it
    /// promises is said at [`Session::accounts_after`](crate::Session::accounts_after).
    #[must_use]
    pub fn accounts_after(
        &self,
        cursor: Option<CreationNumber>,
        limit: usize,
    ) -> Vec<AccountSummary> {
        let session = self.ledger.pin();
        let summaries = session
            .accounts_after(cursor)
            .map(|account| AccountSummary {
                number: account.number,
                created: account.created,
                balance: account.balance,
                created_at: account.facts.created_at(),
                last_updated: account.facts.last_updated(),
            });
        summaries.take(limit).collect()
    }

    /// How many accounts there are. As [`Ledger::count`].
    #[must_use]
    pub fn count(&self) -> usize {
        self.ledger.count()
    }

    /// The largest number of accounts that may exist at a time.
    #[must_use]
    pub fn account_limit(&self) -> usize {
        self.ledger.account_limit()
    }
}

fn receipt(posting: Posting<'_, AccountTimes>) -> Receipt {
    Receipt {
        balance: posting.balance,
        at: posting.facts.touch(Timestamp::now()),
    }
}
