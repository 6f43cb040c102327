//! The phase that holds every rule of the contract against a server.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::causes::Causes;
use super::checks;
use super::contract::{self, Deviation, Unanswered, Verdict};
use super::report::{Finding, PhaseReport};
use super::server::Server;
use crate::present::progress::Progress;

/// After so many rules in a row without an answer it is taken that nobody is there.
const SILENCE: usize = 10;

/// What came of holding the rules against a server.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) phase: PhaseReport,
    /// Whether a rule is broken that the original service keeps.
    pub(super) is_convicted: bool,
}

/// Holds every rule of the contract against the server.
pub(super) fn run(server: &Server, stop: &AtomicBool) -> Held {
    let mut phase = PhaseReport::new("contract");
    let rules = contract::rules();
    let progress = Progress::new("contract", rules.len() as u64);
    let (mut kept, mut broken, mut deviates_as_original, mut unanswered) = (0, 0, 0, 0);
    let mut causes = Causes::default();
    for rule in &rules {
        if stop.load(Relaxed) {
            phase.undecided("stopped before the end");
            break;
        }
        if unanswered == SILENCE {
            phase.undecided(format!(
                "{SILENCE} rules in a row had no answer, so the rest was not asked for"
            ));
            break;
        }
        let held = contract::hold(rule, server);
        progress.advance(1);
        unanswered = match held.verdict {
            Verdict::Unanswered(_) => unanswered + 1,
            _ => 0,
        };
        match held.verdict {
            Verdict::Kept => kept += 1,
            Verdict::Deviates(_) if rule.counts && phase.loose > 0 => phase.fact(format!(
                "{}: not checked: what earlier rules asked for, and were not told of, may count",
                held.name
            )),
            Verdict::Deviates(deviations) => {
                broken += 1;
                deviates_as_original += usize::from(held.better);
                if let Some(deviations) = causes.sift(held.name, deviations) {
                    phase.finding(deviation(held.name, held.better, deviations));
                }
            }
            Verdict::Unanswered(Unanswered { request, why }) => {
                phase.loose += 1;
                phase.undecided(format!("{}: no answer to {request}: {why}", held.name));
            }
            Verdict::NotChecked(why) => phase.fact(format!("{}: not checked: {why}", held.name)),
        }
        if !held.left_open.is_empty() {
            // Their closing may yet take effect.
            phase.loose += held.left_open.len() as u64;
            let left = held.left_open.join(", ");
            phase.fact(format!(
                "{}: accounts that could not be closed: {left}",
                held.name
            ));
        }
    }
    progress.finish();
    causes.tell(&mut phase);
    let not_checked = rules.len() - kept - broken;
    let summary = format!("{kept} kept, {broken} broken, {not_checked} not checked");
    phase.facts.insert(0, summary);
    phase.fact(checks::not_covered());
    if deviates_as_original > 0 {
        phase.fact(format!(
            "{deviates_as_original} of the broken ones are where the contract asks for more than the service that it was \
             recorded from"
        ));
    }
    Held {
        phase,
        is_convicted: broken > deviates_as_original,
    }
}

fn deviation(rule: &str, better: bool, deviations: Vec<Deviation>) -> Finding {
    let original = if better {
        " (here the contract asks for more than the original did)"
    } else {
        ""
    };
    let mut finding = Finding::new(format!("not so: {rule}{original}"));
    finding.count = deviations.len() as u64;
    finding.details = deviations.iter().flat_map(Deviation::lines).collect();
    finding
}
