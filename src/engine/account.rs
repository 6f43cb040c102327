//! The cell: one account's money in one atomic word. Every compare-and-swap loop on a balance is here.

use super::sync::AtomicI64;
use super::sync::Ordering::{AcqRel, Acquire};
use crate::values::change::Refusal;
use crate::values::error::{DepositError, UnknownAccount, WithdrawError};
use crate::values::money::{Amount, Cents};
use crate::values::operation::Operation;
use crate::values::rules::{after_deposit, after_withdrawal};

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
    #[inline]
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
    #[inline]
    pub fn deposit(&self, amount: Amount) -> Result<Cents, DepositError> {
        self.replace(|balance| after_deposit(balance, amount))
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
    #[inline]
    pub fn withdraw(&self, amount: Amount) -> Result<Cents, WithdrawError> {
        self.replace(|balance| after_withdrawal(balance, amount))
    }

    /// Does `operation`: as [`balance`](Account::balance), [`deposit`](Account::deposit) or
    /// [`withdraw`](Account::withdraw).
    ///
    /// # Errors
    ///
    /// Those of the operation.
    #[inline]
    pub fn operate(&self, operation: Operation) -> Result<Cents, Refusal> {
        Ok(match operation {
            Operation::Balance => self.balance()?,
            Operation::Deposit(amount) => self.deposit(amount)?,
            Operation::Withdraw(amount) => self.withdraw(amount)?,
        })
    }

    /// Does several operations in one atomic step, and appends what came of each to `outcomes`, in their
    /// order.
    ///
    /// Each is decided on the balance that the one before it left, as if they were done one after
    /// another; a refusal does not stop those that follow. No other operation takes effect in between,
    /// and no reader sees a balance in between. So a thread that has many operations to do on a busy
    /// account pays for one contended step, and not for one each. Lock-free.
    ///
    /// # Linearization
    ///
    /// All take effect at the compare-exchange that installs the last one's balance. If they leave the
    /// balance as it was, nothing is written, and they take effect at the read.
    pub fn apply(
        &self,
        operations: impl Iterator<Item = Operation> + Clone,
        outcomes: &mut Vec<Result<Cents, Refusal>>,
    ) {
        let start = outcomes.len();
        let result = self.replace(|balance| {
            // What an earlier turn of the loop decided, it decided on a balance that is gone.
            outcomes.truncate(start);
            let mut after = balance;
            outcomes.extend(operations.clone().map(|operation| {
                let outcome = operation.on(after);
                after = outcome.unwrap_or(after);
                outcome
            }));
            if after == balance {
                Err(Untouched::Unchanged)
            } else {
                Ok(after)
            }
        });
        if let Err(Untouched::Unknown) = result {
            outcomes.truncate(start);
            outcomes.extend(operations.map(|_| Err(UnknownAccount.into())));
        }
    }

    /// Sets the balance. Wait-free.
    ///
    /// For the one thread that alone changes this account, and decided on the balance elsewhere. An account
    /// that is closed stays so.
    ///
    /// # Linearization
    ///
    /// At the compare-exchange.
    #[cfg(any(feature = "durable", loom))]
    pub(crate) fn settle(&self, balance: Cents) {
        let _: Result<Cents, UnknownAccount> = self.replace(|_| Ok(balance));
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
    #[inline]
    fn replace<E: From<UnknownAccount>>(
        &self,
        mut decide: impl FnMut(Cents) -> Result<Cents, E>,
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

/// Why several operations at once wrote nothing.
enum Untouched {
    /// They leave the balance as it was.
    Unchanged,
    /// The account is closed.
    Unknown,
}

impl From<UnknownAccount> for Untouched {
    fn from(_: UnknownAccount) -> Self {
        Self::Unknown
    }
}

/// The balance in a state, unless it is `CLOSED`.
#[inline]
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
    fn each_of_several_operations_is_decided_on_what_the_one_before_left() {
        let account = Account::open(cents(100));
        let operations = [
            Operation::Withdraw(amount(101)),
            Operation::Deposit(amount(1)),
            Operation::Withdraw(amount(101)),
            Operation::Balance,
            Operation::Deposit(Amount::MAX),
            Operation::Deposit(amount(1)),
        ];
        let mut outcomes = vec![Ok(cents(7))];
        account.apply(operations.into_iter(), &mut outcomes);
        assert_eq!(
            outcomes,
            [
                Ok(cents(7)),
                Err(Refusal::InsufficientFunds {
                    available: cents(100)
                }),
                Ok(cents(101)),
                Ok(Cents::ZERO),
                Ok(Cents::ZERO),
                Ok(Cents::MAX),
                Err(Refusal::BalanceLimit {
                    balance: Cents::MAX
                }),
            ]
        );
        assert_eq!(account.balance(), Ok(Cents::MAX));
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
        let mut outcomes = Vec::new();
        account.apply([Operation::Balance].into_iter(), &mut outcomes);
        assert_eq!(outcomes, [Err(Refusal::UnknownAccount)]);
    }
}
