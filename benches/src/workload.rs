//! What the contestants do.

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Balances are read.
    Read,
    /// Deposits only.
    Deposit,
    /// Withdrawals only, all covered.
    Withdraw,
    /// Deposits and withdrawals by turns.
    DepositWithdraw,
    /// Of ten operations eight are reads, one a deposit, one a withdrawal.
    Mixed,
}

impl Workload {
    /// Its name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deposit => "deposit",
            Self::Withdraw => "withdraw",
            Self::DepositWithdraw => "deposit-withdraw",
            Self::Mixed => "mixed",
        }
    }

    fn step(self, number: usize) -> Step {
        match (self, number % 10) {
            (Self::Read, _) | (Self::Mixed, 0..8) => Step::Balance,
            (Self::Deposit, _) | (Self::Mixed, 8) => Step::Deposit,
            (Self::DepositWithdraw, digit) if digit % 2 == 0 => Step::Deposit,
            _ => Step::Withdraw,
        }
    }
}

/// One operation. Money moves by the cent.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Read a balance.
    Balance,
    /// Add a cent.
    Deposit,
    /// Take a cent.
    Withdraw,
}

/// The most steps that a thread prepares, and then does over and over: enough to touch a million accounts.
const STEPS_MAX: usize = 1 << 20;

/// The fewest: they fit into a core's own cache, so that reading them costs everybody little.
const STEPS_MIN: usize = 1 << 13;

/// A thread's steps: accounts that look random, the same for every contestant.
pub(crate) fn steps<Key: Copy>(
    workload: Workload,
    keys: &[Key],
    thread: usize,
) -> Vec<(Key, Step)> {
    let mut state = thread as u64;
    (0..keys.len().clamp(STEPS_MIN, STEPS_MAX))
        .filter_map(|number| {
            let account = usize::try_from(splitmix64(&mut state) % keys.len() as u64).ok()?;
            Some((*keys.get(account)?, workload.step(number)))
        })
        .collect()
}

/// The next of a sequence of numbers that look random (Steele, Lea and Flood, 2014).
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
