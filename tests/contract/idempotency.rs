//! Requests that are sent twice. With an idempotency key they are done once: in memory, and durable.

use crate::answers::{Invalid, assert_answer, detail};
use crate::concurrency::{count, send_all_at_once};
use crate::docs::description;
use crate::support::{Launch, Request, Response, Server};
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

const NOBODY: &str = "/accounts/12345678-1234-4123-8123-123456789abc";

/// Runs a check against a server in memory, and against a durable one.
fn in_each_mode(configure: impl Fn(Launch) -> Launch, check: impl Fn(&Server)) {
    println!("in memory");
    check(&configure(Server::configure()).start());
    println!("durable");
    let directory = tempfile::tempdir().unwrap();
    check(&durable(&configure, directory.path()));
}

fn durable(configure: impl Fn(Launch) -> Launch, directory: &std::path::Path) -> Server {
    configure(Server::configure().flag("--data", directory.to_str().unwrap())).start()
}

/// A deposit of `amount`, as it is to stand in JSON.
fn deposit(account: &str, amount: &str) -> Request {
    let json = format!(r#"{{"amount":{amount}}}"#);
    Request::post(&format!("/accounts/{account}/deposit"), &json)
}

fn withdraw(account: &str, amount: &str) -> Request {
    let json = format!(r#"{{"amount":{amount}}}"#);
    Request::post(&format!("/accounts/{account}/withdraw"), &json)
}

fn close(account: &str) -> Request {
    Request::new("DELETE", &format!("/accounts/{account}"))
}

trait Keyed {
    fn key(self, key: &str) -> Request;
}

impl Keyed for Request {
    fn key(self, key: &str) -> Request {
        self.header("Idempotency-Key", key)
    }
}

fn is_replay(response: &Response) -> bool {
    match response.header("idempotency-replayed") {
        None => false,
        Some("true") => true,
        Some(other) => panic!("idempotency-replayed: {other}"),
    }
}

/// That an answer is another one, given again.
#[track_caller]
fn assert_replay(again: &Response, first: &Response, case: &str) {
    assert!(is_replay(again), "{case}: no replay: {}", again.text());
    assert_eq!(again.status, first.status, "{case}");
    assert_eq!(again.text(), first.text(), "{case}");
    let content_type = |response: &Response| response.header("content-type").map(str::to_owned);
    assert_eq!(content_type(again), content_type(first), "{case}");
}

#[test]
fn the_same_request_with_the_same_key_gets_the_same_answer_and_does_nothing() {
    let richest = "9999999999999.99";
    let configure = |launch: Launch| {
        let launch = launch.env("MAX_TRANSACTION_AMOUNT", richest);
        launch.env("MAX_ACCOUNTS", "3")
    };
    in_each_mode(configure, |server| {
        let rich = server.open_account(richest);
        let poor = server.open_account("5.0");
        let open = Request::post("/accounts", r#"{"initial_balance":7.5}"#).key("open");
        let opened = server.send(&open);
        let third = opened.account_number();
        let requests = [
            ("deposit", deposit(&poor, "1.5"), 200),
            ("withdrawal", withdraw(&poor, "2"), 200),
            ("too little money", withdraw(&poor, "100"), 400),
            ("too much money", deposit(&rich, "0.010"), 422),
            ("closing", close(&third), 204),
        ];
        let first: Vec<Response> = requests
            .iter()
            .map(|(case, request, status)| {
                let response = server.send(&request.clone().key(&case.replace(' ', "-")));
                assert_eq!(response.status, *status, "{case}: {}", response.text());
                assert!(!is_replay(&response), "{case}");
                response
            })
            .collect();
        assert!(!is_replay(&opened));
        // By now, what was refused would be granted: there is more money here, and less there.
        assert_eq!(server.send(&deposit(&poor, "1000")).status, 200);
        assert_eq!(server.send(&withdraw(&rich, "1000")).status, 200);
        let state = || {
            let accounts = server.get("/accounts").text();
            assert!(!accounts.contains(&third), "{accounts}");
            accounts
        };
        let before = state();
        for _ in 0..2 {
            for ((case, request, _), first) in requests.iter().zip(&first).rev() {
                let again = server.send(&request.clone().key(&case.replace(' ', "-")));
                assert_replay(&again, first, case);
            }
            assert_replay(
                &server.send(&open),
                &opened,
                "opening an account since closed",
            );
        }
        assert_eq!(state(), before);
        // Without a key, each is a request of its own.
        for balance in ["1004.0", "1003.5"] {
            assert!(!is_replay(&server.send(&withdraw(&poor, "0.5"))));
            assert_eq!(server.balance(&poor), balance);
        }
    });
}

#[test]
fn a_refusal_that_depends_on_the_moment_uses_no_key() {
    let configure = |launch: Launch| launch.env("MAX_ACCOUNTS", "2");
    in_each_mode(configure, |server| {
        let first = server.open_account("1.0");
        let second = server.open_account("1.0");
        let open = Request::post("/accounts", r#"{"initial_balance":7.5}"#).key("open");
        for _ in 0..2 {
            let full = server.send(&open);
            assert_eq!(full.status, 507, "{}", full.text());
            assert!(!is_replay(&full));
        }
        // Nobody holds the key: another request may use it.
        let other = server.send(&deposit(&first, "1").key("other"));
        assert_eq!(other.status, 200);
        let full = Request::post("/accounts", "{}").key("another");
        assert_eq!(server.send(&full).status, 507);
        assert_eq!(
            server.send(&deposit(&first, "1").key("another")).status,
            200
        );
        // Once there is room, the retry with the same key succeeds, once.
        assert_eq!(server.delete(&format!("/accounts/{second}")).status, 204);
        let opened = server.send(&open);
        assert_eq!(opened.status, 201, "{}", opened.text());
        assert!(!is_replay(&opened));
        assert_replay(&server.send(&open), &opened, "the third time");
        assert_eq!(server.accounts_count(), 2);
        assert_eq!(server.balance(&first), "3.0");
    });
}

#[test]
fn an_account_that_is_not_there_uses_no_key() {
    let configure = |launch: Launch| launch.env("IDEMPOTENCY_KEYS_MAX", "2");
    in_each_mode(configure, |server| {
        let nowhere = |verb| Request::post(&format!("{NOBODY}/{verb}"), r#"{"amount":1}"#);
        let gone = server.open_account("1.0");
        assert_eq!(server.send(&close(&gone)).status, 204);
        for round in 0..5 {
            for (case, request) in [
                ("deposit", nowhere("deposit")),
                ("withdrawal", nowhere("withdraw")),
                ("closing", Request::new("DELETE", NOBODY)),
                ("closed", deposit(&gone, "1")),
                ("again", nowhere("deposit").key("again")),
            ] {
                let request = match case {
                    "again" => request,
                    _ => request.key(&format!("{case}-{round}")),
                };
                let response = server.send(&request);
                assert_eq!(response.status, 404, "{case}: {}", response.text());
                assert!(!is_replay(&response), "{case}");
            }
        }
        // There is room for two keys still.
        let account = server.open_account("1.0");
        for key in ["again", "deposit-0"] {
            let response = server.send(&deposit(&account, "1").key(key));
            assert_eq!(response.status, 200, "{key}: {}", response.text());
            assert!(!is_replay(&response), "{key}");
            assert!(is_replay(&server.send(&deposit(&account, "1").key(key))));
        }
        let refused = server.send(&deposit(&account, "1").key("third"));
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert_eq!(server.balance(&account), "3.0");
    });
}

#[test]
fn requests_are_the_same_if_they_mean_the_same() {
    in_each_mode(
        |launch| launch,
        |server| {
            let account = server.open_account("0");
            let first = server.send(&deposit(&account, "1.5").key("k"));
            assert_eq!(first.status, 200);
            for amount in ["1.50", "\"1.5\"", "15e-1", " 1.5 ", "1.5, \"memo\": \"x\""] {
                let again = server.send(&deposit(&account, amount).key("k"));
                assert_replay(&again, &first, amount);
            }
            let path = format!("/accounts/{account}/deposit");
            let chunked = Request::new("POST", &path).chunked([&b"{\"amount\":"[..], b"1.5}"]);
            assert_replay(&server.send(&chunked.key("k")), &first, "in chunks");
            let queried = Request::post(&format!("{path}?x=y"), r#"{"amount":1.5}"#);
            assert_replay(&server.send(&queried.key("k")), &first, "with a query");
            assert_eq!(server.balance(&account), "1.5");

            // Keys are compared to the letter, and the header's name is not.
            assert!(!is_replay(&server.send(&deposit(&account, "1.5").key("K"))));
            let shouted = deposit(&account, "1.5").header("IDEMPOTENCY-KEY", "k");
            assert_replay(&server.send(&shouted), &first, "header in upper case");
            assert_eq!(server.balance(&account), "3.0");
        },
    );
}

#[test]
fn a_key_that_was_used_with_another_request_is_refused() {
    let reused = detail("The idempotency key was used before with another request");
    in_each_mode(
        |launch| launch,
        |server| {
            let account = server.open_account("10.0");
            let other = server.open_account("10.0");
            let first = server.send(&deposit(&account, "1.5").key("granted"));
            let refused = server.send(&withdraw(&account, "100").key("refused"));
            assert_eq!((first.status, refused.status), (200, 400));
            for key in ["granted", "refused"] {
                for (case, request) in [
                    ("another amount", deposit(&account, "1.51")),
                    ("a smaller withdrawal", withdraw(&account, "1")),
                    ("another account", deposit(&other, "1.5")),
                    (
                        "no account",
                        Request::post(&format!("{NOBODY}/deposit"), r#"{"amount":1.5}"#),
                    ),
                    ("another direction", withdraw(&account, "1.5")),
                    ("closing", close(&account)),
                    (
                        "opening",
                        Request::post("/accounts", r#"{"initial_balance":1.5}"#),
                    ),
                ] {
                    let response = server.send(&request.key(key));
                    let case = format!("{key}, then {case}");
                    assert_answer(&response, 422, &reused, &case);
                    assert!(!is_replay(&response), "{case}");
                }
            }
            assert_eq!(server.balance(&account), "11.5");
            assert_eq!(server.balance(&other), "10.0");
            assert_eq!(server.accounts_count(), 2);
            let again = server.send(&deposit(&account, "1.5").key("granted"));
            assert_replay(&again, &first, "the first request");
        },
    );
}

/// Requests with a key of their own, the statuses of their answers, and whether the answer uses the key up.
fn answers_and_keys(server: &Server) -> Vec<(&'static str, Request, u16, bool)> {
    let richest = "9999999999999.99";
    let [rich, poor, leaving, gone] =
        [richest, "5.0", "1.0", "1.0"].map(|it| server.open_account(it));
    assert_eq!(server.send(&close(&gone)).status, 204);
    let open = Request::post("/accounts", r#"{"initial_balance":7.5}"#);
    let nowhere = |verb| Request::post(&format!("{NOBODY}/{verb}"), r#"{"amount":1}"#);
    let body = |json: &str| Request::post(&format!("/accounts/{poor}/deposit"), json);
    let malformed = Request::post("/accounts/nobody/deposit", r#"{"amount":1}"#);
    let larger = deposit(&poor, "10000000000000.00");
    vec![
        // What happened, and what was refused for what is on the account.
        ("opening", open.clone(), 201, true),
        // From here on there are as many accounts as may be.
        ("deposit", deposit(&poor, "1.5"), 200, true),
        ("withdrawal", withdraw(&poor, "2"), 200, true),
        ("too little money", withdraw(&poor, "100"), 400, true),
        ("too much money", deposit(&rich, "0.01"), 422, true),
        // What depends on the moment.
        ("no room", open, 507, false),
        // What names no account that there is.
        ("nobody's deposit", nowhere("deposit"), 404, false),
        ("nobody's withdrawal", nowhere("withdraw"), 404, false),
        (
            "nobody's closing",
            Request::new("DELETE", NOBODY),
            404,
            false,
        ),
        ("closed", deposit(&gone, "1"), 404, false),
        ("closed twice", close(&gone), 404, false),
        ("no number", malformed, 404, false),
        ("no path", Request::post("/nowhere", "{}"), 404, false),
        ("no method", Request::new("PUT", "/accounts"), 405, false),
        ("redirect", Request::post("/accounts/", "{}"), 307, false),
        // What cannot be understood.
        ("invalid", deposit(&poor, "0"), 422, false),
        ("malformed", body("{"), 422, false),
        ("empty", body(""), 422, false),
        ("above the largest amount", larger, 422, false),
        ("too large", body(&" ".repeat(20_000)), 413, false),
        ("closing", close(&leaving), 204, true),
    ]
}

/// Whoever comes with a key that somebody else used is refused if that was answered for good, and only then: whatever the
/// account.
#[test]
fn which_answers_use_up_their_key_and_which_do_not() {
    let reused = detail("The idempotency key was used before with another request");
    let configure = |launch: Launch| {
        let launch = launch.env("MAX_TRANSACTION_AMOUNT", "9999999999999.99");
        launch.env("MAX_ACCOUNTS", "5")
    };
    in_each_mode(configure, |server| {
        let other = server.open_account("0");
        let mut deposited = 0;
        for (case, request, status, is_kept) in answers_and_keys(server) {
            let key = case.replace(' ', "-");
            for is_second in [false, true] {
                let response = server.send(&request.clone().key(&key));
                assert_eq!(response.status, status, "{case}: {}", response.text());
                assert_eq!(is_replay(&response), is_second && is_kept, "{case}");
            }
            let response = server.send(&deposit(&other, "1").key(&key));
            if is_kept {
                assert_answer(&response, 422, &reused, case);
            } else {
                assert_eq!(response.status, 200, "{case}: {}", response.text());
                assert!(!is_replay(&response), "{case}");
                deposited += 1;
            }
            assert_eq!(server.balance(&other), format!("{deposited}.0"), "{case}");
        }
    });
}

#[test]
fn a_key_is_1_to_255_visible_ascii_characters_sent_once() {
    let in_header =
        |invalid: Invalid, input: &str| invalid.at(r#"["header","idempotency-key"]"#, input);
    let server = Server::start();
    let account = server.open_account("10.0");
    let too_long = "x".repeat(256);
    for (case, key, body) in [
        ("empty", "", in_header(Invalid::text_too_short(), r#""""#)),
        (
            "too long",
            &too_long,
            in_header(Invalid::text_too_long(255), &format!("\"{too_long}\"")),
        ),
        (
            "space",
            "a b",
            in_header(Invalid::wrong_pattern("^[!-~]+$"), r#""a b""#),
        ),
        (
            "list",
            "a, b",
            in_header(Invalid::wrong_pattern("^[!-~]+$"), r#""a, b""#),
        ),
        (
            "tab",
            "a\tb",
            in_header(Invalid::wrong_pattern("^[!-~]+$"), r#""a\tb""#),
        ),
        (
            "no ASCII",
            "schlüssel",
            in_header(Invalid::wrong_pattern("^[!-~]+$"), r#""schlüssel""#),
        ),
    ] {
        for request in [
            deposit(&account, "1"),
            withdraw(&account, "1"),
            close(&account),
            Request::post("/accounts", "{}"),
            // It is looked at before the body and the account.
            deposit(&account, "0"),
            Request::new("DELETE", NOBODY),
            Request::post("/accounts/nobody/deposit", "{"),
        ] {
            assert_answer(&server.send(&request.key(key)), 422, &body, case);
        }
    }
    let twice = in_header(Invalid::several(2), r#"["a","a"]"#);
    assert_answer(
        &server.send(&deposit(&account, "1").key("a").key("a")),
        422,
        &twice,
        "twice",
    );
    let thrice = in_header(Invalid::several(3), r#"["a","","c"]"#);
    let request = deposit(&account, "1").key("a").key("").key("c");
    assert_answer(&server.send(&request), 422, &thrice, "three times");
    assert_eq!(server.balance(&account), "10.0");
    assert_eq!(server.accounts_count(), 1);

    let all_visible: String = ('!'..='~').collect();
    for key in [
        "!",
        &"~".repeat(255),
        &all_visible,
        "8e03978e-40d5-43e8-bc93-6894a57f9324",
    ] {
        for is_second in [false, true] {
            let response = server.send(&deposit(&account, "1").key(key));
            assert_eq!(response.status, 200, "{key}: {}", response.text());
            assert_eq!(is_replay(&response), is_second, "{key}");
        }
    }
    // White space around a header's value is none of it.
    assert!(is_replay(
        &server.send(&deposit(&account, "1").key("  !\t"))
    ));
}

#[test]
fn a_request_that_only_reads_has_no_use_for_a_key() {
    in_each_mode(
        |launch| launch,
        |server| {
            let account = server.open_account("10.0");
            for key in ["k", "", "not valid", &"x".repeat(300)] {
                for path in [
                    format!("/accounts/{account}/balance"),
                    "/accounts".into(),
                    "/health".into(),
                ] {
                    for _ in 0..2 {
                        let response = server.send(&Request::get(&path).key(key));
                        assert_eq!(response.status, 200, "{path}: {}", response.text());
                        assert!(!is_replay(&response), "{path}");
                    }
                }
            }
            let twice = Request::get("/accounts").key("a").key("b");
            assert_eq!(server.send(&twice).status, 200);
            assert!(!is_replay(&server.send(&deposit(&account, "1").key("k"))));
            assert_eq!(server.balance(&account), "11.0");
        },
    );
}

#[test]
fn of_racing_requests_with_one_key_one_takes_effect_and_all_get_its_answer() {
    in_each_mode(
        |launch| launch,
        |server| {
            let account = server.open_account("1.0");
            for round in 0..20 {
                let key = format!("round-{round}");
                let responses =
                    send_all_at_once(server, &vec![deposit(&account, "1").key(&key); 50]);
                assert_eq!(count(&responses, 200), 50);
                let bodies: BTreeSet<String> = responses.iter().map(Response::text).collect();
                assert_eq!(bodies.len(), 1, "{bodies:?}");
                let replays = responses.iter().filter(|it| is_replay(it)).count();
                assert_eq!(replays, 49);
                assert_eq!(server.balance(&account), format!("{}.0", round + 2));
            }
        },
    );
}

#[test]
fn of_racing_requests_that_differ_one_alone_gets_the_key() {
    in_each_mode(
        |launch| launch.env("MAX_ACCOUNTS", "100000"),
        |server| {
            let account = server.open_account("0");
            for round in 0..10 {
                let key = format!("round-{round}");
                let open = Request::post("/accounts", "{}").key(&key);
                let requests: Vec<Request> = (0..40)
                    .map(|turn| match turn % 2 {
                        0 => deposit(&account, "1").key(&key),
                        _ => open.clone(),
                    })
                    .collect();
                let accounts = server.accounts_count();
                let balance = server.balance(&account);
                let responses = send_all_at_once(server, &requests);
                let statuses = [200, 201, 422].map(|status| count(&responses, status));
                let deposited = server.balance(&account) != balance;
                let opened = server.accounts_count() - accounts;
                match statuses {
                    [20, 0, 20] => assert_eq!((deposited, opened), (true, 0)),
                    [0, 20, 20] => assert_eq!((deposited, opened), (false, 1)),
                    other => panic!("{other:?} of 200, 201, 422"),
                }
                let firsts = responses
                    .iter()
                    .filter(|it| it.status != 422 && !is_replay(it));
                assert_eq!(firsts.count(), 1);
            }
        },
    );
}

#[test]
fn a_key_is_kept_for_its_window_and_is_new_after_it() {
    const WINDOW: Duration = Duration::from_secs(2);
    in_each_mode(
        |launch| launch.env("IDEMPOTENCY_WINDOW", "2"),
        |server| {
            let account = server.open_account("0");
            let request = deposit(&account, "1").key("k");
            let begun = Instant::now();
            let first = server.send(&request);
            let answered = Instant::now();
            loop {
                thread::sleep(Duration::from_millis(50));
                let again = server.send(&request);
                if is_replay(&again) {
                    assert_replay(&again, &first, "within the window");
                    assert!(
                        answered.elapsed() < WINDOW + Duration::from_secs(10),
                        "kept for ever"
                    );
                } else {
                    assert!(
                        begun.elapsed() >= WINDOW,
                        "dropped after {:?}",
                        begun.elapsed()
                    );
                    assert_eq!(again.status, 200);
                    break;
                }
            }
            assert_eq!(server.balance(&account), "2.0");
            assert!(is_replay(&server.send(&request)));
        },
    );
}

#[test]
fn a_key_beyond_the_largest_number_is_turned_away_until_there_is_room() {
    let full = detail("Too many idempotency keys are kept");
    let configure = |launch: Launch| {
        let launch = launch.env("IDEMPOTENCY_WINDOW", "3");
        launch.env("IDEMPOTENCY_KEYS_MAX", "3")
    };
    in_each_mode(configure, |server| {
        let account = server.open_account("0");
        let begun = Instant::now();
        for key in ["a", "b", "c"] {
            assert_eq!(server.send(&deposit(&account, "1").key(key)).status, 200);
        }
        let fourth = deposit(&account, "1").key("d");
        let turned_away = server.send(&fourth);
        let replays = ["a", "b", "c"].map(|key| server.send(&deposit(&account, "1").key(key)));
        let balance = server.balance(&account);
        let unkeyed = server.send(&deposit(&account, "1"));
        // A machine that slept in between has said nothing.
        if begun.elapsed() < Duration::from_secs(3) {
            assert_answer(&turned_away, 503, &full, "the fourth");
            let seconds = turned_away.header("retry-after").unwrap().parse::<u64>();
            assert!(matches!(seconds, Ok(1..=3)), "{seconds:?}");
            assert!(replays.iter().all(is_replay), "{replays:?}");
            assert_eq!(balance, "3.0", "nothing was done");
        }
        assert_eq!(unkeyed.status, 200, "without a key there is room always");
        while server.send(&fourth).status == 503 {
            assert!(begun.elapsed() < Duration::from_secs(20), "never any room");
            thread::sleep(Duration::from_millis(50));
        }
        assert!(
            begun.elapsed() >= Duration::from_secs(3),
            "dropped before its time"
        );
        assert!(is_replay(&server.send(&fourth)));
        assert_eq!(server.balance(&account), "5.0");
    });
}

#[test]
fn a_full_key_store_says_when_its_oldest_key_is_over() {
    let configure = |launch: Launch| {
        let launch = launch.env("IDEMPOTENCY_WINDOW", "3600");
        launch.env("IDEMPOTENCY_KEYS_MAX", "2")
    };
    in_each_mode(configure, |server| {
        let account = server.open_account("0");
        let begun = Instant::now();
        assert_eq!(server.send(&deposit(&account, "1").key("a")).status, 200);
        let first = begun.elapsed().as_secs();
        thread::sleep(Duration::from_millis(1_100));
        assert_eq!(server.send(&deposit(&account, "1").key("b")).status, 200);
        for key in ["c", "d"] {
            let asked = begun.elapsed().as_secs();
            let turned_away = server.send(&deposit(&account, "1").key(key));
            assert_eq!(turned_away.status, 503, "{}", turned_away.text());
            let seconds = turned_away.header("retry-after").unwrap();
            let seconds: u64 = seconds.parse().expect("whole seconds");
            let passed = begun.elapsed().as_secs() + 1;
            // Rounded up, from the oldest key of all.
            assert!(seconds >= 3600 - passed, "{seconds} after {passed} s");
            assert!(
                seconds <= 3600 + first + 1 - asked,
                "{seconds} after {asked} s"
            );
        }
    });
}

#[test]
fn a_durable_key_survives_the_end_of_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let start = || durable(|launch| launch, directory.path());
    let server = start();
    let account = server.open_account("10.0");
    let closed = server.open_account("10.0");
    let requests = [
        ("granted", deposit(&account, "1")),
        ("refused", withdraw(&account, "100")),
        ("closed", close(&closed)),
        (
            "opened",
            Request::post("/accounts", r#"{"initial_balance":3}"#),
        ),
    ];
    let first = requests
        .clone()
        .map(|(key, request)| server.send(&request.key(key)));
    let accounts = server.get("/accounts").text();
    // Killed, not stopped.
    drop(server);
    for _ in 0..2 {
        let server = start();
        for ((key, request), first) in requests.iter().zip(&first) {
            assert_replay(&server.send(&request.clone().key(key)), first, key);
        }
        let reused = server.send(&deposit(&account, "2").key("granted"));
        assert_eq!(reused.status, 422, "{}", reused.text());
        assert_eq!(server.get("/accounts").text(), accounts);
    }
}

#[test]
fn a_page_of_another_origin_may_send_a_key_and_see_a_replay() {
    let server = Server::start();
    let account = server.open_account("0");
    let from_page = || {
        deposit(&account, "1")
            .key("k")
            .header("Origin", "https://shop.example")
    };
    for expected in [false, true] {
        let response = server.send(&from_page());
        assert_eq!(is_replay(&response), expected);
        let exposed = response.header("access-control-expose-headers").unwrap();
        let exposed: BTreeSet<String> = exposed.split(", ").map(str::to_lowercase).collect();
        assert!(exposed.contains("idempotency-replayed"), "{exposed:?}");
        assert!(exposed.contains("retry-after"), "{exposed:?}");
    }
}

#[test]
fn the_key_is_described_on_every_request_that_changes_something() {
    let document = description(&Server::start());
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array();
            let key = parameters
                .into_iter()
                .flatten()
                .find(|it| it["in"] == "header" && it["name"] == "Idempotency-Key");
            assert_eq!(
                key.is_some(),
                method == "post" || method == "delete",
                "{method} {path}"
            );
            let Some(key) = key else { continue };
            assert_ne!(key["required"], true);
            let text = key["description"].as_str().unwrap();
            assert!(text.contains("All clients share one namespace"), "{text}");
            assert!(text.contains("at random"), "{text}");
            // The pages of documentation would fill it in for everybody.
            assert!(key["example"].is_null(), "{key}");
            let schema = key["schema"].to_string();
            for part in [
                r#""minLength":1"#,
                r#""maxLength":255"#,
                r#""pattern":"^[!-~]+$""#,
            ] {
                assert!(schema.contains(part), "{schema}");
            }
            let answers = &operation["responses"];
            assert!(answers["503"].is_object(), "{method} {path}: {answers}");
            // Either invalid input, or a key that was used with another request.
            let schema = &answers["422"]["content"]["application/json"]["schema"];
            let pointer = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
            let invalid = pointer.map_or(schema, |pointer| document.pointer(pointer).unwrap());
            let invalid = invalid.to_string();
            assert!(
                invalid.contains("HTTPValidationError"),
                "{method} {path}: {invalid}"
            );
            assert!(
                invalid.contains("RefusalResponse"),
                "{method} {path}: {invalid}"
            );
            described.insert(format!("{method} {path}"));
        }
    }
    assert_eq!(described.len(), 4, "{described:?}");
}
