//! What readers see: only what is durable.
//!
//! Whoever has the committer publishes, batch after batch, each record in its order. Of a record, the place of its entry
//! is published before the balance: whoever sees a balance finds the entry that it comes from. And whoever was led
//! to an entry waits until the batch that it is in is published as a whole, so that nobody who was shown an
//! entry reads the balance before it afterwards.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

use papaya::HashMap;

use super::sequencer::Settlement;
use crate::engine::account_times::AccountTimes;
use crate::engine::ledger::Ledger;
use crate::engine::session::Session;
use crate::journal::state::ledger_state::LedgerState;
use crate::journal::{Position, Reader};
use crate::values::account_number::{AccountNumber, AccountNumberHash};
use crate::values::change::{Change, Receipt};
use crate::values::error::UnknownAccount;

/// The durable state, for any number of readers.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) ledger: Ledger<DurableMetadata>,
    pub(crate) reader: Reader,
    /// Where the last entries of closed accounts are.
    closed: HashMap<AccountNumber, Position, AccountNumberHash>,
    /// The sequence number of the newest record of which the whole batch is published.
    newest: AtomicU64,
    /// Everything before this position is published.
    watermark: AtomicU64,
}

/// What is kept beside a balance.
#[derive(Debug)]
pub(crate) struct DurableMetadata {
    pub(crate) times: AccountTimes,
    /// Where the account's last entry is.
    head: AtomicU64,
}

impl Published {
    /// Publishes what `books` hold.
    pub(crate) fn new(
        books: &LedgerState,
        reader: Reader,
        account_limit: usize,
        end: Position,
    ) -> Self {
        let ledger = Ledger::with_metadata(account_limit);
        let accounts = books.accounts.by_creation().map(|(number, account)| {
            let metadata = DurableMetadata {
                times: AccountTimes::restored(account.created_at, account.last_updated),
                head: AtomicU64::new(account.links.last()),
            };
            (number, account.created, account.balance, metadata)
        });
        ledger.restore(accounts, books.opened);
        let closed = books.closed.iter().map(|(number, head)| (*number, *head));
        Self {
            ledger,
            reader,
            closed: closed.collect(),
            newest: AtomicU64::new(books.next_sequence - 1),
            watermark: AtomicU64::new(end),
        }
    }

    /// Makes a durable batch visible. To be called by one thread at a time, in the order of the batches.
    pub(crate) fn publish(&self, settlement: &Settlement) {
        if let Some(segment) = settlement.begun {
            self.reader.begun(segment);
        }
        let Some((newest, last)) = settlement.records.last() else {
            return;
        };
        let session = self.ledger.pin();
        for (record, position) in &settlement.records {
            if let Ok(effect) = record.outcome {
                let receipt = effect.at(record.at);
                self.publish_entry(&session, record.change, receipt, *position);
            }
        }
        // ORDERING: Release, pairs with the Acquire load in `newest_sequence`: whoever sees it sees all of the batch,
        // and no balance at that position changes any more. Before the watermark: a sequence number is told to nobody
        // who has not waited for that, so whoever was told one finds it here.
        self.newest.store(newest.sequence, Release);
        // ORDERING: Release, pairs with the Acquire load in `head`: whoever sees it sees all of the batch.
        self.watermark.store(last + 1, Release);
    }

    fn publish_entry(
        &self,
        session: &Session<'_, DurableMetadata>,
        change: Change,
        receipt: Receipt,
        position: Position,
    ) {
        let Receipt {
            number,
            balance,
            at,
            ..
        } = receipt;
        match change {
            Change::Open { .. } => {
                let metadata = DurableMetadata {
                    times: AccountTimes::created(at),
                    head: AtomicU64::new(position),
                };
                session.enter(number, balance, metadata);
            }
            Change::Deposit { .. } | Change::Withdraw { .. } => {
                session.settle(number, balance, |metadata| {
                    metadata.times.touch(at);
                    // ORDERING: Release, pairs with the Acquire load in `head`.
                    metadata.head.store(position, Release);
                });
            }
            Change::Close { .. } => {
                self.closed.pin().insert(number, position);
                // It is there: nobody else closes accounts.
                let _ = session.close(number);
            }
        }
    }

    /// The largest sequence number up to which everything is published. Nobody has been told a larger one.
    pub(crate) fn newest_sequence(&self) -> u64 {
        // ORDERING: Acquire, pairs with the Release store in `publish`.
        self.newest.load(Acquire)
    }

    /// Where the last entry of an account is, open or closed, once the batch that it is in is published.
    pub(crate) fn head(&self, number: AccountNumber) -> Result<Position, UnknownAccount> {
        let head = self.find(number).ok_or(UnknownAccount)?;
        // A batch takes microseconds to publish.
        // ORDERING: Acquire, pairs with the Release store in `publish`.
        while self.watermark.load(Acquire) <= head {
            std::thread::yield_now();
        }
        Ok(head)
    }

    fn find(&self, number: AccountNumber) -> Option<Position> {
        let session = self.ledger.pin();
        // ORDERING: Acquire, pairs with the Release store in `publish_entry`.
        let open = session
            .metadata(number)
            .map(|metadata| metadata.head.load(Acquire));
        // In this order: a closing puts the account among the closed ones before it takes it out.
        open.or_else(|| self.closed.pin().get(&number).copied())
    }
}
