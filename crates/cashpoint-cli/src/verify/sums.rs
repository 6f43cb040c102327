//! Which sums move.

use cashpoint::Cents;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, RngExt as _};

use super::history::Action;

/// The small sums, in cents. Not all are exact in binary.
const SMALL: [i64; 8] = [1, 2, 3, 5, 10, 20, 37, 100];

/// A sum that is often more than there is.
const OFTEN_TOO_MUCH: i64 = 400;

/// What an account is opened with where sums are small, in cents.
const SMALL_INITIAL: i64 = 500;

/// What moves, and how often an account is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sums {
    /// Small sums, up to so many cents, on low balances, so that many withdrawals compete for the last money on an account.
    /// That is where most faults show.
    Small(i64),
    /// Sums up to so many cents, mostly paid in, on an account that is never closed: past what 32 bits hold, what a
    /// binary float of 32 bits counts exactly, and what is printed without an exponent.
    Large(i64),
}

impl Sums {
    /// What an account is opened with, in cents.
    pub(super) fn initial(self) -> Cents {
        let cents = match self {
            Self::Small(most) => SMALL_INITIAL.min(most),
            Self::Large(largest) => largest,
        };
        Cents::new(cents).unwrap_or_default()
    }

    /// Whether accounts are closed meanwhile.
    pub(super) fn closes(self) -> bool {
        matches!(self, Self::Small(_))
    }

    /// Draws what is done next, other than to close.
    pub(super) fn draw(self, random: &mut Xoshiro256PlusPlus) -> Action {
        let small = SMALL.get(random.random_range(0..SMALL.len()));
        let (Self::Small(most) | Self::Large(most)) = self;
        let small = small.copied().unwrap_or(OFTEN_TOO_MUCH).min(most);
        match (self, random.random_range(0..16)) {
            (_, 0..4) => Action::Balance,
            (Self::Small(_), 4..9) => Action::Deposit(small),
            (Self::Small(_), 9..15) => Action::Withdraw(small),
            (Self::Small(most), _) => Action::Withdraw(OFTEN_TOO_MUCH.min(most)),
            (Self::Large(largest), 4..12) => Action::Deposit(largest),
            (Self::Large(largest), 12) => Action::Withdraw(largest),
            (Self::Large(_), 13) => Action::Withdraw(small),
            (Self::Large(largest), 14) => {
                Action::Withdraw(1 + (random.next_u64() % largest.unsigned_abs()) as i64)
            }
            (Self::Large(_), _) => Action::Deposit(small),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn large_sums_get_past_what_small_types_hold_within_a_short_run() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let sums = Sums::Large(1_000_000);
        let mut cents = sums.initial().get();
        for _ in 0..6_000 {
            match sums.draw(&mut random) {
                Action::Deposit(sum) => cents += sum,
                Action::Withdraw(sum) if sum <= cents => cents -= sum,
                _ => {}
            }
        }
        assert!(cents > i64::from(i32::MAX) && cents > 100 << 24, "{cents}");
    }

    #[test]
    fn no_sum_is_larger_than_the_server_allows() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        for sums in [Sums::Small(50), Sums::Large(50), Sums::Small(1)] {
            let (Sums::Small(most) | Sums::Large(most)) = sums;
            assert!((1..=most).contains(&sums.initial().get()));
            for _ in 0..1_000 {
                if let Action::Deposit(sum) | Action::Withdraw(sum) = sums.draw(&mut random) {
                    assert!((1..=most).contains(&sum), "{sums:?} {sum}");
                }
            }
        }
    }
}
