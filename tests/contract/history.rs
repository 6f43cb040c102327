//! Statements, and balances in the past: of a service that keeps a journal.

use crate::answers::{Invalid, assert_answer, detail};
use crate::support::{Request, Response, Server};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const NOT_FOUND: &str = r#"{"detail":"Account not found"}"#;

/// A server that keeps its journal in `data`.
fn durable(data: &TempDir) -> Server {
    let path = data.path().to_str().unwrap();
    Server::configure().flag("--data", path).start()
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Moves money, and returns what was answered.
#[track_caller]
fn moved(server: &Server, account: &str, what: &str, amount: &str) -> Value {
    let path = format!("/accounts/{account}/{what}");
    let response = server.post(&path, &format!(r#"{{"amount":{amount}}}"#));
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

fn time(answer: &Value) -> String {
    answer["timestamp"].as_str().expect("a time").to_owned()
}

fn statement(server: &Server, account: &str, query: &str) -> Response {
    server.get(&format!("/accounts/{account}/transactions{query}"))
}

/// The transactions of an answer.
#[track_caller]
fn transactions(response: &Response) -> Vec<Value> {
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["transactions"].as_array().unwrap().clone()
}

fn sequences(transactions: &[Value]) -> Vec<u64> {
    transactions
        .iter()
        .map(|it| it["sequence"].as_u64().unwrap())
        .collect()
}

/// An account with ten deposits, and what was answered to each; the deposits have the sequence numbers from 2 to 11.
fn account_with_deposits(server: &Server) -> (String, Vec<Value>) {
    let account = server.open_account("0.5");
    let deposits = (1..=10).map(|sum| moved(server, &account, "deposit", &sum.to_string()));
    let deposits = deposits.collect();
    (account, deposits)
}

#[test]
fn a_statement_tells_what_happened_to_the_byte() {
    let data = directory();
    let server = durable(&data);
    let account = server.open_account("1000");
    let created_at = server.get("/accounts").json()["accounts"][0]["created_at"].clone();
    let created_at = created_at.as_str().unwrap();
    let deposit = moved(&server, &account, "deposit", "0.1");
    let request = |amount, key| {
        let json = format!(r#"{{"amount":{amount}}}"#);
        let path = format!("/accounts/{account}/withdraw");
        server.send(&Request::post(&path, &json).header("Idempotency-Key", key))
    };
    // Recorded because of its key, and no transaction of the account.
    assert_eq!(request("9999", "too-much").status, 400);
    let withdrawal = request("200.05", r#"rent"\2026"#).json();
    // Answered again, and done once.
    assert_eq!(request("200.05", r#"rent"\2026"#).json(), withdrawal);

    let opening = format!(
        r#"{{"sequence":1,"type":"opening","amount":1000.0,"balance_after":1000.0,"timestamp":"{created_at}","idempotency_key":null}}"#
    );
    let deposit = format!(
        r#"{{"sequence":2,"type":"deposit","amount":0.1,"balance_after":1000.1,"timestamp":"{}","idempotency_key":null}}"#,
        time(&deposit)
    );
    let withdrawal = format!(
        r#"{{"sequence":4,"type":"withdrawal","amount":200.05,"balance_after":800.05,"timestamp":"{}","idempotency_key":"rent\"\\2026"}}"#,
        time(&withdrawal)
    );
    let body = |transactions: &[&str]| {
        format!(
            r#"{{"account_number":"{account}","transactions":[{}],"has_more":false,"next_cursor":null}}"#,
            transactions.join(",")
        )
    };
    let newest_first = body(&[&withdrawal, &deposit, &opening]);
    for query in ["", "?", "?order=desc", "?limit=3"] {
        let response = statement(&server, &account, query);
        assert_answer(&response, 200, &newest_first, query);
        assert_eq!(response.header("link"), None);
    }
    let oldest_first = body(&[&opening, &deposit, &withdrawal]);
    let response = statement(&server, &account, "?order=asc");
    assert_answer(&response, 200, &oldest_first, "order=asc");

    // A closed account keeps its history, also through a kill.
    assert_eq!(server.delete(&format!("/accounts/{account}")).status, 204);
    let closed = statement(&server, &account, "");
    let last = closed.json()["transactions"][0].clone();
    assert_eq!(
        (&last["type"], &last["amount"]),
        (&json!("closing"), &json!(800.05))
    );
    assert_eq!(
        (&last["sequence"], &last["balance_after"]),
        (&json!(5), &json!(0.0))
    );
    let closing = format!(
        r#"{{"sequence":5,"type":"closing","amount":800.05,"balance_after":0.0,"timestamp":{},"idempotency_key":null}}"#,
        last["timestamp"]
    );
    let newest_first = body(&[&closing, &withdrawal, &deposit, &opening]);
    assert_answer(&closed, 200, &newest_first, "closed");
    drop(server);
    let server = durable(&data);
    let reopened = statement(&server, &account, "");
    assert_answer(&reopened, 200, &newest_first, "reopened");
}

/// All transactions, page by page along the links, with the paths that were asked for.
fn along_links(
    server: &Server,
    account: &str,
    query: &str,
    limit: usize,
) -> (Vec<u64>, Vec<String>) {
    let mut path = format!("/accounts/{account}/transactions{query}");
    let (mut seen, mut paths) = (Vec::new(), Vec::new());
    loop {
        let response = server.get(&path);
        let page = transactions(&response);
        let json = response.json();
        let cursor = json["next_cursor"].as_str();
        assert_eq!(json["has_more"], cursor.is_some());
        assert!(
            page.len() == limit || (page.len() < limit && cursor.is_none()),
            "{path}"
        );
        seen.extend(sequences(&page));
        paths.push(path.clone());
        let Some(link) = response.header("link") else {
            assert_eq!(cursor, None);
            return (seen, paths);
        };
        let target = link
            .strip_prefix('<')
            .and_then(|link| link.strip_suffix(r#">; rel="next""#));
        path = target.expect("a link").to_owned();
        assert!(
            path.contains(&format!("limit={limit}&cursor={}", cursor.unwrap())),
            "{path}"
        );
    }
}

#[test]
fn the_pages_together_are_the_statement() {
    let data = directory();
    let server = durable(&data);
    let (account, deposits) = account_with_deposits(&server);
    let newest_first: Vec<u64> = (1..=11).rev().collect();
    let oldest_first: Vec<u64> = (1..=11).collect();
    for limit in [1, 2, 3, 10, 11, 12] {
        let query = format!("?limit={limit}");
        let (seen, _) = along_links(&server, &account, &query, limit);
        assert_eq!(seen, newest_first, "{query}");
        let query = format!("?limit={limit}&order=asc");
        let (seen, _) = along_links(&server, &account, &query, limit);
        assert_eq!(seen, oldest_first, "{query}");
    }

    // The links keep what was asked for.
    let (from, to) = (time(&deposits[2]), time(&deposits[8]));
    let query = format!("?limit=2&order=asc&from={from}&to={to}Z");
    let (seen, paths) = along_links(&server, &account, &query, 2);
    assert_eq!(seen, [4, 5, 6, 7, 8, 9]);
    let second =
        format!("/accounts/{account}/transactions?limit=2&cursor=6&from={from}&to={to}&order=asc");
    assert_eq!((paths.len(), &paths[1]), (3, &second));
}

#[test]
fn without_a_limit_a_page_has_a_hundred_transactions() {
    let data = directory();
    let server = durable(&data);
    let account = server.open_account("1");
    let mut client = server.connect();
    let deposit = Request::post(&format!("/accounts/{account}/deposit"), r#"{"amount":1}"#);
    for _ in 0..110 {
        assert_eq!(client.send(&deposit).status, 200);
    }
    let page = statement(&server, &account, "");
    assert_eq!(transactions(&page).len(), 100);
    assert_eq!(page.json()["next_cursor"], "11");
    assert_eq!(
        transactions(&statement(&server, &account, "?limit=1000")).len(),
        111
    );
}

#[test]
fn from_is_part_of_a_period_and_to_is_not() {
    let data = directory();
    let server = durable(&data);
    let (account, deposits) = account_with_deposits(&server);
    let (from, to) = (time(&deposits[2]), time(&deposits[5]));
    for (query, expected) in [
        (format!("?from={from}&to={to}"), vec![6, 5, 4]),
        (format!("?from={from}Z&to={to}%2B00:00"), vec![6, 5, 4]),
        (format!("?from={to}"), vec![11, 10, 9, 8, 7]),
        (format!("?to={from}&order=asc"), vec![1, 2, 3]),
        ("?from=2000-01-01&to=2001-01-01T00:00:00".to_owned(), vec![]),
        ("?from=9999-01-01".to_owned(), vec![]),
        ("?to=0000-01-01".to_owned(), vec![]),
        (
            "?from=1970-01-01&limit=1&to=9999-12-31".to_owned(),
            vec![11],
        ),
        (
            "?limit=1&to=9999-12-31T23:59:59.999999".to_owned(),
            vec![11],
        ),
        ("?cursor=3&order=desc".to_owned(), vec![3, 2, 1]),
        ("?cursor=9&order=asc".to_owned(), vec![9, 10, 11]),
        ("?cursor=11&order=asc".to_owned(), vec![11]),
    ] {
        let page = transactions(&statement(&server, &account, &query));
        assert_eq!(sequences(&page), expected, "{query}");
    }
}

#[test]
fn a_balance_can_be_that_of_another_time() {
    let data = directory();
    let server = durable(&data);
    let (account, deposits) = account_with_deposits(&server);
    let path = format!("/accounts/{account}/balance");
    let body = |balance: &Value, at: &str| {
        format!(r#"{{"account_number":"{account}","balance":{balance},"at":{at}}}"#)
    };
    for (index, deposit) in deposits.iter().enumerate() {
        let (balance, at) = (&deposit["new_balance"], time(deposit));
        for sent in [at.clone(), format!("{at}Z")] {
            let response = server.get(&format!("{path}?at={sent}"));
            assert_answer(&response, 200, &body(balance, &format!("\"{at}\"")), &sent);
        }
        let sequence = index + 2;
        for sent in [sequence.to_string(), format!("00{sequence}")] {
            let response = server.get(&format!("{path}?at={sent}"));
            assert_answer(&response, 200, &body(balance, &sequence.to_string()), &sent);
        }
    }
    let last = &deposits[9]["new_balance"];
    for (sent, at) in [
        // A date is the whole day.
        ("9999-12-30", r#""9999-12-30T23:59:59.999999""#),
        ("9999-12-31", r#""9999-12-31T23:59:59.999999""#),
        (
            "9999-12-31T23:59:59.999999999Z",
            r#""9999-12-31T23:59:59.999999""#,
        ),
        ("9999-12-31T23:59:60", r#""9999-12-31T23:59:59.999999""#),
        (
            "9999-12-31T00:00:00-23:59",
            r#""9999-12-31T23:59:00.000000""#,
        ),
        ("2030-06-30T23:59:60", r#""2030-06-30T23:59:59.999999""#),
        (
            "2030-06-30T23:59:60.5%2B01:00",
            r#""2030-06-30T22:59:59.999999""#,
        ),
        (
            "2030-01-01T00:00:00.1234567",
            r#""2030-01-01T00:00:00.123456""#,
        ),
        (
            "2030-01-01t00:00:00.123456999z",
            r#""2030-01-01T00:00:00.123456""#,
        ),
    ] {
        let response = server.get(&format!("{path}?at={sent}"));
        assert_answer(&response, 200, &body(last, at), sent);
    }
    for before in [
        "0",
        "2000-01-01",
        "1999-12-31T23:00:00-01:00",
        "1969-12-31T23:59:59.9999999",
    ] {
        let response = server.get(&format!("{path}?at={before}"));
        assert_answer(&response, 404, NOT_FOUND, before);
    }
    // Without it the answer is as ever.
    let plain = format!(r#"{{"account_number":"{account}","balance":{last}}}"#);
    for query in ["", "?", "?x=1"] {
        assert_answer(&server.get(&format!("{path}{query}")), 200, &plain, query);
    }

    assert_eq!(server.delete(&format!("/accounts/{account}")).status, 204);
    assert_answer(
        &server.get(&format!("{path}?at=11")),
        200,
        &body(last, "11"),
        "closed",
    );
    assert_answer(
        &server.get(&format!("{path}?at=12")),
        404,
        NOT_FOUND,
        "since it is closed",
    );
    assert_answer(&server.get(&path), 404, NOT_FOUND, "now");
}

#[test]
fn an_account_that_never_was_has_no_history() {
    let data = directory();
    let server = durable(&data);
    server.open_account("1.0");
    for account in ["00000000-0000-4000-8000-000000000000", "x", "%20"] {
        for path in ["transactions", "transactions?limit=1", "balance?at=1"] {
            let response = server.get(&format!("/accounts/{account}/{path}"));
            assert_answer(&response, 404, NOT_FOUND, path);
        }
    }
}

#[test]
fn in_memory_there_is_no_history_and_the_answer_says_how_to_get_it() {
    let server = Server::start();
    let account = server.open_account("10.0");
    let body = detail("This service keeps no history: start it with --data DIRECTORY to keep one");
    for account in [account.as_str(), "x"] {
        for path in ["transactions", "transactions?order=asc", "balance?at=1"] {
            let response = server.get(&format!("/accounts/{account}/{path}"));
            assert_answer(&response, 501, &body, path);
        }
    }
    assert_eq!(server.balance(&account), "10.0");
    let invalid = server.get(&format!("/accounts/{account}/transactions?limit=0"));
    assert_eq!(invalid.status, 422, "invalid input comes first");
}

const WRITTEN: &str = "a time is written as 2026-01-31 or 2026-01-31T08:30:00.25, in UTC unless an offset such as Z or +02:00 follows";

#[test]
fn invalid_input_is_refused_before_the_account_is_looked_up() {
    let data = directory();
    let servers = [durable(&data), Server::start()];
    let no_order = "an order is 'desc', newest first, or 'asc', oldest first";
    let no_time = Invalid::wrong_form(WRITTEN);
    let because = |reason: &str| Invalid::wrong_form(&format!("{reason}: {WRITTEN}"));
    let blank =
        because("the + of an offset arrived as a blank, because in a query it is written as %2B");
    for (parameter, sent, input, invalid) in [
        ("limit", "0", "0", Invalid::limit_below_one()),
        ("limit", "1001", "1001", Invalid::limit_above_1000()),
        ("limit", "ten", "ten", Invalid::not_an_integer()),
        ("cursor", "", "", Invalid::not_an_integer()),
        ("cursor", "-1", "-1", Invalid::not_an_integer()),
        ("cursor", "%2B1", "+1", Invalid::not_an_integer()),
        (
            "cursor",
            "18446744073709551616",
            "18446744073709551616",
            Invalid::not_an_integer(),
        ),
        ("from", "", "", no_time),
        (
            "from",
            "yesterday",
            "yesterday",
            Invalid::wrong_form(WRITTEN),
        ),
        ("from", "2026", "2026", because("a number is not a time")),
        (
            "from",
            "20261125",
            "20261125",
            because("a number is not a time"),
        ),
        (
            "to",
            "1701945000",
            "1701945000",
            because("a number is not a time"),
        ),
        (
            "to",
            "1701945000123",
            "1701945000123",
            because("a number is not a time"),
        ),
        (
            "to",
            "2023-12-07T10:30:00.1234567890",
            "2023-12-07T10:30:00.1234567890",
            because("a second has at most nine decimals"),
        ),
        (
            "to",
            "2023-02-29",
            "2023-02-29",
            because("there is no such day or time of day"),
        ),
        (
            "to",
            "2023-12-07T10:30:61",
            "2023-12-07T10:30:61",
            because("there is no such day or time of day"),
        ),
        (
            "from",
            "2023-12-07T10:30:00+02:00",
            "2023-12-07T10:30:00 02:00",
            blank,
        ),
        (
            "from",
            "2023-12-07T10:30:00%2B24:00",
            "2023-12-07T10:30:00+24:00",
            because("an offset is at most 23:59"),
        ),
        (
            "from",
            "9999-12-31T23:59:59-01:00",
            "9999-12-31T23:59:59-01:00",
            because("it is after 9999-12-31T23:59:59.999999 in UTC"),
        ),
        ("order", "", "", Invalid::wrong_form(no_order)),
        ("order", "DESC", "DESC", Invalid::wrong_form(no_order)),
        ("at", "", "", Invalid::wrong_form(WRITTEN)),
        ("at", "-1", "-1", Invalid::wrong_form(WRITTEN)),
        ("at", "2026-11", "2026-11", Invalid::wrong_form(WRITTEN)),
    ] {
        let path = if parameter == "at" {
            "balance"
        } else {
            "transactions"
        };
        let body = invalid.at(
            &format!(r#"["query","{parameter}"]"#),
            &format!("\"{input}\""),
        );
        for server in &servers {
            let response = server.get(&format!("/accounts/x/{path}?{parameter}={sent}"));
            assert_answer(&response, 422, &body, &format!("{parameter}={sent}"));
        }
    }
}

#[test]
fn a_number_that_is_no_position_is_refused() {
    let data = directory();
    let server = durable(&data);
    let (account, deposits) = account_with_deposits(&server);
    let other = server.open_account("1.0");
    // Sequence numbers go to 12; this account has 11 entries.
    for account in [&account, &other, &"x".to_owned()] {
        for sent in [
            "13",
            "2026",
            "20261125",
            "1701945000",
            "1701945000123",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999",
        ] {
            let reason =
                format!("the newest sequence number is 12, and this is above it; {WRITTEN}");
            let body = Invalid::wrong_form(&reason).at(r#"["query","at"]"#, &format!("\"{sent}\""));
            let response = server.get(&format!("/accounts/{account}/balance?at={sent}"));
            assert_answer(&response, 422, &body, sent);
        }
    }
    for sent in ["12", "0012", "11"] {
        let response = server.get(&format!("/accounts/{account}/balance?at={sent}"));
        assert_eq!(
            response.json()["balance"],
            deposits[9]["new_balance"],
            "{sent}"
        );
    }
    // What is answered as done has a position at once.
    for _ in 0..50 {
        moved(&server, &account, "deposit", "1");
        let page = transactions(&statement(&server, &account, "?limit=1"));
        let newest = page[0]["sequence"].as_u64().unwrap();
        let response = server.get(&format!("/accounts/{account}/balance?at={newest}"));
        assert_eq!(response.status, 200, "{}", response.text());
    }
    // A cursor is the number of an entry of the account.
    for (cursor, order) in [
        ("62", "desc"),
        ("62", "asc"),
        ("2026", "desc"),
        ("0", "asc"),
        ("0", "desc"),
    ] {
        let query = format!("?cursor={cursor}&order={order}");
        let reason = "a cursor is the next_cursor of an earlier page of this account: its newest entry is 61";
        let body =
            Invalid::wrong_form(reason).at(r#"["query","cursor"]"#, &format!("\"{cursor}\""));
        assert_answer(&statement(&server, &account, &query), 422, &body, &query);
    }
    assert_answer(
        &statement(&server, "x", "?cursor=62"),
        404,
        NOT_FOUND,
        "no account",
    );
}

#[test]
fn a_range_ends_after_it_begins() {
    let data = directory();
    let server = durable(&data);
    let (account, deposits) = account_with_deposits(&server);
    let (from, to) = (time(&deposits[2]), time(&deposits[5]));
    for (from, to) in [
        (from.as_str(), from.as_str()),
        (&to, &from),
        ("2026-01-31", "2026-01-30"),
        ("2026-01-31T00:00", "2026-01-30"),
        ("2026-01-31", "2026-01-31T00:00"),
        ("2026-01-31T00:00:00.0000009", "2026-01-31T00:00:00"),
    ] {
        let body =
            Invalid::wrong_form("a range ends after it begins: 'to' must be later than 'from'")
                .at(r#"["query","to"]"#, &format!("\"{to}\""));
        for query in [
            format!("?from={from}&to={to}"),
            format!("?to={to}&from={from}&order=asc"),
        ] {
            assert_answer(&statement(&server, &account, &query), 422, &body, &query);
            assert_answer(&statement(&server, "x", &query), 422, &body, &query);
        }
    }
    // A date is the whole day, at both ends; an instant ends before itself.
    let day = &time(&deposits[0])[..10];
    let all: Vec<u64> = (1..=11).collect();
    for query in [
        format!("?from={day}&to={day}&order=asc"),
        format!("?to={day}&order=asc"),
        format!("?from={day}T00:00:00&to={day}&order=asc"),
    ] {
        // Unless midnight went by.
        if time(&deposits[9]).starts_with(day) {
            let page = transactions(&statement(&server, &account, &query));
            assert_eq!(sequences(&page), all, "{query}");
        }
    }
    let none = transactions(&statement(
        &server,
        &account,
        &format!("?to={day}T00:00:00"),
    ));
    assert_eq!(none, [] as [Value; 0]);
    // A day at the end is kept on the way from page to page.
    let (seen, paths) = along_links(
        &server,
        &account,
        &format!("?limit=4&to={day}&order=asc"),
        4,
    );
    if time(&deposits[9]).starts_with(day) {
        assert_eq!((seen, paths.len()), (all.clone(), 3));
    }
    let (seen, _) = along_links(&server, &account, "?limit=4&to=9999-12-31&order=asc", 4);
    assert_eq!(seen, all);
}

#[test]
fn a_name_that_a_statement_does_not_know_is_refused() {
    let data = directory();
    let server = durable(&data);
    let account = server.open_account("1.0");
    for (query, name, input) in [
        ("?start=2030-01-01", "start", "2030-01-01"),
        ("?limit=1&From=2030-01-01", "From", "2030-01-01"),
        ("?_=1", "_", "1"),
        ("?at=1", "at", "1"),
        ("?&limit=1&=x", "", "x"),
    ] {
        let message =
            "Extra inputs are not permitted; the parameters are limit, cursor, from, to, order";
        let body = format!(
            r#"{{"detail":[{{"type":"extra_forbidden","loc":["query","{name}"],"msg":"{message}","input":"{input}"}}]}}"#
        );
        for account in [account.as_str(), "x"] {
            assert_answer(&statement(&server, account, query), 422, &body, query);
        }
    }
    // Those of the original are as lenient as it is.
    for path in [
        format!("/accounts/{account}/balance"),
        "/accounts".to_owned(),
        "/health".to_owned(),
    ] {
        assert_eq!(
            server.get(&format!("{path}?_=1&start=2030-01-01")).status,
            200,
            "{path}"
        );
    }
}

#[test]
fn many_may_read_history_at_the_same_time() {
    let data = directory();
    let server = durable(&data);
    let (account, _) = account_with_deposits(&server);
    let expected = statement(&server, &account, "").text();
    let mut clients: Vec<_> = (0..100).map(|_| server.connect()).collect();
    let request = Request::get(&format!("/accounts/{account}/transactions"));
    for client in &mut clients {
        client.write(&request.to_bytes());
    }
    for client in &mut clients {
        assert_answer(&client.receive("GET"), 200, &expected, "one of many");
    }
}

/// The one segment of a young journal.
fn segment(data: &Path) -> PathBuf {
    data.join("00000000000000000000.journal")
}

#[test]
fn damage_is_an_answer_and_in_the_log_and_other_accounts_go_on() {
    let data = directory();
    let server = durable(&data);
    let (damaged, _) = account_with_deposits(&server);
    moved(&server, &damaged, "deposit", "7777.77");
    moved(&server, &damaged, "deposit", "1");
    let (well, _) = account_with_deposits(&server);

    let path = segment(data.path());
    let mut bytes = fs::read(&path).unwrap();
    let amount = 777_777_u64.to_le_bytes();
    let place = bytes
        .windows(8)
        .position(|window| window == amount)
        .unwrap();
    bytes[place] ^= 1;
    // In place, for the server has it open.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes[place..=place], place as u64).unwrap();

    let mark = server.log().mark();
    let says = format!("The entry 11 of account {damaged} cannot be read: ");
    for path in ["transactions", "balance?at=12"] {
        let response = server.get(&format!("/accounts/{damaged}/{path}"));
        assert_eq!(response.status, 503, "{path}: {}", response.text());
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.starts_with(&says) && detail.contains(".journal is damaged at byte"),
            "{detail}"
        );
    }
    let logged = server
        .log()
        .wait_for(mark, |line| line.contains("history cannot be read"));
    let logged = logged.expect("a line of the log");
    assert!(
        logged.contains("ERROR") && logged.contains(&damaged),
        "{logged}"
    );

    // What is behind it is whole, and so are others.
    assert_eq!(
        sequences(&transactions(&statement(&server, &damaged, "?limit=1"))),
        [13]
    );
    assert_eq!(transactions(&statement(&server, &well, "")).len(), 11);
    moved(&server, &damaged, "deposit", "1");
}

#[test]
fn history_that_was_taken_away_is_said_to_be() {
    let data = directory();
    let server = durable(&data);
    let (account, _) = account_with_deposits(&server);
    // Nobody has read history yet, so the server has not opened it to read.
    fs::remove_file(segment(data.path())).unwrap();
    let says = format!(
        "The history of account {account} ends behind its last entry: a segment is missing"
    );
    for path in ["transactions", "balance?at=5"] {
        let response = server.get(&format!("/accounts/{account}/{path}"));
        assert_eq!(response.status, 410, "{path}: {}", response.text());
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(&says), "{detail}");
    }
    assert_eq!(server.balance(&account), "55.5");
}
