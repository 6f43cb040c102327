//! One account that everybody uses: what contention costs.
//!
//! `cargo bench -p cashpoint-benches --bench one_account`; add `-- --quick` for a first look.

use cashpoint_benches::{
    Bare, BareLoop, Batches, DashMapDefault, GlobalLock, InSession, MutexPerAccount, PapayaDefault,
    PerOperation, SccDefault, ShardedLock, bench,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn one_account(criterion: &mut Criterion) {
    const GROUP: &str = "one-account";
    bench::<Bare>(criterion, GROUP, 1);
    bench::<BareLoop>(criterion, GROUP, 1);
    bench::<Batches>(criterion, GROUP, 1);
    bench::<InSession>(criterion, GROUP, 1);
    bench::<PerOperation>(criterion, GROUP, 1);
    bench::<PapayaDefault>(criterion, GROUP, 1);
    bench::<DashMapDefault>(criterion, GROUP, 1);
    bench::<SccDefault>(criterion, GROUP, 1);
    bench::<ShardedLock>(criterion, GROUP, 1);
    bench::<GlobalLock>(criterion, GROUP, 1);
    bench::<MutexPerAccount>(criterion, GROUP, 1);
}

criterion_group!(benches, one_account);
criterion_main!(benches);
