//! A server of the contract, over HTTP: ours or anybody's.
//!
//! `client` does what happens beside the measuring: it opens accounts, reads the final balances, closes the
//! accounts. `event_loop` measures: each of its threads drives a share of the connections, `connection` keeps
//! one of them, `alarm` wakes a thread at the time of its next request.

mod alarm;
mod client;
mod connection;
mod event_loop;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cashpoint::{AccountNumber, Amount};
use http::Uri;

use super::file_system::needs_empty;
use super::record::{Measurements, Round, in_threads};
use super::target::{Case, Target};
use crate::client::{Address, Broken, OwnServer};

use client::Client;
use event_loop::EventLoop;

/// How the server is talked to.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// How many requests a connection has under way at a time.
    pub(crate) pipelining: usize,
    /// The threads of the client.
    pub(crate) threads: usize,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
    /// What each account is opened with.
    pub(crate) initial: Amount,
    /// The server's process, where it is known.
    pub(crate) process: Option<u32>,
    /// Where a server of our own keeps its ledger, if not in memory.
    pub(crate) data: Option<PathBuf>,
}

/// A server with the accounts that were opened on it for the occasion.
#[derive(Debug)]
pub(super) struct HttpTarget {
    address: Address,
    manner: Manner,
    numbers: Vec<AccountNumber>,
    initial_cents: i64,
    /// The server itself, where it is ours. It stops when this is dropped.
    own: Option<OwnServer>,
}

/// Every account of this and fewer gets more money than it is opened with, so that withdrawals from few
/// accounts go on for as long.
const SHARED_BY: usize = 1_000;

impl HttpTarget {
    /// Opens `accounts` on the server at `url`.
    pub(super) fn open(
        url: &Uri,
        accounts: usize,
        manner: Manner,
        done: &(dyn Fn(u64) + Sync),
    ) -> Result<Self, Broken> {
        Self::open_on(Address::resolve(url)?, None, accounts, manner, done)
    }

    /// Starts a server of our own, and opens `accounts` on it.
    pub(super) fn start(
        accounts: usize,
        mut manner: Manner,
        done: &(dyn Fn(u64) + Sync),
    ) -> Result<Self, Broken> {
        manner.data.as_deref().map_or(Ok(()), needs_empty)?;
        let own = OwnServer::start(accounts, manner.data.as_deref())?;
        manner.process = Some(own.process());
        Self::open_on(own.address()?, Some(own), accounts, manner, done)
    }

    fn open_on(
        address: Address,
        own: Option<OwnServer>,
        accounts: usize,
        manner: Manner,
        done: &(dyn Fn(u64) + Sync),
    ) -> Result<Self, Broken> {
        let deposits = (SHARED_BY / accounts).saturating_sub(1);
        // One alone first: what is wrong with the server is wrong with the first request.
        let first = Client::new(&address, manner.timeout).create(manner.initial)?;
        let numbers = Mutex::new(vec![first]);
        let rest = vec![(); accounts - 1];
        let created = in_parallel(&address, manner.timeout, &rest, |client, ()| {
            let number = client.create(manner.initial)?;
            numbers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(number);
            done(1);
            Ok(())
        });
        let mut server = Self {
            initial_cents: manner.initial.cents().get() * (deposits as i64 + 1),
            address,
            manner,
            numbers: numbers.into_inner().unwrap_or_else(PoisonError::into_inner),
            own,
        };
        let funded = created.and_then(|_| {
            server.in_parallel(|client, number| {
                (0..deposits).try_for_each(|_| client.deposit(*number, server.manner.initial))
            })
        });
        match funded {
            Ok(_) => Ok(server),
            Err(broken) => {
                // What was opened is closed again, as far as that goes.
                let _ = server.close(&|_| ());
                Err(broken)
            }
        }
    }

    /// Does `work` to each account, and returns what came of them in their order.
    fn in_parallel<R: Send>(
        &self,
        work: impl Fn(&mut Client<'_>, &AccountNumber) -> Result<R, Broken> + Sync,
    ) -> Result<Vec<R>, Broken> {
        in_parallel(&self.address, self.manner.timeout, &self.numbers, work)
    }
}

impl Target for HttpTarget {
    fn description(&self) -> String {
        match self.own {
            Some(_) => match &self.manner.data {
                Some(directory) => {
                    format!(
                        "a cashpoint server of its own, durable in {}",
                        directory.display()
                    )
                }
                None => "a cashpoint server of its own, in memory".to_owned(),
            },
            None => self.address.url.clone(),
        }
    }

    fn workers(&self) -> &'static str {
        "connections"
    }

    fn process(&self) -> Option<u32> {
        self.manner.process
    }

    fn accounts(&self) -> usize {
        self.numbers.len()
    }

    fn initial_cents(&self) -> i64 {
        self.initial_cents
    }

    fn drive(&self, case: &Case, round: &Round<'_>) -> Result<Measurements, Broken> {
        let threads = self.manner.threads.clamp(1, case.workers);
        let loops = (0..threads)
            .map(|thread| move || EventLoop::new(self, case, round, thread, threads)?.run());
        in_threads(self.numbers.len(), loops)
    }

    fn balances(&self, done: &(dyn Fn(u64) + Sync)) -> Result<Vec<i64>, Broken> {
        self.in_parallel(|client, number| {
            let balance = client.balance(*number)?;
            done(1);
            Ok(balance.get())
        })
    }

    fn close(&mut self, done: &(dyn Fn(u64) + Sync)) -> Result<(), Broken> {
        self.in_parallel(|client, number| {
            client.close(*number)?;
            done(1);
            Ok(())
        })?;
        self.numbers.clear();
        Ok(())
    }
}

/// How many requests are under way at a time while nothing is measured.
const PARALLEL: usize = 8;

/// Does `work` to each of `items`, and returns what came of them in their order; stops at what fails.
fn in_parallel<T: Sync, R: Send>(
    address: &Address,
    timeout: Duration,
    items: &[T],
    work: impl Fn(&mut Client<'_>, &T) -> Result<R, Broken> + Sync,
) -> Result<Vec<R>, Broken> {
    let share = items.len().div_ceil(PARALLEL).max(1);
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(share)
            .map(|items| {
                let work = &work;
                scope.spawn(move || {
                    let mut client = Client::new(address, timeout);
                    let results = items.iter().map(|item| work(&mut client, item));
                    results.collect::<Result<Vec<R>, Broken>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(items.len());
        for thread in threads {
            let results = thread.join();
            all.extend(results.map_err(|_| Broken::new("a thread panicked"))??);
        }
        Ok(all)
    })
}
