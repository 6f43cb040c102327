//! Standard output that cannot be written.

use std::fs::{self, File};
use std::process::{Command, Output, Stdio};

use crate::written::{Directory, written};
use crate::{command, errors};

/// All that print something about a journal.
const TOOLS: [&[&str]; 8] = [
    &["check"],
    &["check", "--json"],
    &["show"],
    &["show", "--json"],
    &["export", "--format", "csv"],
    &["export", "--format", "jsonl"],
    &["export", "--format", "hledger"],
    &["export", "--format", "beancount"],
];

fn run(tool: &[&str], directory: &Directory, stdout: impl Into<Stdio>) -> Output {
    command(tool[0], &directory.0, &tool[1..])
        .stdout(stdout)
        .output()
        .unwrap()
}

#[test]
fn a_full_disk_under_what_is_printed_is_an_error() {
    let (directory, _) = written(31, 10, 1);
    let (long, _) = written(32, 4_000, 1_000);
    for tool in TOOLS {
        for directory in [&directory, &long] {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let output = run(tool, directory, full);
            let code = if tool[0] == "check" { 2 } else { 1 };
            assert_eq!(output.status.code(), Some(code), "{tool:?}");
            assert_eq!(
                errors(&output),
                "error: standard output cannot be written: No space left on device (os error 28)\n",
                "{tool:?}"
            );
        }
    }
}

#[test]
fn an_output_that_may_not_be_written_is_an_error() {
    let (directory, _) = written(33, 10, 1);
    for tool in TOOLS {
        let output = run(tool, &directory, File::open("/dev/null").unwrap());
        assert_ne!(output.status.code(), Some(0), "{tool:?}");
        assert!(
            errors(&output).contains("standard output cannot be written"),
            "{tool:?}: {}",
            errors(&output)
        );
    }
}

#[test]
fn damage_is_told_by_the_exit_code_also_where_nothing_can_be_printed() {
    let (directory, _) = written(34, 10, 1);
    let segment = directory.file(".journal");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[200] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = run(&["check"], &directory, full);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("is damaged"),
        "{}",
        errors(&output)
    );
}

#[test]
fn a_pipe_that_is_closed_ends_it_quietly() {
    let (directory, _) = written(35, 10, 1);
    for tool in TOOLS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = run(tool, &directory, writer);
        assert_eq!(output.status.code(), Some(0), "{tool:?}");
        assert_eq!(errors(&output), "", "{tool:?}");
    }
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_and_no_death() {
    let (directory, _) = written(36, 4_000, 1_000);
    let place = Directory::new();
    let file = place.0.join("books.csv");
    let output = Command::new("sh")
        .args(["-c", r#"ulimit -f 8; exec "$@""#, "sh"])
        .arg(env!("CARGO_BIN_EXE_cashpoint"))
        .args(["journal", "export", "--format", "csv", "--output"])
        .args([&file, &directory.0])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{:?}", output.status);
    let said = errors(&output);
    assert!(said.contains("cannot be written: File too large"), "{said}");
    assert_eq!(
        fs::read_dir(&place.0).unwrap().count(),
        0,
        "part of it is left"
    );
}
