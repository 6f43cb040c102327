//! Cashpoint's engine beside what it competes with: the same steps, on the same accounts.
//!
//! Here are the contestants and the way they are run. The targets in `benches/` choose who runs on what:
//! `one_account`, `many_accounts` and `comings_and_goings` with criterion, `ratios` with all contestants by
//! turns, `instructions` under callgrind. A package of its own, so that nobody who uses Cashpoint compiles
//! its competitors.

mod contestants;
mod criterion_bench;
mod race;
mod workload;

pub use contestants::bare::{Bare, BareLoop};
pub use contestants::engine::{Batches, InSession, PerOperation};
pub use contestants::locks::{GlobalLock, MutexPerAccount, ShardedLock};
pub use contestants::maps::{DashMapDefault, DashMapSameHash, PapayaDefault, SccDefault};
pub use criterion_bench::bench;
pub use race::{Contestant, Race, Worker};
pub use workload::{Step, Workload};
