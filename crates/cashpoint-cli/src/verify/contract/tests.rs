//! Our own server deviates from no rule; each rule is broken by something; whoever answers whatever, it ends.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cashpoint::durable::{DurableConfig, DurableLedger};
use cashpoint::service::Service;
use cashpoint_server::{AllowedOrigins, Config};

use super::{REQUESTS, RuleReport, Verdict, hold, json, rules};
use crate::client::{Address, Connection};
use crate::verify::pace::Pace;
use crate::verify::server::Server;

mod faulty_servers;
#[path = "../../../../../tests/verify/wire.rs"]
mod wire;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Starts our own server. It runs as long as the process.
fn own_server(accounts: usize, config: Config) -> SocketAddr {
    serve(Service::in_memory(accounts), config)
}

/// The same, with a journal, and so with a history. Its directory is there as long as the process.
fn durable_server() -> SocketAddr {
    let directory = tempfile::tempdir().unwrap().keep();
    let ledger = DurableLedger::open(directory, DurableConfig::new(1_000)).unwrap();
    serve(Service::durable(ledger), Config::default())
}

fn serve(service: Service, config: Config) -> SocketAddr {
    let (told, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            let service = Arc::new(service);
            let _ = cashpoint_server::run(listener, service, config, std::future::pending()).await;
        });
    });
    address.recv().unwrap()
}

fn default_server() -> SocketAddr {
    own_server(1_000, Config::default())
}

fn address(socket: SocketAddr) -> Address {
    Address::resolve(&format!("http://{socket}").parse().unwrap()).unwrap()
}

fn hold_all(socket: SocketAddr, timeout: Duration) -> Vec<RuleReport> {
    let address = address(socket);
    let rules = rules().into_iter();
    let server = Server::new(address, timeout, Pace::new(None));
    rules.map(|rule| hold(rule, &server)).collect()
}

/// The service that the contract was recorded from has none.
#[test]
fn who_offers_no_idempotency_keys_is_not_held_to_them() {
    let socket = wire::serve(default_server(), |mut request, upstream| {
        request.fields.retain(|(name, _)| name != "idempotency-key");
        let mut answer = upstream.ask(&request)?;
        answer.body = answer.text().replace("Idempotency-Key", "X").into_bytes();
        Some(answer)
    });
    let keyed = hold_all(socket, TIMEOUT).into_iter();
    let keyed = keyed.filter(|report| report.name.contains("idempotency key"));
    let verdicts: Vec<_> = keyed.map(|report| report.verdict).collect();
    assert_eq!(verdicts.len(), 2);
    let is_excused = |verdict: &Verdict| matches!(verdict, Verdict::NotChecked(_));
    assert!(verdicts.iter().all(is_excused), "{verdicts:?}");
}

/// How many accounts are open on a server.
fn accounts_open(socket: SocketAddr) -> String {
    let address = address(socket);
    let mut connection = Connection::new(&address, TIMEOUT);
    let reply = connection.exchange("GET", "/health", None).unwrap();
    let body = String::from_utf8(reply.body().into_owned()).unwrap();
    json::value_at(&body, &["accounts_count"])
        .unwrap()
        .to_owned()
}

/// The names of the rules that were not checked. Asserts that all others are kept.
#[track_caller]
fn not_checked(reports: &[RuleReport]) -> BTreeSet<&'static str> {
    let mut not_checked = BTreeSet::new();
    for report in reports {
        match report.verdict {
            Verdict::Kept => {}
            Verdict::NotChecked(_) => {
                not_checked.insert(report.name);
            }
            _ => panic!("{report:#?}"),
        }
        assert!(report.left_open.is_empty(), "{report:#?}");
    }
    not_checked
}

/// What cannot be reached with the settings that a server has by default.
const OUT_OF_REACH: &str = "a deposit beyond the largest balance is refused, and never wraps";

/// What a server shows that keeps a journal.
const OF_THE_PAST: [&str; 2] = [
    "a statement shows every movement once, with the balance after it",
    "a balance of the past is the one that was told then",
];

#[test]
fn our_own_server_deviates_from_no_rule() {
    let server = default_server();
    let not_checked = not_checked(&hold_all(server, TIMEOUT));
    let expected = [OUT_OF_REACH].into_iter().chain(OF_THE_PAST);
    assert_eq!(not_checked, BTreeSet::from_iter(expected));
    assert_eq!(accounts_open(server), "0", "what was opened is closed");
}

/// From the number the time is told that a slow server takes.
#[test]
fn the_rules_need_about_as_many_requests_as_is_told() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let server = wire::serve(durable_server(), |request, upstream| {
        ASKED.fetch_add(1, SeqCst);
        upstream.ask(&request)
    });
    hold_all(server, TIMEOUT);
    let asked = ASKED.load(SeqCst);
    assert!(REQUESTS.abs_diff(asked) < REQUESTS / 4, "{asked}");
}

#[test]
fn nor_does_it_with_a_journal() {
    let not_checked = not_checked(&hold_all(durable_server(), TIMEOUT));
    assert_eq!(not_checked, BTreeSet::from([OUT_OF_REACH]));
}

