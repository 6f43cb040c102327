//! What the log says of requests: refusals at `info`, as many as an operator can live with, and each request at
//! `debug`. Amounts and balances are never logged.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode, Uri};
use tracing::level_filters::LevelFilter;
use tracing::{Level, debug, enabled, info};

use super::answer::RefusalReason;
use super::front::Response;

/// How many refused requests have a line of their own in a [`WINDOW`]: so many of 4xx, and so many of 5xx. Whoever
/// sends nonsense does not hide that the disk is full.
const LOGGED_REFUSALS_MAX: u64 = 10;

/// The time for which refusals are counted together, from the first one on.
const WINDOW: Duration = Duration::from_secs(1);

/// The longest method that is logged in full.
const LOGGED_METHOD_MAX_BYTES: usize = 32;

/// The longest path that is logged in full.
const LOGGED_PATH_MAX_BYTES: usize = 128;

/// The longest reason that is logged in full.
const LOGGED_DETAIL_MAX_BYTES: usize = 512;

/// The log of one server's requests.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestLog {
    client_errors: Arc<Refusals>,
    server_errors: Arc<Refusals>,
}

impl RequestLog {
    /// Says how many refusals have no line of their own and were not told yet.
    pub(super) fn finish(&self) {
        self.client_errors.end_window();
        self.server_errors.end_window();
    }
}

/// The refusals of one kind in the current window. There is a window for as long as the number is not zero.
///
/// `Relaxed`, for it is only a number: each refusal is counted in one window, whichever that is.
#[derive(Debug, Default)]
struct Refusals(AtomicU64);

impl Refusals {
    /// Counts one; whether it has a line of its own. The first one begins a window.
    fn count(self: &Arc<Self>) -> bool {
        let before = self.0.fetch_add(1, Relaxed);
        if before == 0 {
            let refusals = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(WINDOW).await;
                refusals.end_window();
            });
        }
        before < LOGGED_REFUSALS_MAX
    }

    fn end_window(&self) {
        let refused = self.0.swap(0, Relaxed);
        let more_refused = refused.saturating_sub(LOGGED_REFUSALS_MAX);
        if more_refused > 0 {
            info!(
                more_refused,
                "more requests were refused: at this level they have no line each"
            );
        }
    }
}

/// A connection, for the lines about its requests.
#[derive(Debug)]
pub(super) struct Connection {
    log: RequestLog,
    peer: SocketAddr,
}

impl Connection {
    pub(super) fn new(log: &RequestLog, peer: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            log: log.clone(),
            // On a socket for IPv6, too, an IPv4 address looks like one.
            peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
        })
    }

    /// Begins the line about a request, and its latency. `None` if there will be no line, whatever the answer.
    pub(super) fn line(self: &Arc<Self>, method: &Method, uri: &Uri) -> Option<Line> {
        // The highest level of all, and not `enabled!`: that asks the subscriber, which takes longer than all of this.
        (Level::INFO <= LevelFilter::current()).then(|| Line {
            connection: Arc::clone(self),
            method: method.clone(),
            target: uri.path_and_query().cloned(),
            began: Instant::now(),
        })
    }
}

/// What is known of a request before it is answered.
#[derive(Debug)]
pub(super) struct Line {
    /// One counter for each connection: the cores would fight for one that all share.
    connection: Arc<Connection>,
    method: Method,
    /// Without the rest of the target, which would have to be copied as well.
    target: Option<PathAndQuery>,
    began: Instant,
}

impl Line {
    /// Logs the request, if what came of it is of interest.
    pub(super) fn log(&self, response: &Response, id: &HeaderValue) {
        let status = response.status();
        let refusals = match status {
            _ if status.is_client_error() => &self.connection.log.client_errors,
            _ if status.is_server_error() => &self.connection.log.server_errors,
            _ if enabled!(Level::DEBUG) => return self.log_answer(status, id),
            _ => return,
        };
        if enabled!(Level::DEBUG) || refusals.count() {
            self.log_refusal(response, status, id);
        }
    }

    fn log_answer(&self, status: StatusCode, id: &HeaderValue) {
        debug!(method = %self.method(), path = &*self.path(), status = status.as_u16(),
            latency_us = self.latency_us(), peer = %self.connection.peer, request_id = text(id), "answered");
    }

    fn log_refusal(&self, response: &Response, status: StatusCode, id: &HeaderValue) {
        let reason = response.extensions().get::<RefusalReason>();
        let detail = reason.map_or(Cow::Borrowed(""), |reason| {
            fit(&reason.0, LOGGED_DETAIL_MAX_BYTES)
        });
        info!(method = %self.method(), path = &*self.path(), status = status.as_u16(), detail = &*detail,
            latency_us = self.latency_us(), peer = %self.connection.peer, request_id = text(id), "refused");
    }

    /// It needs no quotes and no escapes: hyper lets through what RFC 9110 calls a token.
    fn method(&self) -> &str {
        cut(self.method.as_str(), LOGGED_METHOD_MAX_BYTES)
    }

    fn path(&self) -> Cow<'_, str> {
        let path = self.target.as_ref().map_or("", PathAndQuery::path);
        fit(path, LOGGED_PATH_MAX_BYTES)
    }

    /// From the head of the request to its answer; the way of the answer to the client is not in it.
    fn latency_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// An id as it is: it holds visible ASCII only.
fn text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}

/// The beginning of `text`, in whole characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or(text)
}

/// The beginning of `text` without characters that a terminal may obey, such as U+009B, which begins a command like
/// ESC: the formats of the log escape quotes, backslashes and line breaks, and JSON leaves these as they are. They are
/// written as in a URL.
fn fit(text: &str, bytes_max: usize) -> Cow<'_, str> {
    let text = cut(text, bytes_max);
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut fitting = String::new();
    for char in text.chars() {
        match char.is_control() {
            true => fitting.extend(char.encode_utf8(&mut [0; 4]).bytes().map(percent)),
            false => fitting.push(char),
        }
    }
    Cow::Owned(fitting)
}

fn percent(byte: u8) -> String {
    format!("%{byte:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_may_obey_is_written_as_in_a_url() {
        assert_eq!(fit("/é\\\"👻", 99), "/é\\\"👻");
        assert_eq!(fit("/\u{9b}31m\u{7f}", 99), "/%C2%9B31m%7F");
        assert_eq!(fit("/\u{9b}31m", 4), "/%C2%9B3");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("short", 8), "short");
        assert_eq!(cut("12345678", 8), "12345678");
        assert_eq!(cut("123456789", 8), "12345678");
        assert_eq!(cut("1234567é9", 8), "1234567");
        assert_eq!(cut("12345👻", 8), "12345");
    }
}
