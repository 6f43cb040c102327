//! How long a server takes for an answer, and what follows for a run: where that is long it is smaller, and whoever waits
//! is told how long it will take.

use std::time::{Duration, Instant};

use super::contract;
use super::server::Server;

/// How often it is asked to find out.
const ASKED: usize = 5;

/// From here on an answer takes long.
const LONG: Duration = Duration::from_millis(20);

/// How long it may take to open the accounts of a part of the run, one after another, and how few of them will do.
const OPENING_MAX: Duration = Duration::from_secs(3);
const FEW_ACCOUNTS: usize = 4;

/// How long each part under load may take, unless the number of operations is given.
pub(super) const PART_MAX: Duration = Duration::from_secs(15);

/// The same where a short time will do.
pub(super) const SHORT_PART_MAX: Duration = Duration::from_secs(5);

/// How long one answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forecast {
    pub(super) answer: Duration,
}

impl Forecast {
    /// Asks the server, at its pace. One that does not answer is taken for a quick one: the phases tell that it does not.
    pub(super) fn ask(server: &Server) -> Self {
        let mut connection = server.connect();
        let mut times = Vec::with_capacity(ASKED);
        for _ in 0..ASKED {
            let began = Instant::now();
            // A refusal takes about as long as a deposit, and changes nothing.
            let path = "/accounts/0/deposit";
            let body = Some("{\"amount\":1}");
            match server.exchange(&mut connection, "POST", path, body) {
                Ok(_) => times.push(began.elapsed()),
                Err(_) => break,
            }
        }
        times.sort_unstable();
        let answer = times.get(times.len() / 2).copied().unwrap_or_default();
        Self { answer }
    }

    /// Whether an answer takes so long that the user is told how long the run takes.
    pub(super) fn is_slow(self) -> bool {
        self.answer >= LONG
    }

    /// How many accounts to put under load, where there are `usually` so many.
    pub(super) fn accounts(self, usually: usize) -> usize {
        let fit = OPENING_MAX.as_micros() / self.answer.as_micros().max(1);
        usually.min(usize::try_from(fit).unwrap_or(usually).max(FEW_ACCOUNTS))
    }

    /// How long `requests` take, one after another.
    pub(super) fn of(self, requests: u64) -> Duration {
        self.answer
            .saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX))
    }

    /// About how long it takes to hold the rules, if it does, and to have `parts` under load that last as long as they may, with
    /// so many accounts.
    pub(super) fn time(self, with_rules: bool, parts: u32, accounts: usize) -> Duration {
        let rules = self.of(if with_rules { contract::REQUESTS } else { 0 });
        // One after another each account is opened, read, closed and looked for, and so is the one before it.
        let around = self.of(6 * accounts as u64);
        rules + (PART_MAX + around) * parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_server_is_asked_for_less() {
        let forecast = |millis| Forecast {
            answer: Duration::from_millis(millis),
        };
        assert_eq!(forecast(0).accounts(100), 100);
        assert_eq!(forecast(30).accounts(100), 100);
        assert_eq!(forecast(300).accounts(100), 10);
        assert_eq!(forecast(10_000).accounts(100), FEW_ACCOUNTS);
        assert_eq!(forecast(10_000).accounts(2), 2);
        assert!(!forecast(1).is_slow() && forecast(300).is_slow());
    }

    /// A whole run against a server that took 300 ms for each answer took 458 s, when a part took 20 s at most.
    #[test]
    fn the_time_that_is_told_is_about_the_time_that_it_takes() {
        let forecast = Forecast {
            answer: Duration::from_millis(300),
        };
        let told = forecast.time(true, 4, forecast.accounts(100)).as_secs();
        assert!((400..500).contains(&told), "{told} s");
    }
}