#[test]
fn nor_does_it_with_other_settings() {
    let with_largest = |largest: &str| Config {
        transaction_max: largest.parse().unwrap(),
        ..Config::default()
    };
    let production = Config {
        allowed_origins: AllowedOrigins::Only(vec!["https://own.example".parse().unwrap()]),
        ..Config::default()
    };
    for (case, accounts, config, checked_at_least) in [
        ("a small largest amount", 1_000, with_largest("99.5"), 64),
        ("a tiny one", 1_000, with_largest("0.5"), 15),
        ("the largest", 1_000, with_largest("9999999999999.99"), 67),
        ("an origin of its own", 1_000, production, 68),
        ("room for one account", 1, Config::default(), 50),
    ] {
        let server = own_server(accounts, config);
        let reports = hold_all(server, TIMEOUT);
        let checked = reports.len() - not_checked(&reports).len();
        assert!(
            checked >= checked_at_least,
            "{case}: {checked} of {} checked",
            reports.len()
        );
        assert_eq!(accounts_open(server), "0", "{case}");
    }
}

#[test]
fn names_are_unique_sentences() {
    let mut names = BTreeSet::new();
    for rule in rules() {
        assert!(names.insert(rule.name), "{}", rule.name);
        assert!(
            rule.name.contains(' ') && !rule.name.ends_with('.'),
            "{}",
            rule.name
        );
    }
}

/// A server that gives every connection this treatment.
fn server_that(treats: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let treats = Arc::new(treats);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let treats = Arc::clone(&treats);
            thread::spawn(move || treats(stream.unwrap()));
        }
    });
    address
}

/// A server that answers everything with this.
fn server_that_says(answer: &'static [u8]) -> SocketAddr {
    server_that(move |mut stream| {
        // One that closes with unread bytes resets the connection, and what it said may be lost.
        while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    })
}

/// With how short a timeout servers that say nothing are held to the contract.
const IMPATIENCE: Duration = Duration::from_millis(20);

#[test]
fn who_does_not_answer_is_convicted_of_nothing() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    for (case, server) in [
        ("nobody there", nobody),
        ("closes", server_that(drop)),
        (
            "is silent",
            server_that(|stream| {
                thread::sleep(Duration::from_secs(600));
                drop(stream);
            }),
        ),
        (
            "has no time",
            server_that_says(b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy"),
        ),
    ] {
        for report in hold_all(server, IMPATIENCE) {
            assert!(
                matches!(report.verdict, Verdict::Unanswered(_)),
                "{case}: {report:?}"
            );
        }
    }
}

#[test]
fn who_drips_is_not_waited_for() {
    let server = server_that(|mut stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
        let mut dripping = head.iter().chain(std::iter::repeat(&b'x'));
        while stream.write_all(&[*dripping.next().unwrap()]).is_ok() {
            thread::sleep(IMPATIENCE / 4);
        }
    });
    let began = Instant::now();
    let reports = hold_all(server, IMPATIENCE);
    // Each takes one request, or the few that a rule makes of one that may go unanswered.
    let bound = IMPATIENCE * 4 * reports.len() as u32 + Duration::from_secs(10);
    assert!(began.elapsed() < bound, "{:?}", began.elapsed());
    for report in reports {
        assert!(
            matches!(report.verdict, Verdict::Unanswered(_)),
            "{report:?}"
        );
    }
}

/// As a listing of half a million accounts may be.
#[test]
fn an_answer_that_is_too_long_to_be_read_convicts_of_nothing() {
    let server = server_that(|mut stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
        let mut sent = stream.write_all(head);
        while sent.is_ok() {
            sent = stream.write_all(&[b' '; 1 << 16]);
        }
    });
    let listing = "the listing counts what it shows, and tells the limit as /health does";
    let rules = rules();
    let rule = rules.iter().find(|rule| rule.name == listing).unwrap();
    let server = Server::new(address(server), TIMEOUT, Pace::new(None));
    let report = hold(rule, &server);
    assert!(
        matches!(report.verdict, Verdict::Unanswered(_)),
        "{report:?}"
    );
}

#[test]
fn nonsense_deviates_from_every_rule_and_ends() {
    for (case, server) in [
        ("no HTTP", server_that_says(b"SSH-2.0-OpenSSH_9.6\r\n")),
        (
            "HTML",
            server_that_says(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>\xff</html>\n",
            ),
        ),
        (
            "wrong types",
            server_that_says(
                b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 62\r\n\r\n\
                  {\"account_number\":5,\"balance\":\"x\",\"detail\":[{\"ctx\":{\"le\":[]}}]}",
            ),
        ),
        (
            "a number that is a trap",
            server_that_says(
                b"HTTP/1.1 201 Created\r\nContent-Length: 44\r\n\r\n\
                  {\"account_number\":\"a b\\r\\nc/../d\",\"balance\":1}",
            ),
        ),
        (
            "deep nesting",
            server_that_says(
                b"HTTP/1.1 422 X\r\nContent-Length: 40\r\n\r\n[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            ),
        ),
        (
            "500",
            server_that_says(b"HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\nTraceback"),
        ),
    ] {
        for report in hold_all(server, TIMEOUT) {
            match report.verdict {
                Verdict::Deviates(deviations) => {
                    let first = &deviations[0];
                    assert!(!first.request.is_empty() && !first.contract.is_empty());
                }
                // What asks first for the largest amount, or for what is offered, learns nothing here.
                Verdict::NotChecked(why)
                    if why.contains("largest amount") || why.contains("does not offer") => {}
                Verdict::Kept if KEPT_BY_NONSENSE.contains(&report.name) => {}
                verdict => panic!("{case}: {}: {verdict:?}", report.name),
            }
        }
    }
}

/// What even nonsense may keep: it says nothing that these forbid.
const KEPT_BY_NONSENSE: [&str; 5] = [
    "HEAD is answered as GET, without the body",
    "the documentation is HTML",
    "nothing malformed is answered with 500",
    "the pages load nothing from elsewhere",
    "a redirect names no host",
];
