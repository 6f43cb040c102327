//! The parts of the server that read foreign bytes, each with the rules that it keeps whatever comes.
//!
//! No part of the crate's interface: this exists only where `cfg(fuzzing)` is set, as `cargo fuzz` does, and in the
//! crate's own tests, which replay the committed corpus of `fuzz/`. What is fuzzed is private, and nobody should
//! call it who do not fuzz. A feature could be switched on by any dependent, and would be one more build to keep
//! working; a cfg cannot be, and costs nothing.

#![expect(clippy::panic, reason = "a rule that is broken is told by panicking")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use cashpoint::service::Service;
use cashpoint::{AccountNumber, Amount, Cents, KeyPolicy};
use futures_util::FutureExt as _;
use hyper::header::LOCATION;
use serde_json::value::RawValue;
use tokio::net::UnixStream;

use super::api::Api;
use super::content_type::ContentType;
use super::decode::{self, RequestBody};
use super::edge::Admission;
use super::gate::Gate;
use super::invalid::InvalidInput;
use super::query;
use super::routes::{self, Endpoint};
use super::seat::Seat;
use super::transport::Transport;
use super::{Config, answer, connection, edge};

/// How the client reads answers: what the command line ships.
#[cfg(test)]
#[expect(dead_code, reason = "its own rules are kept where it ships")]
#[path = "../../cashpoint-cli/src/client/answer.rs"]
mod client;

/// The longest description of what is wrong with a request: 256 bytes of it are sent back, each of which JSON
/// may escape in six, and as many of a name in a query.
const REFUSAL_MAX_BYTES: usize = 4096;

/// Reads the body of a request: of JSON, if its first byte is `j`.
///
/// - It is taken exactly if it is a JSON object whose last `amount` is a number, or a string that holds one, within
///   the bounds; and for `initial_balance` in the same way. Serde reads the object a second time, as a whole.
/// - What is wrong with it is told in JSON, and shortly.
///
/// # Panics
///
/// If that is not so.
pub fn body(bytes: &[u8]) {
    let Some((kind, content)) = bytes.split_first() else {
        return;
    };
    let content_type = match kind {
        b'j' => ContentType::Json,
        _ => ContentType::Other,
    };
    let body = RequestBody {
        content,
        content_type,
    };
    let max = Config::default().transaction_max;
    let text = content.strip_prefix("\u{feff}".as_bytes());
    let fields = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(text.unwrap_or(content))
        .ok()
        .filter(|_| content_type == ContentType::Json);

    let sent = fields.as_ref().and_then(|fields| fields.get("amount"));
    let meant = sent.and_then(|sent| sum(sent, max)).and_then(Amount::new);
    match decode::amount(body, max) {
        Ok(read) => assert_eq!(Some(read.amount), meant),
        Err(invalid) => {
            assert_eq!(None, meant, "{invalid}");
            assert_told(&invalid);
        }
    }

    let meant = fields.and_then(|fields| match fields.get("initial_balance") {
        Some(sent) => sum(sent, max),
        None => Some(Cents::ZERO),
    });
    match decode::initial_balance(body, max) {
        Ok(read) => assert_eq!(Some(read), meant),
        Err(invalid) => {
            assert_eq!(None, meant, "{invalid}");
            assert_told(&invalid);
        }
    }
}

/// The sum that a JSON value holds, up to `max`.
fn sum(sent: &RawValue, max: Cents) -> Option<Cents> {
    let text = match serde_json::from_str::<String>(sent.get()) {
        Ok(text) => loose(&text)?,
        Err(_) => sent.get().to_owned(),
    };
    text.parse().ok().filter(|sum| *sum <= max)
}

/// A number as a string may hold it, as JSON writes it. What is a number is told by Rust's reading of floats, whose
/// notation is that of the original's parser; only its digits are kept.
fn loose(text: &str) -> Option<String> {
    let text = text.trim();
    let is_odd = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    let text = text.replace('_', "");
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    if is_odd || !has_digits || text.parse::<f64>().is_err() {
        return None;
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("-", digits) => ("-", digits),
        ("+", digits) => ("", digits),
        _ => ("", text.as_str()),
    };
    // Ten to the power of what follows the point, so that no point is needed.
    let lower = digits.to_ascii_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let all = all.trim_start_matches('0');
    let all = if all.is_empty() { "0" } else { all };
    // No such exponent leaves a cent of a body's digits.
    let exponent = exponent
        .parse::<i64>()
        .unwrap_or(match exponent.starts_with('-') {
            true => i64::MIN / 2,
            false => i64::MAX / 2,
        });
    let places = i64::try_from(fraction.len()).ok()?;
    Some(format!("{sign}{all}e{}", exponent.saturating_sub(places)))
}

