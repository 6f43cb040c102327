//! What `cashpoint journal show` prints, against what was written.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::written::{Entry, Known, written};
use crate::{command, errors, journal, printed, text};

/// The sequence numbers of what is shown, in JSON and as text: they are the same.
fn shown(directory: &std::path::Path, arguments: &[&str]) -> Vec<u64> {
    let json = printed("show", directory, &[arguments, &["--json"]].concat());
    let sequences: Vec<_> = json
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["sequence"]
                .as_u64()
                .unwrap()
        })
        .collect();
    let text = printed("show", directory, arguments);
    let (header, lines) = text.split_once('\n').unwrap();
    assert!(header.trim_start().starts_with("SEQUENCE"), "{header}");
    let in_text = lines
        .lines()
        .map(|line| line.split_whitespace().next().unwrap().parse().unwrap());
    assert_eq!(in_text.collect::<Vec<u64>>(), sequences);
    sequences
}

/// Two decimals, and the digits in groups, from what the service prints.
fn for_people(cents: i64) -> String {
    let text = text(cents);
    let (whole, decimals) = text.split_once('.').unwrap();
    let groups: Vec<_> = whole.as_bytes().rchunks(3).rev().collect();
    let groups = groups.iter().map(|group| str::from_utf8(group).unwrap());
    format!("{}.{decimals:0<2}", groups.collect::<Vec<_>>().join(","))
}

fn expected(known: &Known, is_wanted: impl Fn(&Entry) -> bool) -> Vec<u64> {
    let wanted = known.entries.iter().filter(|entry| is_wanted(entry));
    let sequences: Vec<_> = wanted.map(|entry| entry.sequence).collect();
    assert!(!sequences.is_empty() && sequences.len() < known.entries.len());
    sequences
}

#[test]
fn each_record_is_a_line_that_says_all_of_it() {
    let (directory, known) = written(21, 1_000, 10);
    let json = printed("show", &directory.0, &["--json"]);
    let plain = printed("show", &directory.0, &[]);
    assert_eq!(json.lines().count(), known.entries.len());
    assert_eq!(plain.lines().count(), known.entries.len() + 1);
    for ((line, plain), entry) in json.lines().zip(plain.lines().skip(1)).zip(&known.entries) {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["sequence"], entry.sequence);
        assert_eq!(record["type"], entry.kind);
        assert_eq!(record["account_number"].as_str(), entry.number.as_deref());
        assert_eq!(record["idempotency_key"].as_str(), entry.key.as_deref());
        assert_eq!(record.get("refused").is_some(), entry.balance.is_none());
        let balance = entry.balance.map_or("null".to_owned(), text);
        let sums = format!(",\"amount\":{},\"balance\":{balance},", text(entry.amount));
        assert!(line.contains(&sums), "{line} without {sums}");
        let mut words = plain.split_whitespace();
        let mut word = || words.next().unwrap().to_owned();
        let dash = || "-".to_owned();
        assert_eq!(word(), entry.sequence.to_string());
        assert_eq!(word(), record["timestamp"]);
        assert_eq!(word(), entry.kind);
        assert_eq!(word(), entry.number.clone().unwrap_or_else(dash));
        assert_eq!(word(), for_people(entry.amount));
        assert_eq!(word(), entry.balance.map_or_else(dash, for_people));
        assert_eq!(word(), entry.key.clone().unwrap_or_else(dash));
        assert_eq!(
            words.next(),
            entry.balance.is_none().then_some("refused:"),
            "{plain}"
        );
    }
}

#[test]
fn filters_show_what_they_say_and_nothing_else() {
    let (directory, known) = written(22, 1_000, 10);
    let path = &directory.0;
    let account = known.entries[0].number.clone().unwrap();
    let other = known.entries[5].number.clone().unwrap();
    let key = known
        .entries
        .iter()
        .find_map(|entry| entry.key.clone())
        .unwrap();
    let of = |number: &str| {
        let number = Some(number.to_owned());
        move |entry: &Entry| entry.number == number
    };
    assert_eq!(
        shown(path, &["--account", &account]),
        expected(&known, of(&account))
    );
    assert_eq!(
        shown(path, &["--account", &account, "--account", &other]),
        expected(&known, |entry| of(&account)(entry) || of(&other)(entry))
    );
    assert_eq!(
        shown(path, &["--kind", "deposit,close"]),
        expected(&known, |entry| ["deposit", "closing"].contains(&entry.kind))
    );
    assert_eq!(
        shown(path, &["--key", &key]),
        expected(&known, |entry| entry.key.as_ref() == Some(&key))
    );
    assert_eq!(
        shown(path, &["--refusals"]),
        expected(&known, |entry| entry.balance.is_none())
    );
    assert_eq!(
        shown(path, &["--from", "100", "--to", "200"]),
        (100..=200).collect::<Vec<_>>()
    );
    assert_eq!(shown(path, &["--limit", "7"]), (1..=7).collect::<Vec<_>>());
    assert_eq!(
        shown(path, &["--refusals", "--from", "100", "--limit", "3"]),
        expected(&known, |entry| entry.balance.is_none()
            && entry.sequence >= 100)[..3]
    );
    assert_eq!(shown(path, &["--limit", "0"]), [0_u64; 0]);
}

