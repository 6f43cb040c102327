//! Answers: how a result, or a refusal, becomes a response.

use bytes::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use serde::Serialize;
use warp::Reply as _;
use warp::reply::Response;

use super::invalid::InvalidInput;
use crate::error::{CreateError, UnknownAccount, WithdrawError};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Why a request was refused. Every one becomes `{"detail": …}`.
#[derive(Debug)]
pub(super) enum Refusal {
    AccountNotFound,
    InsufficientFunds,
    LimitReached(CreateError),
    Invalid(InvalidInput),
    NotFound,
    MethodNotAllowed { allowed: &'static [Method] },
    BodyTooLarge,
    BodyTimedOut,
    BodyUnreadable,
}

impl Refusal {
    /// The response, with the reason attached for the log.
    pub(super) fn into_response(self) -> Response {
        let (status, detail) = match &self {
            Self::AccountNotFound => (StatusCode::NOT_FOUND, "Account not found".into()),
            Self::InsufficientFunds => (StatusCode::BAD_REQUEST, "Insufficient funds".into()),
            Self::LimitReached(CreateError::LimitReached { limit }) => (
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
            Self::BodyTimedOut => (StatusCode::REQUEST_TIMEOUT, "Request body timed out".into()),
            Self::BodyUnreadable => (
                StatusCode::BAD_REQUEST,
                "There was an error parsing the body".into(),
            ),
        };
        let mut response = json(status, &Detail { detail: &detail });
        response.extensions_mut().insert(RefusalReason(detail));
        match self {
            Self::MethodNotAllowed { allowed } => {
                let allowed: Vec<_> = allowed.iter().map(Method::as_str).collect();
                if let Ok(allowed) = HeaderValue::try_from(allowed.join(", ")) {
                    response.headers_mut().insert(ALLOW, allowed);
                }
            }
            // What is left of the body would be taken for the next request.
            Self::BodyTimedOut | Self::BodyUnreadable => {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
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

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        Self::LimitReached(error)
    }
}

impl From<WithdrawError> for Refusal {
    fn from(error: WithdrawError) -> Self {
        match error {
            WithdrawError::UnknownAccount => Self::AccountNotFound,
            WithdrawError::InsufficientFunds { .. } => Self::InsufficientFunds,
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
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// An answer in JSON that is written already.
pub(super) fn json_text(status: StatusCode, body: String) -> Response {
    with_type(status, JSON, body)
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
    let mut response = warp::http::Response::new(body.into()).into_response();
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// An answer without a body.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Sends the client to `path`, with the same query, method and body.
pub(super) fn redirect(path: &str, query: &str) -> Response {
    let location = if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    };
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    // What was parsed as part of a request line holds no character that a header may not.
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
