//! Two reports side by side: how many times faster, and whether that is more than noise.

#![expect(clippy::float_arithmetic, reason = "ratios of rates, not money")]

use std::fmt::Write;

use comfy_table::{CellAlignment, Table};
use schemars::JsonSchema;
use serde::Serialize;

use super::report::{BenchReport, CaseReport, RoundReport};
use super::table::{STYLE, title};
use crate::client::Broken;
use crate::present::quantity::{rate, time};

/// The fewest rounds on each side that can show a difference: if both sides were alike, all rounds of one
/// would lie above all of the other by chance once in ten times with three rounds, in 126 with five.
const ROUNDS_MIN: usize = 3;

/// Two reports, measure by measure.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Comparison {
    /// What was measured, and how.
    a: String,
    b: String,
    /// Whether both were measured on machines that look alike, with the same settings.
    same_machine: bool,
    same_settings: bool,
    rows: Vec<Row>,
}

/// One measure of a case that both have.
#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    case: String,
    measure: &'static str,
    /// The medians over the rounds: operations a second, or nanoseconds.
    a: f64,
    b: f64,
    /// Of the medians, and of the single rounds that are furthest apart.
    ratio: f64,
    lowest: f64,
    highest: f64,
    verdict: &'static str,
    #[serde(skip)]
    more_is_better: bool,
    #[serde(skip)]
    text: fn(f64) -> String,
}

impl Comparison {
    /// B against A.
    pub(crate) fn new(a: &BenchReport, b: &BenchReport) -> Result<Self, Broken> {
        let mut rows = Vec::new();
        for case_a in &a.cases {
            let name = case_a.name(&a.workers);
            let same = |case: &&CaseReport| case.name(&b.workers) == name;
            let Some(case_b) = b.cases.iter().find(same) else {
                continue;
            };
            for measure in MEASURES {
                let Some(ratio) = Ratio::new(case_a, case_b, measure.of) else {
                    continue;
                };
                rows.push(Row {
                    case: name.clone(),
                    measure: measure.name,
                    a: ratio.a,
                    b: ratio.b,
                    ratio: ratio.of_medians,
                    lowest: ratio.lowest,
                    highest: ratio.highest,
                    verdict: ratio.verdict(measure),
                    more_is_better: measure.more_is_better,
                    text: measure.text,
                });
            }
        }
        if rows.is_empty() {
            return Err(Broken::new(
                "the two reports have no case in common that was measured in both",
            ));
        }
        Ok(Self {
            a: title(a),
            b: title(b),
            same_machine: a.machine == b.machine,
            same_settings: a.settings == b.settings,
            rows,
        })
    }

    /// As a table for people.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(STYLE)
            .set_header(["case", "", "A", "B", "B / A", "lowest", "highest", ""]);
        for column in table.column_iter_mut().skip(2).take(5) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in &self.rows {
            // The name once, before the first of its measures.
            let is_first = row.measure == MEASURES.first().map_or("", |it| it.name);
            table.add_row([
                if is_first {
                    row.case.clone()
                } else {
                    String::new()
                },
                row.measure.to_owned(),
                (row.text)(row.a),
                (row.text)(row.b),
                format!("{:.2}", row.ratio),
                format!("{:.2}", row.lowest),
                format!("{:.2}", row.highest),
                row.verdict.to_owned(),
            ]);
        }
        let mut text = format!("A: {}\n\nB: {}\n\n{table}\n", self.a, self.b);
        if !self.same_machine {
            let _ = writeln!(text, "The machines differ: the ratios are of machines too.");
        }
        if !self.same_settings {
            let _ = writeln!(text, "The settings differ: see above.");
        }
        let _ = writeln!(text, "{EXPLANATION}");
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Result<String, Broken> {
        let json = serde_json::to_string_pretty(self).map_err(Broken::new)?;
        Ok(json + "\n")
    }

    /// The cases in which the median of B is worse than that of A by more than so many percent, and not within the
    /// noise, a line each.
    pub(crate) fn worse_by_more_than(&self, percent: f64) -> Vec<String> {
        let least = 1.0 - percent / 100.0;
        let rows = self.rows.iter().filter(|row| {
            let speed = match row.more_is_better {
                true => row.ratio,
                false => 1.0 / row.ratio,
            };
            row.verdict == WORSE && speed < least
        });
        rows.map(|row| format!("{}: {} is {:.2} of A", row.case, row.measure, row.ratio))
            .collect()
    }
}

/// What is said of a measure that is worse beyond the noise.
const WORSE: &str = "B is worse";

const EXPLANATION: &str = "\
B / A is the ratio of the medians over the rounds; lowest and highest are the ratios of single rounds that are
furthest apart. Where rounds of A and B overlap, the difference is within the noise. A machine that was busier
during one of the runs makes a difference too: run both again, in the other order, before you believe one.";

/// Something that both are compared by.
struct Measure {
    name: &'static str,
    of: fn(&RoundReport) -> f64,
    text: fn(f64) -> String,
    more_is_better: bool,
}

const MEASURES: &[Measure] = &[
    Measure {
        name: "ops/s",
        of: |round| round.per_second,
        text: rate,
        more_is_better: true,
    },
    Measure {
        name: "p50",
        of: |round| round.latency.p50 as f64,
        text: |nanoseconds| time(nanoseconds as u64),
        more_is_better: false,
    },
    Measure {
        name: "p99",
        of: |round| round.latency.p99 as f64,
        text: |nanoseconds| time(nanoseconds as u64),
        more_is_better: false,
    },
];

