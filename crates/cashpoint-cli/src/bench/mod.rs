//! `cashpoint bench`: measures the engine, the durable ledger or a server of the contract, and checks its books.
//!
//! # Invariants
//!
//! - The books: after the run each balance is what was acknowledged, to the cent (`books`). A target that is
//!   fast and wrong fails.
//! - Cases take turns: every round measures each of them once, so that a slow moment of the machine hits
//!   all. What is compared are medians over rounds; their spread is always shown.
//! - With a rate, latency counts from when an operation was to begin (`http::event_loop`).
//! - Equal seeds give equal operations.
//!
//! # The way of a run
//!
//! A target opens accounts. For each round and case: warm-up, measurement, the answers that are still under way. Then
//! the target comes to rest (the durable ledger is opened again), then the books, then the accounts are closed, then
//! the report is written, also after an interruption.
//!
//! `workload` says what is done, `target` what a target is; `engine`, `durable` and `http` are the three there are.
//! `record` is what a thread measures, `runner` gets it measured, `report` keeps it, `table`, `page` and
//! `plot` show it, `compare` holds two of them against each other.

mod books;
mod compare;
mod durable;
mod engine;
mod file_system;
mod http;
mod meter;
mod page;
mod plot;
mod record;
mod report;
mod runner;
mod table;
mod target;
mod workload;

pub(crate) use compare::Comparison;
pub(crate) use durable::Submissions;
pub(crate) use engine::Calls;
pub(crate) use file_system::file_system;
pub(crate) use http::Manner;
pub(crate) use page::page;
pub(crate) use report::BenchReport;
pub(crate) use runner::{Plan, Subject, run};
pub(crate) use table::{csv, markdown, table};
pub(crate) use target::Case;
pub(crate) use workload::{Mix, Skew};
