//! What is done to a target: which operations, on which accounts, in an order that a seed fixes.

use std::fmt;
use std::str::FromStr;

use cashpoint::Amount;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

/// What every deposit and withdrawal moves: one cent.
pub(super) const AMOUNT: Amount = match Amount::from_cents(1) {
    Some(amount) => amount,
    None => unreachable!(),
};

/// In which proportions balances are read, and money is put in and taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    reads: u32,
    deposits: u32,
    withdrawals: u32,
}

/// The mixes that have a name.
const NAMED: [(&str, Mix); 5] = [
    ("read", Mix::new(1, 0, 0)),
    ("deposit", Mix::new(0, 1, 0)),
    ("withdraw", Mix::WITHDRAW),
    ("transact", Mix::new(0, 1, 1)),
    ("mixed", Mix::new(8, 1, 1)),
];

/// The largest part of a mix.
const PART_MAX: u32 = 1_000_000;

impl Mix {
    /// Withdrawals alone.
    pub(crate) const WITHDRAW: Self = Self::new(0, 0, 1);

    const fn new(reads: u32, deposits: u32, withdrawals: u32) -> Self {
        Self {
            reads,
            deposits,
            withdrawals,
        }
    }

    /// Which action has this place in `0..self.parts()`.
    fn action(self, place: u32) -> Action {
        if place < self.reads {
            Action::Read
        } else if place < self.reads + self.deposits {
            Action::Deposit
        } else {
            Action::Withdraw
        }
    }

    fn parts(self) -> u32 {
        self.reads + self.deposits + self.withdrawals
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.iter().find(|(_, mix)| mix == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}:{}:{}", self.reads, self.deposits, self.withdrawals),
        }
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, mix)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*mix);
        }
        let parts: Option<Vec<u32>> = text
            .split(':')
            .map(|part| part.parse().ok().filter(|part| *part <= PART_MAX))
            .collect();
        match parts.as_deref() {
            Some(&[reads, deposits, withdrawals]) if reads + deposits + withdrawals > 0 => {
                Ok(Self::new(reads, deposits, withdrawals))
            }
            _ => Err(
                "a mix is read, deposit, withdraw, transact (deposits and withdrawals), mixed \
                 (8:1:1), or READS:DEPOSITS:WITHDRAWALS such as 90:5:5"
                    .to_owned(),
            ),
        }
    }
}

/// How the operations are spread over the accounts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Skew {
    /// Each account as often as any other.
    Uniform,
    /// The n-th account in proportion to n to the power of minus this exponent.
    Zipf(f64),
    /// One account alone.
    Hot,
}

/// The exponent that YCSB made customary.
const ZIPF_EXPONENT: f64 = 0.99;

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(exponent) => write!(f, "zipf:{exponent}"),
            Self::Hot => f.write_str("hot"),
        }
    }
}

impl FromStr for Skew {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let zipf = text
            .strip_prefix("zipf:")
            .and_then(|text| text.parse().ok());
        match (text, zipf) {
            ("uniform", _) => Ok(Self::Uniform),
            ("hot", _) => Ok(Self::Hot),
            ("zipf", _) => Ok(Self::Zipf(ZIPF_EXPONENT)),
            (_, Some(exponent)) if (0.0..=10.0).contains(&exponent) => Ok(Self::Zipf(exponent)),
            _ => Err(
                "a skew is uniform, hot (one account alone), zipf, or zipf:EXPONENT from 0 to 10"
                    .to_owned(),
            ),
        }
    }
}

/// What is done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Read,
    Deposit,
    Withdraw,
}

impl Action {
    /// By how many cents it changes the balance, if it takes effect.
    pub(super) fn cents(self) -> i64 {
        match self {
            Self::Read => 0,
            Self::Deposit => AMOUNT.cents().get(),
            Self::Withdraw => -AMOUNT.cents().get(),
        }
    }
}

/// One operation, on the account with this index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) account: usize,
    pub(super) action: Action,
}

/// An endless sequence of steps. Equal seeds give equal sequences.
#[derive(Debug)]
pub(super) struct Steps {
    random: Xoshiro256PlusPlus,
    mix: Mix,
    accounts: Accounts,
}

#[derive(Debug)]
enum Accounts {
    Uniform(usize),
    Zipf(Zipf<f64>),
    First,
}

impl Steps {
    pub(super) fn new(mix: Mix, skew: Skew, accounts: usize, seed: u64) -> Self {
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            mix,
            accounts: match skew {
                Skew::Hot => Accounts::First,
                Skew::Uniform => Accounts::Uniform(accounts),
                Skew::Zipf(exponent) => {
                    Zipf::new(accounts as f64, exponent).map_or(Accounts::First, Accounts::Zipf)
                }
            },
        }
    }

    pub(super) fn next(&mut self) -> Step {
        let account = match &self.accounts {
            Accounts::First => 0,
            Accounts::Uniform(count) => self.random.random_range(0..*count),
            // Its samples are whole numbers from 1 to the number of accounts.
            Accounts::Zipf(ranks) => ranks.sample(&mut self.random) as usize - 1,
        };
        Step {
            account,
            action: self
                .mix
                .action(self.random.random_range(0..self.mix.parts())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(mix: &str, skew: &str) -> ([usize; 3], Vec<usize>) {
        let (mix, skew) = (mix.parse().unwrap(), skew.parse().unwrap());
        let mut steps = Steps::new(mix, skew, 10, 1);
        let (mut by_action, mut by_account) = ([0; 3], vec![0; 10]);
        for _ in 0..10_000 {
            let step = steps.next();
            by_action[step.action as usize] += 1;
            by_account[step.account] += 1;
        }
        (by_action, by_account)
    }

    #[test]
    fn mixes_are_kept() {
        assert_eq!(counts("read", "uniform").0, [10_000, 0, 0]);
        assert_eq!(counts("withdraw", "uniform").0, [0, 0, 10_000]);
        let ([reads, deposits, withdrawals], _) = counts("90:5:5", "uniform");
        assert!((8_800..9_200).contains(&reads), "{reads}");
        assert!((400..600).contains(&deposits), "{deposits}");
        assert!((400..600).contains(&withdrawals), "{withdrawals}");
    }

    #[test]
    fn skews_are_kept() {
        let uniform = counts("read", "uniform").1;
        assert!(
            uniform.iter().all(|count| (850..1_150).contains(count)),
            "{uniform:?}"
        );
        let zipf = counts("read", "zipf:1").1;
        // The harmonic number of 10 is 2.93: the first account has 34 %, the second half of that.
        assert!((3_200..3_650).contains(&zipf[0]), "{zipf:?}");
        assert!((1_550..1_880).contains(&zipf[1]), "{zipf:?}");
        assert!(zipf[9] > 0, "{zipf:?}");
        assert_eq!(counts("read", "hot").1[0], 10_000);
    }

    #[test]
    fn names_are_read_back() {
        for text in ["read", "deposit", "withdraw", "transact", "mixed", "3:2:1"] {
            assert_eq!(text.parse::<Mix>().unwrap().to_string(), text);
        }
        for text in ["uniform", "hot", "zipf:1.2"] {
            assert_eq!(text.parse::<Skew>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "reads",
            "1:2",
            "0:0:0",
            "-1:1:1",
            "1:1:1:1",
            "9999999:1:1",
        ] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
        for text in ["", "zipf:", "zipf:nan", "zipf:-1", "zipf:11", "zipf:inf"] {
            assert!(text.parse::<Skew>().is_err(), "{text}");
        }
    }
}
