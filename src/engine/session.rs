//! Operations on a ledger under one pin of its map.

use std::fmt;

use papaya::{HashMapRef, LocalGuard};

use super::account::Account;
use super::creation_index::CreationNumber;
use super::ledger::{Entry, Ledger};
use super::lifecycle;
use crate::values::account_number::{AccountNumber, AccountNumberHash};
use crate::values::error::{CreateError, DepositError, UnknownAccount, WithdrawError};
use crate::values::money::{Amount, Cents};

/// A thread's view of a [`Ledger`] that keeps its map pinned from one operation to the next.
///
/// Pinning is what keeps an account's memory in place while another thread closes it. It is nearly half
/// the cost of an operation on a large ledger, so a thread with many operations to do does them in one
/// session. The result of each is as without one.
///
/// A session holds up the release of closed accounts' memory for as long as it lives. One that lives
/// long should [refresh](Session::refresh) now and then.
///
/// Never keep a session in thread-local storage: the map's memory reclamation gives the thread's id to the next thread
/// before the session is dropped (seize, issue 47).
///
/// A session belongs to the thread that made it; in particular it cannot be held across an `.await`:
///
/// ```compile_fail,E0277
/// # let ledger = cashpoint::Ledger::new(1);
/// let session = ledger.pin();
/// std::thread::scope(|scope| {
///     scope.spawn(move || session.accounts_after(None).count());
/// });
/// ```
pub struct Session<'ledger, Metadata = ()> {
    ledger: &'ledger Ledger<Metadata>,
    accounts: PinnedMap<'ledger, Metadata>,
}

/// The map with its pin. Unlike the map and a guard apart, the two are known to belong together, and no
/// lookup has to check that.
type PinnedMap<'ledger, Metadata> =
    HashMapRef<'ledger, AccountNumber, Entry<Metadata>, AccountNumberHash, LocalGuard<'ledger>>;

/// An account right after money moved on it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Updated<'session, Metadata> {
    /// The account's balance right after it.
    pub balance: Cents,
    /// The account's metadata.
    pub metadata: &'session Metadata,
}

/// An account as a listing found it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccountView<'session, Metadata> {
    /// Its number.
    pub number: AccountNumber,
    /// Its place in the order of creation, from which a listing can go on.
    pub created: CreationNumber,
    /// Its balance when the listing came by.
    pub balance: Cents,
    /// Its metadata.
    pub metadata: &'session Metadata,
}

impl<'ledger, Metadata> Session<'ledger, Metadata> {
    #[inline]
    pub(crate) fn new(ledger: &'ledger Ledger<Metadata>) -> Self {
        Self {
            ledger,
            accounts: ledger.accounts.pin(),
        }
    }

    /// Lets go of the memory that this session has held up so far, and goes on.
    ///
    /// ```
    /// # let ledger = cashpoint::Ledger::new(1);
    /// let mut session = ledger.pin();
    /// for batch in 0..3 {
    ///     session = session.refresh();
    ///     // Many operations.
    /// }
    /// ```
    ///
    /// To drop a session after another one was made on the same thread lets go of nothing: that is why
    /// this takes the session and not a reference.
    #[must_use = "the session goes on as the one returned"]
    pub fn refresh(self) -> Self {
        let Self { ledger, accounts } = self;
        drop(accounts);
        Self::new(ledger)
    }

    /// Opens an account that holds `initial`, with `metadata` beside it, and returns its number.
    /// Linearization and errors are those of [`Ledger::create`].
    ///
    /// # Errors
    ///
    /// [`CreateError::LimitReached`] if there are as many accounts as allowed.
    pub fn create(&self, initial: Cents, metadata: Metadata) -> Result<AccountNumber, CreateError> {
        lifecycle::open(&self.ledger.capacity, || {
            self.publish(Account::open(initial), metadata)
        })
    }

    /// The balance of an account. As [`Ledger::balance`].
    ///
    /// # Errors
    ///
    /// [`UnknownAccount`] if no open account has this number.
    #[inline]
    pub fn balance(&self, number: AccountNumber) -> Result<Cents, UnknownAccount> {
        self.entry(number)?.account.balance()
    }

