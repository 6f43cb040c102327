//! The headers of a request that the server looks at.

use hyper::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, ORIGIN,
};

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A header, as it was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Field<'head> {
    pub(super) first: Option<&'head HeaderValue>,
    /// Whether it was sent more than once.
    pub(super) is_repeated: bool,
}

/// The headers that the server looks at. Found in one pass: each lookup by name would hash it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownHeaders<'head> {
    pub(super) host: Field<'head>,
    pub(super) origin: Field<'head>,
    pub(super) fetch_site: Field<'head>,
    pub(super) request_id: Field<'head>,
    pub(super) content_type: Field<'head>,
    pub(super) content_length: Field<'head>,
    pub(super) idempotency_key: Field<'head>,
    pub(super) accept_encoding: Field<'head>,
    pub(super) if_none_match: Field<'head>,
}

impl<'head> KnownHeaders<'head> {
    pub(super) fn of(headers: &'head HeaderMap) -> Self {
        let mut known = Self::default();
        for (name, value) in headers {
            let field = if name == HOST {
                &mut known.host
            } else if name == CONTENT_TYPE {
                &mut known.content_type
            } else if name == CONTENT_LENGTH {
                &mut known.content_length
            } else if name == ORIGIN {
                &mut known.origin
            } else if name == X_REQUEST_ID {
                &mut known.request_id
            } else if name == IDEMPOTENCY_KEY {
                &mut known.idempotency_key
            } else if name == SEC_FETCH_SITE {
                &mut known.fetch_site
            } else if name == ACCEPT_ENCODING {
                &mut known.accept_encoding
            } else if name == IF_NONE_MATCH {
                &mut known.if_none_match
            } else {
                continue;
            };
            field.is_repeated = field.first.is_some();
            field.first.get_or_insert(value);
        }
        known
    }
}
