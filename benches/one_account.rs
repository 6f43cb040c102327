//! One account that everybody uses: what contention costs.
//!
//! `cargo bench --bench one_account`; add `-- --quick` for a first look.

#[path = "contestants/mod.rs"]
mod contestants;

use std::sync::atomic::AtomicI64;

use contestants::{Bare, InSession, Mutexes, PerOperation, bench};
use criterion::{Criterion, criterion_group, criterion_main};

fn one_account(criterion: &mut Criterion) {
    const GROUP: &str = "one-account";
    bench::<Bare<AtomicI64>>(criterion, GROUP, 1);
    bench::<InSession>(criterion, GROUP, 1);
    bench::<PerOperation>(criterion, GROUP, 1);
    bench::<Mutexes>(criterion, GROUP, 1);
}

criterion_group!(benches, one_account);
criterion_main!(benches);