/// How two sets of rounds relate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio {
    /// The median of each.
    a: f64,
    b: f64,
    of_medians: f64,
    lowest: f64,
    highest: f64,
    enough_rounds: bool,
}

impl Ratio {
    fn new(a: &CaseReport, b: &CaseReport, of: fn(&RoundReport) -> f64) -> Option<Self> {
        let range = |case: &CaseReport| {
            let values = case.rounds.iter().map(of);
            let lowest = values.clone().fold(f64::INFINITY, f64::min);
            (lowest, values.fold(0.0, f64::max))
        };
        let (median_a, median_b) = (
            a.median(|round| Some(of(round)))?,
            b.median(|round| Some(of(round)))?,
        );
        let ((lowest_a, highest_a), (lowest_b, highest_b)) = (range(a), range(b));
        (lowest_a > 0.0 && lowest_b > 0.0).then(|| Self {
            a: median_a,
            b: median_b,
            of_medians: median_b / median_a,
            lowest: lowest_b / highest_a,
            highest: highest_b / lowest_a,
            enough_rounds: a.rounds.len().min(b.rounds.len()) >= ROUNDS_MIN,
        })
    }

    fn verdict(&self, measure: &Measure) -> &'static str {
        let more = self.lowest > 1.0;
        let less = self.highest < 1.0;
        match (self.enough_rounds, more || less) {
            (false, _) => "too few rounds to tell",
            (true, false) => "within the noise",
            (true, true) if more == measure.more_is_better => "B is better",
            (true, true) => WORSE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::Latency;

    fn case(rates: &[f64]) -> CaseReport {
        let nothing = Latency {
            p50: 5,
            p90: 5,
            p99: 5,
            p99_9: 5,
            max: 5,
        };
        CaseReport {
            mix: "read".to_owned(),
            workers: 2,
            rounds: rates
                .iter()
                .map(|rate| RoundReport {
                    began_s: 0.0,
                    per_second: *rate,
                    latency: nothing,
                    slices: Vec::new(),
                    processors: None,
                    memory: None,
                })
                .collect(),
            latency: nothing,
            percentiles: Vec::new(),
            refused: 0,
            errors: [].into(),
        }
    }

    fn verdict(a: &[f64], b: &[f64]) -> &'static str {
        let measure = &MEASURES[0];
        Ratio::new(&case(a), &case(b), measure.of)
            .unwrap()
            .verdict(measure)
    }

    #[test]
    fn only_what_does_not_overlap_is_a_difference() {
        assert_eq!(
            verdict(&[1.0, 2.0, 3.0], &[2.5, 4.0, 5.0]),
            "within the noise"
        );
        assert_eq!(verdict(&[1.0, 2.0, 3.0], &[3.5, 4.0, 5.0]), "B is better");
        assert_eq!(verdict(&[3.5, 4.0, 5.0], &[1.0, 2.0, 3.0]), "B is worse");
        assert_eq!(
            verdict(&[1.0, 2.0], &[3.5, 4.0, 5.0]),
            "too few rounds to tell"
        );
        assert!(Ratio::new(&case(&[]), &case(&[1.0]), MEASURES[0].of).is_none());
    }

    #[test]
    fn a_ratio_is_of_medians_and_its_spread_of_extremes() {
        let ratio = Ratio::new(
            &case(&[1.0, 2.0, 4.0]),
            &case(&[2.0, 6.0, 8.0]),
            MEASURES[0].of,
        )
        .unwrap();
        assert_eq!(
            (ratio.of_medians, ratio.lowest, ratio.highest),
            (3.0, 0.5, 8.0)
        );
    }

    #[test]
    fn reports_without_a_common_case_cannot_be_compared() {
        let mut a = BenchReport::new("a".to_owned(), "threads", Vec::new());
        let mut b = a.clone();
        a.cases = vec![case(&[1.0, 2.0, 3.0])];
        b.cases = vec![CaseReport {
            workers: 3,
            ..case(&[1.0])
        }];
        assert!(Comparison::new(&a, &b).is_err());
        b.cases.push(case(&[1.0]));
        let compared = Comparison::new(&a, &b).unwrap();
        assert!(compared.text().contains("too few rounds"));
        assert!(compared.json().unwrap().contains("\"measure\": \"ops/s\""));
    }

    #[test]
    fn only_what_is_worse_by_more_than_the_threshold_and_beyond_the_noise_fails() {
        let compared = |b: &[f64]| {
            let mut reports = [[10.0, 10.1, 10.2].as_slice(), b].map(|rates| {
                let mut report = BenchReport::new("a".to_owned(), "threads", Vec::new());
                report.cases = vec![case(rates)];
                report
            });
            let [a, b] = &mut reports;
            Comparison::new(a, b).unwrap()
        };
        assert_eq!(compared(&[9.0, 9.1, 9.2]).worse_by_more_than(5.0).len(), 1);
        assert!(
            compared(&[9.0, 9.1, 9.2])
                .worse_by_more_than(20.0)
                .is_empty()
        );
        assert!(
            compared(&[9.0, 9.1, 11.0])
                .worse_by_more_than(5.0)
                .is_empty()
        );
        assert!(
            compared(&[12.0, 12.1, 12.2])
                .worse_by_more_than(5.0)
                .is_empty()
        );
    }
}
