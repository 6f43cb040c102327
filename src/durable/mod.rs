//! The durable ledger: an answer means that it is on disk.
//!
//! ```
//! use cashpoint::durable::{DurableConfig, DurableLedger};
//! # let directory = std::env::temp_dir().join(format!("cashpoint-doc-{}", std::process::id()));
//!
//! let ledger = DurableLedger::open(&directory, DurableConfig::new(1_000))?;
//! let account = ledger.create("100.0".parse()?).wait()?.number;
//! let receipt = ledger.withdraw(account, "70.25".parse()?).wait()?;
//! assert_eq!(receipt.balance.to_string(), "29.75");
//! drop(ledger);
//!
//! // Later, perhaps after a crash:
//! let ledger = DurableLedger::open(&directory, DurableConfig::new(1_000))?;
//! assert_eq!(ledger.balance(account)?.to_string(), "29.75");
//! # drop(ledger);
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Guarantees
//!
//! - **Nothing is visible before it is durable.** No reader and no answer depends on what a crash takes back.
//! - **Nothing acknowledged is lost, nothing is half applied.**
//! - **One order.** Receipts, statements and the journal agree, because the journal's order is the only one.
//! - **A failed write or sync is final.** Nothing is changed any more then; balances can still be read. Whether what
//!   was on its way happened is not known until the journal is opened again.
//! - **Safe to retry.** With an idempotency key, a change is made once; the key is in the record of the change.
//! - Readers never wait: they read the atomics of a [`Ledger`](crate::Ledger).
//!
//! A command by itself takes a sync of the disk. Many at a time share one: from many threads or tasks, or as one
//! [submission](DurableLedger::submit), which is what reaches a million a second.

mod backlog;
mod committer;
mod config;
pub(crate) mod ledger_clock;
mod observer;
mod pending;
mod pipeline;
pub(crate) mod published;
pub(crate) mod sequencer;
mod shared;
#[cfg(test)]
mod simulation;
mod snapshots;
pub(crate) mod submission;
mod under_way;
mod watch;

use std::path::Path;
use std::sync::Arc;

use futures_channel::oneshot;

use crate::engine::account_summary::{self, AccountSummary};
use crate::engine::creation_index::CreationNumber;
use crate::journal::storage::founding;
use crate::journal::{Directory, JournalError, Progress, Recovered, Recovery, Storage, recover};
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Command, NotDone};
use crate::values::error::UnknownAccount;
use crate::values::money::{Amount, Cents};
use crate::values::timestamp::Timestamp;
use crate::values::warning::Warning;

pub use config::DurableConfig;
pub use observer::Observer;
pub use pending::{Pending, PendingAll};
pub use shared::{Condition, SnapshotFailure};

use ledger_clock::{FOLLOWED_MAX, LedgerClock};
use pipeline::{Parts, Pipeline};
use published::Published;
use sequencer::Sequencer;
use shared::Shared;
use snapshots::Snapshots;
use submission::Submission;

/// The most commands of one submission.
pub const SUBMISSION_MAX: usize = 8192;

/// A batch that is larger than this takes no further submission.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// A ledger that is kept in a directory. See the [module](self) for what it guarantees.
///
/// All methods take `&self`; share it by reference or [`Arc`]. Dropped, it finishes what was
/// submitted and lets go of the directory.
#[derive(Debug)]
pub struct DurableLedger {
    // In this order: the pipeline ends before anything else goes.
    pipeline: Pipeline,
    shared: Arc<Shared>,
    recovery: Recovery,
}

impl DurableLedger {
    /// Opens the ledger in `directory`. If there is none, one is begun in a directory that is empty or not there, unless
    /// [`existing`](DurableConfig::existing) forbids it.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: the directory is in use, cannot be written or can be changed by others, it holds other files
    /// and no ledger, the journal is damaged, or there are more accounts than allowed. Nothing has been changed then.
    pub fn open(directory: impl AsRef<Path>, config: DurableConfig) -> Result<Self, JournalError> {
        Self::open_with_progress(directory, config, &mut |_| {})
    }

    /// As [`open`](Self::open), and tells from time to time how far it is.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_with_progress(
        directory: impl AsRef<Path>,
        config: DurableConfig,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, JournalError> {
        let directory = directory.as_ref();
        let directory = match config.existing {
            true => Directory::open_existing(directory, config.insecure_data)?,
            false => Directory::open(directory, config.insecure_data)?,
        };
        Self::open_on(Arc::new(directory), config, progress)
    }

