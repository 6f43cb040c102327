//! What `cashpoint verify` says, writes and exits with.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use cashpoint::AccountNumber;
use cashpoint_server::Config;
use serde_json::Value;

use crate::faulty_servers::{Fault, Twin, real_server};
use crate::text;
use crate::wire::{self, Message};

pub(crate) fn verify(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_cashpoint"))
        .arg("verify")
        .args(arguments)
        .output()
        .unwrap()
}

/// A file of this name that is not there yet.
fn fresh(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn the_engine_is_acquitted() {
    let json = fresh("engine.json");
    let output = verify(&[
        "engine",
        "--operations",
        "200000",
        "--json",
        json.to_str().unwrap(),
    ]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(report["verdict"], "acquitted");
    let phases = report["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| &phase["name"]).collect();
    assert_eq!(
        names,
        [
            "account limit",
            "large sums",
            "many accounts",
            "one hot account"
        ]
    );
    let number = |value: &Value| value.as_i64().unwrap();
    for phase in &phases[2..] {
        assert!(
            number(&phase["recorded"]["operations"]) >= 100_000,
            "{phase}"
        );
        assert!(
            phase["recorded"]["processor_seconds"].as_f64() > Some(0.0),
            "{phase}"
        );
        let [initial, credited, debited, found] = ["initial", "credited", "debited", "found"]
            .map(|sum| number(&phase["totals"][format!("{sum}_cents")]));
        assert_eq!(initial + credited - debited, found, "{phase}");
    }
}

#[test]
fn what_convicts_is_drawn_and_written_down() {
    let [json, html] = ["convicted.json", "convicted.html"].map(fresh);
    let twin = Twin::start(Fault::LostUpdate, 300);
    let output = verify(&[
        "http",
        &twin.url(),
        "--only",
        "histories",
        "--operations",
        "20000",
        "--json",
        json.to_str().unwrap(),
        "--html",
        html.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));

    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(report["verdict"], "convicted");
    let hot = &report["phases"][2];
    let history = &hot["findings"][0]["history"];
    let account = history["number"].as_str().unwrap();
    let records = history["records"].as_array().unwrap();
    assert!(records.len() > 1, "what overlaps is there: {hot}");
    let deposits = |record: &&Value| record["action"]["deposit"].is_number();
    assert!(records.iter().any(|it| deposits(&it)), "{hot}");

    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("CONVICTED") && page.contains("from call to answer"));
    let account = account.parse::<AccountNumber>().unwrap();
    assert!(
        page.contains(&format!("account {account} held")),
        "an operator can look it up: {page}"
    );
    for foreign in ["<script", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(foreign), "needs nothing else: {foreign}");
    }
}

/// Answers go into terminals and pages, and anybody may have written them.
#[test]
fn a_hostile_answer_steers_neither_the_terminal_nor_the_page() {
    let html = fresh("hostile.html");
    let hostile = "<script>alert(1)</script>\u{1b}[2J\nACQUITTED: nothing was found";
    let server = wire::serve(
        real_server(300, Config::default()),
        move |request, upstream| match request.word(1).ends_with("/balance") {
            true => Some(Message::answer(200, hostile)),
            false => upstream.ask(&request),
        },
    );
    let output = verify(&[
        "http",
        &format!("http://{server}"),
        "--operations",
        "2000",
        "--html",
        html.to_str().unwrap(),
    ]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("<script>"), "what was said is shown: {said}");
    assert!(
        !said.contains('\u{1b}') && !said.contains("\nACQUITTED"),
        "{said}"
    );
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
}

/// `/dev/full` can be opened, and takes nothing, as a disk that has filled up meanwhile.
#[test]
fn a_report_that_cannot_be_written_is_still_said() {
    let html = fresh("beside-full.html");
    let output = verify(&[
        "engine",
        "--operations",
        "2000",
        "--json",
        "/dev/full",
        "--html",
        html.to_str().unwrap(),
    ]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("ACQUITTED"), "{said}");
    assert!(
        said.contains("error: /dev/full cannot be written"),
        "{said}"
    );
    assert!(html.exists(), "the other report is written");
}

/// Nobody reads what it says any more, as after `| head`.
#[test]
fn who_reads_the_beginning_only_changes_nothing() {
    let json = fresh("unread.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_cashpoint"))
        .args(["verify", "engine", "--operations", "2000", "--json"])
        .arg(&json)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(json.exists());
}

