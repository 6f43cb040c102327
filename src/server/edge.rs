//! What every request and every answer has in common: an id, a line in the log, and CORS.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use hyper::Request;
use hyper::Uri;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::{Service, service_fn};
use tower_service::Service as _;
use uuid::Uuid;
use uuid::fmt::Simple;
use warp::reply::Response;

use super::answer::Refusal;
use super::api::{self, Api};
use super::cors::Cors;
use super::head::{KnownHeaders, Sent, X_REQUEST_ID};
use super::request_log::Connection;

/// The longest request id that is taken over from a client.
const REQUEST_ID_MAX_BYTES: usize = 128;

/// The service of one connection, which `peer` has opened.
pub(super) fn service(
    api: &Arc<Api>,
    cors: &Arc<Cors>,
    peer: SocketAddr,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + use<>
{
    let filter = warp::service(api::filter(Arc::clone(api)));
    let cors = Arc::clone(cors);
    let connection = Connection::new(&api.request_log, peer);
    let ids = RequestIds::of_connection();
    service_fn(move |mut request: Request<Incoming>| {
        let mut filter = filter.clone();
        let headers = KnownHeaders::of(request.headers());
        let id = ids.for_request(headers.request_id);
        let origin = headers
            .origin
            .map(|origin| (origin.clone(), Arc::clone(&cors)));
        if let Some(sent) = Sent::of(&request, headers) {
            request.extensions_mut().insert(sent);
        }
        let line = connection.line(request.method(), request.uri());
        async move {
            let preflight = match &origin {
                Some((origin, cors)) => cors.preflight(origin, request.method(), request.headers()),
                None => None,
            };
            let answered = preflight.or_else(|| without_path(request.uri()));
            let mut response = match answered {
                Some(answered) => answered,
                None => filter.call(request).await?,
            };
            if let Some(line) = line {
                line.log(&response, &id);
            }
            if let Some((origin, cors)) = origin {
                cors.mark(&origin, response.headers_mut());
            }
            response.headers_mut().insert(X_REQUEST_ID, id);
            Ok(response)
        }
    })
}

/// The answer to `CONNECT host:port`, the one request whose target has no path. warp 0.4 panics on it.
fn without_path(target: &Uri) -> Option<Response> {
    target
        .path_and_query()
        .is_none()
        .then(|| Refusal::NotFound.into_response())
}

/// Names the requests of one connection: a random name for the connection, and a running number.
struct RequestIds {
    connection: [u8; Simple::LENGTH],
    requests: Cell<u64>,
}

impl RequestIds {
    fn of_connection() -> Self {
        let mut connection = [0; Simple::LENGTH];
        Uuid::new_v4().simple().encode_lower(&mut connection);
        Self {
            connection,
            requests: Cell::new(0),
        }
    }

    /// The id that the client sent, if it is fit to be returned and logged; one of ours otherwise.
    fn for_request(&self, sent: Option<&HeaderValue>) -> HeaderValue {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        let sent = sent.filter(|sent| {
            (1..=REQUEST_ID_MAX_BYTES).contains(&sent.len())
                && sent.as_bytes().iter().all(u8::is_ascii_graphic)
        });
        sent.cloned().unwrap_or_else(|| self.id(number))
    }

    /// By hand, because every answer has one, and formatting it took 4 % of the time of a request.
    fn id(&self, number: u64) -> HeaderValue {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number);
        let mut id = BytesMut::with_capacity(self.connection.len() + 1 + digits.len());
        id.extend_from_slice(&self.connection);
        id.extend_from_slice(b"-");
        id.extend_from_slice(digits.as_bytes());
        HeaderValue::from_maybe_shared(id.freeze()).unwrap_or(HeaderValue::from_static("unknown"))
    }
}
