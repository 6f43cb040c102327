//! Cashpoint's engine beside what it competes with: the same steps, on the same accounts.
//!
//! Here are the contestants and the way they are run. The targets in `benches/` choose who runs on what:
//! `one_account` and `many_accounts` with criterion, `ratios` and `comings_and_goings` with all contestants
//! by turns, `instructions` under callgrind, `memory` by the bytes that an account takes. A package of its own, so that nobody who uses Cashpoint compiles
//! its competitors.

mod churn;
mod contestants;
mod criterion_bench;
mod race;
mod turns;
mod workload;

pub use churn::{Churn, close_and_create, deposit_beside_listings, list_beside_deposits};
pub use contestants::bare::{Bare, BareLoop};
pub use contestants::engine::{Batches, InSession, PerOperation};
pub use contestants::locks::{GlobalLock, MutexPerAccount, ShardedLock};
pub use contestants::maps::{DashMapDefault, DashMapSameHash, PapayaDefault, SccDefault};
pub use criterion_bench::bench;
pub use race::{Contestant, Race, Worker};
pub use turns::{Arguments, Entrant, by_turns};
pub use workload::{Step, Workload};
