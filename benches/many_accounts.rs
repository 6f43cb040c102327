//! A thousand accounts, which fit into the cache, and a million, which do not.
//!
//! `cargo bench --bench many_accounts`; add `-- --quick` for a first look.

#[path = "contestants/mod.rs"]
mod contestants;

use std::sync::atomic::AtomicI64;

use contestants::{Bare, InSession, Mutexes, PerOperation, bench};
use criterion::{Criterion, criterion_group, criterion_main};
use crossbeam::utils::CachePadded;

fn many_accounts(criterion: &mut Criterion) {
    for (group, accounts) in [("1k-accounts", 1_000), ("1m-accounts", 1_000_000)] {
        bench::<Bare<AtomicI64>>(criterion, group, accounts);
        bench::<Bare<CachePadded<AtomicI64>>>(criterion, group, accounts);
        bench::<InSession>(criterion, group, accounts);
        bench::<PerOperation>(criterion, group, accounts);
        bench::<Mutexes>(criterion, group, accounts);
    }
}

criterion_group!(benches, many_accounts);
criterion_main!(benches);
