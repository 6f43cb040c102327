//! What a supervisor asks: `/health`, `/livez`, `/readyz`.

use crate::answers::{assert_answer, seconds_of_timestamp};
use crate::support::{PATIENCE, Request, Server};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn health_begins_with_the_five_keys_of_the_original() {
    let server = Server::start();
    for count in 0..3 {
        let response = server.get("/health");
        let json = response.json();
        let timestamp = json["timestamp"].as_str().expect("a timestamp");
        seconds_of_timestamp(timestamp);
        let version = json["version"].as_str().expect("a version");
        assert!(!version.is_empty());
        let start = format!(
            r#"{{"status":"healthy","accounts_count":{count},"max_accounts":1000,"timestamp":"{timestamp}","version":"{version}""#
        );
        let body = response.text();
        let rest = body
            .strip_prefix(&start)
            .unwrap_or_else(|| panic!("{body} is not {start}…"));
        assert!(rest.starts_with(",\""), "after the version: {rest}");
        assert!(
            rest.ends_with(r#","mode":"memory","warnings":[]}"#),
            "at the end: {rest}"
        );
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        server.open_account("1.0");
    }
}

#[test]
fn a_running_server_is_alive_and_ready() {
    let server = Server::start();
    assert_answer(&server.get("/livez"), 200, r#"{"status":"alive"}"#, "livez");
    assert_answer(
        &server.get("/readyz"),
        200,
        r#"{"status":"ready"}"#,
        "readyz",
    );
}

#[test]
fn keys_that_are_all_in_use_are_told_in_each_mode() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().to_str().unwrap();
    for mode in ["memory", "durable"] {
        let mut launch = Server::configure()
            .flag("--idempotency-keys-max", "1")
            .flag("--idempotency-window", "3");
        if mode == "durable" {
            launch = launch.flag("--data", data);
        }
        let server = launch.start();
        let warnings = || server.get("/health").json()["warnings"].clone();
        let open = |key: &str| {
            let request = Request::post("/accounts", "{}").header("Idempotency-Key", key);
            server.send(&request).status
        };
        assert_eq!(warnings(), serde_json::json!([]), "{mode}");
        assert_eq!(open("first"), 201, "{mode}");
        assert_eq!(open("second"), 503, "{mode}");
        let told = warnings();
        assert!(
            told[0].as_str().unwrap().contains("idempotency keys"),
            "{mode}: {told}"
        );
        assert_eq!(server.get("/health").status, 200, "{mode}");
        let deadline = Instant::now() + PATIENCE;
        while warnings() != serde_json::json!([]) {
            assert!(Instant::now() < deadline, "{mode}: told for good");
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(open("second"), 201, "{mode}");
    }
}