fn assert_told(invalid: &InvalidInput) {
    let Ok(told) = serde_json::to_vec(invalid) else {
        panic!("cannot be told: {invalid}");
    };
    assert!(told.len() <= REFUSAL_MAX_BYTES, "{} bytes", told.len());
    let Ok(told) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(&told) else {
        panic!("no JSON: {invalid}");
    };
    for key in ["type", "loc", "msg", "input"] {
        assert!(told.contains_key(key), "{key} is missing: {told:?}");
    }
}

/// Reads the target of a request, path and query.
///
/// - A redirect leads to what was sent without the slashes at its end, which is a path of the server and no other
///   server's.
/// - An account number has one spelling.
/// - A page has from 1 to 1000 accounts, or transactions.
///
/// # Panics
///
/// If that is not so.
pub fn target(bytes: &[u8]) {
    let Ok(target) = str::from_utf8(bytes) else {
        return;
    };
    let (path, sent) = target.split_once('?').unwrap_or((target, ""));
    if let Some(endpoint) = Endpoint::of(&routes::decoded(path)) {
        assert!(!endpoint.methods().is_empty());
        if let Endpoint::Account(text) | Endpoint::Balance(text) | Endpoint::Transactions(text) =
            endpoint
            && let Ok(number) = text.parse::<AccountNumber>()
        {
            assert_eq!(number.to_string(), text);
        }
    } else if let Some(shorter) = routes::without_trailing_slash(path) {
        assert!(path.starts_with(shorter) && path.len() > shorter.len());
        assert!(
            path.split_at(shorter.len())
                .1
                .bytes()
                .all(|byte| byte == b'/')
        );
        assert!(Endpoint::of(&routes::decoded(shorter)).is_some());
        assert!(shorter.starts_with('/') && !shorter.starts_with("//"));
        let redirect = answer::redirect(shorter, sent);
        if let Some(location) = redirect.headers().get(LOCATION) {
            assert!(location.as_bytes().starts_with(shorter.as_bytes()));
        }
    }
    match query::page(sent) {
        Ok(page) => assert!(page.is_none_or(|page| (1..=1000).contains(&page.limit))),
        Err(invalid) => assert_told(&invalid),
    }
    match query::statement(sent) {
        Ok(asked) => {
            assert!((1..=1000).contains(&asked.limit));
            assert!(
                asked
                    .from
                    .is_none_or(|from| asked.to.is_none_or(|to| from < to))
            );
        }
        Err(invalid) => assert_told(&invalid),
    }
    if let Err(invalid) = query::at(sent) {
        assert_told(&invalid);
    }
}

/// An answer, as the caller reads it.
#[derive(Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// How many bytes it takes, head and body.
    pub length: usize,
    /// Its content type.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

thread_local! {
    static RUNTIME: Option<tokio::runtime::Runtime> =
        tokio::runtime::Builder::new_current_thread().enable_all().build().ok();

    /// One server for all inputs, because to write its OpenAPI document takes far longer than to answer. Its
    /// accounts are closed after each.
    static API: Arc<Api> = {
        // No key is remembered: an answer must not depend on the inputs before.
        let forgetful = KeyPolicy {
            window: Duration::ZERO,
            ..KeyPolicy::default()
        };
        let service = Arc::new(Service::in_memory_with_keys(3, forgetful));
        let stopping = Arc::new(AtomicBool::new(false));
        Api::new(service, &Config::default(), stopping, bytes::Bytes::new())
    };
}

/// Serves what a client sends on one connection, which then ends. The server has two accounts, whose numbers stand
/// wherever `{1}` and `{2}` were, and room for a third.
///
/// - No answer has a status that the contract does not know, and none is a 500.
/// - What says to be JSON is JSON.
/// - There is nothing but whole answers, of which `first` reads the first.
///
/// # Panics
///
/// If that is not so.
pub fn connection(bytes: &[u8], first: impl Fn(&[u8]) -> Option<Answered>) {
    let api = API.with(Arc::clone);
    let request = with_accounts(bytes, &api.service);
    let Some(received) = RUNTIME.with(|runtime| {
        let runtime = runtime.as_ref()?;
        Some(runtime.block_on(exchange(&api, &request)))
    }) else {
        panic!("no runtime");
    };
    for account in api.service.accounts_after(None, usize::MAX) {
        let _ = api.service.close(account.number).now_or_never();
    }
    // The length of the answers to these does not tell where they end.
    let has = |what: &[u8]| request.windows(what.len()).any(|part| part == what);
    let ends_unknown = has(b"HEAD") || has(b"HTTP/1.0");
    assert_answers(&received, ends_unknown, first);
}

/// Opens two accounts and puts in their numbers.
fn with_accounts(bytes: &[u8], service: &Service) -> Vec<u8> {
    let mut request = bytes.to_vec();
    for place in [b"{1}", b"{2}"] {
        let opened = service.create(Cents::ZERO).now_or_never();
        let opened = opened.and_then(Result::ok);
        let Some(opened) = opened else {
            panic!("a service in memory has room, and never waits");
        };
        let number = opened.number.to_string();
        while let Some(at) = request.windows(place.len()).position(|part| part == place) {
            request.splice(at..at + place.len(), number.bytes());
        }
    }
    request
}

