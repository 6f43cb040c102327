//! Measuring by turns: each round measures everybody once, in an order that shifts; the median over the
//! rounds counts.
//!
//! Criterion measures one contestant after another, minutes apart, and a shared machine is not the same
//! machine minutes later.

/// Somebody who takes part, and how it is measured: once, in nanoseconds an operation.
pub struct Entrant<'a> {
    name: &'static str,
    measure: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Entrant<'a> {
    /// One of this name.
    #[must_use]
    pub fn new(name: &'static str, measure: impl FnMut() -> f64 + 'a) -> Self {
        Self {
            name,
            measure: Box::new(measure),
        }
    }
}

/// What the command line of a target asks for.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// How often everybody is measured.
    pub rounds: usize,
    filter: String,
}

impl Arguments {
    /// Reads `[--quick | --rounds N] [FILTER]`.
    #[must_use]
    pub fn parse() -> Self {
        let mut parsed = Self {
            rounds: 11,
            filter: String::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--quick" => parsed.rounds = 1,
                "--rounds" => {
                    let rounds = arguments.next().and_then(|text| text.parse().ok());
                    parsed.rounds = rounds.unwrap_or(parsed.rounds).max(1);
                }
                filter => parsed.filter = filter.to_owned(),
            }
        }
        parsed
    }

    /// Whether what is called so is to be measured.
    #[must_use]
    pub fn include(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }
}

/// How long the longest bar is, in characters.
const BAR_MAX: f64 = 24.0;

/// Measures, and prints a table in Markdown: medians, the lowest and highest round, the speed as a part of
/// the first entrant's, and a bar as long as the speed.
#[expect(clippy::float_arithmetic, reason = "ratios of times, not money")]
pub fn by_turns(name: &str, unit: &str, rounds: usize, mut entrants: Vec<Entrant<'_>>) {
    let mut taken = vec![Vec::new(); entrants.len()];
    for round in 0..rounds {
        for place in 0..entrants.len() {
            let turn = (place + round) % entrants.len();
            if let (Some(entrant), Some(taken)) = (entrants.get_mut(turn), taken.get_mut(turn)) {
                taken.push((entrant.measure)());
            }
        }
    }

    let medians: Vec<_> = taken.iter().map(|taken| median(taken)).collect();
    let first = medians.first().copied().unwrap_or(f64::NAN);
    let fastest = medians.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "\n### {name}\n\n| | {unit} | lowest | highest | speed | |\n|---|---:|---:|---:|---:|:---|"
    );
    for ((entrant, taken), median) in entrants.iter().zip(&taken).zip(medians) {
        let lowest = taken.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = taken.iter().copied().fold(0.0, f64::max);
        let bar = "█".repeat((fastest / median * BAR_MAX).round() as usize);
        println!(
            "| {} | {median:.1} | {lowest:.1} | {highest:.1} | {:.2} | {bar} |",
            entrant.name,
            first / median
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
