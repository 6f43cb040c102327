//! The command line apart from serving: help, version, and the check for containers.

use crate::support::{Server, cashpoint, free_port};
use std::fs::File;
use std::process::{Output, Stdio};

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
        "--answer-timeout",
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
fn the_settings_in_force_are_printed_with_where_they_come_from() {
    let printed = cashpoint()
        .args(["serve", "--print-config", "--port", "9"])
        .env("MAX_ACCOUNTS", "7")
        .output()
        .expect("the binary starts");
    assert!(printed.status.success(), "{}", text(&printed));
    let settings = text(&printed);
    for (setting, source) in [
        ("HOST=0.0.0.0", "default"),
        ("PORT=9", "--port"),
        ("MAX_ACCOUNTS=7", "MAX_ACCOUNTS"),
        ("DATA=", "not set"),
    ] {
        let line = settings.lines().find(|line| line.starts_with(setting));
        let line = line.unwrap_or_else(|| panic!("no {setting} in {settings}"));
        assert_eq!(line.split("# ").nth(1), Some(source), "{line}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let set = "port = 9\nmax-accounts = 5\nallowed-host = [\"a.example\", \"b.example\"]\nexisting = true\n";
    std::fs::write(file.path(), set).unwrap();
    let file = file.path().to_str().unwrap();
    let printed = cashpoint()
        .args(["serve", "--print-config", "--config", file])
        .env("MAX_ACCOUNTS", "7")
        .output()
        .expect("the binary starts");
    let settings = text(&printed);
    // Flag, environment, file, default.
    for (setting, source) in [
        ("PORT=9", "--config"),
        ("MAX_ACCOUNTS=7", "MAX_ACCOUNTS"),
        ("ALLOWED_HOST=a.example,b.example", "--config"),
        ("EXISTING=true", "--config"),
        ("HOST=0.0.0.0", "default"),
    ] {
        let line = settings.lines().find(|line| line.starts_with(setting));
        let line = line.unwrap_or_else(|| panic!("no {setting} in {settings}"));
        assert_eq!(line.split("# ").nth(1), Some(source), "{line}");
    }
    // What is wrong in a file is told, and nothing is served.
    for (set, told) in [
        ("port = 99999", "0 (any free port) to 65535"),
        ("prot = 9", "prot is no setting"),
        ("port = {}", "port is neither"),
        ("port", "--config"),
    ] {
        std::fs::write(file, set).unwrap();
        let refused = run(&["serve", "--config", file]);
        assert_eq!(refused.status.code(), Some(2), "{set}: {}", text(&refused));
        assert!(text(&refused).contains(told), "{set}: {}", text(&refused));
    }
    let refused = run(&["serve", "--config", "/nowhere/a.toml"]);
    assert!(
        text(&refused).contains("/nowhere/a.toml"),
        "{}",
        text(&refused)
    );
    // Who has no such setting says so, wherever it stands.
    for arguments in [
        &["--config", file][..],
        &["health", "--config", file],
        &["journal", "check", "data", "--config", file],
        &["verify", "http", "--config", "/nowhere"],
    ] {
        std::fs::write(file, "port = 9").unwrap();
        let refused = run(arguments);
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("unexpected argument '--config'"), "{said}");
    }
    // A setting that is wrong is told as ever.
    assert!(
        !run(&["serve", "--print-config", "--port", "x"])
            .status
            .success()
    );
}

#[test]
fn shells_and_man_know_the_commands() {
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
    ] {
        let printed = run(arguments);
        assert!(printed.status.success(), "{arguments:?}");
        assert!(text(&printed).contains("verify"), "{arguments:?}");
    }
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

    // `http://` goes without saying, and `/health` too, and a slash at the end is none.
    for end in ["", "/", "/health/"] {
        let output = run(&["health", &format!("127.0.0.1:{}{end}", server.port())]);
        assert!(output.status.success(), "{end}: {}", text(&output));
    }

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

/// What prints something on standard output and is done soon, or measures for a moment.
fn printers() -> Vec<Vec<&'static str>> {
    let engine = ["--accounts", "10", "--threads", "1"];
    let bench = [
        "bench",
        "engine",
        "--mix",
        "read",
        "--rounds",
        "1",
        "--duration",
        "0.1",
        "--warm-up",
        "0",
    ];
    vec![
        vec!["--help"],
        vec!["--version"],
        vec!["serve", "--help"],
        vec!["journal", "check", "--help"],
        [&bench[..], &engine[..]].concat(),
        [
            &["verify", "engine", "--operations", "1000"][..],
            &engine[..],
        ]
        .concat(),
    ]
}

fn print_to(arguments: &[&str], stdout: impl Into<Stdio>) -> Output {
    cashpoint()
        .args(arguments)
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap()
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

fn assert_full(arguments: &[&str], output: &Output) {
    let said = text(output);
    assert!(
        matches!(output.status.code(), Some(1 | 3)),
        "{arguments:?}: {said}"
    );
    let why = "error: standard output cannot be written: No space left on device";
    assert!(said.contains(why), "{arguments:?}: {said}");
}

#[test]
fn what_a_full_disk_did_not_take_is_an_error() {
    for arguments in printers() {
        assert_full(&arguments, &print_to(&arguments, full()));
    }
    let server = Server::start();
    let url = format!("http://127.0.0.1:{}", server.port());
    let health = ["health", &url];
    assert_full(&health, &print_to(&health, full()));
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let report = report.to_str().unwrap();
    let bench = [&printers()[4][..], &["--json", report]].concat();
    assert!(run(&bench).status.success());
    let compare = ["bench", "compare", report, report];
    assert_full(&compare, &print_to(&compare, full()));
}

#[test]
fn a_pipe_that_is_closed_ends_a_command_quietly() {
    for arguments in printers() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = print_to(&arguments, writer);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            text(&output)
        );
        assert!(
            !text(&output).contains("error"),
            "{arguments:?}: {}",
            text(&output)
        );
    }
}

#[test]
fn nothing_that_is_told_on_the_way_can_end_a_command() {
    let arguments = &printers()[4];
    let status = cashpoint()
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(full())
        .status()
        .unwrap();
    assert!(status.success());
    let wrong = cashpoint().arg("--wrong").stderr(full()).status().unwrap();
    assert_eq!(wrong.code(), Some(2));
}
