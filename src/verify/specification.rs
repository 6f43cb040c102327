//! What an account is, one operation after another. This is all that the checker knows of money.

use serde::Serialize;

use super::history::{Action, Outcome};

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It holds this many cents.
    Open(i64),
    /// It is gone, for good.
    Closed,
}

impl State {
    /// The state after an operation that is done now, if `outcome` is then what its caller may be told.
    ///
    /// With [`Outcome::Unknown`], the state after its effect, if it has one.
    pub(super) fn after(self, action: Action, outcome: Outcome) -> Option<Self> {
        use Outcome::{Balance, Closed, InsufficientFunds, Unknown, UnknownAccount};
        let Self::Open(balance) = self else {
            return (outcome == UnknownAccount).then_some(Self::Closed);
        };
        match (action, outcome) {
            (Action::Balance | Action::List, Balance(told)) => (told == balance).then_some(self),
            (Action::Deposit(sum), Balance(told)) => {
                (balance.checked_add(sum) == Some(told)).then_some(Self::Open(told))
            }
            (Action::Deposit(sum), Unknown) => balance.checked_add(sum).map(Self::Open),
            (Action::Withdraw(sum), Balance(told)) => {
                (sum <= balance && balance - sum == told).then_some(Self::Open(told))
            }
            (Action::Withdraw(sum), Unknown) => (sum <= balance).then(|| Self::Open(balance - sum)),
            (Action::Withdraw(sum), InsufficientFunds) => (balance < sum).then_some(self),
            (Action::Close, Closed | Unknown) => Some(Self::Closed),
            _ => None,
        }
    }
}

/// Whether an operation with this outcome leaves the account as it was, whenever it was done.
pub(super) fn leaves_as_it_was(action: Action, outcome: Outcome) -> bool {
    matches!(action, Action::Balance | Action::List)
        || matches!(
            outcome,
            Outcome::InsufficientFunds | Outcome::UnknownAccount
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Balance, InsufficientFunds, Unknown, UnknownAccount};
    use State::{Closed, Open};

    #[test]
    fn an_open_account_gives_the_answers_of_the_contract_and_no_others() {
        for (action, outcome, after) in [
            (Action::Balance, Balance(100), Some(Open(100))),
            (Action::Balance, Balance(99), None),
            (Action::Balance, UnknownAccount, None),
            (Action::List, Balance(100), Some(Open(100))),
            (Action::List, UnknownAccount, None),
            (Action::Deposit(10), Balance(110), Some(Open(110))),
            (Action::Deposit(10), Balance(100), None),
            (Action::Deposit(10), Balance(120), None),
            (Action::Deposit(10), UnknownAccount, None),
            (Action::Deposit(10), Unknown, Some(Open(110))),
            (Action::Withdraw(100), Balance(0), Some(Open(0))),
            (Action::Withdraw(101), Balance(-1), None),
            (Action::Withdraw(101), InsufficientFunds, Some(Open(100))),
            (Action::Withdraw(100), InsufficientFunds, None),
            (Action::Withdraw(100), Unknown, Some(Open(0))),
            (Action::Withdraw(101), Unknown, None),
            (Action::Close, Outcome::Closed, Some(Closed)),
            (Action::Close, Unknown, Some(Closed)),
            (Action::Close, UnknownAccount, None),
        ] {
            assert_eq!(
                Open(100).after(action, outcome),
                after,
                "{action:?} {outcome:?}"
            );
        }
    }

    #[test]
    fn a_closed_account_is_unknown_to_every_operation() {
        for action in [
            Action::Balance,
            Action::List,
            Action::Deposit(1),
            Action::Withdraw(1),
            Action::Close,
        ] {
            assert_eq!(Closed.after(action, UnknownAccount), Some(Closed));
            for outcome in [Balance(0), InsufficientFunds, Unknown, Outcome::Closed] {
                assert_eq!(
                    Closed.after(action, outcome),
                    None,
                    "{action:?} {outcome:?}"
                );
            }
        }
    }
}
