//! What a request sent beside its method and path.

use hyper::Request;
use hyper::body::Body;
use hyper::header::HeaderValue;

use super::content_type::ContentType;
use super::gate::TurnedAway;
use super::head::{Field, IDEMPOTENCY_KEY, KnownHeaders};

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
    /// Whether an answer may be compressed. Only of pages it is known.
    pub(super) accepts_gzip: bool,
    /// Which versions of a page the client has. Only of pages it is known.
    pub(super) if_none_match: Option<HeaderValue>,
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
        accepts_gzip: false,
        if_none_match: None,
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
        let is_account = || request.uri().path().starts_with("/accounts");
        let of_page = |field: Field<'_>| field.first.filter(|_| !is_account()).cloned();
        let accept_encoding = of_page(headers.accept_encoding);
        let if_none_match = of_page(headers.if_none_match);
        let is_page = accept_encoding.is_some() || if_none_match.is_some();
        if query.is_none() && !has_key && !has_body && !is_page && turned_away.is_none() {
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
            accepts_gzip: accept_encoding.is_some_and(|it| names_gzip(&it)),
            if_none_match,
            turned_away,
        })
    }
}

/// Whether an `Accept-Encoding` names gzip, and does not exclude it by a weight of nothing.
fn names_gzip(accepted: &HeaderValue) -> bool {
    let accepted = accepted.to_str().unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().trim_start_matches(['q', 'Q', '=', ' ']);
        let is_excluded = !weight.is_empty() && weight.chars().all(|it| matches!(it, '0' | '.'));
        name.trim().eq_ignore_ascii_case("gzip") && !is_excluded
    })
}
