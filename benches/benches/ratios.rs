//! All contestants by turns, in one run: the figures that `BENCHMARKS.md` compares.
//!
//! `cargo bench -p cashpoint-benches --bench ratios [-- --rounds 11] [-- 1k]`
//!
//! Criterion measures one contestant after another, minutes apart, and a shared machine is not the same
//! machine minutes later. Here each round measures everybody once, in an order that shifts, and what
//! counts is the median over the rounds. Prints Markdown.

use std::time::Duration;

use cashpoint_benches::{
    Bare, BareLoop, Batches, Contestant, DashMapDefault, DashMapSameHash, GlobalLock, InSession,
    MutexPerAccount, PapayaDefault, PerOperation, Race, SccDefault, ShardedLock, Workload,
};

/// How long each contestant is measured in each round.
const TURN: Duration = Duration::from_millis(100);

/// Who takes part, without its type.
trait Entrant {
    fn name(&self) -> &'static str;
    /// Nanoseconds for one operation on one of `threads`.
    fn measure(&mut self, workload: Workload, threads: usize, turn: Duration) -> f64;
}

impl<C: Contestant> Entrant for Race<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    #[expect(clippy::float_arithmetic, reason = "nanoseconds, not money")]
    fn measure(&mut self, workload: Workload, threads: usize, turn: Duration) -> f64 {
        let steps = self.prepare(workload, threads);
        // The first pass warms the caches and says how many operations fill the turn.
        let passes = steps.first().map_or(1, Vec::len) as u64;
        let warm_up = self.run(&steps, passes).as_secs_f64() / passes as f64;
        let iterations = (turn.as_secs_f64() / warm_up).clamp(1_000.0, 1e9) as u64;
        let elapsed = self.run(&steps, iterations);
        self.check_books();
        elapsed.as_secs_f64() * 1e9 / iterations as f64
    }
}

fn entrants(accounts: usize) -> Vec<Box<dyn Entrant>> {
    vec![
        Box::new(Race::<Bare>::new(accounts)),
        Box::new(Race::<BareLoop>::new(accounts)),
        Box::new(Race::<Batches>::new(accounts)),
        Box::new(Race::<InSession>::new(accounts)),
        Box::new(Race::<PerOperation>::new(accounts)),
        Box::new(Race::<PapayaDefault>::new(accounts)),
        Box::new(Race::<DashMapSameHash>::new(accounts)),
        Box::new(Race::<DashMapDefault>::new(accounts)),
        Box::new(Race::<SccDefault>::new(accounts)),
        Box::new(Race::<ShardedLock>::new(accounts)),
        Box::new(Race::<GlobalLock>::new(accounts)),
        Box::new(Race::<MutexPerAccount>::new(accounts)),
    ]
}

struct Arguments {
    rounds: usize,
    filter: String,
}

impl Arguments {
    fn parse() -> Self {
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
}

fn main() {
    let arguments = Arguments::parse();
    let threads_max = std::thread::available_parallelism().map_or(1, usize::from);
    for (group, accounts) in [
        ("1-account", 1),
        ("1k-accounts", 1_000),
        ("1m-accounts", 1_000_000),
    ] {
        let cases: Vec<_> = [
            Workload::Read,
            Workload::Deposit,
            Workload::Withdraw,
            Workload::DepositWithdraw,
            Workload::Mixed,
        ]
        .into_iter()
        .flat_map(|workload| [1, threads_max].map(|threads| (workload, threads)))
        .map(|(workload, threads)| {
            let name = format!("{group}/{}/{threads}-threads", workload.name());
            (name, workload, threads)
        })
        .filter(|(name, ..)| name.contains(&arguments.filter))
        .collect();
        if cases.is_empty() {
            continue;
        }
        let mut entrants = entrants(accounts);
        for (name, workload, threads) in cases {
            print(
                &name,
                race(&mut entrants, workload, threads, arguments.rounds),
            );
        }
    }
}

/// What each took in each round, in nanoseconds, by name.
fn race(
    entrants: &mut [Box<dyn Entrant>],
    workload: Workload,
    threads: usize,
    rounds: usize,
) -> Vec<(&'static str, Vec<f64>)> {
    let mut results: Vec<_> = entrants
        .iter()
        .map(|entrant| (entrant.name(), Vec::new()))
        .collect();
    for round in 0..rounds {
        let count = entrants.len();
        for place in 0..count {
            let turn = (place + round) % count;
            if let (Some(entrant), Some((_, taken))) =
                (entrants.get_mut(turn), results.get_mut(turn))
            {
                taken.push(entrant.measure(workload, threads, TURN));
            }
        }
    }
    results
}

/// A table: medians, the lowest and highest round, and the speed as a part of the limit's.
#[expect(clippy::float_arithmetic, reason = "ratios of times, not money")]
fn print(name: &str, results: Vec<(&'static str, Vec<f64>)>) {
    let limit = results.first().map_or(0.0, |(_, taken)| median(taken));
    println!(
        "\n### {name}\n\n| | ns/op | lowest | highest | of the limit |\n|---|---:|---:|---:|---:|"
    );
    for (entrant, taken) in &results {
        let lowest = taken.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = taken.iter().copied().fold(0.0, f64::max);
        println!(
            "| {entrant} | {:.1} | {lowest:.1} | {highest:.1} | {:.2} |",
            median(taken),
            limit / median(taken)
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
