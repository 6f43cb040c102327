//! Checks everything that is on disk against itself.
//!
//! # What is checked
//!
//! 1. *Every segment, from the first byte on*: checksums, the chain of hashes, sequence numbers, times. No
//!    snapshot saves any of it.
//! 2. *Every record follows from those before it*: it is replayed through [`LedgerState::apply`], as at a start.
//! 3. *Every snapshot is what the records lead to* at its place. One that is whole and says something else would
//!    be believed at the next start.
//! 4. *Conservation*: what came in and did not go out is what is on the accounts.
//! 5. *The head* names the newest segment or the one before it.
//! 6. *The noted hash*: one that somebody wrote down earlier is still that of a batch. So nothing up to there has been
//!    rewritten since, whoever mended the checksums.
//!
//! Where old segments were taken away, all of this begins at the oldest snapshot whose segments are all there. It is
//! believed: nothing is left to hold it against.
//!
//! Nothing is changed, and nobody is stopped: another process may write meanwhile.

use std::io;

use super::compare::difference;
use super::oldest::oldest;
use super::totals::{Sum, Totals};
use crate::KeyPolicy;
use crate::journal::error::JournalError;
use crate::journal::format::head;
use crate::journal::format::record::Record;
use crate::journal::format::segment;
use crate::journal::scan::{Boundary, Progress, Torn, Visitor, scan_beside_writer};
use crate::journal::snapshot::{self, Flaw, Reading, Snapshot};
use crate::journal::state::ledger_state::LedgerState;
use crate::journal::storage::Storage;
use crate::journal::{ChainHash, LedgerId, Position};
use crate::values::account_number::AccountNumber;
use crate::values::money::Cents;
use crate::values::timestamp::Timestamp;

/// What an audit has found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Audit {
    /// Where the records begin, if old segments were taken away.
    pub begins: Option<Begins>,
    /// What the records add up to; those that are whole before the damage, if there is one.
    pub totals: Totals,
    /// The first thing that is not as it was written.
    pub damage: Option<JournalError>,
    /// The end of the journal that a crash has torn, or that another process was writing just then.
    pub torn: Option<Torn>,
    /// The hash that stands for the journal, up to its last whole batch.
    pub head: ChainHash,
    /// How many segments there are.
    pub segments: usize,
    /// How long they are, in bytes.
    pub bytes: u64,
    /// The position up to which the journal is whole.
    pub position: Position,
    /// The snapshots, in their order.
    pub snapshots: Vec<SnapshotCheck>,
    /// Where the noted hash was found, if one was given.
    pub expected: Option<Expected>,
    books: LedgerState,
}

/// Where the records begin of a journal whose old segments were taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Begins {
    /// The sequence number of the first record.
    pub sequence: u64,
    /// The snapshot that says what was before.
    pub snapshot: String,
    /// What was on the accounts then.
    pub balance: Sum,
}

/// What is to be said of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotCheck {
    /// The file.
    pub name: String,
    /// How it compares with the records.
    pub verdict: SnapshotVerdict,
}

/// How a snapshot compares with the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotVerdict {
    /// It says what they say.
    Equal,
    /// It says something else.
    Different(String),
    /// It is not whole, or cannot be read.
    Broken(String),
    /// It is whole, and of a format version that this program does not know: this one.
    Foreign(u32),
    /// The records up to it are not whole.
    Unknown,
    /// The records up to it were taken away. The oldest such is where the check begins.
    Believed,
}

/// A hash that was noted earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expected {
    /// The hash.
    pub hash: ChainHash,
    /// The record that it was noted after, and the time of that, if there is such a place.
    pub found: Option<(u64, Timestamp)>,
}

