//! The directory of accounts.

use std::fmt;

use papaya::HashMap;

use super::account::Account;
use super::capacity::Capacity;
use super::creation_index::{CreationIndex, CreationNumber};
use super::session::Session;
use crate::values::account_number::{AccountNumber, AccountNumberHash};
use crate::values::error::{CreateError, DepositError, UnknownAccount, WithdrawError};
use crate::values::money::{Amount, Cents};

/// The most accounts for which room is made ahead; a map that was never resized is smaller and faster.
const PRESIZED_ACCOUNTS_MAX: usize = 1 << 20;

/// Up to so many accounts the map has twice the room that it needs: it still fits into a cache, and fewer
/// lookups come upon another account's slot first. Measured at 1,000 accounts on two threads: 6 % faster.
const ROOMY_ACCOUNTS_MAX: usize = 1 << 14;

/// For how many accounts a map of at most `account_limit` makes room ahead.
fn presized_for(account_limit: usize) -> usize {
    if account_limit <= ROOMY_ACCOUNTS_MAX {
        2 * account_limit
    } else {
        account_limit.min(PRESIZED_ACCOUNTS_MAX)
    }
}

/// Accounts by number, for any number of threads at a time, without a lock.
///
/// Each operation is linearizable; what that means for readers and listings is said in the
/// [crate's guarantees](crate#guarantees). Each method here pins the map for its one operation. A
/// caller with several to do [pins](Ledger::pin) it once and does them in a [`Session`].
///
/// `Metadata` is what the owner keeps beside each balance, such as times or a name. No decision about
/// money depends on it.
///
/// # Examples
///
/// ```
/// use cashpoint::{Amount, Cents, Ledger, Refusal};
///
/// let ledger = Ledger::new(1_000);
/// let account = ledger.create(Cents::ZERO)?;
/// let ten_cents = Amount::from_cents(10).unwrap();
///
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| (0..1_000).try_for_each(|_| ledger.deposit(account, ten_cents).map(drop)));
///     }
/// });
/// assert_eq!(ledger.balance(account)?.to_string(), "400.0");
/// # Ok::<(), Refusal>(())
/// ```
pub struct Ledger<Metadata = ()> {
    pub(crate) accounts: HashMap<AccountNumber, Entry<Metadata>, AccountNumberHash>,
    pub(crate) creation_index: CreationIndex,
    pub(crate) capacity: Capacity,
}

/// What the map holds for a number. Inline, not behind an `Arc`, and not padded to a cache line: at a
/// million accounts the misses that padding adds cost more than false sharing does.
#[derive(Debug)]
pub(crate) struct Entry<Metadata> {
    pub(crate) account: Account,
    pub(crate) created: CreationNumber,
    pub(crate) metadata: Metadata,
}

impl Ledger {
    /// An empty ledger that never holds more than `account_limit` accounts.
    #[must_use]
    pub fn new(account_limit: usize) -> Self {
        Self::with_metadata(account_limit)
    }

    /// Opens an account that holds `initial`, and returns its number. Lock-free.
    ///
    /// # Linearization
    ///
    /// At the insertion into the map; a refusal, at the read that found every slot taken.
    ///
    /// # Errors
    ///
    /// [`CreateError::LimitReached`] if there are as many accounts as allowed. One whose closing is
    /// still under way counts.
    pub fn create(&self, initial: Cents) -> Result<AccountNumber, CreateError> {
        self.pin().create(initial, ())
    }
}

impl<Metadata> Ledger<Metadata> {
    /// An empty ledger that keeps `Metadata` beside each balance.
    #[must_use]
    pub fn with_metadata(account_limit: usize) -> Self {
        Self {
            accounts: HashMap::with_capacity_and_hasher(
                presized_for(account_limit),
                AccountNumberHash::default(),
            ),
            creation_index: CreationIndex::new(),
            capacity: Capacity::new(account_limit),
        }
    }

    /// Fills an empty ledger with accounts that were open elsewhere, among so many that ever were. Their places in
    /// the order of creation stay theirs, so that a listing can go on where it was.
    #[cfg(feature = "durable")]
    pub(crate) fn restore(
        &self,
        accounts: impl Iterator<Item = (AccountNumber, CreationNumber, Cents, Metadata)>,
        opened: u64,
    ) {
        let session = self.pin();
        for (number, created, balance, metadata) in accounts {
            session.enter_as(number, balance, metadata, || {
                self.creation_index.insert_at(created, number);
                created
            });
        }
        self.creation_index
            .go_on_after(CreationNumber::from_u64(opened));
    }

    /// The last creation number; 0 if there was no account yet.
    pub(crate) fn last_created(&self) -> CreationNumber {
        self.creation_index.last()
    }

    /// Pins the map, so that several operations share the cost of it. See [`Session`].
    #[must_use]
    #[inline]
    pub fn pin(&self) -> Session<'_, Metadata> {
        Session::new(self)
    }

    /// The balance of an account. Wait-free.
    ///
    /// # Linearization
    ///
    /// At the load of the balance, or at the lookup that found no account.
    ///
    /// # Errors
    ///
    /// [`UnknownAccount`] if no open account has this number.
    #[inline]
    pub fn balance(&self, number: AccountNumber) -> Result<Cents, UnknownAccount> {
        self.pin().balance(number)
    }

    /// Adds `amount` to an account and returns the new balance. Lock-free.
    ///
    /// # Linearization
    ///
    /// As [`Account::deposit`], or at the lookup that found no account.
    ///
    /// # Errors
    ///
    /// [`DepositError::BalanceLimit`] if the balance would exceed [`Cents::MAX`];
    /// [`DepositError::UnknownAccount`] if no open account has this number.
    #[inline]
    pub fn deposit(&self, number: AccountNumber, amount: Amount) -> Result<Cents, DepositError> {
        self.pin()
            .deposit(number, amount)
            .map(|updated| updated.balance)
    }

    /// Takes `amount` out of an account and returns the balance left. Lock-free.
    ///
    /// # Linearization
    ///
    /// As [`Account::withdraw`], or at the lookup that found no account.
    ///
    /// # Errors
    ///
    /// [`WithdrawError::InsufficientFunds`] if the balance is below `amount`;
    /// [`WithdrawError::UnknownAccount`] if no open account has this number.
    #[inline]
    pub fn withdraw(&self, number: AccountNumber, amount: Amount) -> Result<Cents, WithdrawError> {
        self.pin()
            .withdraw(number, amount)
            .map(|updated| updated.balance)
    }

    /// Closes an account for good and returns the balance that was left on it. Lock-free.
    ///
    /// # Linearization
    ///
    /// As [`Account::close`], or at the lookup that found no account.
    ///
    /// # Errors
    ///
    /// [`UnknownAccount`] if no open account has this number.
    pub fn close(&self, number: AccountNumber) -> Result<Cents, UnknownAccount> {
        self.pin().close(number)
    }

    /// How many accounts there are, `0..=account_limit`. Exact at rest; meanwhile it includes those
    /// that are being created or closed. Wait-free.
    #[must_use]
    pub fn count(&self) -> usize {
        self.capacity.in_use()
    }

    /// The largest number of accounts that may exist at a time.
    #[must_use]
    pub fn account_limit(&self) -> usize {
        self.capacity.limit()
    }
}

impl<Metadata> fmt::Debug for Ledger<Metadata> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("count", &self.count())
            .field("account_limit", &self.account_limit())
            .finish_non_exhaustive()
    }
}
