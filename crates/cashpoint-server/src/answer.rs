//! Answers: how a result, or a refusal, becomes a response.

use std::time::Duration;

use bytes::Bytes;
use cashpoint::{self as ledger, CommandError, NotDone, Receipt, UnknownAccount};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK,
    LOCATION, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};
use serde::Serialize;

use super::front::{self, Response};
use super::gate::TurnedAway;
use super::head::X_REQUEST_ID;
use super::invalid::InvalidInput;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Why a request was refused. Every one becomes `{"detail": …}`.
#[derive(Debug)]
pub(super) enum Refusal {
    AccountNotFound,
    InsufficientFunds,
    /// A deposit says more: which amount there is room for.
    BalanceLimit,
    LimitReached {
        limit: usize,
    },
    Invalid(InvalidInput),
    NotFound,
    MethodNotAllowed {
        allowed: &'static [Method],
    },
    /// There is no seat for one more connection at the moment.
    TooManyConnections,
    BodyTooLarge,
    /// There is no memory for one more body of that size at the moment.
    TooManyLargeBodies,
    BodyTimedOut,
    BodyUnreadable,
    NotDone(NotDone),
    TooManyListings,
    /// There is history only with a journal.
    NoHistory,
    HistoryTakenAway(String),
    HistoryUnreadable(String),
    TurnedAway(TurnedAway),
}

const TOO_MANY_LISTINGS: &str = "Too many listings of all accounts are being sent: ask for pages, with ?limit=1000, or again later";

/// After how many seconds to ask again for what others hold now and give back when they are done.
const SOON: HeaderValue = HeaderValue::from_static("1");

const NO_HISTORY: &str =
    "This service keeps no history: start it with --data DIRECTORY to keep one";

const FOREIGN_ORIGIN: &str = "Requests from this origin are not allowed";

/// After how many seconds to ask again, where that helps: at least one, rounded up.
fn retry_after(reason: NotDone) -> Option<HeaderValue> {
    let after = match reason {
        NotDone::TooManyKeys { retry_after } => retry_after,
        NotDone::Busy | NotDone::DiskFull | NotDone::NoSegment => Duration::ZERO,
        _ => return None,
    };
    let begun = u64::from(after.subsec_nanos() > 0);
    Some(after.as_secs().saturating_add(begun).max(1).into())
}

impl Refusal {
    /// The response, with the reason attached for the log.
    pub(super) fn into_response(self) -> Response {
        let (status, detail) = match &self {
            Self::AccountNotFound => (StatusCode::NOT_FOUND, "Account not found".into()),
            Self::InsufficientFunds => (StatusCode::BAD_REQUEST, "Insufficient funds".into()),
            Self::BalanceLimit => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The balance cannot grow by that much".into(),
            ),
            Self::LimitReached { limit } => (
                StatusCode::INSUFFICIENT_STORAGE,
                format!("Maximum number of accounts ({limit}) reached"),
            ),
            Self::Invalid(invalid) => return invalid_input(invalid),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not Found".into()),
            Self::MethodNotAllowed { .. } => {
                (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".into())
            }
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Request body too large".into(),
            ),
            Self::TooManyConnections => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many connections".into(),
            ),
            Self::TooManyLargeBodies => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many large request bodies are under way".into(),
            ),
            Self::BodyTimedOut => (StatusCode::REQUEST_TIMEOUT, "Request body timed out".into()),
            Self::BodyUnreadable => (
                StatusCode::BAD_REQUEST,
                "There was an error parsing the body".into(),
            ),
            Self::NotDone(reason) => (status_of(*reason), not_done(*reason).into()),
            Self::TooManyListings => (StatusCode::SERVICE_UNAVAILABLE, TOO_MANY_LISTINGS.into()),
            Self::NoHistory => (StatusCode::NOT_IMPLEMENTED, NO_HISTORY.into()),
            Self::HistoryTakenAway(detail) => (StatusCode::GONE, detail.clone()),
            Self::HistoryUnreadable(detail) => (StatusCode::SERVICE_UNAVAILABLE, detail.clone()),
            Self::TurnedAway(TurnedAway::ForeignOrigin) => {
                (StatusCode::FORBIDDEN, FOREIGN_ORIGIN.into())
            }
            Self::TurnedAway(host) => (StatusCode::BAD_REQUEST, wrong_host(host)),
        };
        let mut response = json(status, &Detail { detail: &detail });
        response.extensions_mut().insert(RefusalReason(detail));
        let headers = response.headers_mut();
        if let Self::MethodNotAllowed { allowed } = &self {
            let allowed: Vec<_> = allowed.iter().map(Method::as_str).collect();
            if let Ok(allowed) = HeaderValue::try_from(allowed.join(", ")) {
                headers.insert(ALLOW, allowed);
            }
        }
        if self.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds);
        }
        response
    }

    /// Whether part of the body is left, which would be taken for the next request.
    fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge
                | Self::TooManyLargeBodies
                | Self::BodyTimedOut
                | Self::BodyUnreadable
        )
    }

    fn retry_after(&self) -> Option<HeaderValue> {
        match self {
            Self::NotDone(reason) => retry_after(*reason),
            Self::TooManyConnections | Self::TooManyListings | Self::TooManyLargeBodies => {
                Some(SOON)
            }
            _ => None,
        }
    }
}

