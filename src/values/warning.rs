//! What is wrong with a ledger that goes on all the same.

use std::fmt;
use std::time::Duration;

use super::timestamp::about;

/// Something that an operator should know of. Its text is a sentence for that person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The disk is full: changes are refused.
    DiskFull,
    /// The next segment of the journal cannot be made, for another reason than a full disk.
    NoSegment {
        /// Why.
        reason: String,
    },
    /// The disk has not answered for seconds: changes wait.
    DiskStuck {
        /// For how long.
        waiting: Duration,
    },
    /// The journal has failed: nothing is changed any more.
    ReadOnly {
        /// Why.
        reason: String,
    },
    /// No snapshot can be taken.
    NoSnapshot {
        /// Why.
        reason: String,
        /// What that means for the next start.
        next_start: NextStart,
    },
    /// There is no room for one more idempotency key.
    KeysFull {
        /// When there will be some.
        room_in: Duration,
    },
    /// The clock of the system is behind the last record.
    ClockBehind {
        /// How far.
        by: Duration,
    },
    /// The clock of the system has jumped ahead by years.
    ClockAhead {
        /// How far.
        by: Duration,
    },
}

/// What a snapshot that could not be taken means for the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStart {
    /// It has more to read.
    Longer,
    /// It has more to read, and is refused if that cannot be read.
    Uncertain,
    /// It will be refused: the journal is damaged.
    Refused,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskFull => {
                f.write_str("The disk is full: changes are refused until there is room")
            }
            Self::NoSegment { reason } => write!(
                f,
                "The next segment cannot be made, and is tried again: changes are made while there is room in this one: \
                 {reason}"
            ),
            Self::DiskStuck { waiting } => write!(
                f,
                "The disk has not answered for {}: changes wait, balances can be read",
                about(*waiting)
            ),
            Self::ReadOnly { reason } => write!(
                f,
                "The journal failed: nothing is changed any more, balances can be read: {reason}"
            ),
            Self::NoSnapshot { reason, next_start } => {
                f.write_str(match next_start {
                    NextStart::Longer => "No snapshot can be taken, so the next start takes longer",
                    NextStart::Uncertain => {
                        "No snapshot can be taken, so the next start takes longer, and is refused if the journal \
                         cannot be read then either"
                    }
                    NextStart::Refused => {
                        "A snapshot found the journal damaged: the next start will be refused unless the file is \
                         restored first"
                    }
                })?;
                write!(f, ": {reason}")
            }
            Self::KeysFull { room_in } => write!(
                f,
                "The largest number of idempotency keys is in use: requests with a new key are refused until the \
                 oldest expires, in {}",
                about(*room_in)
            ),
            Self::ClockBehind { by } => write!(
                f,
                "The clock is {} behind the last record: times go on from that record, a sixteenth slower than the \
                 world, until the clock has caught up",
                about(*by)
            ),
            Self::ClockAhead { by } => write!(
                f,
                "The clock is {} ahead of where it should be: times go on without it. If it is right, restart with \
                 --accept-clock",
                about(*by)
            ),
        }
    }
}
