//! Contestants under criterion.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::race::{Contestant, Race};
use crate::workload::Workload;

/// Benchmarks one contestant on `accounts`: reads, writes and a mixture, on one thread and on all.
///
/// # Panics
///
/// If it loses money.
pub fn bench<C: Contestant>(criterion: &mut Criterion, group: &str, accounts: usize) {
    let mut race = Race::<C>::new(accounts);
    let threads_max = std::thread::available_parallelism().map_or(1, usize::from);
    for workload in [Workload::Read, Workload::DepositWithdraw, Workload::Mixed] {
        for threads in [1, threads_max] {
            let steps = race.prepare(workload, threads);
            let name = format!("{group}/{}/{threads}-threads", workload.name());
            let mut group = criterion.benchmark_group(name);
            group
                .warm_up_time(Duration::from_millis(200))
                .measurement_time(Duration::from_secs(1))
                .sample_size(20)
                .throughput(Throughput::Elements(threads as u64));
            group.bench_function(BenchmarkId::from_parameter(C::NAME), |bencher| {
                bencher.iter_custom(|iterations| race.run(&steps, iterations));
            });
            group.finish();
            race.check_books();
        }
    }
}
