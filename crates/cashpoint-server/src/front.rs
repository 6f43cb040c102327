//! warp, which takes requests apart and writes answers. The one file that knows it.
//!
//! One filter, not one for each route: with a tree of routes, each one that does not match clones and
//! boxes a rejection, which measured at 13 to 28 % of the throughput. And the contract asks for answers
//! (a `405` with every method of the path, a redirect only to a path that exists) that need to know all
//! routes at once.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use hyper::body::Incoming;
use hyper::{Method, Request};
use tower_service::Service;
use warp::filters::path::FullPath;
use warp::{Filter, Reply as _};

use super::sent::Sent;

/// An answer.
pub(super) type Response = warp::reply::Response;

/// A body broke off, or is not what its head says.
pub(super) type BrokenBody = warp::Error;

/// The path of a request, as it was sent.
pub(super) type Path = FullPath;

/// A request.
#[derive(Debug)]
pub(super) struct Asked<B> {
    pub(super) method: Method,
    pub(super) path: Path,
    /// What came with it beside method and path, if anything did.
    pub(super) sent: Option<Arc<Sent>>,
    /// Its body, not read yet.
    pub(super) body: B,
}

/// What answers requests.
pub(super) trait Handler: Send + Sync + 'static {
    /// Answers a request. It takes the request whole: one more future on the way took 1.7 % of the instructions.
    fn handle<B: Buf>(
        self: Arc<Self>,
        asked: Asked<impl Stream<Item = Result<B, BrokenBody>> + Send + Unpin>,
    ) -> impl Future<Output = Response> + Send;
}

/// Has `handler` answer every request of one connection.
pub(super) fn service<H: Handler + Clone>(
    handler: &H,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ use<H> {
    // A counter of its own for each connection: it goes up and down with each request, and the cores would
    // fight for one that all connections share.
    let handler = Arc::new(handler.clone());
    let filter = warp::method()
        .and(warp::path::full())
        .and(warp::ext::optional())
        .and(warp::body::stream())
        .then(move |method, path, sent, body| {
            Arc::clone(&handler).handle(Asked {
                method,
                path,
                sent,
                body,
            })
        });
    warp::service(filter)
}

/// An answer with this body.
pub(super) fn with_body(body: Bytes) -> Response {
    warp::http::Response::new(body).into_response()
}

/// An answer whose body is sent as it is made.
pub(super) fn streamed(
    pieces: impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync + 'static,
) -> Response {
    warp::reply::stream(pieces).into_response()
}
