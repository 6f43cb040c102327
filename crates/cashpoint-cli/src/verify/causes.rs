//! What breaks many rules at once, and is told once: a field that answers should not have, another content type.

use std::collections::BTreeMap;

use super::contract::Deviation;
use super::report::{Finding, PhaseReport};

/// How many rules are named that one cause breaks.
const NAMED_MAX: usize = 3;

/// The causes of deviations that were seen.
#[derive(Debug, Default)]
pub(super) struct Causes(BTreeMap<String, Cause>);

#[derive(Debug)]
struct Cause {
    first: Deviation,
    rules: Vec<&'static str>,
}

impl Causes {
    /// Keeps those deviations from a rule whose cause is known, and returns the others, if there are any.
    pub(super) fn sift(
        &mut self,
        rule: &'static str,
        deviations: Vec<Deviation>,
    ) -> Option<Vec<Deviation>> {
        let mut others = Vec::new();
        for deviation in deviations {
            let Some(cause) = deviation.cause.clone() else {
                others.push(deviation);
                continue;
            };
            let known = self.0.entry(cause).or_insert(Cause {
                first: deviation,
                rules: Vec::new(),
            });
            if known.rules.last() != Some(&rule) {
                known.rules.push(rule);
            }
        }
        (!others.is_empty()).then_some(others)
    }

    /// Tells of each once.
    pub(super) fn tell(self, phase: &mut PhaseReport) {
        for (what, Cause { first, rules }) in self.0 {
            let named: Vec<_> = rules.iter().copied().take(NAMED_MAX).collect();
            let more = match rules.len().saturating_sub(NAMED_MAX) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let mut finding = Finding::new(what);
            finding.details = first.lines();
            let broken = format!("not so, for that alone: {}{more}", named.join("; "));
            finding.details.push(broken);
            phase.finding(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deviation(cause: Option<&str>) -> Deviation {
        let request = "GET /".to_owned();
        Deviation {
            request,
            contract: "a".to_owned(),
            answered: "b".to_owned(),
            cause: cause.map(str::to_owned),
        }
    }

    #[test]
    fn one_cause_is_one_finding_and_hides_nothing_else() {
        let mut causes = Causes::default();
        let extra = || deviation(Some("an extra field"));
        for rule in ["one", "two", "three", "four"] {
            assert_eq!(causes.sift(rule, vec![extra(), extra()]), None);
        }
        let others = causes.sift("five", vec![extra(), deviation(None)]);
        assert_eq!(others, Some(vec![deviation(None)]));
        let mut phase = PhaseReport::new("test");
        causes.tell(&mut phase);
        let [finding] = phase.findings.as_slice() else {
            panic!("{:?}", phase.findings);
        };
        assert_eq!(finding.what, "an extra field");
        let rules = finding.details.last().unwrap();
        assert_eq!(rules, "not so, for that alone: one; two; three; and 2 more");
    }
}
