//! Settings by environment variable and by flag, their defaults, and what is said of bad ones.

use crate::answers::{Invalid, assert_answer};
use crate::support::{Launch, Server, cashpoint, free_port};
use std::net::TcpListener;

#[test]
fn the_number_of_accounts_is_a_thousand_unless_set() {
    for (case, launch, expected) in [
        ("default", Server::configure(), 1_000),
        ("variable", Server::configure().env("MAX_ACCOUNTS", "7"), 7),
        ("flag", Server::configure().flag("--max-accounts", "8"), 8),
        (
            "flag wins",
            Server::configure()
                .env("MAX_ACCOUNTS", "7")
                .flag("--max-accounts", "8"),
            8,
        ),
    ] {
        let server = launch.start();
        assert_eq!(
            server.get("/health").json()["max_accounts"],
            expected,
            "{case}"
        );
        assert_eq!(
            server.get("/accounts").json()["max_accounts"],
            expected,
            "{case}"
        );
    }
}

#[test]
fn the_maximum_amount_is_10_000_unless_set() {
    let set = |value: &str| Server::configure().env("MAX_TRANSACTION_AMOUNT", value);
    for (case, launch, in_message, in_context, accepted, refused) in [
        (
            "default",
            Server::configure(),
            "10000",
            "10000.0",
            "10000",
            "10000.01",
        ),
        ("integer", set("500"), "500", "500.0", "500", "500.01"),
        (
            "one decimal",
            set("10000.0"),
            "10000",
            "10000.0",
            "10000",
            "10000.01",
        ),
        ("half", set("99.5"), "99.5", "99.5", "99.5", "99.51"),
        ("cents", set("0.01"), "0.01", "0.01", "0.01", "0.02"),
        (
            "large",
            set("1000000000"),
            "1000000000",
            "1000000000.0",
            "1e9",
            "1000000000.01",
        ),
        (
            "largest",
            set("9999999999999.99"),
            "9999999999999.99",
            "9999999999999.99",
            "9999999999999.99",
            "1e13",
        ),
        (
            "flag wins",
            set("5").flag("--max-transaction-amount", "99.5"),
            "99.5",
            "99.5",
            "99.5",
            "99.51",
        ),
    ] {
        let server = launch.start();
        let account = server.open_account(accepted);
        let above = Invalid::above(in_message, in_context);
        for (path, field) in [
            ("/accounts".to_owned(), "initial_balance"),
            (format!("/accounts/{account}/deposit"), "amount"),
            (format!("/accounts/{account}/withdraw"), "amount"),
        ] {
            let response = server.post(&path, &format!(r#"{{"{field}":{refused}}}"#));
            let body = above.at(&format!(r#"["body","{field}"]"#), refused);
            assert_answer(&response, 422, &body, &format!("{case}: {field}"));
        }
    }
}

#[test]
fn host_and_port_are_set_by_variable_or_by_flag() {
    let server = Launch::bare()
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .start();
    assert_eq!(server.get("/health").status, 200);

    let port = free_port();
    let server = Launch::bare()
        .env("HOST", "127.0.0.1")
        .env("PORT", &port.to_string())
        .start();
    assert_eq!(server.port(), port);
    assert_eq!(server.get("/health").status, 200);

    let flags_win = Server::configure()
        .env("HOST", "203.0.113.1")
        .env("PORT", "1")
        .start();
    assert_eq!(flags_win.get("/health").status, 200);
}

#[test]
fn the_default_host_is_every_interface() {
    let server = Launch::bare().start_on_a_free_port();
    let listening = format!(" 00000000:{:04X} 00000000:0000 0A ", server.port());
    let table = server.tcp_table();
    assert!(table.contains(&listening), "no{listening}in\n{table}");
}

#[test]
fn the_levels_of_the_original_are_known_in_any_case() {
    for level in [
        "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "debug", "info", "warning",
    ] {
        let launch = Launch::bare()
            .env("HOST", "127.0.0.1")
            .env("LOG_LEVEL", level);
        let server = launch.start_on_a_free_port();
        assert_eq!(server.get("/health").status, 200, "{level}");
    }
}

#[test]
fn a_bad_value_stops_the_start_and_is_named() {
    for (variable, flag, values) in [
        ("PORT", "--port", &["abc", "70000", "-1", "80.5"][..]),
        (
            "MAX_ACCOUNTS",
            "--max-accounts",
            &["abc", "-1", "1.5", "99999999999999999999"],
        ),
        (
            "MAX_TRANSACTION_AMOUNT",
            "--max-transaction-amount",
            &[
                "abc",
                "-5",
                "0",
                "NaN",
                "inf",
                "1e400",
                "0.001",
                "10000000000000",
            ],
        ),
        ("LOG_LEVEL", "--log-level", &["LOUD", "7"]),
        (
            "IDEMPOTENCY_WINDOW",
            "--idempotency-window",
            &["abc", "0", "-1", "1.5", "inf", "99999999999999999999"],
        ),
        (
            "IDEMPOTENCY_KEYS_MAX",
            "--idempotency-keys-max",
            &["abc", "0", "-1", "1.5", "99999999999999999999"],
        ),
    ] {
        for value in values {
            // `--flag=value`, because a value may begin with a hyphen.
            let by_flag = Launch::bare().argument(&format!("{flag}={value}"));
            let by_variable = Launch::bare().env(variable, value);
            for (launch, name) in [(by_variable, variable), (by_flag, flag)] {
                let case = format!("{name}={value}");
                let (status, stderr) = launch.env("HOST", "127.0.0.1").run_to_exit();
                assert!(
                    status.code().is_some_and(|code| code != 0),
                    "{case}: {status}"
                );
                assert!(stderr.contains(name), "{case} is not named: {stderr}");
                assert!(
                    stderr.contains(value),
                    "{case}: the value is not named: {stderr}"
                );
                assert!(!stderr.contains("panicked"), "{case}: {stderr}");
                println!("{case}\n{stderr}\n");
            }
        }
    }
}

/// A setting of `cashpoint serve`.
#[derive(Debug)]
struct Setting {
    variable: String,
    flag: String,
    /// The name of its value in the help; none of a switch.
    value: Option<String>,
}

/// Every setting of `cashpoint serve`, as its help lists them.
fn settings() -> Vec<Setting> {
    let help = cashpoint().args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut settings = Vec::new();
    let mut flag = None;
    let mut words = help.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if word.starts_with("--") {
            let value = words.peek().filter(|next| next.starts_with('<'));
            flag = Some((word.to_owned(), value.map(ToString::to_string)));
        } else if let Some(variable) = word.strip_suffix("=]")
            && help.contains(&format!("[env: {variable}=]"))
        {
            let (flag, value) = flag.clone().expect("a flag stands before its variable");
            let variable = variable.to_owned();
            settings.push(Setting {
                variable,
                flag,
                value,
            });
        }
    }
    assert!(settings.len() >= 17, "{settings:?} in\n{help}");
    settings
}

#[test]
fn every_error_about_a_setting_names_flag_variable_and_value_and_what_is_allowed() {
    for setting in settings() {
        let Setting {
            variable,
            flag,
            value: value_name,
        } = setting;
        // Any text may be the name of a directory.
        if value_name.as_deref() == Some("<DIRECTORY>") {
            continue;
        }
        // No number, no name, no switch, no address.
        let value = "?! ?!";
        let by_flag = Launch::bare().argument(&format!("{flag}={value}"));
        let by_variable = Launch::bare().env(&variable, value);
        let is_switch = value_name.is_none();
        for launch in [by_variable, by_flag]
            .into_iter()
            .take(if is_switch { 1 } else { 2 })
        {
            let (status, stderr) = launch.run_to_exit();
            assert_eq!(status.code(), Some(2), "{variable}: {stderr}");
            for part in [&flag, &variable, value] {
                let words = stderr.split(|it: char| it.is_whitespace() || it == '\'');
                let is_there = stderr.contains(part)
                    && (part == value || words.clone().any(|word| word == part));
                assert!(is_there, "no {part} in: {stderr}");
            }
            let (_, allowed) = stderr
                .split_once("': ")
                .or(stderr.split_once("\n"))
                .unwrap();
            let says = ["must be ", "possible values: "]
                .iter()
                .any(|said| allowed.contains(said));
            assert!(says, "{variable}: not what is allowed: {stderr}");
            assert!(!stderr.contains("panicked"), "{stderr}");
        }
    }
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let settings = settings();
    let mut launch = Launch::bare();
    for setting in &settings {
        launch = launch.env(&setting.variable, "");
    }
    let server = launch.start_on_a_free_port();
    let health = server.get("/health").json();
    assert_eq!(health["max_accounts"], 1_000);
    assert_eq!(health["max_transaction_amount"], 10_000.0);
    assert_eq!(health["mode"], "memory");
    let listening = format!(" 00000000:{:04X} 00000000:0000 0A ", server.port());
    assert!(server.tcp_table().contains(&listening));
    drop(server);
    // One by one, so that none is saved by another; the flag counts.
    for (variable, flag) in [
        ("MAX_ACCOUNTS", "--max-accounts"),
        ("LOG_FORMAT", "--log-format"),
    ] {
        let value = if variable == "MAX_ACCOUNTS" {
            "8"
        } else {
            "json"
        };
        let server = Server::configure()
            .env(variable, "")
            .flag(flag, value)
            .start();
        assert_eq!(server.get("/health").status, 200, "{variable}");
    }
    // Other commands keep to it too.
    let server = Server::start();
    let health = cashpoint()
        .args(["health", &format!("http://127.0.0.1:{}", server.port())])
        .envs([("HOST", ""), ("PORT", "")])
        .output()
        .unwrap();
    assert!(
        health.status.success(),
        "{}",
        String::from_utf8_lossy(&health.stderr)
    );
}

#[test]
fn an_empty_flag_is_a_bad_value() {
    for setting in settings() {
        let Setting { variable, flag, .. } = setting;
        if setting.value.is_none() {
            continue;
        }
        let launch = Launch::bare().argument(&format!("{flag}="));
        let (status, stderr) = launch.run_to_exit();
        assert_eq!(status.code(), Some(2), "{flag}: {stderr}");
        assert!(
            stderr.contains(&flag) && stderr.contains(&variable),
            "{stderr}"
        );
    }
}

#[test]
fn an_error_of_the_command_line_alone_names_no_variable() {
    for arguments in [
        &["--port=1", "--port=2"][..],
        &["--exit-on-failure", "--exit-on-failure"],
        &["--exit-on-failure=maybe"],
        &["--prot=1"],
    ] {
        let launch = arguments
            .iter()
            .fold(Launch::bare(), |launch, it| launch.argument(it));
        let (status, stderr) = launch.run_to_exit();
        assert_eq!(status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("variable"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_directory_that_cannot_be_names_its_setting() {
    for launch in [
        Launch::bare().env("DATA", "/dev/null"),
        Launch::bare().flag("--data", "/dev/null"),
    ] {
        let (status, stderr) = launch
            .flag("--host", "127.0.0.1")
            .flag("--port", "0")
            .run_to_exit();
        assert_eq!(status.code(), Some(1), "{stderr}");
        for part in ["/dev/null", "--data", "DATA"] {
            assert!(stderr.contains(part), "no {part} in {stderr}");
        }
    }
}

#[test]
fn a_switch_is_set_by_words_for_yes_and_no() {
    for value in ["true", "TRUE", "1", "yes", "on", "false", "0", "No", "off"] {
        let server = Server::configure().env("EXIT_ON_FAILURE", value).start();
        assert_eq!(server.get("/health").status, 200, "{value}");
    }
}

#[test]
fn a_variable_that_is_no_text_is_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let output = cashpoint()
        .args(["serve", "--port", "0", "--host", "127.0.0.1"])
        .env("MAX_ACCOUNTS", std::ffi::OsStr::from_bytes(b"\xff7"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for part in ["MAX_ACCOUNTS", "--max-accounts", "UTF-8"] {
        assert!(stderr.contains(part), "no {part} in {stderr}");
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let launch = Launch::bare()
        .flag("--host", "127.0.0.1")
        .flag("--port", &port);
    let (status, stderr) = launch.run_to_exit();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(
        lines[0].contains(&port) && lines[0].contains("in use"),
        "{stderr}"
    );
}

#[test]
fn an_address_of_another_machine_is_one_clear_line() {
    let launch = Launch::bare()
        .flag("--host", "203.0.113.1")
        .flag("--port", "0");
    let (status, stderr) = launch.run_to_exit();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(
        lines[0].contains("203.0.113.1") && !lines[0].contains("panicked"),
        "{stderr}"
    );
}
