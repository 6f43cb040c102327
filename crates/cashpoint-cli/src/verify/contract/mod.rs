//! The REST contract, rule by rule.
//!
//! A rule is a sentence about the answers of a server, and a check that asks the server the few things which
//! show whether it is true. What is asked is chosen here, and nothing of it is random; what is answered may be
//! anything. The rules are those of the service that the contract was recorded from, and what ours does better there.
//! For what only ours has (idempotency keys, pages of the listing, statements, balances of the past) there are rules that
//! those are held to who offer it.
//!
//! What a rule relies on, and what it promises:
//!
//! - *Each stands alone.* It opens the accounts that it needs and closes them, also those that a server opened
//!   though it should have refused. No rule needs another to be kept, as far as that is possible: each
//!   request has a connection of its own, except where the connection is what the rule is about.
//! - *The settings are the server's.* The largest amount, the account limit, and which origins may call are
//!   asked for. A rule that they leave no way to check is not held against the server: it says why.
//! - *No answer is no deviation.* A server that says nothing, has no time (503 and its like), or cannot be reached,
//!   is convicted of nothing. One that says something that is not HTTP is.
//! - *It ends.* A rule begins no request after [`RULE_TIMEOUTS`] times the timeout of one, or [`RULE_REQUESTS_MAX`] times what an
//!   answer usually takes.
//! - *Money is text.* Sums are compared digit by digit, or as cents; none passes through a binary float.
//! - *Nobody else is at work.* What is counted (accounts in all) would be counted wrong.

mod accounts;
mod amounts;
mod connections;
mod cors;
mod customer;
mod health;
mod history;
mod invalid;
mod json;
mod keys;
mod listing;
mod pages;
mod paths;
mod pattern;
mod probe;
mod refusals;
mod request;
mod stop;
#[cfg(test)]
mod tests;
mod values;

use serde::Serialize;

use super::server::Server;
pub(super) use customer::largest_told;
pub(super) use keys::offers_keys;
use probe::Probe;
pub(super) use request::BUSY;
use stop::Stop;

/// How many times the timeout of a request a rule may take before it begins no more of them.
const RULE_TIMEOUTS: u32 = 5;

/// How many requests a rule may need: a server that takes long for each has time for so many.
const RULE_REQUESTS_MAX: u32 = 200;

/// How often a request is sent once more that a server had no time for, when it says that there is time.
const RETRIES: u32 = 3;

/// About how many requests all rules need.
pub(super) const REQUESTS: u64 = 1_000;

/// In cents, the largest amount that the rules take for granted. What a server does that allows less is not held
/// against it.
const EXAMPLES_MAX: i64 = 2_050;

/// The most deviations from one rule that are kept. A server that deviates once more is no worse.
const DEVIATIONS_MAX: usize = 4;

/// A rule of the contract.
#[derive(Debug)]
pub(super) struct Rule {
    /// The rule itself, as a sentence.
    pub(super) name: &'static str,
    /// Whether it asks for more than the service did that the contract was recorded from: who deviates is
    /// as the original, but not as the contract.
    pub(super) better: bool,
    /// Whether it counts accounts, so that one which is opened or closed meanwhile makes it look broken.
    pub(super) counts: bool,
    check: Check,
}

/// Asks a server what shows whether a rule is kept. Deviations are noted in the probe.
type Check = fn(&mut Probe<'_>) -> Result<(), Stop>;

impl Rule {
    const fn new(name: &'static str, check: Check) -> Self {
        Self {
            name,
            better: false,
            counts: false,
            check,
        }
    }

    const fn better(name: &'static str, check: Check) -> Self {
        Self {
            name,
            better: true,
            ..Self::new(name, check)
        }
    }

    const fn counting(self) -> Self {
        Self {
            counts: true,
            ..self
        }
    }
}

/// What came of a rule.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RuleReport {
    pub(super) name: &'static str,
    /// As [`Rule::better`].
    pub(super) better: bool,
    pub(super) verdict: Verdict,
    /// Accounts that were opened for it and could not be closed.
    pub(super) left_open: Vec<String>,
}

/// How a server stands to a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Kept,
    Deviates(Vec<Deviation>),
    /// There was no answer.
    Unanswered(Unanswered),
    /// The server's settings or state leave no way to check it, for this reason.
    NotChecked(String),
}

/// A request that was not answered as the contract says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Deviation {
    /// The request, in a line.
    pub(super) request: String,
    /// What the contract says. `<uuid>`, `<time>` and their like stand for any of that kind.
    pub(super) contract: String,
    /// What was answered.
    pub(super) answered: String,
    /// What is wrong, where that is a way of the server that has little to do with the rule, and breaks many of them.
    pub(super) cause: Option<String>,
}

impl Deviation {
    /// As lines for a person.
    pub(super) fn lines(&self) -> Vec<String> {
        vec![
            self.request.clone(),
            format!("  the contract: {}", self.contract),
            format!("  the server:   {}", self.answered),
        ]
    }
}

/// A request that was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unanswered {
    /// The request, in a line.
    pub(super) request: String,
    pub(super) why: String,
}

/// All rules, in the order of the contract.
pub(super) fn rules() -> Vec<&'static Rule> {
    let themes: [&'static [Rule]; 13] = [
        accounts::RULES,
        listing::RULES,
        health::RULES,
        refusals::RULES,
        keys::RULES,
        history::RULES,
        invalid::RULES,
        values::RULES,
        amounts::RULES,
        paths::RULES,
        connections::RULES,
        cors::RULES,
        pages::RULES,
    ];
    themes.into_iter().flatten().collect()
}

/// Holds a rule against the server.
pub(super) fn hold(rule: &Rule, server: &Server) -> RuleReport {
    let mut probe = Probe::new(server);
    let mut stopped = (rule.check)(&mut probe);
    if probe.deviates()
        && let Err(stop @ Stop::NotChecked(_)) = probe.need_amounts_up_to(EXAMPLES_MAX)
    {
        probe.excuse();
        stopped = Err(stop);
    }
    let left_open = probe.close_accounts();
    let deviations = probe.into_deviations();
    let verdict = match stopped {
        _ if !deviations.is_empty() => Verdict::Deviates(deviations),
        Err(Stop::Unanswered(unanswered)) => Verdict::Unanswered(unanswered),
        Err(Stop::NotChecked(why)) => Verdict::NotChecked(why),
        Ok(()) | Err(Stop::Deviates) => Verdict::Kept,
    };
    RuleReport {
        name: rule.name,
        better: rule.better,
        verdict,
        left_open,
    }
}
