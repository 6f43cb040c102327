//! What a supervisor asks: `/health`, `/livez`, `/readyz`.

use crate::answers::{assert_answer, seconds_of_timestamp};
use crate::support::Server;

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
        assert!(
            rest == "}" || rest.starts_with(",\""),
            "after the version: {rest}"
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
