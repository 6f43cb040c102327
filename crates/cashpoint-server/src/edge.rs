//! What every request and every answer has in common: who may ask, an id, a line in the log, CORS, and that no cache keeps
//! an answer.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request};
use tower_service::Service as _;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::answer::{self, Refusal};
use super::api::Api;
use super::front::{self, Response};
use super::gate::{self, Door, Gate, TurnedAway};
use super::head::KnownHeaders;
use super::origin::AllowedOrigins;
use super::request_log::Connection;
use super::seat::Seat;
use super::sent::Sent;

/// The longest request id that is taken over from a client.
const REQUEST_ID_MAX_BYTES: usize = 128;

/// Whether there was a seat for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Seated,
    /// All seats are taken: probes are answered, others are told to come back.
    Standing,
}

/// The service of one connection, which `peer` has opened.
pub(super) fn service(
    api: &Arc<Api>,
    gate: &Arc<Gate>,
    peer: SocketAddr,
    seat: &Arc<Seat>,
    admission: Admission,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + use<>
{
    let front = front::service(api);
    let door = Door::of_connection(gate);
    let connection = Connection::new(&api.request_log, peer);
    let ids = RequestIds::of_connection();
    let seat = Arc::clone(seat);
    service_fn(move |mut request: Request<Incoming>| {
        seat.begins_request();
        let mut front = front.clone();
        let headers = KnownHeaders::of(request.headers());
        let id = ids.for_request(headers.request_id.first);
        let turned_away = door.turn_away(&request, &headers);
        let origins = &door.gate.origins;
        let early = match admission {
            Admission::Standing if !gate::is_probe(request.uri()) => {
                Some(Box::new(Refusal::TooManyConnections.into_response()))
            }
            _ => early(&request, headers.origin.first, &turned_away, origins),
        };
        let marking = origins
            .marks(headers.origin.first)
            .then(|| (Arc::clone(&door.gate), headers.origin.first.cloned()));
        if let Some(sent) = Sent::of(&request, headers, turned_away) {
            request.extensions_mut().insert(Arc::new(sent));
        }
        let line = connection.line(request.method(), request.uri());
        async move {
            let mut response = match early {
                Some(answered) => *answered,
                None => front.call(request).await?,
            };
            if let Some(line) = line {
                line.log(&response, &id);
            }
            let headers = response.headers_mut();
            if let Some((gate, origin)) = marking {
                gate.origins.mark(origin.as_ref(), headers);
            }
            answer::complete(headers, id);
            Ok(response)
        }
    })
}

/// The answers for which nothing but the head of a request is needed: to preflights; and to `CONNECT host:port`, the
/// one request whose target has no path. warp 0.4 panics on it.
fn early(
    request: &Request<Incoming>,
    origin: Option<&HeaderValue>,
    turned_away: &Option<TurnedAway>,
    origins: &AllowedOrigins,
) -> Option<Box<Response>> {
    let answered = if request.uri().path_and_query().is_none() {
        let why = turned_away.clone();
        why.map_or(Refusal::NotFound, Refusal::TurnedAway)
            .into_response()
    } else if request.method() == Method::OPTIONS && turned_away.is_none() {
        origins.preflight(origin?, request.headers())?
    } else {
        // One that is turned away has its body read, like every other.
        return None;
    };
    Some(Box::new(answered))
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
        let mut id = Vec::with_capacity(self.connection.len() + 1 + digits.len());
        id.extend_from_slice(&self.connection);
        id.push(b'-');
        id.extend_from_slice(digits.as_bytes());
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unknown"))
    }
}
