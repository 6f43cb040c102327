//! The durable core on a simulated disk: it crashes at every call, in every way that a disk allows.
//!
//! What runs here is the code that ships: [`Sequencer`](super::sequencer::Sequencer), `Writer`,
//! [`Published`](super::published::Published), `recover`, snapshots. Only the disk, the clock, the clients and the
//! order of events are ours, and all of them come from one seed. A failure prints the seed and the call, and how to run
//! it again.
//!
//! # What is held
//!
//! 1. *Every answer is that of a sequential [model].* Refusals, keys and times too.
//! 2. *After a crash the state is that after a whole number of batches*, and not fewer than were durable. So
//!    nothing acknowledged is lost, nothing is half there, and what a reader saw is still there, after this crash
//!    and all that follow.
//! 3. *Only a batch that was never durable is cut off.*
//! 4. *Snapshots change nothing*: without them the same state comes up, and a broken one is passed over.
//! 5. *What was told happened once.* At the end all answers are looked for in the journal, and no key is
//!    there twice in its time.

mod corruption;
mod crashes;
mod disk;
mod faults;
mod judge;
mod life;
mod model;
mod run;
mod snapshots;
mod threads;
mod trouble;
mod workload;
