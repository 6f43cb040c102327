//! The warp filter: takes a request apart, finds its endpoint, and hands it to its handler.
//!
//! One filter, not one for each route: with a tree of routes, each one that does not match clones and
//! boxes a rejection, which measured at 13 to 28 % of the throughput. And the contract asks for answers
//! (a `405` with every method of the path, a redirect only to a path that exists) that need to know all
//! routes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Instant;

use bytes::Bytes;
use cashpoint::Cents;
use cashpoint::service::Service;
use hyper::{Method, StatusCode};
use tokio::sync::Semaphore;
use warp::filters::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::answer::{self, Refusal};
use super::body::Bodies;
use super::decode::{self, RequestBody};
use super::head::Sent;
use super::request_log::RequestLog;
use super::routes::{self, Endpoint};
use super::{Config, accounts, health, history, listing, openapi};

/// What the handlers work with.
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
    bodies: Bodies,
    openapi: Bytes,
}

/// The filter that answers every request of one connection.
pub(super) fn filter(
    api: Arc<Api>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    // A counter of its own for each connection: it goes up and down with each request, and the cores would
    // fight for one that all connections share.
    let api = Arc::new(api);
    warp::method()
        .and(warp::path::full())
        .and(warp::ext::optional())
        .and(warp::body::stream())
        .then(move |method, path, sent: Option<Arc<Sent>>, body| {
            let api = Arc::clone(&api);
            async move {
                // It is read whatever becomes of the request: what is left unread would end the connection.
                let content = match &sent {
                    Some(sent) => api.bodies.read(body, sent.content_length).await,
                    None => Ok(Vec::new()),
                };
                let sent = sent.as_deref().unwrap_or(Sent::NOTHING);
                let answered = match (content, &sent.turned_away) {
                    (Err(refusal), _) => Err(refusal),
                    (Ok(_), Some(why)) => Err(Refusal::TurnedAway(why.clone())),
                    (Ok(content), None) => api.answer(&method, &path, sent, &content).await,
                };
                answered.unwrap_or_else(Refusal::into_response)
            }
        })
}

impl Api {
    pub(super) fn new(
        service: Arc<Service>,
        config: &Config,
        stopping: Arc<AtomicBool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            service,
            transaction_max: config.transaction_max,
            started: Instant::now(),
            connections: AtomicUsize::new(0),
            connections_max: config.connections_max,
            stopping,
            history_readers: Arc::new(Semaphore::new(history::READERS_MAX)),
            listings: Arc::new(Semaphore::new(listing::STREAMS_MAX)),
            request_log: RequestLog::default(),
            bodies: Bodies::new(config.body_timeout),
            openapi: openapi::document(config.transaction_max),
        })
    }

    async fn answer(
        &self,
        method: &Method,
        path: &FullPath,
        sent: &Sent,
        content: &[u8],
    ) -> Result<Response, Refusal> {
        let body = RequestBody {
            content,
            content_type: sent.content_type,
        };
        let path = path.as_str();
        match Endpoint::of(&routes::decoded(path)) {
            Some(endpoint) => self.call(endpoint, method, sent, body).await,
            None => routes::without_trailing_slash(path)
                .map(|location| answer::redirect(location, &sent.query))
                .ok_or(Refusal::NotFound),
        }
    }

    async fn call(
        &self,
        endpoint: Endpoint<'_>,
        method: &Method,
        sent: &Sent,
        body: RequestBody<'_>,
    ) -> Result<Response, Refusal> {
        if !endpoint.takes(method) {
            return Err(Refusal::MethodNotAllowed {
                allowed: endpoint.methods(),
            });
        }
        // Of those that read nothing is kept, whatever their key.
        let key = decode::idempotency_key(&sent.key);
        match endpoint {
            Endpoint::Balance(number) if sent.query.is_empty() => accounts::balance(self, number),
            Endpoint::Balance(number) => history::balance(self, number, &sent.query).await,
            Endpoint::Transactions(number) => {
                history::transactions(self, number, &sent.query).await
            }
            Endpoint::Deposit(number) => accounts::deposit(self, number, body, key?).await,
            Endpoint::Withdraw(number) => accounts::withdraw(self, number, body, key?).await,
            Endpoint::Account(number) => accounts::delete(self, number, key?).await,
            Endpoint::Accounts if method == Method::POST => {
                accounts::create(self, body, key?).await
            }
            Endpoint::Accounts => accounts::list(self, &sent.query),
            Endpoint::Health => Ok(health::health(self)),
            Endpoint::Live => Ok(health::live()),
            Endpoint::Ready => Ok(health::ready(self)),
            Endpoint::OpenApi => Ok(answer::with_type(
                StatusCode::OK,
                answer::JSON,
                self.openapi.clone(),
            )),
            Endpoint::Page(page) => Ok(page.response()),
        }
    }
}
