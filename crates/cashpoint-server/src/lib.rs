//! The REST service: warp over hyper, with an accept loop of our own.
//!
//! A request takes this way: `accept` takes the connection, `connection` serves it through `transport`, `edge` gives
//! the request its id and what every answer needs, `api` is the warp filter that takes it apart, `routes` says what its
//! path means, the handlers in `accounts` and `health` decode it, call the [`Service`] once and encode the answer. Only
//! this crate knows JSON and status codes.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use std::sync::Arc;
//! use cashpoint::service::Service;
//! use cashpoint_server::{Config, run};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let service = Arc::new(Service::in_memory(1_000));
//! let stop = async { let _ = tokio::signal::ctrl_c().await; };
//! run(listener, service, Config::default(), stop).await;
//! # Ok(())
//! # }
//! ```

// They panic where they cannot write.
#![cfg_attr(
    not(any(test, fuzzing)),
    deny(clippy::print_stdout, clippy::print_stderr)
)]

mod accept;
mod accounts;
mod answer;
mod answer_memory;
mod api;
mod body;
mod connection;
mod content_type;
mod cors;
mod decode;
mod dispatch;
mod edge;
mod front;
#[cfg(all(any(test, fuzzing), unix))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod head;
mod health;
mod history;
mod host;
mod invalid;
mod json;
mod listing;
pub mod moment;
mod number;
mod openapi;
mod origin;
mod pages;
mod query;
mod request_log;
mod routes;
mod seat;
mod sending_side;
mod sent;
mod timer;
mod transport;
mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Release;
use std::time::Duration;

use cashpoint::Cents;
use cashpoint::service::Service;
use tokio::net::TcpListener;
use tracing::info;

use gate::Gate;

pub use accept::{Drained, STANDING_MAX};
pub use host::{HostName, ParseHostError};
pub use origin::{AllowedOrigins, Origin, ParseOriginError};

/// The settings of the server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The largest initial balance, and the largest amount of one deposit or withdrawal.
    pub transaction_max: Cents,
    /// Which web pages of other origins may call the service.
    pub allowed_origins: AllowedOrigins,
    /// Under which names the service answers, beside `localhost`, addresses and the hosts of the allowed origins. With
    /// none, and every origin allowed, it answers under every name.
    pub allowed_hosts: Vec<HostName>,
    /// How many connections are served at a time. For a further one the longest idle is closed; if none is idle, it has
    /// a probe answered, or gets 503.
    pub connections_max: usize,
    /// How long a client may take from the end of one answer until the head of its next request is
    /// complete. Connections that take longer, idle ones too, are closed.
    pub header_timeout: Duration,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Duration,
    /// How long a client may take to receive an answer that waits for it, or, of a long one, each 64 KiB. Its
    /// connection is then reset.
    pub answer_timeout: Duration,
    /// How long the server goes on as before once it is told to stop, with `/readyz` answering 503, so
    /// that a load balancer can turn elsewhere first.
    pub drain_delay: Duration,
    /// How long running requests may then take to finish.
    pub shutdown_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transaction_max: TRANSACTION_MAX_DEFAULT,
            allowed_origins: AllowedOrigins::Any,
            allowed_hosts: Vec::new(),
            connections_max: 16_384,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            drain_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// 10,000 units, as in the service that this one replaces.
const TRANSACTION_MAX_DEFAULT: Cents = match Cents::new(1_000_000) {
    Some(cents) => cents,
    None => Cents::MAX,
};

/// Serves `service` on `listener` until `stop` is ready, then lets running requests finish.
///
/// New connections are refused from then on; those that are idle are closed at once, the others after
/// the answer to the request that they are in. What is still running after
/// [`shutdown_timeout`](Config::shutdown_timeout) is cut off, and counted in the result.
///
/// # Cancellation
///
/// If the returned future is dropped, the server ends at once, and its connections with it.
pub async fn run(
    listener: TcpListener,
    service: Arc<Service>,
    config: Config,
    stop: impl Future<Output = ()>,
) -> Drained {
    let stopping = Arc::new(AtomicBool::new(false));
    let openapi = openapi::document(config.transaction_max);
    let api = api::Api::new(service, &config, Arc::clone(&stopping), openapi);
    let gate = Arc::new(Gate::new(&config));
    let stop = async {
        stop.await;
        // ORDERING: Release, pairs with the Acquire load in `health::ready`.
        stopping.store(true, Release);
        info!(drain_delay_s = config.drain_delay.as_secs_f64(), "stopping");
        tokio::time::sleep(config.drain_delay).await;
    };
    let drained = accept::serve_until(stop, listener, &config, &api, &gate).await;
    api.request_log.finish();
    drained
}
