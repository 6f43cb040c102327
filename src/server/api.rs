//! The warp filter: takes a request apart, finds its endpoint, and hands it to its handler.
//!
//! One filter, not one for each route: with a tree of routes, each one that does not match clones and
//! boxes a rejection, which measured at 13 to 28 % of the throughput. And the contract asks for answers
//! (a `405` with every method of the path, a redirect only to a path that exists) that need to know all
//! routes at once.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::{Method, StatusCode};
use warp::filters::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::answer::{self, Refusal};
use super::decode::{ContentType, RequestBody};
use super::routes::{self, Endpoint};
use super::{Config, accounts, body, health, openapi};
use crate::money::Cents;
use crate::service::Service;

/// What the handlers work with.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) service: Arc<Service>,
    pub(super) transaction_max: Cents,
    pub(super) started: Instant,
    /// Set once the server is to stop.
    pub(super) stopping: Arc<AtomicBool>,
    body_timeout: Duration,
    openapi: Bytes,
}

/// The filter that answers every request.
pub(super) fn filter(
    api: Arc<Api>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::method()
        .and(warp::path::full())
        .and(query())
        .and(request_body(api.body_timeout))
        .then(move |method, path, query: String, body| {
            let api = Arc::clone(&api);
            async move {
                let answered = api.answer(&method, &path, &query, body).await;
                answered.unwrap_or_else(Refusal::into_response)
            }
        })
}

/// The query as it was sent; empty where there is none.
fn query() -> impl Filter<Extract = (String,), Error = Rejection> + Clone {
    warp::query::raw().or_else(|_| ready(Ok::<_, Rejection>((String::new(),))))
}

/// The body. It is read whatever becomes of the request: what is left unread would end the connection.
fn request_body(
    timeout: Duration,
) -> impl Filter<Extract = (Result<RequestBody, Refusal>,), Error = Rejection> + Clone {
    content_type()
        .and(content_length())
        .and(warp::body::stream())
        .then(move |content_type, length, body| async move {
            let content = body::read(body, length, timeout).await?;
            Ok(RequestBody {
                content,
                content_type,
            })
        })
}

/// The content type. A header that is no text at all is not rejected: the contract has an answer to it.
fn content_type() -> impl Filter<Extract = (ContentType,), Error = Rejection> + Clone {
    warp::header::optional("content-type")
        .map(Option::unwrap_or_default)
        .or_else(|_| ready(Ok::<_, Rejection>((ContentType::Other,))))
}

/// The length of the body, where it is known from the start. Whether it is valid, hyper has checked.
fn content_length() -> impl Filter<Extract = (Option<u64>,), Error = Rejection> + Clone {
    warp::header::optional("content-length").or_else(|_| ready(Ok::<_, Rejection>((None,))))
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
            stopping,
            body_timeout: config.body_timeout,
            openapi: openapi::document(config.transaction_max),
        })
    }

    async fn answer(
        &self,
        method: &Method,
        path: &FullPath,
        query: &str,
        body: Result<RequestBody, Refusal>,
    ) -> Result<Response, Refusal> {
        let body = body?;
        let path = path.as_str();
        match Endpoint::of(&routes::decoded(path)) {
            Some(endpoint) => self.call(endpoint, method, query, &body).await,
            None => routes::without_trailing_slash(path)
                .map(|location| answer::redirect(location, query))
                .ok_or(Refusal::NotFound),
        }
    }

    async fn call(
        &self,
        endpoint: Endpoint<'_>,
        method: &Method,
        query: &str,
        body: &RequestBody,
    ) -> Result<Response, Refusal> {
        if !endpoint.takes(method) {
            return Err(Refusal::MethodNotAllowed {
                allow: endpoint.allow(),
            });
        }
        match endpoint {
            Endpoint::Balance(number) => accounts::balance(self, number),
            Endpoint::Deposit(number) => accounts::deposit(self, number, body).await,
            Endpoint::Withdraw(number) => accounts::withdraw(self, number, body).await,
            Endpoint::Account(number) => accounts::delete(self, number).await,
            Endpoint::Accounts if method == Method::POST => accounts::create(self, body).await,
            Endpoint::Accounts => accounts::list(self, query).await,
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
