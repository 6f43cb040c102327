//! Many clients at once: no cent is lost or made, and the limit of accounts is exact.

use crate::answers::detail;
use crate::support::{Client, Request, Response, Server};
use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

/// Sends all requests from two threads, each over a connection of its own, before any answer is
/// read.
pub(crate) fn send_all_at_once(server: &Server, requests: &[Request]) -> Vec<Response> {
    let mut clients: Vec<Client> = requests.iter().map(|_| server.connect()).collect();
    let half = requests.len().div_ceil(2);
    thread::scope(|scope| {
        for (clients, requests) in clients.chunks_mut(half).zip(requests.chunks(half)) {
            scope.spawn(move || {
                for (client, request) in clients.iter_mut().zip(requests) {
                    client.write(&request.to_bytes());
                }
            });
        }
    });
    clients
        .iter_mut()
        .map(|client| client.receive("POST"))
        .collect()
}

pub(crate) fn count(responses: &[Response], status: u16) -> usize {
    responses
        .iter()
        .filter(|response| response.status == status)
        .count()
}

#[test]
fn a_thousand_parallel_deposits_of_a_cent_make_exactly_ten() {
    let server = Server::start();
    let account = server.open_account("0.0");
    let deposit = Request::post(
        &format!("/accounts/{account}/deposit"),
        r#"{"amount":0.01}"#,
    );
    let responses = send_all_at_once(&server, &vec![deposit; 1_000]);
    assert_eq!(count(&responses, 200), 1_000);
    assert_eq!(server.balance(&account), "10.0");
    // Each deposit saw another balance: they took effect one after the other.
    let seen: HashSet<String> = responses
        .iter()
        .map(|it| it.json()["new_balance"].to_string())
        .collect();
    assert_eq!(seen.len(), 1_000);
}

#[test]
fn parallel_withdrawals_never_take_more_than_there_is() {
    let server = Server::start();
    let account = server.open_account("50.0");
    let withdraw = Request::post(
        &format!("/accounts/{account}/withdraw"),
        r#"{"amount":1.0}"#,
    );
    let responses = send_all_at_once(&server, &vec![withdraw; 200]);
    assert_eq!((count(&responses, 200), count(&responses, 400)), (50, 150));
    assert_eq!(server.balance(&account), "0.0");
}

#[test]
fn deposits_and_withdrawals_on_many_connections_balance() {
    let server = Server::start();
    let account = server.open_account("100.0");
    thread::scope(|scope| {
        for worker in 0..8 {
            let (server, account) = (&server, &account);
            scope.spawn(move || {
                let verb = if worker % 2 == 0 {
                    "deposit"
                } else {
                    "withdraw"
                };
                let path = format!("/accounts/{account}/{verb}");
                let request = Request::post(&path, r#"{"amount":0.1}"#);
                let mut client = server.connect();
                for _ in 0..200 {
                    assert_eq!(client.send(&request).status, 200);
                }
            });
        }
    });
    assert_eq!(server.balance(&account), "100.0");
}

#[test]
fn the_limit_of_accounts_is_exact_under_64_parallel_creations() {
    for round in 0..5 {
        let server = Server::configure().env("MAX_ACCOUNTS", "10").start();
        let barrier = Barrier::new(64);
        let responses: Vec<Response> = thread::scope(|scope| {
            let create = || {
                let mut client = server.connect();
                barrier.wait();
                client.send(&Request::post("/accounts", r#"{"initial_balance":1.0}"#))
            };
            let workers: Vec<_> = (0..64).map(|_| scope.spawn(create)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .collect()
        });
        assert_eq!(
            (count(&responses, 201), count(&responses, 507)),
            (10, 54),
            "round {round}"
        );
        for refused in responses.iter().filter(|response| response.status == 507) {
            assert_eq!(
                refused.text(),
                detail("Maximum number of accounts (10) reached")
            );
        }
        let opened: HashSet<String> = responses
            .iter()
            .filter(|response| response.status == 201)
            .map(Response::account_number)
            .collect();
        assert_eq!(
            (opened.len(), server.accounts_count()),
            (10, 10),
            "round {round}"
        );
    }
}

#[test]
fn an_account_is_closed_by_exactly_one_of_many() {
    let server = Server::start();
    let account = server.open_account("1.0");
    let close = Request::new("DELETE", &format!("/accounts/{account}"));
    let responses = send_all_at_once(&server, &vec![close; 32]);
    assert_eq!((count(&responses, 204), count(&responses, 404)), (1, 31));
    assert_eq!(server.accounts_count(), 0);
}

#[test]
fn a_listing_during_creations_is_always_in_order_and_loses_nothing() {
    let server = Server::start();
    thread::scope(|scope| {
        let creator = scope.spawn(|| {
            let mut client = server.connect();
            let create = Request::post("/accounts", "{}");
            (0..300)
                .map(|_| client.send(&create).account_number())
                .collect::<Vec<String>>()
        });
        let mut client = server.connect();
        let mut before: Vec<String> = Vec::new();
        while !creator.is_finished() {
            let listing = client.send(&Request::get("/accounts")).json();
            let accounts = listing["accounts"].as_array().unwrap();
            let now: Vec<String> = accounts
                .iter()
                .map(|account| account["account_number"].as_str().unwrap().to_owned())
                .collect();
            assert!(
                now.starts_with(&before),
                "a listing continues the one before it"
            );
            before = now;
        }
        let opened = creator.join().unwrap();
        assert!(
            opened.starts_with(&before),
            "the listing is in order of creation"
        );
    });
}