    /// Adds `amount` to an account. As [`Ledger::deposit`].
    ///
    /// # Errors
    ///
    /// [`DepositError::BalanceLimit`] if the balance would exceed [`Cents::MAX`];
    /// [`DepositError::UnknownAccount`] if no open account has this number.
    #[inline]
    pub fn deposit(
        &self,
        number: AccountNumber,
        amount: Amount,
    ) -> Result<Updated<'_, Metadata>, DepositError> {
        let Entry {
            account, metadata, ..
        } = self.entry(number)?;
        Ok(Updated {
            balance: account.deposit(amount)?,
            metadata,
        })
    }

    /// Takes `amount` out of an account. As [`Ledger::withdraw`].
    ///
    /// # Errors
    ///
    /// [`WithdrawError::InsufficientFunds`] if the balance is below `amount`;
    /// [`WithdrawError::UnknownAccount`] if no open account has this number.
    #[inline]
    pub fn withdraw(
        &self,
        number: AccountNumber,
        amount: Amount,
    ) -> Result<Updated<'_, Metadata>, WithdrawError> {
        let Entry {
            account, metadata, ..
        } = self.entry(number)?;
        Ok(Updated {
            balance: account.withdraw(amount)?,
            metadata,
        })
    }

    /// Closes an account for good and returns the balance that was left on it. As [`Ledger::close`].
    ///
    /// # Errors
    ///
    /// [`UnknownAccount`] if no open account has this number.
    pub fn close(&self, number: AccountNumber) -> Result<Cents, UnknownAccount> {
        let entry = self.entry(number)?;
        lifecycle::close(
            &entry.account,
            || self.unlink(number, entry.created),
            &self.ledger.capacity,
        )
    }

    /// The accounts in order of creation, from the first one created after `cursor`; from the very
    /// first without a cursor.
    ///
    /// It takes a logarithm of the number of accounts to get to the first, wherever that is. The
    /// listing is weakly consistent: an account that is open throughout appears exactly once, one that
    /// is created or closed meanwhile at most once. Each balance is read as the listing comes by.
    pub fn accounts_after(
        &self,
        cursor: Option<CreationNumber>,
    ) -> impl Iterator<Item = AccountView<'_, Metadata>> {
        self.ledger
            .creation_index
            .after(cursor)
            .filter_map(|(created, number)| {
                let entry = self.entry(number).ok()?;
                let balance = entry.account.balance().ok()?;
                Some(AccountView {
                    number,
                    created,
                    balance,
                    metadata: &entry.metadata,
                })
            })
    }

    /// Opens an account whose number was drawn elsewhere. There has to be room for it, and none of its number.
    #[cfg(feature = "durable")]
    pub(crate) fn enter(&self, number: AccountNumber, balance: Cents, metadata: Metadata) {
        self.enter_as(number, balance, metadata, || {
            self.ledger.creation_index.insert(number)
        });
    }

    /// As [`enter`](Self::enter), at a place in the order of creation that `insert` gives it.
    #[cfg(feature = "durable")]
    pub(crate) fn enter_as(
        &self,
        number: AccountNumber,
        balance: Cents,
        metadata: Metadata,
        insert: impl FnOnce() -> CreationNumber,
    ) {
        let entered = lifecycle::open(&self.ledger.capacity, || {
            let entry = Entry {
                account: Account::open(balance),
                created: insert(),
                metadata,
            };
            self.accounts.insert(number, entry);
        });
        debug_assert!(entered.is_ok(), "the one who enters keeps to the limit");
    }

    /// Sets an account's balance, after `note` was told its metadata. For one thread at a time, which alone
    /// changes this ledger.
    #[cfg(feature = "durable")]
    pub(crate) fn settle(
        &self,
        number: AccountNumber,
        balance: Cents,
        note: impl FnOnce(&Metadata),
    ) {
        if let Ok(entry) = self.entry(number) {
            note(&entry.metadata);
            entry.account.settle(balance);
        }
    }

    /// What is kept beside the balance of an open account.
    #[cfg(feature = "durable")]
    pub(crate) fn metadata(&self, number: AccountNumber) -> Option<&Metadata> {
        self.entry(number).ok().map(|entry| &entry.metadata)
    }

    #[inline]
    pub(crate) fn entry(&self, number: AccountNumber) -> Result<&Entry<Metadata>, UnknownAccount> {
        self.accounts.get(&number).ok_or(UnknownAccount)
    }

    /// Puts an account in the creation index, then into the map. In this order no account can be found, and
    /// closed, before it is in the creation index, so none stays there for good.
    fn publish(&self, account: Account, metadata: Metadata) -> AccountNumber {
        let creation_index = &self.ledger.creation_index;
        let mut number = AccountNumber::random();
        let mut entry = Entry {
            account,
            created: creation_index.insert(number),
            metadata,
        };
        // The loop ends at its first turn, unless one number is drawn twice out of 2^122.
        while let Err(taken) = self.accounts.try_insert(number, entry) {
            entry = taken.not_inserted;
            creation_index.remove(entry.created);
            number = AccountNumber::random();
            entry.created = creation_index.insert(number);
        }
        number
    }

    fn unlink(&self, number: AccountNumber, created: CreationNumber) {
        self.accounts.remove(&number);
        self.ledger.creation_index.remove(created);
    }
}

impl<Metadata> fmt::Debug for Session<'_, Metadata> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("ledger", self.ledger)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_account_leaves_nothing_behind() {
        let ledger = Ledger::new(100);
        let session = ledger.pin();
        let created: Vec<_> = (0..100)
            .map(|_| session.create(Cents::ZERO, ()).unwrap())
            .collect();
        for (closed, number) in created.iter().enumerate() {
            assert_eq!(session.accounts.len(), 100 - closed);
            // Its cell is closed: a listing would not show that it is still in the creation index.
            assert_eq!(ledger.creation_index.after(None).count(), 100 - closed);
            session.close(*number).unwrap();
        }
        assert_eq!(session.accounts.len(), 0);
        assert_eq!(ledger.creation_index.after(None).count(), 0);
    }
}
