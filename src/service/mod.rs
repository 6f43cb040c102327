//! The ledger as a service: the operations that a server, a command line or a program calls, in memory or
//! durable.
//!
//! What changes money is `async`, because an answer may have to wait until its record is durable; what
//! reads is not, because readers never wait. In memory, every call is ready at once and no runtime is needed
//! to await it.

mod memory;
mod memory_keys;

#[cfg(feature = "durable")]
use crate::durable::DurableLedger;
use crate::engine::account_summary;
use crate::engine::creation_index::CreationNumber;
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Command, CommandError};
use crate::values::error::UnknownAccount;
use crate::values::key_policy::KeyPolicy;
use crate::values::money::{Amount, Cents};
use crate::values::warning::Warning;

use memory::Memory;

pub use crate::engine::account_summary::AccountSummary;
pub use crate::values::change::Receipt;
pub use crate::values::timestamp::{Timestamp, about};

/// A ledger that knows when things happened, and to which a request may be sent twice.
///
/// A command with an [`IdempotencyKey`](crate::IdempotencyKey) is done once: the same request with the same key gets
/// the same answer again, refusals that [are kept](crate::Refusal::is_kept) included, for as long as the [`KeyPolicy`]
/// says.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use cashpoint::{Cents, Change, IdempotencyKey, service::Service};
///
/// let service = Service::in_memory(1_000);
/// let number = service.create(Cents::ZERO).await?.number;
/// let receipt = service.deposit(number, "0.50".parse()?).await?;
/// assert_eq!(receipt.balance.get(), 50);
///
/// let deposit = Change::Deposit { number, amount: "0.50".parse()? };
/// let command = deposit.with_key(IdempotencyKey::random());
/// let receipt = service.execute(command.clone()).await?;
/// assert_eq!((receipt.balance.get(), receipt.replayed), (100, false));
/// let again = service.execute(command).await?;
/// assert_eq!((again.balance.get(), again.replayed), (100, true));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Service {
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Memory(Box<Memory>),
    #[cfg(feature = "durable")]
    Durable(DurableLedger),
}

impl Service {
    /// A service that keeps up to `account_limit` accounts in memory, and nothing beyond the process. Keys are
    /// kept as [`KeyPolicy::default`] says.
    #[must_use]
    pub fn in_memory(account_limit: usize) -> Self {
        Self::in_memory_with_keys(account_limit, KeyPolicy::default())
    }

    /// As [`in_memory`](Self::in_memory), with keys kept as `keys` says.
    #[must_use]
    pub fn in_memory_with_keys(account_limit: usize, keys: KeyPolicy) -> Self {
        Self {
            mode: Mode::Memory(Box::new(Memory::new(account_limit, keys))),
        }
    }

    /// A service that keeps what `ledger` keeps.
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn durable(ledger: DurableLedger) -> Self {
        Self {
            mode: Mode::Durable(ledger),
        }
    }

    /// The durable ledger behind it, if there is one.
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn durable_ledger(&self) -> Option<&DurableLedger> {
        match &self.mode {
            Mode::Memory(_) => None,
            Mode::Durable(ledger) => Some(ledger),
        }
    }

    /// Opens an account that holds `initial`.
    ///
    /// # Errors
    ///
    /// [`CommandError`] if it was refused or not done.
    pub async fn create(&self, initial: Cents) -> Result<Receipt, CommandError> {
        self.execute(Change::Open { initial }).await
    }

    /// The balance of an account.
    ///
    /// # Errors
    ///
    /// Those of [`Ledger::balance`](crate::Ledger::balance).
    pub fn balance(&self, number: AccountNumber) -> Result<Cents, UnknownAccount> {
        match &self.mode {
            Mode::Memory(memory) => memory.ledger.balance(number),
            #[cfg(feature = "durable")]
            Mode::Durable(ledger) => ledger.balance(number),
        }
    }

    /// Adds `amount` to an account.
    ///
    /// # Errors
    ///
    /// [`CommandError`] if it was refused or not done.
    pub async fn deposit(
        &self,
        number: AccountNumber,
        amount: Amount,
    ) -> Result<Receipt, CommandError> {
        self.execute(Change::Deposit { number, amount }).await
    }

    /// Takes `amount` out of an account.
    ///
    /// # Errors
    ///
    /// [`CommandError`] if it was refused or not done.
    pub async fn withdraw(
        &self,
        number: AccountNumber,
        amount: Amount,
    ) -> Result<Receipt, CommandError> {
        self.execute(Change::Withdraw { number, amount }).await
    }

    /// Closes an account for good. The receipt has the balance that was left on it.
    ///
    /// # Errors
    ///
    /// [`CommandError`] if it was refused or not done.
    pub async fn close(&self, number: AccountNumber) -> Result<Receipt, CommandError> {
        self.execute(Change::Close { number }).await
    }

    /// Executes a command: a [`Change`], or one [with a key](Change::with_key), which is safe to send again.
    ///
    /// # Errors
    ///
    /// [`CommandError`] if it was refused or not done.
    #[inline]
    pub async fn execute(&self, command: impl Into<Command>) -> Result<Receipt, CommandError> {
        let command = command.into();
        match &self.mode {
            Mode::Memory(memory) => memory.execute(&command),
            #[cfg(feature = "durable")]
            Mode::Durable(ledger) => ledger.execute(command).await,
        }
    }

    /// Up to `limit` accounts in order of creation, from the first one created after `cursor`. What it
    /// promises is said at [`Session::accounts_after`](crate::Session::accounts_after).
    #[must_use]
    pub fn accounts_after(
        &self,
        cursor: Option<CreationNumber>,
        limit: usize,
    ) -> Vec<AccountSummary> {
        match &self.mode {
            Mode::Memory(memory) => {
                account_summary::page(&memory.ledger, |times| times, cursor, limit)
            }
            #[cfg(feature = "durable")]
            Mode::Durable(ledger) => ledger.accounts_after(cursor, limit),
        }
    }

    /// The creation number of the newest account, which may be closed; 0 if there was none yet. No larger number is a
    /// cursor.
    ///
    /// Whoever then asks for the [`count`](Self::count) is told at least as many as
    /// [`accounts_after`](Self::accounts_after) shows afterwards up to this number: each of them held a slot of the
    /// limit before it had a number, and holds it until it is listed no more.
    #[must_use]
    pub fn last_created(&self) -> CreationNumber {
        match &self.mode {
            Mode::Memory(memory) => memory.ledger.last_created(),
            #[cfg(feature = "durable")]
            Mode::Durable(ledger) => ledger.published().ledger.last_created(),
        }
    }

    /// What an operator should know of, such as a clock that is wrong or keys that are all in use.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        match &self.mode {
            Mode::Memory(memory) => memory.warnings(),
            #[cfg(feature = "durable")]
            Mode::Durable(ledger) => ledger.warnings(),
        }
    }

    /// How many accounts there are. As [`Ledger::count`](crate::Ledger::count).
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.mode {
            Mode::Memory(memory) => memory.ledger.count(),
            #[cfg(feature = "durable")]
            Mode::Durable(ledger) => ledger.count(),
        }
    }

    /// The largest number of accounts that may exist at a time.
    #[must_use]
    pub fn account_limit(&self) -> usize {
        match &self.mode {
            Mode::Memory(memory) => memory.ledger.account_limit(),
            #[cfg(feature = "durable")]
            Mode::Durable(ledger) => ledger.account_limit(),
        }
    }
}
