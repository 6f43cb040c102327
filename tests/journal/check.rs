//! What `cashpoint journal check` says of journals that are whole, and of directories that hold none.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use serde_json::Value;

use crate::written::{Directory, JournalAuthor, Known, written};
use crate::{errors, journal, printed, text};

fn checked(directory: &Directory, arguments: &[&str]) -> Value {
    let arguments = [&["--json"], arguments].concat();
    serde_json::from_str(&printed("check", &directory.0, &arguments)).unwrap()
}

/// The text of a number in JSON, which a library would take for a binary float.
fn number(json: &str, before: &str) -> String {
    let start = json.find(before).unwrap() + before.len();
    let rest = &json[start..];
    rest[..rest.find([',', '\n', '}']).unwrap()].to_owned()
}

#[test]
fn all_totals_are_those_of_what_was_written() {
    let (directory, known) = written(1, 3_000, 20);
    let json = printed("check", &directory.0, &["--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["whole"], true);
    assert_eq!(report["records"], known.entries.len());
    for (kind, name) in [
        ("opening", "openings"),
        ("deposit", "deposits"),
        ("withdrawal", "withdrawals"),
        ("closing", "closings"),
    ] {
        let of_kind = known.granted().filter(|entry| entry.kind == kind);
        let amounts: Vec<_> = of_kind.map(|entry| entry.amount).collect();
        assert!(!amounts.is_empty(), "{kind}");
        assert_eq!(report[name]["count"], amounts.len(), "{kind}");
        let moved = number(
            &json,
            &format!(
                "\"{name}\": {{\n    \"count\": {},\n    \"amount\": ",
                amounts.len()
            ),
        );
        assert_eq!(moved, text(amounts.iter().sum()), "{kind}");
    }
    let refusals = known
        .entries
        .iter()
        .filter(|entry| entry.balance.is_none())
        .count();
    assert!(refusals > 0);
    assert_eq!(report["refusals"]["count"], refusals);
    let keys = known
        .entries
        .iter()
        .filter(|entry| entry.key.is_some())
        .count();
    assert_eq!(report["keys"], keys);
    assert_eq!(report["open_accounts"], known.open.len());
    assert_eq!(report["closed_accounts"], known.closed.len());
    let sum = text(known.open.values().sum());
    assert_eq!(number(&json, "\n  \"balance\": "), sum);
    assert_eq!(number(&json, "\"came_in_less_went_out\": "), sum);
    assert_eq!(
        report["first_at"].as_str().map(|at| &at[..10]),
        Some("2026-01-31")
    );
    assert_eq!(report["segments"], 1);
    let text = printed("check", &directory.0, &[]);
    assert!(text.contains(&format!("balances      {sum}\n")), "{text}");
    assert!(text.contains(report["head"].as_str().unwrap()), "{text}");
}

#[test]
fn every_balance_can_be_had() {
    let (directory, known) = written(2, 2_000, 50);
    let json = printed("check", &directory.0, &["--json", "--balances"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    let accounts = report["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), known.open.len());
    let plain = printed("check", &directory.0, &["--balances"]);
    for (account, balance) in &known.open {
        let balance = text(*balance);
        assert_eq!(
            number(&json, &format!("\"{account}\",\n      \"balance\": ")),
            balance
        );
        assert!(
            plain.contains(&format!("{account}  {balance:>16}\n")),
            "{account}"
        );
    }
}

#[test]
fn a_noted_hash_is_found_wherever_it_was_noted() {
    let directory = Directory::new();
    let mut noted = vec![("0".repeat(64), 0)];
    let mut author = JournalAuthor::new(&directory.0, 3);
    for _ in 0..5 {
        author.write(40, 7);
        let head = checked(&directory, &[])["head"]
            .as_str()
            .unwrap()
            .to_owned();
        noted.push((head, author.entries.len()));
    }
    author.close();
    for (hash, sequence) in noted {
        let report = checked(&directory, &["--expect", &hash]);
        assert_eq!(report["expected"]["sequence"], sequence, "{report}");
    }
}

#[test]
fn a_history_that_was_rewritten_does_not_have_the_noted_hash() {
    let (honest, known) = written(4, 200, 10);
    let (other, _) = written(5, 200, 10);
    let head = checked(&honest, &[])["head"].as_str().unwrap().to_owned();
    // Whole in itself, and another one.
    assert_eq!(checked(&other, &[])["whole"], true);
    let output = journal("check", &other.0, &["--expect", &head]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains(&format!("never had the hash {head}")));
    // What was cut off is missed, too, though what is left is whole.
    let cut = Directory::new();
    fs::copy(
        honest.file(".journal"),
        cut.0.join(honest.file(".journal").file_name().unwrap()),
    )
    .unwrap();
    let bytes = fs::read(cut.file(".journal")).unwrap();
    let last = (0..bytes.len())
        .step_by(512)
        .rfind(|at| bytes[*at..].starts_with(b"BTCH"))
        .unwrap();
    let mut bytes = bytes;
    bytes[last..].fill(0);
    fs::write(cut.file(".journal"), bytes).unwrap();
    assert!(checked(&cut, &[])["records"].as_u64().unwrap() < known.entries.len() as u64);
    let output = journal("check", &cut.0, &["--expect", &head]);
    assert_eq!(output.status.code(), Some(1));
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_ledger_that_is_being_written_is_whole_at_any_time() {
    let directory = Directory::new();
    let mut author = JournalAuthor::new(&directory.0, 6);
    author.write(100, 10);
    let done = AtomicBool::new(false);
    let known: Known = thread::scope(|scope| {
        let writing = scope.spawn(|| {
            while !done.load(Relaxed) {
                // Batches of any size, so that reading meets them half-way.
                author.write(500, 1);
                author.write(20_000, 5_000);
            }
            author.close()
        });
        // Also if an assertion fails: nobody would end the writing.
        let end = SetAtEnd(&done);
        let mut records = 0;
        for _ in 0..15 {
            let report = checked(&directory, &[]);
            assert_eq!(report["whole"], true, "{report}");
            let now = report["records"].as_u64().unwrap();
            assert!(now >= records, "{now} after {records}");
            records = now;
        }
        drop(end);
        writing.join().unwrap()
    });
    assert_eq!(checked(&directory, &[])["records"], known.entries.len());
}

#[test]
fn where_no_journal_is_nothing_is_judged() {
    let empty = Directory::new();
    let other = Directory::new();
    fs::write(other.0.join("notes.txt"), "not a journal").unwrap();
    let file = other.0.join("notes.txt");
    let missing = other.0.join("missing");
    for (path, said) in [
        (
            &empty.0,
            "holds no journal: there is no segment (*.journal) in it",
        ),
        (
            &other.0,
            "holds no journal: there is no segment (*.journal) in it",
        ),
        (&file, "Not a directory"),
        (&missing, "No such file or directory"),
    ] {
        for (what, arguments) in [
            ("check", &[][..]),
            ("show", &[]),
            ("export", &["--format", "csv"]),
        ] {
            let output = journal(what, path, arguments);
            let errors = errors(&output);
            assert_eq!(output.status.code(), Some(2), "{errors}");
            assert!(
                errors.starts_with("error: ") && errors.contains(said),
                "{errors}"
            );
            assert!(errors.contains(path.to_str().unwrap()), "{errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
    }
}

#[test]
fn a_directory_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, _) = written(7, 10, 1);
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    let may_read = fs::read_dir(&directory.0).is_ok();
    let output = journal("check", &directory.0, &[]);
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o700)).unwrap();
    if may_read {
        assert_eq!(output.status.code(), Some(0));
    } else {
        assert_eq!(output.status.code(), Some(2));
        assert!(
            errors(&output).contains("Permission denied"),
            "{}",
            errors(&output)
        );
    }
}

#[test]
fn wrong_usage_is_told_from_damage() {
    let (directory, _) = written(8, 10, 1);
    for arguments in [
        &["--expect", "12"][..],
        &["--expect", &"g".repeat(64)],
        &["--frobnicate"],
    ] {
        let output = journal("check", &directory.0, arguments);
        assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    }
}
