//! What a run found, phase by phase.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::books::Totals;
use super::evidence::Evidence;
use super::subject::Oddities;
use crate::client::Broken;
use crate::present::quantity::grouped;

/// The version of this form, for programs that read it.
const FORMAT: u32 = 2;

/// A whole run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct VerifyReport {
    pub(super) format: u32,
    /// What was verified.
    pub(super) subject: String,
    /// The version of the program that verified.
    pub(super) cashpoint: String,
    /// When the run began, in UTC.
    pub(super) began: String,
    /// How it was verified, as pairs of a name and a value for a person. Programs get numbers as numbers.
    #[serde(serialize_with = "with_numbers")]
    #[schemars(with = "Vec<(String, NumberOrText)>")]
    pub(super) settings: Vec<(String, String)>,
    pub(super) verdict: Verdict,
    pub(super) phases: Vec<PhaseReport>,
}

/// The value of a setting as programs get it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `with_numbers` writes")]
enum NumberOrText {
    Number(u64),
    Text(String),
}

/// Pairs, in which what is a whole number is one.
fn with_numbers<S: Serializer>(
    settings: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let pairs = settings.iter().map(|(name, value)| {
        let value = value.replace(',', "").parse::<u64>();
        (name, value)
    });
    let texts = settings.iter().map(|(_, value)| value);
    serializer.collect_seq(pairs.zip(texts).map(|((name, number), text)| match number {
        Ok(number) => (name, Value::from(number)),
        Err(_) => (name, Value::from(text.as_str())),
    }))
}

/// What is to be said of a subject, or of one phase of its verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Nothing was found that is wrong.
    Acquitted,
    /// It was not asked for, or it was not possible to look; the phase says why.
    Skipped,
    /// It was looked at in part only, and what was seen is not wrong.
    Undecided,
    /// Something is wrong.
    Convicted,
}

/// What came of one phase.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct PhaseReport {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// What was looked at, as sentences.
    pub(super) facts: Vec<String>,
    pub(super) findings: Vec<Finding>,
    /// Errors after which it is unknown what was done, by kind. They convict nobody.
    pub(super) errors: BTreeMap<String, u64>,
    /// How many creations and closings were never answered, and may take effect after the phase.
    pub(super) loose: u64,
    /// What was recorded and judged, if the phase is one of histories.
    pub(super) recorded: Option<Recorded>,
    /// The money on what was open at the end.
    pub(super) totals: Option<Totals>,
}

/// Histories, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Recorded {
    pub(super) operations: u64,
    pub(super) accounts: u64,
    /// Withdrawals that were refused for want of funds.
    pub(super) refused: u64,
    /// Operations that were not answered.
    pub(super) unknown: u64,
    /// How long recording took, by the clock on the wall.
    pub(super) seconds: f64,
    /// How much time of a processor judging took.
    pub(super) processor_seconds: f64,
}

/// Something that is wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Finding {
    /// What is wrong, as a sentence.
    pub(super) what: String,
    /// How often it was seen.
    pub(super) count: u64,
    /// What shows it, a line each.
    pub(super) details: Vec<String>,
    /// The history that shows it.
    pub(super) history: Option<Evidence>,
}

impl Finding {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            count: 1,
            details: Vec::new(),
            history: None,
        }
    }
}

impl PhaseReport {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::Acquitted,
            facts: Vec::new(),
            findings: Vec::new(),
            errors: BTreeMap::new(),
            loose: 0,
            recorded: None,
            totals: None,
        }
    }

    pub(super) fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            facts: vec![why.into()],
            ..Self::new(name)
        }
    }

    pub(super) fn fact(&mut self, fact: impl Into<String>) {
        self.facts.push(fact.into());
    }

    pub(super) fn finding(&mut self, finding: Finding) {
        self.verdict = Verdict::Convicted;
        self.findings.push(finding);
    }

    /// Not everything could be looked at.
    pub(super) fn undecided(&mut self, why: impl Into<String>) {
        self.verdict = self.verdict.max_with(Verdict::Undecided);
        self.facts.push(why.into());
    }

    pub(super) fn oddities(&mut self, oddities: Oddities) {
        for (kind, (count, example)) in oddities.wrong {
            self.finding(Finding {
                what: kind,
                count,
                details: vec![example],
                history: None,
            });
        }
        for (kind, count) in oddities.errors {
            *self.errors.entry(kind).or_default() += count;
        }
    }
}

impl Verdict {
    /// The graver of two.
    pub(super) fn max_with(self, other: Self) -> Self {
        if self as u8 >= other as u8 {
            self
        } else {
            other
        }
    }
}

impl VerifyReport {
    pub(super) fn new(subject: String, settings: Vec<(String, String)>) -> Self {
        Self {
            format: FORMAT,
            subject,
            cashpoint: env!("CARGO_PKG_VERSION").to_owned(),
            began: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string(),
            settings,
            verdict: Verdict::Skipped,
            phases: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, mut phase: PhaseReport) {
        if phase.loose > 0 {
            phase.fact(format!(
                "up to {} accounts may be left there, for as many creations and closings were not answered",
                grouped(phase.loose)
            ));
        }
        // A phase that was skipped takes nothing from what the others say.
        self.verdict = match (self.verdict, phase.verdict) {
            (Verdict::Skipped, Verdict::Acquitted) => Verdict::Acquitted,
            (verdict, Verdict::Skipped) => verdict,
            (verdict, other) => verdict.max_with(other),
        };
        self.phases.push(phase);
    }

    /// How many creations and closings were never answered, and may yet take effect.
    pub(super) fn loose(&self) -> u64 {
        self.phases.iter().map(|phase| phase.loose).sum()
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The report as a file that programs read.
    pub(crate) fn json(&self) -> Result<String, Broken> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(Broken::new)
    }
}
