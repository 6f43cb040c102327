//! What a run measured, as it is kept in a file and read back for comparisons.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::books::Check;
use super::record::{SLICE, new_histogram};
use super::target::Case;
use crate::client::Broken;

/// The version of this form. Files of another are not read.
const FORMAT: u32 = 1;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Deserialize)]
pub(crate) struct BenchReport {
    /// The version of this form.
    pub(super) format: u32,
    /// What was measured.
    pub(super) target: String,
    /// What its workers are called: threads or connections.
    pub(super) workers: String,
    /// The version of the program that measured.
    pub(super) cashpoint: String,
    /// When the run began, in UTC.
    pub(super) began: String,
    pub(super) machine: Machine,
    /// How it was measured, as pairs of a name and a value for a person.
    pub(super) settings: Vec<(String, String)>,
    /// How long each of the slices of throughput is, in seconds.
    pub(super) slice_s: f64,
    pub(super) cases: Vec<CaseReport>,
    /// What was seen beside the cases, as pairs of a name and a text for a person.
    #[serde(default)]
    pub(super) seen: Vec<(String, String)>,
    /// What the books said.
    pub(super) books: Reconciliation,
    /// The user stopped it before its end.
    pub(super) interrupted: bool,
}

/// Whether the money is where it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reconciliation {
    Checked(Check),
    /// Not known, and why.
    Unchecked(String),
}

/// Where it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Deserialize)]
pub(super) struct Machine {
    pub(super) system: String,
    pub(super) processor: String,
    pub(super) processors: usize,
}

impl Machine {
    pub(super) fn here() -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
        let processor = system
            .cpus()
            .first()
            .map(|cpu| cpu.brand().trim().to_owned());
        Self {
            system: format!(
                "{} {}",
                sysinfo::System::long_os_version().unwrap_or_default(),
                std::env::consts::ARCH
            ),
            processor: processor.unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// One case, over all its rounds.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Deserialize)]
pub(super) struct CaseReport {
    /// The mix of operations.
    pub(super) mix: String,
    /// How many threads or connections.
    pub(super) workers: usize,
    pub(super) rounds: Vec<RoundReport>,
    /// Of all rounds together.
    pub(super) latency: Latency,
    /// Latencies in nanoseconds by the part of operations that took no longer.
    pub(super) percentiles: Vec<(f64, u64)>,
    pub(super) refused: u64,
    pub(super) errors: BTreeMap<String, u64>,
}

/// One round of a case.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Deserialize)]
pub(super) struct RoundReport {
    /// When it began, in seconds since the run began.
    pub(super) began_s: f64,
    /// Operations a second.
    pub(super) per_second: f64,
    pub(super) latency: Latency,
    /// Operations in each slice.
    pub(super) slices: Vec<u64>,
    /// How many processors the target kept busy.
    pub(super) processors: Option<f64>,
    /// The most memory that the target was seen to have, in bytes.
    pub(super) memory: Option<u64>,
}

/// Latencies in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
pub(super) struct Latency {
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) p99_9: u64,
    pub(super) max: u64,
}

impl Latency {
    pub(super) fn new(latencies: &Histogram<u64>) -> Self {
        Self {
            p50: latencies.value_at_quantile(0.5),
            p90: latencies.value_at_quantile(0.9),
            p99: latencies.value_at_quantile(0.99),
            p99_9: latencies.value_at_quantile(0.999),
            max: latencies.max(),
        }
    }
}

impl CaseReport {
    /// One that was not measured yet.
    pub(super) fn new(case: &Case) -> Self {
        let nothing = new_histogram();
        Self {
            mix: case.mix.to_string(),
            workers: case.workers,
            rounds: Vec::new(),
            latency: Latency::new(&nothing),
            percentiles: Vec::new(),
            refused: 0,
            errors: BTreeMap::new(),
        }
    }

    /// Its name, which is the same in another run of the same case.
    pub(super) fn name(&self, workers: &str) -> String {
        let workers = match self.workers {
            1 => workers.trim_end_matches('s'),
            _ => workers,
        };
        format!("{}, {} {workers}", self.mix, self.workers)
    }

    /// The median over the rounds of what `of` gives.
    pub(super) fn median(&self, of: impl Fn(&RoundReport) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.rounds.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// Operations a second: the median round.
    pub(super) fn per_second(&self) -> f64 {
        self.median(|round| Some(round.per_second)).unwrap_or(0.0)
    }

    /// Operations a second: the slowest and the fastest round.
    pub(super) fn per_second_range(&self) -> (f64, f64) {
        let rates = self.rounds.iter().map(|round| round.per_second);
        let lowest = rates.clone().fold(f64::INFINITY, f64::min);
        (lowest, rates.fold(0.0, f64::max))
    }

    /// The most memory that the target was seen to have.
    pub(super) fn memory(&self) -> Option<u64> {
        self.rounds.iter().filter_map(|round| round.memory).max()
    }
}

/// The curve of latencies by percentile, with the more points the closer to the end.
pub(super) fn percentiles(latencies: &Histogram<u64>) -> Vec<(f64, u64)> {
    const POINTS_PER_HALVING: u32 = 5;
    let values = latencies.iter_quantiles(POINTS_PER_HALVING);
    values
        .map(|value| (value.quantile_iterated_to(), value.value_iterated_to()))
        .collect()
}

impl BenchReport {
    pub(super) fn new(target: String, workers: &str, settings: Vec<(String, String)>) -> Self {
        Self {
            format: FORMAT,
            target,
            workers: workers.to_owned(),
            cashpoint: env!("CARGO_PKG_VERSION").to_owned(),
            began: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string(),
            machine: Machine::here(),
            settings,
            slice_s: SLICE.as_secs_f64(),
            cases: Vec::new(),
            seen: Vec::new(),
            books: Reconciliation::Unchecked("nothing was measured".to_owned()),
            interrupted: false,
        }
    }

    /// Fails if the books do not balance, or if a case could not be measured.
    pub(crate) fn verdict(&self) -> Result<(), Broken> {
        match &self.books {
            Reconciliation::Checked(check) if check.balanced() => {}
            Reconciliation::Checked(_) => return Err(Broken::new("the books do not balance")),
            Reconciliation::Unchecked(why) => {
                return Err(Broken(format!("the books could not be checked: {why}")));
            }
        }
        if self.interrupted {
            return Err(Broken::new("stopped before the end"));
        }
        let nothing = |case: &&CaseReport| case.rounds.iter().all(|round| round.per_second <= 0.0);
        match self.cases.iter().find(nothing) {
            Some(case) => Err(Broken(format!(
                "no operation succeeded: {}",
                case.name(&self.workers)
            ))),
            None => Ok(()),
        }
    }

    /// Reads one that was written with [`json`](BenchReport::json).
    pub(crate) fn read(path: &Path) -> Result<Self, Broken> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let at = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Broken(format!("{at} cannot be read: {error}")))?;
        match serde_json::from_str(&text) {
            Ok(Version { format: FORMAT }) => {}
            Ok(Version { format }) => {
                return Err(Broken(format!(
                    "{at} was written by another version: its format is {format}, not {FORMAT}"
                )));
            }
            Err(error) => {
                return Err(Broken(format!(
                    "{at} is no report of cashpoint bench: {error}"
                )));
            }
        }
        serde_json::from_str(&text)
            .map_err(|error| Broken(format!("{at} is no report of cashpoint bench: {error}")))
    }

    /// The report as a file that programs read.
    pub(crate) fn json(&self) -> Result<String, Broken> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(Broken::new)
    }
}
