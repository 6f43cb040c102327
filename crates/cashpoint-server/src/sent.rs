//! What a request sent beside its method and path.

use hyper::Request;
use hyper::body::Body;
use hyper::header::HeaderValue;

use super::content_type::ContentType;
use super::gate::TurnedAway;
use super::head::{IDEMPOTENCY_KEY, KnownHeaders};

/// What a request sent beside its path. The edge attaches it where there is any: most requests send nothing
/// more, and warp's own filters look for each header anew, and box a rejection where there is no query.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) query: String,
    pub(super) content_type: ContentType,
    /// Where the length of the body is known from the start. Whether it is valid, hyper has checked.
    pub(super) content_length: Option<u64>,
    /// The idempotency key, not looked at yet.
    pub(super) key: SentKey,
    /// Whether, and why, nothing of it is to be done.
    pub(super) turned_away: Option<TurnedAway>,
}

/// What was sent for an idempotency key.
#[derive(Clone, Debug, Default)]
pub(super) enum SentKey {
    #[default]
    None,
    One(HeaderValue),
    /// The header was sent so often, where once is right.
    Several(Vec<HeaderValue>),
}

impl Sent {
    /// A path and no more.
    pub(super) const NOTHING: &Self = &Self {
        query: String::new(),
        content_type: ContentType::Json,
        content_length: None,
        key: SentKey::None,
        turned_away: None,
    };

    /// What `request` sent. `None` if it is a path and no more.
    pub(super) fn of<B: Body>(
        request: &Request<B>,
        headers: KnownHeaders<'_>,
        turned_away: Option<TurnedAway>,
    ) -> Option<Self> {
        let query = request.uri().query();
        let has_key = headers.idempotency_key.first.is_some();
        let has_body = !request.body().is_end_stream();
        if query.is_none() && !has_key && !has_body && turned_away.is_none() {
            return None;
        }
        Some(Self {
            query: query.unwrap_or_default().to_owned(),
            content_type: match headers.content_type.first.map(HeaderValue::to_str) {
                Some(Ok(text)) => ContentType::of(text),
                // A header that is no text at all declares something else.
                Some(Err(_)) => ContentType::Other,
                None => ContentType::Json,
            },
            content_length: match headers.content_length.first.map(HeaderValue::to_str) {
                Some(Ok(text)) => text.parse().ok(),
                _ => None,
            },
            key: match headers.idempotency_key.first {
                None => SentKey::None,
                Some(key) if !headers.idempotency_key.is_repeated => SentKey::One(key.clone()),
                Some(_) => {
                    let all = request.headers().get_all(IDEMPOTENCY_KEY);
                    SentKey::Several(all.into_iter().cloned().collect())
                }
            },
            turned_away,
        })
    }
}
