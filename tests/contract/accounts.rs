//! The life of an account: open, read, deposit, withdraw, list, close.

use crate::answers::{assert_answer, assert_uuid_v4, detail, seconds_of_timestamp};
use crate::support::{Request, Response, Server};

/// Asserts every byte of a transaction's answer, whatever its time, and returns that time.
#[track_caller]
fn assert_transaction(
    response: &Response,
    account: &str,
    kind: &str,
    amount: &str,
    new_balance: &str,
) -> String {
    let timestamp = response.json()["timestamp"]
        .as_str()
        .expect("a timestamp")
        .to_owned();
    seconds_of_timestamp(&timestamp);
    let body = format!(
        r#"{{"account_number":"{account}","new_balance":{new_balance},"transaction_amount":{amount},"transaction_type":"{kind}","timestamp":"{timestamp}"}}"#
    );
    assert_answer(response, 200, &body, kind);
    timestamp
}

/// `created_at` and `last_updated` of the account at a place of the listing.
fn times(server: &Server, place: usize) -> (String, String) {
    let account = &server.get("/accounts").json()["accounts"][place];
    let time = |key: &str| account[key].as_str().expect("a timestamp").to_owned();
    (time("created_at"), time("last_updated"))
}

#[test]
fn an_opened_account_answers_201_with_its_number_and_balance() {
    let server = Server::start();
    let response = server.post("/accounts", r#"{"initial_balance": 1000.0}"#);
    let account = response.account_number();
    assert_uuid_v4(&account);
    let body = format!(
        r#"{{"account_number":"{account}","balance":1000.0,"message":"Account created successfully"}}"#
    );
    assert_answer(&response, 201, &body, "open");
}

#[test]
fn an_account_opened_without_a_balance_holds_nothing() {
    let server = Server::start();
    for body in ["{}", r#"{ }"#, r#"{"owner":"nobody"}"#, r#"{"amount":5.0}"#] {
        let account = server.post("/accounts", body).account_number();
        assert_eq!(server.balance(&account), "0.0", "{body}");
    }
}

#[test]
fn a_balance_answers_200_with_number_and_balance() {
    let server = Server::start();
    let account = server.open_account("1000.0");
    let body = format!(r#"{{"account_number":"{account}","balance":1000.0}}"#);
    assert_answer(
        &server.get(&format!("/accounts/{account}/balance")),
        200,
        &body,
        "balance",
    );
}

#[test]
fn a_deposit_adds_and_answers_with_the_new_balance() {
    let server = Server::start();
    let account = server.open_account("1000.0");
    let response = server.post(
        &format!("/accounts/{account}/deposit"),
        r#"{"amount": 500.0}"#,
    );
    assert_transaction(&response, &account, "deposit", "500.0", "1500.0");
    assert_eq!(server.balance(&account), "1500.0");
}

#[test]
fn a_withdrawal_takes_out_and_answers_with_the_new_balance() {
    let server = Server::start();
    let account = server.open_account("1500.0");
    let response = server.post(
        &format!("/accounts/{account}/withdraw"),
        r#"{"amount": 200.0}"#,
    );
    assert_transaction(&response, &account, "withdrawal", "200.0", "1300.0");
    assert_eq!(server.balance(&account), "1300.0");
}

#[test]
fn the_whole_balance_can_be_withdrawn() {
    let server = Server::start();
    let account = server.open_account("12.34");
    let response = server.post(
        &format!("/accounts/{account}/withdraw"),
        r#"{"amount":12.34}"#,
    );
    assert_transaction(&response, &account, "withdrawal", "12.34", "0.0");
}

#[test]
fn the_listing_shows_every_account_in_order_of_creation() {
    let server = Server::start();
    let empty = r#"{"total_accounts":0,"max_accounts":1000,"accounts":[]}"#;
    assert_answer(&server.get("/accounts"), 200, empty, "no account");

    let balances: Vec<String> = (1..=20).map(|n| format!("{n}.5")).collect();
    let mut opened: Vec<(String, String)> = balances
        .into_iter()
        .map(|balance| (server.open_account(&balance), balance))
        .collect();
    // Closing leaves the order of the others, and a later account comes last.
    let (closed, _) = opened.remove(7);
    assert_eq!(server.delete(&format!("/accounts/{closed}")).status, 204);
    opened.push((server.open_account("0.25"), "0.25".into()));

    let response = server.get("/accounts");
    let listed = response.json();
    let accounts: Vec<String> = opened
        .iter()
        .enumerate()
        .map(|(place, (account, balance))| {
            let time = |key: &str| {
                let time = listed["accounts"][place][key].as_str().expect("a timestamp").to_owned();
                seconds_of_timestamp(&time);
                time
            };
            format!(
                r#"{{"account_number":"{account}","balance":{balance},"created_at":"{}","last_updated":"{}"}}"#,
                time("created_at"),
                time("last_updated")
            )
        })
        .collect();
    let body = format!(
        r#"{{"total_accounts":20,"max_accounts":1000,"accounts":[{}]}}"#,
        accounts.join(",")
    );
    assert_answer(&response, 200, &body, "twenty accounts");
}

#[test]
fn a_closed_account_answers_204_and_is_gone_even_with_money_on_it() {
    let server = Server::start();
    let account = server.open_account("1000.0");
    let path = format!("/accounts/{account}");
    let mut client = server.connect();
    let response = client.send(&Request::new("DELETE", &path));
    assert_eq!((response.status, response.body.len()), (204, 0));
    let not_found = detail("Account not found");
    let again = client.send(&Request::new("DELETE", &path));
    assert_answer(&again, 404, &not_found, "close again");
    let balance = client.send(&Request::get(&format!("{path}/balance")));
    assert_answer(&balance, 404, &not_found, "balance");
    for verb in ["deposit", "withdraw"] {
        let request = Request::post(&format!("{path}/{verb}"), r#"{"amount":1.0}"#);
        assert_answer(&client.send(&request), 404, &not_found, verb);
    }
    assert_eq!(server.accounts_count(), 0);
}

#[test]
fn a_new_account_was_last_updated_when_it_was_created() {
    let server = Server::start();
    server.open_account("1.0");
    let (created_at, last_updated) = times(&server, 0);
    assert_eq!(created_at, last_updated);
}

#[test]
fn a_transaction_sets_last_updated_to_its_timestamp_and_a_refusal_leaves_it() {
    let server = Server::start();
    let account = server.open_account("10.0");
    let (created_at, _) = times(&server, 0);
    for (verb, kind, new_balance) in [
        ("deposit", "deposit", "15.0"),
        ("withdraw", "withdrawal", "10.0"),
    ] {
        let path = format!("/accounts/{account}/{verb}");
        let response = server.post(&path, r#"{"amount":5.0}"#);
        let timestamp = assert_transaction(&response, &account, kind, "5.0", new_balance);
        assert!(
            timestamp >= created_at,
            "{timestamp} is before {created_at}"
        );
        assert_eq!(
            times(&server, 0),
            (created_at.clone(), timestamp.clone()),
            "{verb}"
        );

        for (path, amount, status) in [
            ("withdraw", "15.01", 400),
            ("deposit", "-1", 422),
            ("withdraw", "1.005", 422),
        ] {
            let path = format!("/accounts/{account}/{path}");
            let refused = server.post(&path, &format!(r#"{{"amount":{amount}}}"#));
            assert_eq!(refused.status, status, "{amount}");
            assert_eq!(
                times(&server, 0),
                (created_at.clone(), timestamp.clone()),
                "{amount}"
            );
        }
    }
}

#[test]
fn timestamps_are_utc_whatever_the_zone_of_the_server() {
    let server = Server::configure().env("TZ", "JST-9").start();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let account = server.open_account("1.0");
    let deposit = server.post(&format!("/accounts/{account}/deposit"), r#"{"amount":1.0}"#);
    let timestamps = [
        (
            "deposit",
            deposit.json()["timestamp"].as_str().unwrap().to_owned(),
        ),
        ("created_at", times(&server, 0).0),
        (
            "health",
            server.get("/health").json()["timestamp"]
                .as_str()
                .unwrap()
                .to_owned(),
        ),
    ];
    for (case, timestamp) in timestamps {
        let seconds = seconds_of_timestamp(&timestamp);
        assert!(
            seconds.abs_diff(now) < 120,
            "{case}: {timestamp} is not {now}"
        );
    }
}

#[test]
fn account_numbers_are_never_repeated() {
    let server = Server::start();
    let mut client = server.connect();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..200 {
        let account = client
            .send(&Request::post("/accounts", "{}"))
            .account_number();
        assert_uuid_v4(&account);
        assert!(seen.insert(account.clone()), "{account} twice");
    }
}