impl Audit {
    /// Whether everything is as it should be. A torn end is: nothing in it was ever acknowledged.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_sound = |it: &SnapshotCheck| {
            matches!(
                it.verdict,
                SnapshotVerdict::Equal | SnapshotVerdict::Believed
            )
        };
        self.damage.is_none()
            && self.is_conserved()
            && self.snapshots.iter().all(is_sound)
            && self.expected.is_none_or(|it| it.found.is_some())
    }

    /// Whether what came in and did not go out is what is on the accounts.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        self.balance() == self.remaining()
    }

    /// What came in and did not go out, with what was there before the records.
    #[must_use]
    pub fn remaining(&self) -> Sum {
        let before = self.begins.as_ref().map_or(0, |begins| begins.balance.0);
        Sum(before + self.totals.remaining().0)
    }

    /// The sum of all balances.
    #[must_use]
    pub fn balance(&self) -> Sum {
        Sum(self.books.accounts.total_cents())
    }

    /// How many accounts are open.
    #[must_use]
    pub fn open_accounts(&self) -> usize {
        self.books.accounts.len()
    }

    /// How many accounts were closed.
    #[must_use]
    pub fn closed_accounts(&self) -> usize {
        self.books.closed.len()
    }

    /// The open accounts with their balances, in the order of their creation.
    pub fn balances(&self) -> impl Iterator<Item = (AccountNumber, Cents)> {
        let accounts = self.books.accounts.by_creation();
        accounts.map(|(number, state)| (number, state.balance))
    }
}

/// Checks the journal in `storage`, and looks for the place of the hash `expected`. `None` if there is none.
///
/// # Errors
///
/// [`JournalError::Io`] if the files cannot be listed. What is found later is part of the result.
pub fn audit(
    storage: &dyn Storage,
    expected: Option<ChainHash>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<Audit>, JournalError> {
    // Before the segments: so none is ahead of them, though more are written meanwhile. The head likewise.
    let head = head::read(storage);
    let mut snapshots = snapshot::positions(storage)?;
    snapshots.reverse();
    let segments = segment::positions(storage)?;
    if segments.is_empty() && snapshots.is_empty() && matches!(head, Ok(None)) {
        return Ok(None);
    }
    let mut auditor = Auditor::new(storage, expected, snapshots);
    let (torn, damage) = match auditor.read_all(head, progress) {
        Ok(torn) => (torn, None),
        Err(error) => (None, Some(error)),
    };
    Ok(Some(Audit {
        begins: auditor.begins,
        totals: auditor.totals,
        damage,
        torn,
        head: auditor.boundary.chain,
        segments: segments.len(),
        bytes: bytes(storage, &segments),
        position: auditor.boundary.position,
        snapshots: auditor.snapshots.into_iter().map(|it| it.judged).collect(),
        expected: auditor.expected,
        books: auditor.books,
    }))
}

/// How long the segments are that can be read.
fn bytes(storage: &dyn Storage, segments: &[Position]) -> u64 {
    let length = |position: &Position| storage.open(&segment::name(*position))?.length();
    let lengths = segments.iter().filter_map(|it| length(it).ok());
    lengths.fold(0, u64::saturating_add)
}

struct Auditor<'a> {
    storage: &'a dyn Storage,
    begins: Option<Begins>,
    books: LedgerState,
    totals: Totals,
    boundary: Boundary,
    expected: Option<Expected>,
    snapshots: Vec<Saved>,
}

/// A snapshot that is there.
struct Saved {
    position: Position,
    ledger: Option<LedgerId>,
    judged: SnapshotCheck,
}

impl<'a> Auditor<'a> {
    fn new(
        storage: &'a dyn Storage,
        expected: Option<ChainHash>,
        snapshots: Vec<Position>,
    ) -> Self {
        let snapshots = snapshots.into_iter().map(|position| Saved {
            position,
            ledger: None,
            judged: SnapshotCheck {
                name: snapshot::name(position),
                verdict: SnapshotVerdict::Unknown,
            },
        });
        let books = LedgerState::new(KeyPolicy::default());
        let boundary = Boundary::default();
        Self {
            storage,
            begins: None,
            expected: expected.map(|hash| Expected {
                hash,
                // The hash before the first batch is known without any.
                found: (hash == boundary.chain).then_some((0, books.last_at)),
            }),
            books,
            totals: Totals::default(),
            boundary,
            snapshots: snapshots.collect(),
        }
    }

