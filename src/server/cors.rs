//! Cross-origin requests: which web pages of other origins may call the service (the Fetch standard).

use std::str::FromStr;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, VARY,
};
use hyper::http::uri::{Scheme, Uri};
use hyper::{Method, StatusCode};
use warp::reply::Response;

use super::answer;

const ALL_METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, OPTIONS, POST");
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("Idempotency-Replayed, Link, Retry-After, X-Request-Id");
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");

/// Which origins' pages may call the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every origin.
    Any,
    /// This one alone, such as `https://cashpoint.example`.
    Only(HeaderValue),
}

/// The text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is http:// or https:// with a host and no path, such as https://cashpoint.example"
)]
pub struct ParseOriginError;

impl FromStr for AllowedOrigin {
    type Err = ParseOriginError;

    /// Reads the one origin to allow. A slash at its end, as in a URL copied from a browser, is
    /// passed over.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| ParseOriginError)?;
        let is_web =
            matches!(uri.scheme(), Some(scheme) if [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
        let is_origin =
            is_web && uri.host().is_some() && uri.path() == "/" && uri.query().is_none();
        let origin = text.trim_end_matches('/').to_ascii_lowercase();
        match HeaderValue::try_from(origin) {
            Ok(origin) if is_origin => Ok(Self::Only(origin)),
            _ => Err(ParseOriginError),
        }
    }
}

/// Answers preflights, and marks answers that another origin's page may read.
#[derive(Debug)]
pub(super) struct Cors {
    allowed: AllowedOrigin,
}

impl Cors {
    pub(super) fn new(allowed: AllowedOrigin) -> Self {
        Self { allowed }
    }

    /// The answer to a preflight by a page of `origin`. `None` if the request is none.
    pub(super) fn preflight(
        &self,
        origin: &HeaderValue,
        method: &Method,
        headers: &HeaderMap,
    ) -> Option<Response> {
        if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
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

    /// Lets a page of `origin` read an answer, if it may.
    pub(super) fn mark(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        if let AllowedOrigin::Only(_) = self.allowed {
            // The answer differs by origin: no cache may give one origin's to another.
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(granted) = self.grant(origin) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, granted);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }

    fn grant(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match &self.allowed {
            AllowedOrigin::Any => Some(HeaderValue::from_static("*")),
            AllowedOrigin::Only(allowed) => (allowed == origin).then(|| allowed.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        let origin = |text| AllowedOrigin::Only(HeaderValue::from_static(text));
        assert_eq!("https://a.example".parse(), Ok(origin("https://a.example")));
        assert_eq!(
            "https://A.example/".parse(),
            Ok(origin("https://a.example"))
        );
        assert_eq!(
            "http://localhost:3000".parse(),
            Ok(origin("http://localhost:3000"))
        );
        for text in [
            "",
            "a.example",
            "ftp://a.example",
            "https://",
            "https://a.example/x",
            "*",
        ] {
            assert_eq!(
                text.parse::<AllowedOrigin>(),
                Err(ParseOriginError),
                "{text:?}"
            );
        }
    }
}
