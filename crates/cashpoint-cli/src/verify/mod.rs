//! `cashpoint verify`: whether a server of the contract, or the engine, loses money or tells lies.
//!
//! # Invariants
//!
//! - Nobody innocent is convicted. What convicts is an answer that the contract does not have, a history
//!   that no order of its operations explains, an account above the limit, or money that is not where it was
//!   acknowledged; a request that was done again though its key says that it is the same; a listing or a count that
//!   does not fit what is there; a time that falls. Timeouts and broken connections are unknown outcomes: what was asked may have been done, now,
//!   later or never, and the rest of the history decides.
//! - Whatever a server answers, the verification ends, with a report.
//! - What is remembered does not grow with the run (`load`, `histories`), but for the numbers of the accounts that it
//!   opened (`known`): some 40 bytes for each, of which there is one for some hundreds of operations.
//! - Equal seeds draw alike. Who meets whom, and what is drawn after that, is up to the machine.
//!
//! # The way of a run
//!
//! `forecast` looks how long a server takes for an answer, and says how long the run will; `pace` keeps requests apart.
//! `rules` has every rule of the REST `contract` held against a server, one by one; of many that one of the `causes` breaks
//! it tells once. `histories` has `load` put
//! the subject under load, three times: many accounts, one hot account, large `sums`; each time by a few clients first, then
//! by all. `told` reads answers field by field;
//! `keyed` requests are sent again (`repeats`). Slice by slice, `judge` hands the records of
//! each account to its `checker`, which knows of money what `specification` says, and to `times`. Where no order explains
//! what was answered, `evidence` keeps the smallest part of the history that shows it, and `diagnosis` says which operation was
//! lost, or done twice. `books` adds up the money, `known` looks
//! at listings, and `census` at counts when nothing is under way. `recorder` writes the history down for others.
//! `limit` races creations at the account limit. `restart` kills the server under load and looks what it
//! remembers. `report` keeps what was found, `text`, `page` and `timeline` show it.

#[cfg(test)]
mod against_all_orders;
mod books;
mod causes;
mod census;
mod checker;
mod checks;
mod contract;
mod diagnosis;
mod engine;
mod events;
mod evidence;
mod followed;
mod forecast;
mod histories;
mod history;
mod http;
mod judge;
mod keyed;
mod known;
mod limit;
mod load;
mod pace;
mod page;
mod processor_time;
mod recorder;
mod repeats;
mod report;
mod restart;
mod rules;
mod runner;
mod server;
mod shown;
mod specification;
mod subject;
mod sums;
mod text;
mod timeline;
mod times;
mod told;

pub(crate) use checks::rules_text;
pub(crate) use page::page;
pub(crate) use recorder::Recorder;
pub(crate) use report::{Verdict, VerifyReport};
pub(crate) use restart::Restarts;
pub(crate) use runner::{Phase, Plan, verify_engine, verify_http};
pub(crate) use text::text;