/// What a client is called in the log.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Sends a request, and nothing more, and returns all that comes back.
async fn exchange(api: &Arc<Api>, request: &[u8]) -> Vec<u8> {
    let gate = Arc::new(Gate::new(&Config::default()));
    let Ok((client, server)) = UnixStream::pair() else {
        panic!("no sockets");
    };
    // The client says that nothing more comes by ending its half of the connection.
    let serving = async move {
        let config = Config::default();
        let builder = connection::builder(&config);
        let transport = Transport::new(server.into_split(), config.answer_timeout);
        let seat = Seat::new(Instant::now());
        let service = edge::service(api, &gate, PEER, &seat, Admission::Seated);
        connection::serve(transport, &builder, service, &seat).await;
    };
    let asking = async move {
        send(&client, request).await;
        receive(&client).await
    };
    let ((), received) = tokio::join!(serving, asking);
    received
}

async fn send(client: &UnixStream, mut request: &[u8]) {
    while !request.is_empty() && client.writable().await.is_ok() {
        match client.try_write(request) {
            Ok(written) => request = request.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // The server has seen enough.
            Err(_) => break,
        }
    }
    let _ = socket2::SockRef::from(client).shutdown(std::net::Shutdown::Write);
}

async fn receive(client: &UnixStream) -> Vec<u8> {
    let mut received = Vec::new();
    let mut part = [0; 16 << 10];
    while client.readable().await.is_ok() {
        match client.try_read(&mut part) {
            Ok(0) => break,
            Ok(read) => received.extend(part.iter().take(read)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    received
}

fn assert_answers(received: &[u8], ends_unknown: bool, first: impl Fn(&[u8]) -> Option<Answered>) {
    const KNOWN: [u16; 13] = [
        200, 201, 204, 307, 400, 404, 405, 408, 413, 414, 422, 431, 507,
    ];
    let mut rest = received;
    loop {
        while let Some(after) = rest.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
            rest = after;
        }
        let Some(answer) = first(rest) else {
            let text = String::from_utf8_lossy(rest);
            assert!(rest.is_empty() || ends_unknown, "no whole answer: {text:?}");
            return;
        };
        assert!(KNOWN.contains(&answer.status), "{}", answer.status);
        if answer.content_type.as_deref() == Some("application/json") {
            let is_json = serde_json::from_slice::<&RawValue>(&answer.body).is_ok();
            let text = String::from_utf8_lossy(&answer.body);
            assert!(is_json || ends_unknown, "{text:?}");
        }
        rest = rest.get(answer.length..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Calls `check` with each file of a corpus.
    fn replay(corpus: &str, check: impl Fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(corpus);
        let mut replayed = 0;
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            // Shown if it fails.
            println!("{}", path.display());
            check(&fs::read(path).unwrap());
            replayed += 1;
        }
        assert!(replayed >= 10, "{replayed} files in {}", folder.display());
    }

    #[test]
    fn the_corpus_of_bodies_breaks_no_rule() {
        replay("bodies", body);
    }

    /// What a string may hold has two definitions: the one that ships, and the one here. They agree.
    #[test]
    fn strings_that_look_like_numbers_break_no_rule() {
        const PIECES: [&str; 20] = [
            "0",
            "0",
            "1",
            "5",
            "9",
            "00",
            "10",
            ".",
            ".",
            "e",
            "E",
            "e-",
            "+",
            "-",
            "_",
            "_",
            " ",
            "\\u2003",
            "000000001",
            "x",
        ];
        let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
        let mut below = |limit: usize| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            (noise >> 11) as usize % limit
        };
        for _ in 0..30_000 {
            let mut text = String::from("j{\"amount\":\"");
            for _ in 0..=below(7) {
                text.push_str(PIECES[below(PIECES.len())]);
            }
            text.push_str("\"}");
            println!("{text}");
            body(text.as_bytes());
        }
    }

    #[test]
    fn the_corpus_of_targets_breaks_no_rule() {
        replay("targets", target);
    }

    #[test]
    fn the_corpus_of_connections_breaks_no_rule() {
        let statuses = RefCell::new(BTreeSet::new());
        replay("connections", |bytes| {
            connection(bytes, |received| {
                let answer = client::first(received, false).ok()??;
                statuses.borrow_mut().insert(answer.status);
                Some(Answered {
                    status: answer.status,
                    length: answer.length,
                    content_type: answer.header(received, "content-type"),
                    body: answer.body(received).into_owned(),
                })
            });
        });
        // That there are answers at all, of each kind.
        let expected = [200, 201, 204, 307, 400, 404, 405, 413, 422, 507];
        assert_eq!(*statuses.borrow(), BTreeSet::from(expected));
    }
}
