//! The journal: what has happened, in one order, on disk.
//!
//! # Files
//!
//! A directory holds segments, in which batches of records stand one after
//! another, snapshots that save reading all of them at the start, the file `head`, which names the newest
//! segment, and a lock. All numbers
//! are little-endian. A *position* is an offset in bytes into all segments laid end to end; each segment is
//! named by its own, and nothing is ever moved or overwritten, so a position means the same for good.
//!
//! # Invariants
//!
//! 1. *A batch is a unit.* It is there as a whole, with its checksums, or it is not there.
//! 2. *One batch at a time.* A batch is written only after the one before is durable. So of a crash only the
//!    last batch can be torn, and nothing that was acknowledged is in it.
//! 3. *A segment is not there before it can be read.* Its header and its name are durable before a batch is
//!    written to it.
//! 4. *What is behind the end is zeros.* A torn batch is overwritten with zeros before anything is appended.
//! 5. *Only a torn batch is cut off.* It is the last one, and a sector of it is still what it was before:
//!    zeros. Whatever else is not as it was written is damage, and nothing is opened, cut or skipped then.
//! 6. *Everything can be rebuilt from the segments.* Snapshots are derived, one from the one before and
//!    the journal; a broken one costs time and nothing else.
//! 7. *A write or sync that failed is the last.* Nobody knows what is on disk then; see the engine.
//! 8. *A last segment that is gone is missed.* `head` names it before anything in it is acknowledged.
//!
//! What a disk is trusted with: it writes a sector of 512 bytes or does not, keeps what it says it has
//! synced, and changes none of it. Against the last, there are checksums; against the second, nothing helps.

mod appender;
mod check;
mod error;
pub(crate) mod format;
pub(crate) mod prepared;
mod reader;
mod recovery;
mod replay;
mod scan;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod storage;
mod writer;

pub(crate) use appender::{Appender, Batch};
pub use check::audit::{Audit, Begins, Expected, SnapshotCheck, SnapshotVerdict, audit};
pub use check::totals::{Refusals, Sum, Total, Totals};
pub use error::JournalError;
pub use format::batch::{ChainHash, ParseChainHashError};
pub use format::kind::Kind;
pub(crate) use format::record::encoded_bytes;
pub use format::record::{Link, Record};
pub(crate) use reader::Reader;
pub use recovery::Recovery;
pub(crate) use recovery::{Recovered, recover};
pub use replay::{Balances, Replay, newest_sequence};
#[cfg(test)]
pub(crate) use scan::scan;
pub use scan::{Progress, Torn, Visit};
pub use snapshot::is_name as is_snapshot;
pub use storage::directory::Directory;
pub use storage::{Identity, Storage, StoredFile};
pub(crate) use writer::{Tail, Writer};

/// An offset in bytes into all segments laid end to end. No record is at 0.
pub type Position = u64;

/// No segment reaches beyond this position, and no sequence number is larger: what is added to one of either does not
/// overflow. Whoever writes a terabyte a second gets there in fifty days; files that say so were forged.
pub(crate) const POSITION_MAX: Position = 1 << 62;

/// The version of the format, which all files carry.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// A random number that tells the files of one ledger from those of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LedgerId(pub(crate) [u8; 16]);

impl LedgerId {
    fn random() -> Self {
        Self(*uuid::Uuid::new_v4().as_bytes())
    }
}
