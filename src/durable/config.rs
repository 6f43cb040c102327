//! Settings of the durable ledger.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::journal::format::segment;
use crate::values::key_policy::KeyPolicy;
use crate::values::timestamp::Timestamp;

/// How a durable ledger is to be kept.
#[derive(Clone)]
#[non_exhaustive]
pub struct DurableConfig {
    /// The largest number of accounts that may exist at a time.
    pub account_limit: usize,
    /// Whether a ledger has to be there. Then none is begun in a directory that is empty, because its disk is not mounted,
    /// or is not there.
    pub existing: bool,
    /// Whether to use a directory that others can change. Without it, that is an error: whoever can write to the
    /// directory, to the way there or to a file in it can rewrite the ledger.
    pub insecure_data: bool,
    /// How long idempotency keys are kept, and how many.
    pub keys: KeyPolicy,
    /// The length of a segment of the journal, in bytes: from [`SEGMENT_BYTES_MIN`](Self::SEGMENT_BYTES_MIN) to
    /// [`SEGMENT_BYTES_MAX`](Self::SEGMENT_BYTES_MAX).
    pub segment_bytes: u64,
    /// After how many bytes of journal there is a new snapshot. It is taken at the end of a segment.
    pub snapshot_bytes: u64,
    /// The largest number of commands that may wait. One more is turned away as busy.
    pub waiting_max: usize,
    /// A batch of more bytes than this is written by a thread of its own, so that the next can form meanwhile; a
    /// smaller one by the thread that decides, for that is faster than to wake another.
    pub write_beside_bytes: usize,
    /// The clock. Times in the journal never run backwards, whatever it says.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How long it has been since some moment, by a clock that nobody sets: times in the journal go on by it where `clock`
    /// cannot be right.
    pub uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Whether to go on though `clock` is years ahead of or behind the last record. Without it, that is an error: a
    /// clock that is wrong by years would spoil all later times.
    pub accept_clock: bool,
}

impl DurableConfig {
    /// The smallest length of a segment: what the largest batch takes, and some more.
    pub const SEGMENT_BYTES_MIN: u64 = 8 << 20;

    /// The largest length of a segment. No journal has a longer one: what says so was forged.
    pub const SEGMENT_BYTES_MAX: u64 = segment::SEGMENT_BYTES_MAX;

    /// The default settings, for up to `account_limit` accounts.
    #[must_use]
    pub fn new(account_limit: usize) -> Self {
        let begun = Instant::now();
        Self {
            account_limit,
            existing: false,
            insecure_data: false,
            keys: KeyPolicy::default(),
            segment_bytes: 64 << 20,
            snapshot_bytes: 256 << 20,
            waiting_max: 1 << 17,
            write_beside_bytes: 32 << 10,
            clock: Arc::new(Timestamp::now),
            uptime: Arc::new(move || begun.elapsed()),
            accept_clock: false,
        }
    }
}

impl std::fmt::Debug for DurableConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DurableConfig")
            .field("account_limit", &self.account_limit)
            .field("existing", &self.existing)
            .field("insecure_data", &self.insecure_data)
            .field("keys", &self.keys)
            .field("segment_bytes", &self.segment_bytes)
            .field("snapshot_bytes", &self.snapshot_bytes)
            .field("waiting_max", &self.waiting_max)
            .field("write_beside_bytes", &self.write_beside_bytes)
            .field("accept_clock", &self.accept_clock)
            .finish_non_exhaustive()
    }
}
