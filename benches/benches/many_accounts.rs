//! A thousand accounts, which fit into the cache, and a million, which do not.
//!
//! `cargo bench -p cashpoint-benches --bench many_accounts`; add `-- --quick` for a first look.

use cashpoint_benches::{
    Bare, BareLoop, Batches, DashMapDefault, DashMapSameHash, GlobalLock, InSession,
    MutexPerAccount, PapayaDefault, PerOperation, SccDefault, ShardedLock, bench,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn many_accounts(criterion: &mut Criterion) {
    for (group, accounts) in [("1k-accounts", 1_000), ("1m-accounts", 1_000_000)] {
        bench::<Bare>(criterion, group, accounts);
        bench::<BareLoop>(criterion, group, accounts);
        bench::<Batches>(criterion, group, accounts);
        bench::<InSession>(criterion, group, accounts);
        bench::<PerOperation>(criterion, group, accounts);
        bench::<PapayaDefault>(criterion, group, accounts);
        bench::<DashMapSameHash>(criterion, group, accounts);
        bench::<DashMapDefault>(criterion, group, accounts);
        bench::<SccDefault>(criterion, group, accounts);
        bench::<ShardedLock>(criterion, group, accounts);
        bench::<GlobalLock>(criterion, group, accounts);
        bench::<MutexPerAccount>(criterion, group, accounts);
    }
}

criterion_group!(benches, many_accounts);
criterion_main!(benches);
