//! Honest servers that look guilty at first sight.

use std::net::SocketAddr;
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use cashpoint_server::Config;

use crate::faulty_servers::real_server;
use crate::text;
use crate::wire::{self, Message};

fn verify(server: SocketAddr, prefix: &str, arguments: &[&str]) -> Output {
    let url = format!("http://{server}{prefix}");
    crate::command_line::verify(&[&["http", &url], arguments].concat())
}

#[test]
fn who_allows_little_is_acquitted() {
    let config = || Config {
        transaction_max: "0.5".parse().unwrap(),
        ..Config::default()
    };
    for (accounts, config) in [(300, config()), (12, Config::default()), (2, config())] {
        let output = verify(real_server(accounts, config), "", &["--operations", "6000"]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(0), "{accounts} accounts: {said}");
    }
}

/// It has no time for one request of ten, and says when it will have.
#[test]
fn who_asks_to_be_left_alone_is_asked_again() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let server = wire::serve(real_server(300, Config::default()), |request, upstream| {
        if ASKED.fetch_add(1, SeqCst) % 10 == 9 {
            let mut answer = Message::answer(429, "{\"detail\":\"Too Many Requests\"}");
            answer.set("retry-after", "0");
            return Some(answer);
        }
        upstream.ask(&request)
    });
    let output = verify(server, "", &["--only", "contract"]);
    let said = text(&output);
    // A pipeline cannot be asked again.
    let unanswered = said.matches("no answer to").count();
    assert!(unanswered <= 6, "{said}");
    assert!(!said.contains("CONVICTED"), "{said}");
}

#[test]
fn a_field_that_answers_should_not_have_is_told_once() {
    let server = wire::serve(real_server(300, Config::default()), |request, upstream| {
        let mut answer = upstream.ask(&request)?;
        if answer.body.first() == Some(&b'{')
            && answer.field("content-type") == Some("application/json")
        {
            answer.body.splice(1..1, b"\"node\":7,".iter().copied());
        }
        Some(answer)
    });
    let output = verify(server, "", &["--only", "contract"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(
        said.matches("✗").count(),
        2,
        "the phase and one finding: {said}"
    );
    assert!(
        said.contains("fields that the contract does not have: node"),
        "{said}"
    );
}

/// The first creation is done when nobody waits for it any more: while a later rule counts accounts.
#[test]
fn what_is_done_late_is_not_held_against_who_counts_it() {
    let held: Mutex<Option<Message>> = Mutex::default();
    let last: Mutex<Vec<String>> = Mutex::default();
    let before_the_count = [
        "GET /health",
        "POST /accounts",
        "POST /accounts",
        "GET /health",
    ];
    let server = wire::serve(
        real_server(300, Config::default()),
        move |request, upstream| {
            if request.text() == "{\"initial_balance\": 1000.0}" {
                held.lock().unwrap().get_or_insert(request);
                return None;
            }
            let mut last = last.lock().unwrap();
            last.push(format!("{} {}", request.word(0), request.word(1)));
            if last.ends_with(&before_the_count.map(str::to_owned))
                && let Some(late) = held.lock().unwrap().take()
            {
                upstream.ask(&late)?;
            }
            upstream.ask(&request)
        },
    );
    let output = verify(server, "", &["--only", "contract"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("health counts the accounts that are open: not checked"),
        "{said}"
    );
}

/// It would take half an hour to ask as often as where there are answers.
#[test]
fn who_never_answers_creations_is_not_asked_for_long() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let server = wire::serve(real_server(300, Config::default()), |request, upstream| {
        if request.word(0) == "POST" {
            ASKED.fetch_add(1, SeqCst);
            thread::sleep(Duration::from_secs(600));
        }
        upstream.ask(&request)
    });
    let arguments = ["--only", "limit", "--connections", "4", "--timeout", "0.1"];
    let output = verify(server, "", &arguments);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("nobody answered any more"), "{said}");
    let asked = ASKED.load(SeqCst);
    assert!(asked < 100, "{asked} creations");
}

#[test]
fn who_never_answers_is_not_asked_for_every_rule() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let server = wire::serve(nobody, |_, _| {
        thread::sleep(Duration::from_secs(600));
        None
    });
    let output = verify(server, "", &["--only", "contract", "--timeout", "0.1"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(said.matches("no answer to").count(), 10, "{said}");
    assert!(said.contains("the rest was not asked for"), "{said}");
}

/// Answers that end with their connection, in a version of HTTP that is old, with more header fields than anybody needs.
pub(crate) fn that_closes() -> SocketAddr {
    wire::serve(real_server(300, Config::default()), |request, upstream| {
        let mut answer = upstream.ask(&request)?;
        answer.start = answer.start.replace("HTTP/1.1", "HTTP/1.0");
        answer.set("connection", "close");
        answer.has_length &= answer.body.is_empty();
        let fields = (0..80).map(|n| (format!("X-Field-{n}"), "x".to_owned()));
        answer.fields.extend(fields);
        Some(answer)
    })
}

#[test]
fn who_closes_after_each_answer_is_acquitted() {
    let load = ["--only", "histories", "--operations", "3000"];
    let output = verify(
        that_closes(),
        "",
        &[&load[..], &["--accounts", "20"]].concat(),
    );
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

/// All of its clock is two hours ahead, its `Date` as well: that is no local time.
pub(crate) fn two_hours_ahead() -> SocketAddr {
    const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(2);
    wire::serve(real_server(300, Config::default()), |request, upstream| {
        let mut answer = upstream.ask(&request)?;
        let now = jiff::Timestamp::now().checked_add(AHEAD).ok()?;
        let date = jiff::fmt::rfc2822::DateTimePrinter::new();
        answer.set("date", &date.timestamp_to_rfc9110_string(&now).ok()?);
        let shifted = |piece: &str| match piece.parse::<jiff::civil::DateTime>() {
            Ok(time) if piece.len() == 26 => {
                let ahead = time.checked_add(AHEAD).unwrap();
                ahead.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
            }
            _ => piece.to_owned(),
        };
        let body = answer.text();
        let body: Vec<_> = body.split('"').map(shifted).collect();
        answer.body = body.join("\"").into_bytes();
        Some(answer)
    })
}

#[test]
fn whose_clock_is_two_hours_ahead_is_acquitted() {
    let output = verify(two_hours_ahead(), "", &["--only", "contract"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

/// A server behind a proxy that knows where it is, and nothing beside it.
fn behind_a_prefix(answer: fn(&Message, &mut Message)) -> SocketAddr {
    wire::serve(
        real_server(300, Config::default()),
        move |mut request, upstream| {
            let Some((method, rest)) = request.start.split_once(" /bank") else {
                return Some(Message::answer(404, "{\"detail\":\"Not Found\"}"));
            };
            request.start = format!("{method} {rest}");
            let mut said = upstream.ask(&request)?;
            if request.word(1) == "/" || request.word(1) == "/docs" {
                said.body = said
                    .text()
                    .replace("\"/assets/", "\"/bank/assets/")
                    .into_bytes();
            }
            answer(&request, &mut said);
            Some(said)
        },
    )
}

#[test]
fn who_stands_behind_a_prefix_is_acquitted() {
    let output = verify(
        behind_a_prefix(|_, _| ()),
        "/bank",
        &["--operations", "2000"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn who_is_guilty_is_convicted_behind_a_prefix_too() {
    let server = behind_a_prefix(|request, answer| {
        if request.word(1).contains("%ff") {
            *answer = Message::answer(500, "{}");
        }
    });
    let output = verify(server, "/bank", &["--only", "contract"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("not so: nothing malformed is answered with 500"),
        "{said}"
    );
}
