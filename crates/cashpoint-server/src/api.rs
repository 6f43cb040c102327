//! What the handlers work with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Instant;

use bytes::Bytes;
use cashpoint::Cents;
use cashpoint::service::Service;
use tokio::sync::Semaphore;

use super::Config;
use super::body::Bodies;
use super::request_log::RequestLog;

/// How many read history at a time. More would not get it faster from one disk.
pub(super) const READERS_MAX: usize = 16;

/// How many listings may be streams at a time. Each holds less than 100 KiB and delays others by a stretch, a tenth of a
/// millisecond, shared by the threads.
pub(super) const STREAMS_MAX: usize = 16;

/// The ledger, the settings, and what all requests share.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) service: Arc<Service>,
    pub(super) transaction_max: Cents,
    pub(super) started: Instant,
    /// How many connections are open.
    pub(super) connections: AtomicUsize,
    /// How many may be.
    pub(super) connections_max: usize,
    /// Set once the server is to stop.
    pub(super) stopping: Arc<AtomicBool>,
    /// One permit for each who may read history at the same time.
    pub(super) history_readers: Arc<Semaphore>,
    /// One permit for each listing that is a stream.
    pub(super) listings: Arc<Semaphore>,
    pub(super) request_log: RequestLog,
    pub(super) bodies: Bodies,
    pub(super) openapi: Bytes,
}

impl Api {
    pub(super) fn new(
        service: Arc<Service>,
        config: &Config,
        stopping: Arc<AtomicBool>,
        openapi: Bytes,
    ) -> Arc<Self> {
        Arc::new(Self {
            service,
            transaction_max: config.transaction_max,
            started: Instant::now(),
            connections: AtomicUsize::new(0),
            connections_max: config.connections_max,
            stopping,
            history_readers: Arc::new(Semaphore::new(READERS_MAX)),
            listings: Arc::new(Semaphore::new(STREAMS_MAX)),
            request_log: RequestLog::default(),
            bodies: Bodies::new(config.body_timeout),
            openapi,
        })
    }
}