fn status_of(not_done: NotDone) -> StatusCode {
    match not_done {
        NotDone::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What the engine says, as a sentence begins.
pub(super) fn sentence(said: &impl std::fmt::Display) -> String {
    let text = said.to_string();
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// Why a command was not done, and how to go on where that is not plain.
fn not_done(reason: NotDone) -> &'static str {
    match reason {
        NotDone::KeyReused => "The idempotency key was used before with another request",
        NotDone::TooManyKeys { .. } => "Too many idempotency keys are kept",
        NotDone::Busy => "Too many requests are waiting",
        NotDone::DiskFull => "The disk is full",
        NotDone::NoSegment => "The next file of the journal cannot be made",
        NotDone::Failed => {
            "The journal could not be written; whether this was done is not known: once the service has been restarted, \
             the same request with the same idempotency key tells, and without a key the transactions of the account"
        }
        NotDone::ReadOnly => {
            "The journal could not be written earlier; nothing can be changed any more"
        }
        NotDone::Stopped => "The ledger is closed",
    }
}

/// What is wrong with the host that a request is for.
fn wrong_host(turned_away: &TurnedAway) -> String {
    match turned_away {
        TurnedAway::SeveralHosts => "There is more than one Host header".into(),
        TurnedAway::InvalidHost => {
            "The Host header must be a host name or an IP address, with a port or without".into()
        }
        TurnedAway::ForeignHost(name) => format!(
            "The host name {name} is not allowed; whoever runs the service can allow it with --allowed-host or ALLOWED_HOST"
        ),
        TurnedAway::NoHost | TurnedAway::ForeignOrigin => {
            "The Host header is missing or empty".into()
        }
    }
}

/// The answer to a command: `granted` of its receipt, or `refused` of its refusal, with a header if it was given before.
pub(super) fn of(
    result: Result<Receipt, CommandError>,
    granted: impl FnOnce(Receipt) -> Response,
    refused: impl FnOnce(ledger::Refusal) -> Refusal,
) -> Result<Response, Refusal> {
    let (mut response, replayed) = match result {
        Ok(receipt) => (granted(receipt), receipt.replayed),
        Err(CommandError::Refused { refusal, replayed }) => {
            (refused(refusal).into_response(), replayed)
        }
        Err(CommandError::NotDone(reason)) => return Err(Refusal::NotDone(reason)),
    };
    if replayed {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn invalid_input(invalid: &InvalidInput) -> Response {
    let mut response = json(
        StatusCode::UNPROCESSABLE_ENTITY,
        &Detail {
            detail: std::slice::from_ref(invalid),
        },
    );
    response
        .extensions_mut()
        .insert(RefusalReason(invalid.to_string()));
    response
}

#[derive(Serialize)]
struct Detail<T> {
    detail: T,
}

/// The reason of a refusal, for the log. It travels with the response as an extension.
#[derive(Clone, Debug)]
pub(super) struct RefusalReason(pub(super) String);

impl From<UnknownAccount> for Refusal {
    fn from(_: UnknownAccount) -> Self {
        Self::AccountNotFound
    }
}

impl From<ledger::Refusal> for Refusal {
    fn from(refusal: ledger::Refusal) -> Self {
        match refusal {
            ledger::Refusal::UnknownAccount => Self::AccountNotFound,
            ledger::Refusal::InsufficientFunds { .. } => Self::InsufficientFunds,
            ledger::Refusal::AccountLimit { limit } => Self::LimitReached { limit },
            ledger::Refusal::BalanceLimit { .. } => Self::BalanceLimit,
        }
    }
}

impl From<InvalidInput> for Refusal {
    fn from(invalid: InvalidInput) -> Self {
        Self::Invalid(invalid)
    }
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => with_type(status, JSON, body),
        // Only maps with keys that are no strings, and values that refuse, cannot be written; we have
        // neither.
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// An answer in JSON that is written already.
pub(super) fn json_text(status: StatusCode, body: String) -> Response {
    with_type(status, JSON, body)
}

/// A page in JSON, with a header that leads to the next one if there is one. `next` is its path and query.
pub(super) fn page(body: String, next: Option<String>) -> Response {
    let mut response = json_text(StatusCode::OK, body);
    let link = next.map(|next| HeaderValue::try_from(format!(r#"<{next}>; rel="next""#)));
    if let Some(Ok(link)) = link {
        response.headers_mut().insert(LINK, link);
    }
    response
}

/// An answer in plain text.
pub(super) fn text(status: StatusCode, body: &'static str) -> Response {
    with_type(status, PLAIN_TEXT, Bytes::from_static(body.as_bytes()))
}

/// An answer of this media type.
pub(super) fn with_type(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = front::with_body(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Gives an answer its request's id, and what keeps caches from keeping it, and browsers from taking it for something else.
pub(super) fn complete(headers: &mut HeaderMap, id: HeaderValue) {
    headers.insert(X_REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Pages say what they like.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = front::with_body(Bytes::new());
    *response.status_mut() = status;
    response
}

/// An answer without a body.
pub(super) fn no_content() -> Response {
    empty(StatusCode::NO_CONTENT)
}

/// Sends the client to `path`, with the same query, method and body.
pub(super) fn redirect(path: &str, query: &str) -> Response {
    let location = if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    };
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    // What was parsed as part of a request line holds no character that a header may not.
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_in_whole_seconds_and_never_too_soon() {
        for (left, seconds) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(1), 1),
            (Duration::from_millis(1_001), 2),
            (Duration::from_secs(86_400), 86_400),
            // A crate's user may keep keys for ever.
            (Duration::MAX, u64::MAX),
        ] {
            let reason = NotDone::TooManyKeys { retry_after: left };
            assert_eq!(retry_after(reason), Some(seconds.into()), "{left:?}");
        }
        assert_eq!(retry_after(NotDone::DiskFull), Some(1_u64.into()));
        assert_eq!(retry_after(NotDone::KeyReused), None);
    }
}
