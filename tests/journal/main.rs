//! `cashpoint journal` as a user runs it, on journals whose every record is known.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test states what it expects by panicking"
)]

mod check;
mod damage;
mod export;
mod on_its_way;
mod output;
mod show;
mod taken_away;
mod written;

use std::path::Path;
use std::process::{Command, Output};

/// Runs `cashpoint journal`.
fn journal(what: &str, directory: &Path, arguments: &[&str]) -> Output {
    command(what, directory, arguments).output().unwrap()
}

fn command(what: &str, directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cashpoint"));
    command
        .args(["journal", what])
        .arg(directory)
        .args(arguments);
    command
}

/// What it printed. It succeeded and said nothing else.
fn printed(what: &str, directory: &Path, arguments: &[&str]) -> String {
    let output = journal(what, directory, arguments);
    assert_eq!(errors(&output), "", "{what} {arguments:?}");
    assert_eq!(output.status.code(), Some(0), "{what} {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Cents as Cashpoint prints them.
fn text(cents: i64) -> String {
    let (units, cents) = (cents / 100, cents % 100);
    if cents % 10 == 0 {
        format!("{units}.{}", cents / 10)
    } else {
        format!("{units}.{cents:02}")
    }
}

/// What decimal text says, in cents.
fn cents(text: &str) -> i64 {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (units, decimals) = text.split_once('.').unwrap();
    assert!((1..=2).contains(&decimals.len()), "{text}");
    let decimals: i64 = format!("{decimals:0<2}").parse().unwrap();
    sign * (units.parse::<i64>().unwrap() * 100 + decimals)
}
