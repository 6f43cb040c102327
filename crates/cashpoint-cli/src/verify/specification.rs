//! What an account is, one operation after another. This is all that the checker knows of money.

use schemars::JsonSchema;
use serde::Serialize;

use super::history::{Action, Outcome};

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It holds this many cents.
    Open(i64),
    /// It is gone, for good.
    Closed,
}

/// What an operation that was answered so asks of an account, and makes of it.
///
/// It is what the contract says of each action and outcome, in numbers: a checker compares it with a great many
/// states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// The balances, in cents, with which an open account has it: from the least to the most. Where the least is
    /// more than the most, no open account has it.
    least: i64,
    most: i64,
    /// What becomes of an open account.
    change: Change,
    /// Whether a closed account has it. It stays closed.
    on_closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// So many cents are added. Within the bounds of the balances this does not overflow.
    Add(i64),
    Close,
}

impl Effect {
    /// No account has it.
    const NONE: Self = Self {
        least: i64::MAX,
        most: i64::MIN,
        change: Change::Add(0),
        on_closed: false,
    };

    /// The effect of `action`, if `outcome` is what its caller was told.
    ///
    /// With [`Outcome::Unknown`], the effect that it has if it has one.
    pub(super) fn of(action: Action, outcome: Outcome) -> Self {
        use Outcome::{Balance, Closed, InsufficientFunds, Unknown, UnknownAccount};
        match (action, outcome) {
            (Action::Balance | Action::List, Balance(told)) => Self::add(0, told, told),
            (Action::Deposit(sum), Balance(told)) => match told.checked_sub(sum) {
                Some(before) => Self::add(sum, before, before),
                None => Self::NONE,
            },
            (Action::Deposit(sum), Unknown) => Self::add(sum, i64::MIN, i64::MAX - sum),
            (Action::Withdraw(sum), Balance(told)) if told >= 0 => match told.checked_add(sum) {
                Some(before) => Self::add(-sum, before, before),
                None => Self::NONE,
            },
            (Action::Withdraw(sum), Unknown) => Self::add(-sum, sum, i64::MAX),
            (Action::Withdraw(sum), InsufficientFunds) => Self::add(0, i64::MIN, sum - 1),
            (Action::Close, Closed | Unknown) => Self {
                least: i64::MIN,
                most: i64::MAX,
                change: Change::Close,
                on_closed: false,
            },
            (_, UnknownAccount) => Self {
                on_closed: true,
                ..Self::NONE
            },
            _ => Self::NONE,
        }
    }

    /// Whether it leaves the account as it was, whenever it was done.
    pub(super) fn leaves_as_it_was(&self) -> bool {
        self.change == Change::Add(0)
    }

    /// Whether an account in this state can have it.
    #[inline]
    pub(super) fn fits(&self, state: State) -> bool {
        match state {
            State::Open(balance) => (self.least <= balance) & (balance <= self.most),
            State::Closed => self.on_closed,
        }
    }

    /// On an account with any balance from `least` to `most`.
    fn add(cents: i64, least: i64, most: i64) -> Self {
        Self {
            least,
            most,
            change: Change::Add(cents),
            on_closed: false,
        }
    }
}

impl State {
    /// The state after an effect that the account has now, if it can have it.
    pub(super) fn after(self, effect: &Effect) -> Option<Self> {
        effect.fits(self).then(|| match (self, effect.change) {
            (Self::Open(balance), Change::Add(cents)) => Self::Open(balance + cents),
            (Self::Open(_), Change::Close) | (Self::Closed, _) => Self::Closed,
        })
    }
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
                Open(100).after(&Effect::of(action, outcome)),
                after,
                "{action:?} {outcome:?}"
            );
        }
    }

    #[test]
    fn balances_that_no_sum_leads_to_convict_and_do_not_overflow() {
        for (state, action, told) in [
            (Open(i64::MAX), Action::Deposit(1), i64::MIN),
            (Open(i64::MIN), Action::Withdraw(1), i64::MAX),
            (Open(-2), Action::Withdraw(1), -3),
            (Open(i64::MAX), Action::Deposit(1), i64::MAX),
        ] {
            let effect = Effect::of(action, Balance(told));
            assert_eq!(state.after(&effect), None, "{action:?} {told}");
        }
        let unknown = Effect::of(Action::Deposit(1), Unknown);
        assert_eq!(Open(i64::MAX).after(&unknown), None);
        assert_eq!(Open(i64::MAX - 1).after(&unknown), Some(Open(i64::MAX)));
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
            assert_eq!(
                Closed.after(&Effect::of(action, UnknownAccount)),
                Some(Closed)
            );
            for outcome in [Balance(0), InsufficientFunds, Unknown, Outcome::Closed] {
                assert_eq!(
                    Closed.after(&Effect::of(action, outcome)),
                    None,
                    "{action:?} {outcome:?}"
                );
            }
        }
    }
}
