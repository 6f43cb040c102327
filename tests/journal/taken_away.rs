//! Journals whose old segments were taken away: what is left is checked, shown, exported and opened, from the oldest
//! snapshot whose segments are all there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cashpoint::durable::{DurableConfig, DurableLedger};
use cashpoint::journal::JournalError;
use serde_json::Value;

use crate::written::{Directory, JournalAuthor, Known};
use crate::{cents, errors, journal, printed};

/// A journal with two snapshots, and segments before and behind them.
fn long(seed: u64) -> (Directory, Known) {
    let directory = Directory::new();
    let mut author = JournalAuthor::new(&directory.0, seed);
    let deadline = Instant::now() + Duration::from_secs(120);
    let is_long = || {
        let (snapshots, segments) = (directory.files(".snapshot"), directory.files(".journal"));
        let is_made = |path: &PathBuf| !path.ends_with("next.snapshot");
        snapshots.len() == 2 && snapshots.iter().all(is_made) && segments.len() > 3
    };
    while !is_long() {
        assert!(Instant::now() < deadline, "there never were two snapshots");
        author.write(4_000, 4_000);
    }
    (directory, author.close())
}

/// The position in a file's name.
fn position(file: &Path) -> u64 {
    file.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

/// Takes away the segments before a snapshot.
fn take_away_before(directory: &Directory, snapshot: &Path) {
    for segment in directory.files(".journal") {
        if position(&segment) < position(snapshot) {
            fs::remove_file(segment).unwrap();
        }
    }
}

fn open(directory: &Directory) -> Result<DurableLedger, JournalError> {
    DurableLedger::open(&directory.0, DurableConfig::new(100_000))
}

/// All that is left is checked, shown and exported from `snapshot` on, and what is on the accounts is what was written.
fn begins_at(directory: &Directory, known: &Known, snapshot: &Path) {
    let name = snapshot.file_name().unwrap().to_str().unwrap();
    let json = printed("check", &directory.0, &["--json", "--balances"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["whole"], true, "{report}");
    assert_eq!(report["begins"]["snapshot"], name);
    let first = report["begins"]["sequence"].as_u64().unwrap();
    assert!(first > 1);
    let left = &known.entries[first as usize - 1..];
    assert_eq!(report["records"], left.len());
    assert_eq!(
        report["accounts"].as_array().unwrap().len(),
        known.open.len()
    );
    for account in report["accounts"].as_array().unwrap() {
        let number = account["account_number"].as_str().unwrap();
        let balance = account["balance"].to_string();
        assert_eq!(cents(&balance), known.open[number], "{number}");
    }
    let text = printed("check", &directory.0, &[]);
    let said = format!("begins        at record {first}: the segments before were taken away");
    assert!(text.contains(&said) && text.contains(name), "{text}");
    assert!(text.contains("All is whole"), "{text}");

    let note = format!("note: the segments before record {first} were taken away");
    let shown = journal("show", &directory.0, &["--json"]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(errors(&shown).starts_with(&note), "{}", errors(&shown));
    let shown = String::from_utf8(shown.stdout).unwrap();
    let sequences = shown.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["sequence"].as_u64().unwrap()
    });
    assert!(sequences.eq(first..=known.entries.len() as u64));

    let exported = journal("export", &directory.0, &["--format", "csv"]);
    assert_eq!(exported.status.code(), Some(0));
    assert!(errors(&exported).contains(&note), "{}", errors(&exported));
    let granted = left.iter().filter(|entry| entry.balance.is_some()).count();
    let lines = String::from_utf8(exported.stdout).unwrap().lines().count();
    assert_eq!(lines, 1 + granted);
    let ledger = open(directory).unwrap();
    assert_eq!(ledger.count(), known.open.len());
}

#[test]
fn what_is_left_begins_at_the_oldest_snapshot_with_its_segments() {
    // One journal for all of it: to write it takes longest.
    let (written, known) = long(51);
    for snapshot in &written.files(".snapshot") {
        let directory = copy(&written);
        take_away_before(&directory, snapshot);
        begins_at(&directory, &known, snapshot);
    }
    a_noted_hash_is_found_in_what_is_left_alone(&copy(&written));
    a_range_that_ends_before_it_begins_is_refused_in_what_is_left(&copy(&written));
    an_older_snapshot_serves(&copy(&written), &known);
    a_gap_is_no_beginning(&copy(&written));
}

fn copy(written: &Directory) -> Directory {
    let directory = Directory::new();
    for file in written.files("") {
        fs::copy(&file, directory.0.join(file.file_name().unwrap())).unwrap();
    }
    directory
}

fn a_noted_hash_is_found_in_what_is_left_alone(directory: &Directory) {
    let json = printed("check", &directory.0, &["--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    let noted = report["head"].as_str().unwrap();
    take_away_before(directory, directory.files(".snapshot").last().unwrap());
    printed("check", &directory.0, &["--expect", noted]);
    let output = journal("check", &directory.0, &["--expect", &"0".repeat(64)]);
    assert_eq!(output.status.code(), Some(1));
    let said = errors(&output);
    assert!(
        said.contains("noted before the records that are still there"),
        "{said}"
    );
}

fn a_range_that_ends_before_it_begins_is_refused_in_what_is_left(directory: &Directory) {
    take_away_before(directory, directory.files(".snapshot").last().unwrap());
    let first = journal("show", &directory.0, &["--json", "--limit", "1"]);
    let line: Value = serde_json::from_slice(&first.stdout).unwrap();
    let first = line["sequence"].as_u64().unwrap().to_string();
    let of = |from: &str| {
        let range = ["--json", "--from", from, "--to", "2000-01-01"];
        journal("show", &directory.0, &range)
    };
    let refused = of(&first);
    assert_eq!(refused.status.code(), Some(2), "{}", errors(&refused));
    assert!(errors(&refused).contains("a range ends after it begins"));
    // When record 1 was is not known any more, so nothing is said against it.
    let empty = of("1");
    assert_eq!(empty.status.code(), Some(0), "{}", errors(&empty));
    assert!(empty.stdout.is_empty());
}

/// A broken newest snapshot is no reason to refuse while an older one serves.
fn an_older_snapshot_serves(directory: &Directory, known: &Known) {
    let [older, newest] = &directory.files(".snapshot")[..] else {
        unreachable!()
    };
    take_away_before(directory, older);
    let honest = fs::read(newest).unwrap();
    let mut broken = honest.clone();
    broken[200] ^= 1;
    fs::write(newest, &broken).unwrap();
    let ledger = open(directory).unwrap();
    assert_eq!(ledger.count(), known.open.len());
    assert_eq!(ledger.recovery().snapshot, Some(position(older)));
    assert_eq!(ledger.recovery().broken_snapshots.len(), 1);
    drop(ledger);
    // With the segments in between gone as well, nothing serves.
    take_away_before(directory, newest);
    let name = newest.file_name().unwrap().to_str().unwrap();
    let refused = open(directory).unwrap_err();
    assert!(matches!(refused, JournalError::Missing { .. }), "{refused}");
    let said = refused.to_string();
    assert!(
        said.contains("a segment is missing") && said.contains(name),
        "{said}"
    );
    let output = journal("check", &directory.0, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = errors(&output);
    assert!(said.contains("no snapshot that is whole"), "{said}");
    for (what, arguments) in [("show", &[][..]), ("export", &["--format", "csv"])] {
        let output = journal(what, &directory.0, arguments);
        assert_eq!(output.status.code(), Some(1), "{what}");
    }
    fs::write(newest, honest).unwrap();
    assert_eq!(open(directory).unwrap().count(), known.open.len());
}

fn a_gap_is_no_beginning(directory: &Directory) {
    let snapshots = directory.files(".snapshot");
    take_away_before(directory, &snapshots[0]);
    // The first segment behind the older snapshot is there, and the next is not: the newest begins after it.
    let segments = directory.files(".journal");
    let between = segments.iter().filter(|it| {
        position(it) > position(&snapshots[0]) && position(it) < position(&snapshots[1])
    });
    for segment in between {
        fs::remove_file(segment).unwrap();
    }
    let json = printed("check", &directory.0, &["--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    let name = report["begins"]["snapshot"].as_str().unwrap();
    let expected = match position(&snapshots[1]) == position(&segments[1]) {
        // No segment was between.
        true => &snapshots[0],
        false => &snapshots[1],
    };
    assert_eq!(name, expected.file_name().unwrap().to_str().unwrap());
}
