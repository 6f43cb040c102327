//! warp, which takes requests apart and writes answers. The one file that knows it.
//!
//! One filter, not one for each route: with a tree of routes, each one that does not match clones and
//! boxes a rejection, which measured at 13 to 28 % of the throughput. And the contract asks for answers
//! (a `405` with every method of the path, a redirect only to a path that exists) that need to know all
//! routes at once.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use hyper::Request;
use hyper::body::Incoming;
use tower_service::Service;
use warp::filters::path::FullPath;
use warp::{Filter, Reply as _};

use super::answer::Refusal;
use super::api::Api;
use super::head::Sent;

/// An answer.
pub(super) type Response = warp::reply::Response;

/// A body broke off, or is not what its head says.
pub(super) type BrokenBody = warp::Error;

/// Answers every request of one connection.
pub(super) fn service(
    api: &Arc<Api>,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + use<>
{
    // A counter of its own for each connection: it goes up and down with each request, and the cores would
    // fight for one that all connections share.
    let api = Arc::new(Arc::clone(api));
    let filter = warp::method()
        .and(warp::path::full())
        .and(warp::ext::optional())
        .and(warp::body::stream())
        .then(
            move |method, path: FullPath, sent: Option<Arc<Sent>>, body| {
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
                        (Ok(content), None) => {
                            api.answer(&method, path.as_str(), sent, &content).await
                        }
                    };
                    answered.unwrap_or_else(Refusal::into_response)
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
