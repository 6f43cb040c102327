//! The command line apart from serving: help, version, and the check for containers.

use crate::support::{Server, cashpoint, free_port};
use std::process::Output;

fn run(arguments: &[&str]) -> Output {
    cashpoint()
        .args(arguments)
        .output()
        .expect("the binary starts")
}

fn text(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!("{stdout}{}", String::from_utf8_lossy(&output.stderr))
}

#[test]
fn help_names_the_commands_and_every_setting_with_its_default() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    for part in ["serve", "health"] {
        assert!(text(&help).contains(part), "no {part} in {}", text(&help));
    }
    let help = run(&["serve", "--help"]);
    assert!(help.status.success());
    for part in [
        "--host",
        "HOST",
        "0.0.0.0",
        "--port",
        "PORT",
        "8000",
        "--max-accounts",
        "MAX_ACCOUNTS",
        "1000",
        "--max-transaction-amount",
        "MAX_TRANSACTION_AMOUNT",
        "10000",
        "--log-level",
        "LOG_LEVEL",
        "--log-format",
        "--environment",
        "ENVIRONMENT",
        "development",
        "--external-url",
        "RENDER_EXTERNAL_URL",
        "--max-connections",
        "--header-timeout",
        "--body-timeout",
        "--shutdown-timeout",
        "--drain-delay",
    ] {
        assert!(text(&help).contains(part), "no {part} in {}", text(&help));
    }
}

#[test]
fn version_is_that_of_health() {
    let version = run(&["--version"]);
    assert!(version.status.success());
    let reported = Server::start().get("/health").json()["version"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text(&version).contains(&reported),
        "{} is not {reported}",
        text(&version)
    );
}

#[test]
fn an_unknown_command_or_flag_is_refused() {
    for arguments in [&["fly"][..], &["serve", "--fly"], &["serve", "--port"]] {
        let output = run(arguments);
        assert!(
            output.status.code().is_some_and(|code| code != 0),
            "{arguments:?}"
        );
        assert!(
            !text(&output).contains("panicked"),
            "{arguments:?}: {}",
            text(&output)
        );
    }
}

#[test]
fn the_health_command_says_by_its_exit_code_whether_a_server_is_healthy() {
    let server = Server::start();
    let url = format!("http://127.0.0.1:{}/health", server.port());
    let output = run(&["health", &url]);
    assert!(output.status.success(), "{}", text(&output));

    let by_port = cashpoint()
        .arg("health")
        .env("PORT", server.port().to_string())
        .output()
        .unwrap();
    assert!(by_port.status.success(), "{}", text(&by_port));

    let nobody = format!("http://127.0.0.1:{}/health", free_port());
    let nothing = format!("http://127.0.0.1:{}/nowhere", server.port());
    for (case, url) in [("nobody listens", nobody), ("not found", nothing)] {
        let output = run(&["health", &url]);
        assert!(
            output.status.code().is_some_and(|code| code != 0),
            "{case}: {}",
            text(&output)
        );
        assert!(
            !text(&output).contains("panicked"),
            "{case}: {}",
            text(&output)
        );
    }
}