/// As Ctrl-C does.
fn interrupt(child: &Child) {
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

#[test]
fn who_is_stopped_says_what_was_seen() {
    let twin = Twin::start(Fault::None, 300);
    let mut child = Command::new(env!("CARGO_BIN_EXE_cashpoint"))
        .args(["verify", "http", &twin.url(), "--only", "histories"])
        .args(["--operations", "1000000000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(2));
    interrupt(&child);
    let mut said = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{said}");
    assert!(said.contains("stopped before the end"), "{said}");
    assert!(said.contains("NO VERDICT"), "{said}");
    assert_eq!(twin.accounts_left(), 0, "what was opened is closed");
}

#[test]
fn who_is_stopped_does_not_wait_for_a_server_that_does_not_start() {
    let child = Command::new(env!("CARGO_BIN_EXE_cashpoint"))
        .args(["verify", "http", "http://127.0.0.1:1"])
        .args(["--restart-cmd", "exec sleep 1000"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(1));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("error: stopped while the server was started"),
        "{said}"
    );
}

/// What is no server of the contract at all is told at once, and not rule by rule.
#[test]
fn somebody_else_is_told_in_a_paragraph() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let page = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 13\r\n\r\n<h1>Hi\n\n</h1>";
            let _ = stream.write_all(page.as_bytes());
        }
    });
    let output = verify(&["http", &address]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("does not speak the contract"), "{said}");
    assert!(said.contains("GET /health → 404 <h1>Hi  </h1>"), "{said}");
    assert_eq!(said.lines().count(), 4, "{said}");
}

/// A stranger can check the verdict: every operation is in the file, and what it says is what was counted.
#[test]
fn the_history_is_written_down() {
    let file = fresh("history.jsonl");
    let path = file.to_str().unwrap();
    let output = verify(&["engine", "--operations", "2000", "--history", path]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let history = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (openings, operations): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line["input"]["op"] == "open");
    let told: u64 = said
        .lines()
        .filter_map(|line| line.split_once(" operations on "))
        .map(|(count, _)| count.trim().replace(',', "").parse::<u64>().unwrap())
        .sum();
    assert!(
        operations.len() > 2_000 && operations.len() as u64 == told,
        "{said}"
    );
    for line in &operations {
        assert!(line["call"].as_u64() <= line["return"].as_u64(), "{line}");
        let is_opened =
            |it: &&&Value| it["phase"] == line["phase"] && it["account"] == line["account"];
        let opened = openings.iter().find(is_opened).unwrap();
        assert_eq!(opened["number"], line["number"], "{line}");
    }
}

#[test]
fn what_is_checked_and_what_is_not_can_be_read() {
    let said = text(&verify(&["http", "--list-rules"]));
    for part in [
        "a trailing slash is redirected",
        "Under load:",
        "Not covered:",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn bad_input_is_explained() {
    for (arguments, code, explanation) in [
        (&["http", "http://127.0.0.1:1"][..], 3, "cannot be reached"),
        (&["http", "https://localhost"], 3, "begins with http://"),
        (
            &["http", "http://127.0.0.1:1", "--restart-cmd", "exit 7"],
            3,
            "the restart command failed: exit status: 7",
        ),
        (
            &[
                "http",
                "127.0.0.1:1",
                "--restart-cmd",
                "echo no such port >&2; exit 7",
            ],
            3,
            "exit status: 7; it said: no such port",
        ),
        (&["http", "--restart-cmd", "true"], 2, "<URL>"),
        (&["http", "--only", "everything"], 2, "possible values"),
        (&["http", "--connections", "0"], 2, "from 1 to 1000"),
        (&["http", "--kills", "2"], 2, "--restart-cmd"),
        (
            &["engine", "--accounts", "99999999999"],
            2,
            "from 1 to 10000000",
        ),
        (&["engine", "--operations", "0"], 2, "not in 1.."),
        (&["engine", "--json", "/nowhere/a"], 3, "cannot be written"),
        (
            &["engine", "--json", "same", "--html", "same"],
            3,
            "same is named for two reports",
        ),
        (
            &["http", "http://user:secret@127.0.0.1:1"],
            2,
            "has a user or a password in it",
        ),
    ] {
        let output = verify(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(explanation), "{arguments:?}: {said}");
    }
}
