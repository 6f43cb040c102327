//! All contestants by turns, in one run: the figures that `docs/benchmarking.md` compares.
//!
//! `cargo bench -p cashpoint-benches --bench ratios [-- --rounds 11] [-- 1k]`

use std::time::Duration;

use cashpoint_benches::{
    Arguments, Bare, BareLoop, Batches, Contestant, DashMapDefault, DashMapSameHash, Entrant,
    GlobalLock, InSession, MutexPerAccount, PapayaDefault, PerOperation, Race, SccDefault,
    ShardedLock, Workload, by_turns,
};

/// How long each contestant is measured in each round.
const TURN: Duration = Duration::from_millis(100);

/// A contestant with its accounts, without its type.
trait Runner {
    fn name(&self) -> &'static str;
    /// Nanoseconds for one operation on one of `threads`.
    fn measure(&mut self, workload: Workload, threads: usize) -> f64;
}

impl<C: Contestant> Runner for Race<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    #[expect(clippy::float_arithmetic, reason = "nanoseconds, not money")]
    fn measure(&mut self, workload: Workload, threads: usize) -> f64 {
        let steps = self.prepare(workload, threads);
        // The first pass warms the caches and says how many operations fill the turn.
        let passes = steps.first().map_or(1, Vec::len) as u64;
        let warm_up = self.run(&steps, passes).as_secs_f64() / passes as f64;
        let iterations = (TURN.as_secs_f64() / warm_up).clamp(1_000.0, 1e9) as u64;
        let elapsed = self.run(&steps, iterations);
        self.check_books();
        elapsed.as_secs_f64() * 1e9 / iterations as f64
    }
}

fn runners(accounts: usize) -> Vec<Box<dyn Runner>> {
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
        .filter(|(name, ..)| arguments.include(name))
        .collect();
        if cases.is_empty() {
            continue;
        }
        let mut runners = runners(accounts);
        for (name, workload, threads) in cases {
            let entrants = runners.iter_mut().map(|runner| {
                Entrant::new(runner.name(), move || runner.measure(workload, threads))
            });
            by_turns(&name, "ns/op", arguments.rounds, entrants.collect());
        }
    }
}
