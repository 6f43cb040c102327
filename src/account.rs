//! The cell: one account's money in one atomic word. Every compare-and-swap loop on a balance is here.

use crate::error::{DepositError, UnknownAccount, WithdrawError};
use crate::money::{Amount, Cents};
use crate::sync::AtomicI64;
use crate::sync::Ordering::{AcqRel, Acquire};

/// The state of a closed account. No balance is negative, so no balance looks like it.
const CLOSED: i64 = i64::MIN;

/// One account: a balance in cents, or closed for good.
///
/// The whole state is one word, and every operation takes effect in one atomic step on it. So
/// operations on one account are linearizable, no reader ever sees a balance between two operations
/// or below zero, and a thread that is stopped anywhere in the middle of an operation blocks nobody.
///
/// [`Ledger`](crate::Ledger) keeps accounts by number. A cell on its own serves programs that have a
/// directory of their own.
///
/// # Memory ordering
///
/// Every successful change is an `AcqRel` read-modify-write and every read is `Acquire`. What a
/// thread wrote before an operation is therefore visible to whoever observes that operation's result,
/// and an observer of two accounts sees transfers between them in an order that can be explained.
#[derive(Debug)]
pub struct Account {
    /// `CLOSED`, or a balance in `0..=Cents::MAX`.
    state: AtomicI64,
}

impl Account {
    /// Opens an account that holds `initial`.
    #[must_use]
    pub fn open(initial: Cents) -> Self {
        Self {
            state: AtomicI64::new(initial.get()),
        }
    }

    /// Reads the balance. Wait-free.
    ///
    /// # Linearization
    ///
    /// At the load.
    ///
    /// # Errors
    ///
    /// [`UnknownAccount`] if the account has been closed.
    pub fn balance(&self) -> Result<Cents, UnknownAccount> {
        // ORDERING: Acquire, pairs with the release half of every change below.
        balance_in(self.state.load(Acquire))
    }

    /// Adds `amount` and returns the new balance.
    ///
    /// Lock-free: each retry means that another operation on this account took effect.
    ///
    /// # Linearization
    ///
    /// A deposit takes effect at the compare-exchange that installs the new balance; a refusal, at
    /// the read that it was decided on. A refusal writes nothing.
    ///
    /// # Errors
    ///
    /// [`DepositError::BalanceLimit`] if the balance would exceed [`Cents::MAX`];
    /// [`DepositError::UnknownAccount`] if the account has been closed.
    pub fn deposit(&self, amount: Amount) -> Result<Cents, DepositError> {
        self.replace(|balance| {
            balance
                .checked_add(amount)
                .ok_or(DepositError::BalanceLimit { balance })
        })
    }

    /// Takes `amount` out and returns the balance left.
    ///
    /// Lock-free: each retry means that another operation on this account took effect. The funds are
    /// checked on the very value that is replaced, so the balance is never negative, not even for an
    /// instant.
    ///
    /// # Linearization
    ///
    /// A withdrawal takes effect at the compare-exchange that installs the new balance; a refusal, at
    /// the read that it was decided on. A refusal writes nothing.
    ///
    /// # Errors
    ///
    /// [`WithdrawError::InsufficientFunds`] if the balance is below `amount`;
    /// [`WithdrawError::UnknownAccount`] if the account has been closed.
    pub fn withdraw(&self, amount: Amount) -> Result<Cents, WithdrawError> {
        self.replace(|available| {
            available
                .checked_sub(amount)
                .ok_or(WithdrawError::InsufficientFunds { available })
        })
    }

    /// Closes the account for good and returns the balance that was left on it. Wait-free.
    ///
    /// Of several callers exactly one gets the balance. Every later operation finds the account
    /// closed, also one that got hold of the cell before.
    ///
    /// # Linearization
    ///
    /// At the swap.
    ///
    /// # Errors
    ///
    /// [`UnknownAccount`] if the account had been closed before.
    pub fn close(&self) -> Result<Cents, UnknownAccount> {
        // ORDERING: AcqRel. Acquire pairs with the change that left this balance; Release pairs with
        // the Acquire loads of those who find the account closed.
        balance_in(self.state.swap(CLOSED, AcqRel))
    }

    /// Replaces the balance by what `decide` makes of it, unless `decide` refuses.
    fn replace<E: From<UnknownAccount>>(
        &self,
        decide: impl Fn(Cents) -> Result<Cents, E>,
    ) -> Result<Cents, E> {
        // ORDERING: Acquire here and on failure, because a refusal may be decided on what was read;
        // it pairs with the release half of the compare-exchange and of the swap in `close`.
        let mut observed = self.state.load(Acquire);
        loop {
            let next = decide(balance_in(observed)?)?;
            // ORDERING: AcqRel, pairs with the Acquire loads here and in `balance`. A balance that
            // went away and came back meanwhile (ABA) is harmless: it is the whole state.
            match self
                .state
                .compare_exchange_weak(observed, next.get(), AcqRel, Acquire)
            {
                Ok(_) => return Ok(next),
                Err(newer) => observed = newer,
            }
        }
    }
}

/// The balance in a state, unless it is `CLOSED`.
fn balance_in(state: i64) -> Result<Cents, UnknownAccount> {
    debug_assert!(state == CLOSED || (0..=Cents::MAX.get()).contains(&state));
    Cents::new(state).ok_or(UnknownAccount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(value: i64) -> Cents {
        Cents::new(value).unwrap()
    }

    fn amount(value: i64) -> Amount {
        Amount::new(cents(value)).unwrap()
    }

    #[test]
    fn deposits_and_withdrawals_move_exactly_their_amount() {
        let account = Account::open(cents(100));
        assert_eq!(account.deposit(amount(50)), Ok(cents(150)));
        assert_eq!(account.withdraw(amount(150)), Ok(Cents::ZERO));
        assert_eq!(account.balance(), Ok(Cents::ZERO));
    }

    #[test]
    fn a_withdrawal_above_the_balance_changes_nothing() {
        let account = Account::open(cents(100));
        let refused = WithdrawError::InsufficientFunds {
            available: cents(100),
        };
        assert_eq!(account.withdraw(amount(101)), Err(refused));
        assert_eq!(account.balance(), Ok(cents(100)));
    }

    #[test]
    fn a_deposit_above_the_largest_balance_changes_nothing() {
        let nearly_full = cents(Cents::MAX.get() - 1);
        let account = Account::open(nearly_full);
        let refused = DepositError::BalanceLimit {
            balance: nearly_full,
        };
        assert_eq!(account.deposit(amount(2)), Err(refused));
        assert_eq!(account.deposit(Amount::MAX), Err(refused));
        assert_eq!(account.balance(), Ok(nearly_full));
        assert_eq!(account.deposit(amount(1)), Ok(Cents::MAX));
    }

    #[test]
    fn a_closed_account_is_unknown_to_every_operation() {
        let account = Account::open(cents(100));
        assert_eq!(account.close(), Ok(cents(100)));
        assert_eq!(account.close(), Err(UnknownAccount));
        assert_eq!(account.balance(), Err(UnknownAccount));
        assert_eq!(
            account.deposit(amount(1)),
            Err(DepositError::UnknownAccount)
        );
        assert_eq!(
            account.withdraw(amount(1)),
            Err(WithdrawError::UnknownAccount)
        );
    }
}
