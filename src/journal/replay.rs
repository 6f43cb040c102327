//! Reads a journal for other programs, record by record, also while its ledger is being written to.

use super::check::oldest::oldest;
use super::error::JournalError;
use super::format::head;
use super::format::record::Record;
use super::scan::{Boundary, Each, Progress, Visit, newest_beside_writer, scan_beside_writer};
use super::snapshot::Snapshot;
use super::state::ledger_state::LedgerState;
use super::storage::Storage;
use super::{LedgerId, Position};
use crate::values::account_number::AccountNumber;
use crate::values::key_policy::KeyPolicy;
use crate::values::money::Cents;

/// The records of a journal that are there, from the oldest on.
#[derive(Debug)]
pub struct Replay<'a> {
    storage: &'a dyn Storage,
    from: Option<(LedgerId, Boundary)>,
}

/// What is on the accounts, as records are followed.
#[derive(Clone, Debug)]
pub struct Balances(LedgerState);

impl<'a> Replay<'a> {
    /// Looks where the records begin, and what was on the accounts before. Where old segments were taken away, a
    /// snapshot says that; otherwise there were none.
    ///
    /// # Errors
    ///
    /// [`JournalError::Missing`] if segments were taken away and no snapshot says what was in them;
    /// [`JournalError::Version`] if that snapshot is of another format; [`JournalError::Io`] if the files cannot be
    /// listed.
    pub fn of(storage: &'a dyn Storage) -> Result<(Self, Balances), JournalError> {
        let oldest = oldest(storage)?;
        let from = oldest.as_ref().map(Snapshot::after);
        let before = oldest.map_or_else(
            || LedgerState::new(KeyPolicy::default()),
            |oldest| oldest.books,
        );
        Ok((Self { storage, from }, Balances(before)))
    }

    /// The sequence number of the first record that is there, if the segments before it were taken away.
    #[must_use]
    pub fn begins_at(&self) -> Option<u64> {
        self.from.map(|(_, boundary)| boundary.next_sequence)
    }

    /// Hands each record and its place to `visit`, in their order. Returns whether there is a journal at all.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`], [`JournalError::Missing`] or [`JournalError::Version`] if a segment is not as it was
    /// written, or `visit` returned what is wrong with a record; [`JournalError::Io`] if one cannot be read.
    pub fn read(
        &self,
        visit: Visit<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<bool, JournalError> {
        let end = scan_beside_writer(self.storage, self.from, &mut Each(visit), progress)?;
        head::read_checked(self.storage)?;
        Ok(end.is_some())
    }
}

impl Balances {
    /// Follows a record, which is at `position`.
    ///
    /// # Errors
    ///
    /// What is wrong, if it does not follow from those before it. The balances are of no use then.
    pub fn follow(&mut self, record: &Record, position: Position) -> Result<(), String> {
        self.0.apply(record, position)
    }

    /// Each open account, in the order of creation, and its balance.
    pub fn by_creation(&self) -> impl Iterator<Item = (AccountNumber, Cents)> {
        let accounts = self.0.accounts.by_creation();
        accounts.map(|(number, account)| (number, account.balance))
    }
}

/// The sequence number of the newest record; 0 if there is none. `None` if there is no segment at all. Only the last
/// segment is read.
///
/// # Errors
///
/// Those of [`Replay::read`].
pub fn newest_sequence(storage: &dyn Storage) -> Result<Option<u64>, JournalError> {
    newest_beside_writer(storage)
}
