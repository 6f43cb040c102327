//! Cross-origin requests: preflights, and which answers a page of another origin may read (the Fetch standard).

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, VARY,
};

use super::answer;
use super::front::Response;
use super::origin::AllowedOrigins;

const ALL_METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, OPTIONS, POST");
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("Idempotency-Replayed, Link, Retry-After, X-Request-Id");
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");
/// What an answer differs by.
const BY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const BY_BOTH: HeaderValue = HeaderValue::from_static("Accept-Encoding, Origin");

impl AllowedOrigins {
    /// The answer to a preflight by a page of `origin`. `None` if the request, which is for `OPTIONS`, is none.
    pub(super) fn preflight(&self, origin: &HeaderValue, headers: &HeaderMap) -> Option<Response> {
        if !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        if self.grant(origin).is_none() {
            return Some(answer::text(
                StatusCode::BAD_REQUEST,
                "Disallowed CORS origin",
            ));
        }
        let mut answer = answer::text(StatusCode::OK, "OK");
        let granted = answer.headers_mut();
        granted.insert(ACCESS_CONTROL_ALLOW_METHODS, ALL_METHODS);
        granted.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
        if let Some(requested) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            granted.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
        }
        Some(answer)
    }

    /// Whether [`mark`](Self::mark) does anything.
    pub(super) fn marks(&self, origin: Option<&HeaderValue>) -> bool {
        *self != Self::Any || origin.is_some()
    }

    /// Lets a page of `origin` read an answer, if it may.
    pub(super) fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if let Self::Only(_) = self {
            // The answer differs by origin: no cache may give one origin's to another, nor one for no origin to any.
            // Pages differ by encoding, too.
            let by_encoding = headers.contains_key(VARY);
            headers.insert(VARY, if by_encoding { BY_BOTH } else { BY_ORIGIN });
        }
        if let Some(granted) = origin.and_then(|origin| self.grant(origin)) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, granted);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }

    fn grant(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Only(_) => self.names(origin).then(|| origin.clone()),
        }
    }
}