    /// As [`open_with_progress`](Self::open_with_progress), on any storage.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_on(
        storage: Arc<dyn Storage>,
        mut config: DurableConfig,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, JournalError> {
        config.segment_bytes = config.segment_bytes.clamp(
            DurableConfig::SEGMENT_BYTES_MIN,
            DurableConfig::SEGMENT_BYTES_MAX,
        );
        founding::check(&*storage, config.existing)?;
        let Recovered {
            books,
            writer,
            tail,
            reader,
            recovery,
        } = recover(
            Arc::clone(&storage),
            config.keys,
            config.segment_bytes,
            progress,
        )?;
        if books.accounts.len() > config.account_limit {
            return Err(JournalError::TooManyAccounts {
                accounts: books.accounts.len(),
                limit: config.account_limit,
            });
        }
        let last_record = (books.next_sequence > 1).then_some(books.last_at);
        believe(&config, last_record)?;
        let clock = LedgerClock::new(&config, last_record);
        let published = Published::new(&books, reader, config.account_limit, tail.position());
        let shared = Arc::new(Shared::new(published, clock, config.waiting_max));
        shared.set_keys_full_until(books.keys.full_until());
        let sequencer = Sequencer::new(
            books,
            tail,
            config.account_limit,
            BATCH_BYTES_MAX,
            Box::new(AccountNumber::random),
        );
        let snapshot_at = recovery.snapshot.unwrap_or(0);
        let snapshots = Snapshots::new(
            Arc::clone(&storage),
            &config,
            snapshot_at,
            Arc::clone(&shared),
        );
        let parts = Parts {
            sequencer,
            writer,
            storage,
            snapshots,
        };
        let pipeline = Pipeline::start(Arc::clone(&shared), parts, &config)?;
        Ok(Self {
            pipeline,
            shared,
            recovery,
        })
    }

    /// What was found when it was opened.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Opens an account that holds `initial`.
    pub fn create(&self, initial: Cents) -> Pending {
        self.execute(Change::Open { initial })
    }

    /// Adds `amount` to an account.
    pub fn deposit(&self, number: AccountNumber, amount: Amount) -> Pending {
        self.execute(Change::Deposit { number, amount })
    }

    /// Takes `amount` out of an account.
    pub fn withdraw(&self, number: AccountNumber, amount: Amount) -> Pending {
        self.execute(Change::Withdraw { number, amount })
    }

    /// Closes an account for good. The receipt has the balance that was left on it.
    pub fn close(&self, number: AccountNumber) -> Pending {
        self.execute(Change::Close { number })
    }

    /// Executes a command: a [`Change`], or one [with a key](Change::with_key), which is safe to send again.
    pub fn execute(&self, command: impl Into<Command>) -> Pending {
        let (reply, answer) = oneshot::channel();
        self.pipeline.submit(Submission::One(command.into(), reply));
        Pending(answer)
    }

    /// Submits up to [`SUBMISSION_MAX`] commands, to be decided in their order, with one completion. A refusal stops
    /// none of the others: this is not a transaction.
    ///
    /// More commands than that are all answered with [`NotDone::Busy`].
    pub fn submit(&self, commands: Vec<Command>) -> PendingAll {
        let (reply, answers) = oneshot::channel();
        let count = commands.len();
        let submission = Submission::Many(commands, reply);
        if count > SUBMISSION_MAX {
            submission.turn_away(NotDone::Busy).send();
        } else {
            self.pipeline.submit(submission);
        }
        PendingAll { answers, count }
    }

    /// The balance of an account. Wait-free; it is durable.
    ///
    /// # Errors
    ///
    /// [`UnknownAccount`] if no open account has this number.
    pub fn balance(&self, number: AccountNumber) -> Result<Cents, UnknownAccount> {
        self.shared.published.ledger.balance(number)
    }

    /// Up to `limit` accounts in order of creation, from the first one created after `cursor`. What it
    /// promises is said at [`Session::accounts_after`](crate::Session::accounts_after).
    #[must_use]
    pub fn accounts_after(
        &self,
        cursor: Option<CreationNumber>,
        limit: usize,
    ) -> Vec<AccountSummary> {
        let ledger = &self.shared.published.ledger;
        account_summary::page(ledger, |metadata| &metadata.times, cursor, limit)
    }

    /// How many accounts there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.published.ledger.count()
    }

    /// The largest number of accounts that may exist at a time.
    #[must_use]
    pub fn account_limit(&self) -> usize {
        self.shared.published.ledger.account_limit()
    }

    /// The condition that it is in.
    ///
    /// To ask never waits, also while the disk does not answer.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.shared.condition()
    }

    /// Why the last snapshot could not be taken, if it could not. Everything goes on, and the next start takes longer;
    /// if the reason is damage, that start will be refused.
    #[must_use]
    pub fn snapshot_failure(&self) -> Option<SnapshotFailure> {
        self.shared.snapshot_failure()
    }

    /// All that an operator should know of: trouble with the disk, snapshots, keys and the clock.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        self.shared.warnings()
    }

    /// For those who have to know how much is unfinished while the ledger ends.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Observer::new(Arc::clone(&self.shared))
    }

    /// Why the next segment could not be made when that was tried last, if it could not. Changes are made as long as there
    /// is room in the present one; see [`Condition`].
    #[must_use]
    pub fn segment_failure(&self) -> Option<String> {
        self.shared.segment_failure()
    }

    /// How many commands wait for their answer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.backlog.waiting()
    }

    /// How many batches were made durable since it was opened. Each was one sync of the disk.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.shared.batches()
    }

    pub(crate) fn published(&self) -> &Published {
        &self.shared.published
    }
}

/// Whether the clock may be right, by the time of the last record.
fn believe(config: &DurableConfig, last_record: Option<Timestamp>) -> Result<(), JournalError> {
    let Some(last_record) = last_record.filter(|_| !config.accept_clock) else {
        return Ok(());
    };
    let clock = (config.clock)();
    if clock.distance(last_record) <= FOLLOWED_MAX {
        return Ok(());
    }
    Err(JournalError::Clock { clock, last_record })
}