    /// Reads everything.
    fn read_all(
        &mut self,
        head: Result<Option<head::Head>, JournalError>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Torn>, JournalError> {
        let oldest = oldest(self.storage)?;
        let from = oldest.as_ref().map(Snapshot::after);
        if let Some(snapshot) = oldest {
            self.begin_at(snapshot);
        }
        let storage = self.storage;
        let end = scan_beside_writer(storage, from, self, progress)?;
        // What is whole before is told of, whatever the head is like.
        let head = head?;
        if let Some(head) = &head {
            head.check(storage)?;
        }
        let end = end.ok_or_else(|| JournalError::Missing {
            what: snapshot::without_segments(storage),
        })?;
        if let Some(head) = head {
            head.belongs_to(end.ledger)?;
        }
        self.belong_to(end.ledger);
        Ok(end.torn)
    }

    /// What was before the records is what this says.
    fn begin_at(&mut self, snapshot: Snapshot) {
        let Boundary {
            position,
            next_sequence,
            ..
        } = snapshot.boundary;
        self.begins = Some(Begins {
            sequence: next_sequence,
            snapshot: snapshot::name(position),
            balance: Sum(snapshot.books.accounts.total_cents()),
        });
        for saved in &mut self.snapshots {
            if saved.position <= position {
                saved.judged.verdict = SnapshotVerdict::Believed;
            }
        }
        self.boundary = snapshot.boundary;
        self.books = snapshot.books;
        if let Some(expected) = &mut self.expected {
            let is_here = expected.hash == self.boundary.chain;
            expected.found = is_here.then_some((next_sequence - 1, self.books.last_at));
        }
    }

    /// Compares the snapshot at the boundary, if there is one.
    fn compare(&mut self) {
        let boundary = self.boundary;
        let found = self
            .snapshots
            .iter()
            .position(|it| it.position == boundary.position);
        let Some(index) = found else { return };
        match self.read(boundary) {
            Ok((ledger, difference)) => {
                let verdict = difference.map_or(SnapshotVerdict::Equal, SnapshotVerdict::Different);
                self.judge(index, verdict);
                if let Some(saved) = self.snapshots.get_mut(index) {
                    saved.ledger = Some(ledger);
                }
            }
            // A newer one has replaced it meanwhile.
            Err(Flaw::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                self.snapshots.remove(index);
            }
            Err(Flaw::Io(error)) => self.judge(index, SnapshotVerdict::Broken(error.to_string())),
            Err(Flaw::NotWhole(what)) => {
                self.judge(index, SnapshotVerdict::Broken(what.to_owned()))
            }
            Err(Flaw::Version(found)) => self.judge(index, SnapshotVerdict::Foreign(found)),
        }
    }

    /// Whose the snapshot at the boundary is, and in what it differs.
    fn read(&self, boundary: Boundary) -> Result<(LedgerId, Option<String>), Flaw> {
        let mut snapshot = Reading::open(self.storage, boundary.position)?;
        let ledger = snapshot.header().ledger;
        let difference = difference(&mut snapshot, &self.books, boundary)?;
        snapshot.skip()?;
        snapshot.finish()?;
        Ok((ledger, difference))
    }

    fn judge(&mut self, index: usize, verdict: SnapshotVerdict) {
        if let Some(saved) = self.snapshots.get_mut(index) {
            saved.judged.verdict = verdict;
        }
    }

    /// The journal has been read to its end, and is that of `ledger`.
    fn belong_to(&mut self, ledger: LedgerId) {
        for saved in &mut self.snapshots {
            if saved.judged.verdict == SnapshotVerdict::Unknown {
                let what = "it is at a place where no segment begins";
                saved.judged.verdict = SnapshotVerdict::Different(what.to_owned());
            } else if saved.ledger.is_some_and(|it| it != ledger) {
                let what = "it belongs to another ledger";
                saved.judged.verdict = SnapshotVerdict::Different(what.to_owned());
            }
        }
    }
}

impl Visitor for Auditor<'_> {
    fn record(&mut self, record: &Record, position: Position) -> Result<(), String> {
        self.books.apply(record, position)?;
        self.totals.add(record);
        Ok(())
    }

    fn boundary(&mut self, boundary: Boundary) {
        self.boundary = boundary;
        if let Some(expected) = &mut self.expected
            && expected.hash == boundary.chain
        {
            expected.found = Some((boundary.next_sequence - 1, self.books.last_at));
        }
        self.compare();
    }
}
