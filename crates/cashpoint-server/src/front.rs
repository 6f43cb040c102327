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

/// What answers requests.
pub(super) trait Handler: Send + Sync + 'static {
    /// Answers a request. `sent` is what came with it, if anything did.
    fn handle(
        &self,
        method: &Method,
        path: &str,
        sent: Option<&Sent>,
        body: impl Stream<Item = Result<impl Buf, BrokenBody>> + Send + Unpin,
    ) -> impl Future<Output = Response> + Send;
}

/// Has `handler` answer every request of one connection.
pub(super) fn service<H: Handler>(
    handler: &Arc<H>,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ use<H> {
    // A counter of its own for each connection: it goes up and down with each request, and the cores would
    // fight for one that all connections share.
    let handler = Arc::new(Arc::clone(handler));
    let filter = warp::method()
        .and(warp::path::full())
        .and(warp::ext::optional())
        .and(warp::body::stream())
        .then(
            move |method: Method, path: FullPath, sent: Option<Arc<Sent>>, body| {
                let handler = Arc::clone(&handler);
                async move {
                    let sent = sent.as_deref();
                    handler.handle(&method, path.as_str(), sent, body).await
                }
            },
        );
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
