//! What the head of a request says beside its method and path.

use hyper::Request;
use hyper::body::Body;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN};

use super::decode::ContentType;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The headers that the server looks at, the first of each name. Found in one pass: each lookup by name
/// would hash it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownHeaders<'head> {
    pub(super) origin: Option<&'head HeaderValue>,
    pub(super) request_id: Option<&'head HeaderValue>,
    content_type: Option<&'head HeaderValue>,
    content_length: Option<&'head HeaderValue>,
    idempotency_key: Option<&'head HeaderValue>,
    /// Whether there is more than one key.
    has_keys: bool,
}

impl<'head> KnownHeaders<'head> {
    pub(super) fn of(headers: &'head HeaderMap) -> Self {
        let mut known = Self::default();
        for (name, value) in headers {
            let place = if name == CONTENT_TYPE {
                &mut known.content_type
            } else if name == CONTENT_LENGTH {
                &mut known.content_length
            } else if name == ORIGIN {
                &mut known.origin
            } else if name == X_REQUEST_ID {
                &mut known.request_id
            } else if name == IDEMPOTENCY_KEY {
                known.has_keys = known.idempotency_key.is_some();
                &mut known.idempotency_key
            } else {
                continue;
            };
            place.get_or_insert(value);
        }
        known
    }
}

/// What a request sent beside its path. The edge attaches it where there is any: most requests send nothing
/// more, and warp's own filters look for each header anew, and box a rejection where there is no query.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub(super) query: String,
    pub(super) content_type: ContentType,
    /// Where the length of the body is known from the start. Whether it is valid, hyper has checked.
    pub(super) content_length: Option<u64>,
    /// The idempotency key, not looked at yet.
    pub(super) key: SentKey,
}

/// What was sent for an idempotency key.
#[derive(Clone, Debug, Default)]
pub(super) enum SentKey {
    #[default]
    None,
    One(HeaderValue),
    Several,
}

impl Sent {
    /// What `request` sent. `None` if it is a path and no more.
    pub(super) fn of<B: Body>(request: &Request<B>, headers: KnownHeaders<'_>) -> Option<Self> {
        let query = request.uri().query();
        let has_key = headers.idempotency_key.is_some();
        if query.is_none() && !has_key && request.body().is_end_stream() {
            return None;
        }
        Some(Self {
            query: query.unwrap_or_default().to_owned(),
            content_type: match headers.content_type.map(HeaderValue::to_str) {
                Some(Ok(text)) => ContentType::of(text),
                // A header that is no text at all declares something else.
                Some(Err(_)) => ContentType::Other,
                None => ContentType::Json,
            },
            content_length: match headers.content_length.map(HeaderValue::to_str) {
                Some(Ok(text)) => text.parse().ok(),
                _ => None,
            },
            key: match headers.idempotency_key {
                None => SentKey::None,
                Some(_) if headers.has_keys => SentKey::Several,
                Some(key) => SentKey::One(key.clone()),
            },
        })
    }
}