#[test]
fn times_bound_what_is_shown_and_belong_to_it() {
    /// Microseconds of a day.
    const DAY: i64 = 86_400_000_000;
    let (directory, known) = written(23, 1_000, 10);
    let path = &directory.0;
    // 2026-02-01.
    let day = 1_769_904_000_000_000;
    assert_eq!(
        shown(path, &["--from", "2026-02-01", "--to", "2026-02-01"]),
        expected(&known, |entry| (day..day + DAY).contains(&entry.at_us))
    );
    let json = printed("show", path, &["--from", "500", "--limit", "1", "--json"]);
    let record: Value = serde_json::from_str(&json).unwrap();
    let (time, at_us) = (
        record["timestamp"].as_str().unwrap(),
        known.entries[499].at_us,
    );
    assert_eq!(
        shown(path, &["--from", time]),
        expected(&known, |entry| entry.at_us >= at_us)
    );
    assert_eq!(
        shown(path, &["--to", &format!("{time}Z")]),
        expected(&known, |entry| entry.at_us < at_us)
    );
    // A day at the end is whole, whatever the begin.
    assert_eq!(
        shown(path, &["--from", "2026-01-31T23:30", "--to", "2026-02-01"]),
        expected(&known, |entry| (day - DAY / 48..day + DAY)
            .contains(&entry.at_us))
    );
}

#[test]
fn a_part_that_cannot_be_meant_is_an_error_and_prints_nothing() {
    let (directory, known) = written(26, 100, 10);
    let newest = known.entries.len();
    let path = &directory.0;
    let written = "a time is written as 2026-01-31 or 2026-01-31T08:30:00.25";
    for (arguments, said) in [
        (
            ["--from", "2026"],
            format!("--from: the newest record is {newest}, and this is above it; "),
        ),
        (
            ["--to", "20261125"],
            format!("--to: the newest record is {newest}, and this is above it; "),
        ),
        (
            ["--from", "1701945000123"],
            format!("--from: the newest record is {newest}, and this is above it; "),
        ),
    ] {
        for what in [
            &["show"][..],
            &["show", "--json"],
            &["export", "--format", "csv"],
            &["export", "--format", "hledger"],
        ] {
            let given = [&what[1..], &arguments[..]].concat();
            let output = journal(what[0], path, &given);
            let errors = errors(&output);
            assert_eq!(output.status.code(), Some(2), "{given:?}: {errors}");
            assert!(
                errors.contains(&said) && errors.contains(written),
                "{given:?}: {errors}"
            );
            assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{given:?}");
        }
    }
    let json = printed("show", path, &["--from", "20", "--limit", "1", "--json"]);
    let twentieth: Value = serde_json::from_str(&json).unwrap();
    let twentieth = twentieth["timestamp"].as_str().unwrap();
    for range in [
        ["--from", "20", "--to", "19"],
        ["--from", "2026-01-31", "--to", "2026-01-30"],
        ["--from", "2026-01-31T08:00", "--to", "2026-01-31T08:00"],
        [
            "--from",
            "2026-01-31T08:00",
            "--to",
            "2026-01-31T09:00+01:00",
        ],
        ["--from", "2026-01-31", "--to", "2026-01-31T00:00"],
        // Of a position, the journal knows the time.
        ["--from", "20", "--to", "2020-01-01"],
        ["--from", "0", "--to", "2020-01-01"],
        ["--from", "2099-01-01", "--to", "20"],
        ["--from", "20", "--to", twentieth],
    ] {
        for what in [&["show"][..], &["export", "--format", "jsonl"]] {
            let given = [&what[1..], &range[..]].concat();
            let output = journal(what[0], path, &given);
            assert_eq!(output.status.code(), Some(2), "{given:?}");
            let errors = errors(&output);
            assert!(
                errors.contains("a range ends after it begins"),
                "{given:?}: {errors}"
            );
            assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{given:?}");
        }
    }
    // One record, and the newest one.
    let newest = newest.to_string();
    assert_eq!(shown(path, &["--from", "20", "--to", "20"]), [20]);
    assert!(shown(path, &["--from", twentieth, "--to", "20"]).ends_with(&[20]));
    let day = twentieth.split('T').next().unwrap();
    assert!(shown(path, &["--from", "20", "--to", day]).starts_with(&[20]));
    assert_eq!(
        shown(path, &["--from", &newest]),
        [known.entries.len() as u64]
    );
    // Nothing that happened then is no error.
    assert_eq!(shown(path, &["--from", "9999-12-31"]), [0_u64; 0]);
    assert_eq!(
        shown(path, &["--to", "9999-12-31T23:59:60"]).len(),
        known.entries.len()
    );
}

#[test]
fn who_reads_the_beginning_only_is_not_bothered() {
    let (directory, known) = written(24, 4_000, 1_000);
    for what in [
        &["show"][..],
        &["show", "--json"],
        &["export", "--format", "hledger"],
    ] {
        let mut child = command(what[0], &directory.0, &what[1..])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!(errors(&output), "", "{what:?}");
        assert_eq!(output.status.code(), Some(0), "{what:?}");
    }
    // It was far more than a pipe holds.
    assert!(known.entries.len() * 100 > 1 << 17);
}

#[test]
fn a_filter_that_is_none_is_refused() {
    let (directory, _) = written(25, 10, 1);
    for (arguments, said) in [
        (["--account", "12"], "an account number is a UUID"),
        (
            ["--from", "yesterday"],
            "must be a sequence number or a time: a time is written as 2026-01-31 or",
        ),
        (
            ["--kind", "transfer"],
            "possible values: opening, deposit, withdrawal, closing",
        ),
        (["--key", "a b"], "visible ASCII characters only"),
        (["--limit", "few"], "--limit"),
    ] {
        let output = journal("show", &directory.0, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(errors(&output).contains(said), "{}", errors(&output));
    }
}
