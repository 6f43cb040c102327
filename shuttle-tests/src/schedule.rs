//! What is run under each schedule, and what is checked of it.
//!
//! Eight threads do six operations each on one ledger: they open and close accounts, read balances,
//! deposit and withdraw, do batches, list, and count. Which operations, is drawn anew for each schedule,
//! from a seed that is part of the schedule; so a replayed schedule does the same ones. Two accounts are
//! there from beginning to end; others come and go under a limit that they often reach. On one schedule
//! out of 64 the accounts stand at the edge of a page of the creation index, so that pages are used up and begun.
//!
//! Everything that is done is recorded, with the time of its call and of its answer by a clock that all
//! threads share: a counter. Shuttle runs one thread at a time, so the counter's order is the order in
//! which things happened. Then this must hold:
//!
//! 1. *Each account is linearizable*: some order of what was done to it, which keeps to the order in time
//!    of what did not overlap, explains every answer. Balances in listings are part of that, and so are
//!    the operations of batches; those in a row on one account must moreover follow from each other with
//!    nothing in between.
//! 2. *No cent is lost*: what was on an account at first, and what came and went, is what is on it at the
//!    end, or what its closing returned.
//! 3. *The limit holds*: there are never more accounts that certainly are open than allowed, and no
//!    creation is refused at a time when there certainly were fewer. The same two bounds hold for every
//!    count.
//! 4. *Listings*: an account that exists throughout is listed exactly once, any other at most once; in
//!    the order of creation, and nothing is listed that was never opened.
//! 5. *Nothing stays behind*: at rest the count is exact and the listing complete; after the last closing
//!    both are empty.
//!
//! The checker of 1 is the one of `cashpoint verify`, as shipped.

#[expect(dead_code, reason = "what only histories of unknown outcomes need")]
#[path = "../../crates/cashpoint-cli/src/verify/checker.rs"]
mod checker;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "what only histories of unknown outcomes need")
)]
#[path = "../../crates/cashpoint-cli/src/verify/history.rs"]
mod history;
#[path = "../../crates/cashpoint-cli/src/verify/specification.rs"]
mod specification;

#[expect(
    clippy::indexing_slicing,
    reason = "a check states what it expects by panicking"
)]
mod books;
#[expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a check states what it expects by panicking"
)]
mod work;

use work::{Numbers, World};

/// How many threads there are.
pub const THREADS: usize = 8;

/// How many operations each does.
pub const OPERATIONS: usize = 6;

/// Runs the threads on a new ledger and checks what came of it. To be called by shuttle, once for each
/// schedule.
///
/// # Panics
///
/// If something is wrong, with what is wrong and everything that was done.
pub fn run_and_check() {
    let world = World::new(Numbers::of_schedule());
    shuttle::thread::scope(|scope| {
        for thread in 0..THREADS {
            let world = &world;
            scope.spawn(move || world.work(thread));
        }
    });
    let (ledger, books) = world.into_parts();
    books.check(&ledger);
}
