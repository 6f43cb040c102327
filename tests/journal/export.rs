//! What `cashpoint journal export` writes, parsed back and held against what was written. Whether hledger and
//! beancount agree, `tests/exports/run.sh` asks themselves.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::written::{Directory, Entry, JournalAuthor, Known, written};
use crate::{cents, errors, journal, printed, text};

fn exported(directory: &Path, format: &str, arguments: &[&str]) -> String {
    printed(
        "export",
        directory,
        &[&["--format", format], arguments].concat(),
    )
}

#[test]
fn csv_has_every_movement_with_its_very_key() {
    let (directory, known) = written(31, 2_000, 20);
    let table = exported(&directory.0, "csv", &[]);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let lines: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), known.granted().count());
    let mut sums = BTreeMap::<_, i64>::new();
    for (line, entry) in lines.iter().zip(known.granted()) {
        let fields: Vec<_> = line.iter().collect();
        let [sequence, time, kind, number, amount, change, balance, key] = fields[..] else {
            unreachable!("{line:?}");
        };
        assert_eq!(sequence, entry.sequence.to_string());
        assert!(time.starts_with("2026-0"), "{time}");
        assert_eq!(kind, entry.kind);
        assert_eq!(Some(number), entry.number.as_deref());
        assert_eq!(amount, text(entry.amount));
        assert_eq!(cents(change), entry.change());
        assert_eq!(balance, text(entry.balance.unwrap()));
        assert_eq!(key, entry.key.as_deref().unwrap_or(""));
        *sums.entry(number.to_owned()).or_default() += cents(change);
    }
    assert_balances(&known, sums);
}

/// All accounts hold what is known, the closed ones nothing.
fn assert_balances(known: &Known, mut sums: BTreeMap<String, i64>) {
    for closed in &known.closed {
        assert_eq!(sums.remove(closed), Some(0), "{closed}");
    }
    assert_eq!(sums, known.open);
}

#[test]
fn json_has_every_movement_with_its_very_decimals() {
    let (directory, known) = written(32, 2_000, 20);
    let lines = exported(&directory.0, "jsonl", &[]);
    assert_eq!(lines.lines().count(), known.granted().count());
    for (line, entry) in lines.lines().zip(known.granted()) {
        let movement: Value = serde_json::from_str(line).unwrap();
        assert_eq!(movement["sequence"], entry.sequence);
        assert_eq!(movement["type"], entry.kind);
        assert_eq!(movement["account_number"].as_str(), entry.number.as_deref());
        assert_eq!(movement["idempotency_key"].as_str(), entry.key.as_deref());
        let (amount, balance) = (text(entry.amount), text(entry.balance.unwrap()));
        assert!(
            line.contains(&format!(",\"amount\":{amount},\"balance\":{balance},")),
            "{line}"
        );
    }
}

/// A transaction of plain-text accounting.
#[derive(Debug, Default)]
struct Transaction {
    sequence: Option<u64>,
    key: Option<String>,
    /// Account, what it gains, what it is asserted to hold.
    postings: Vec<(String, i64, Option<i64>)>,
}

/// Reads what hledger would, of what we write.
fn hledger(text: &str) -> Vec<Transaction> {
    let mut transactions = Vec::<Transaction>::new();
    let mut declared = Vec::new();
    for line in text.lines() {
        if let Some(account) = line.strip_prefix("account ") {
            assert!(!declared.contains(&account), "{account} is declared once");
            declared.push(account);
        } else if let Some(tags) = line.strip_prefix("    ; ") {
            let transaction = transactions.last_mut().unwrap();
            // A comma ends the value of a tag.
            for tag in tags.split(',').map(str::trim_start) {
                let (name, value) = tag.split_once(':').unwrap();
                match name {
                    "sequence" => transaction.sequence = Some(value.parse().unwrap()),
                    "key" => {
                        let key = percent_encoding::percent_decode_str(value).decode_utf8();
                        transaction.key = Some(key.unwrap().into_owned());
                    }
                    "time" => {}
                    _ => unreachable!("{line}"),
                }
            }
        } else if let Some(posting) = line.strip_prefix("    ") {
            let (account, amounts) = posting.split_once("  ").unwrap_or((posting, ""));
            assert!(declared.contains(&account), "{account} is declared");
            let amounts = amounts.replace(" XXX", "");
            let (gain, asserted) = amounts
                .split_once(" = ")
                .map_or((amounts.as_str(), None), |(gain, held)| {
                    (gain, Some(cents(held)))
                });
            let transaction = transactions.last_mut().unwrap();
            let gain = if gain.is_empty() {
                -transaction.postings[0].1
            } else {
                cents(gain)
            };
            transaction
                .postings
                .push((account.to_owned(), gain, asserted));
        } else if line.starts_with("2026-") {
            transactions.push(Transaction::default());
        }
    }
    transactions
}

/// Reads what beancount would, of what we write.
fn beancount(text: &str) -> Vec<Transaction> {
    let mut transactions = Vec::<Transaction>::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix("  ") {
            if let Some(value) = line.strip_prefix("sequence: ") {
                transactions.last_mut().unwrap().sequence = Some(value.parse().unwrap());
            } else if let Some(value) = line.strip_prefix("key: ") {
                // Its strings with these escapes are those of JSON.
                let key: String = serde_json::from_str(value).unwrap();
                transactions.last_mut().unwrap().key = Some(key);
            } else if let Some((account, amount)) = line.split_once("  ") {
                let gain = cents(amount.strip_suffix(" XXX").unwrap());
                let account = account.replace("Assets:Accounts:N-", "assets:accounts:");
                let account = account.replace("Equity:Cash", "equity:cash");
                let account = account.replace("Equity:Opening-Balances", "equity:opening balances");
                transactions
                    .last_mut()
                    .unwrap()
                    .postings
                    .push((account, gain, None));
            }
        } else if line.contains(" * ") {
            transactions.push(Transaction::default());
        }
    }
    transactions
}

/// Each transaction is a movement, in order; returns what accounts hold in the end.
fn assert_movements<'a>(
    transactions: &[Transaction],
    entries: impl Iterator<Item = &'a Entry>,
) -> BTreeMap<String, i64> {
    let entries: Vec<_> = entries.collect();
    let mut held = BTreeMap::<String, i64>::new();
    let carried = transactions
        .iter()
        .filter(|it| it.sequence.is_none())
        .count();
    assert_eq!(transactions.len() - carried, entries.len());
    for (index, transaction) in transactions.iter().enumerate() {
        let [(account, gain, asserted), (other, opposite, None)] = &transaction.postings[..] else {
            unreachable!("{transaction:?}");
        };
        assert_eq!(gain + opposite, 0, "{transaction:?}");
        let number = account.strip_prefix("assets:accounts:").unwrap();
        let balance = held.entry(number.to_owned()).or_default();
        *balance += gain;
        assert!(
            asserted.is_none_or(|asserted| asserted == *balance),
            "{transaction:?}"
        );
        let Some(entry) = index.checked_sub(carried).map(|index| entries[index]) else {
            assert_eq!(other, "equity:opening balances", "{transaction:?}");
            continue;
        };
        assert_eq!(other, "equity:cash", "{transaction:?}");
        assert_eq!(transaction.sequence, Some(entry.sequence));
        assert_eq!(transaction.key, entry.key);
        assert_eq!(Some(number), entry.number.as_deref());
        assert_eq!(*gain, entry.change());
        assert_eq!(Some(*balance), entry.balance, "{transaction:?}");
    }
    held
}

#[test]
fn hledger_gets_every_movement_and_its_balance() {
    let (directory, known) = written(33, 2_000, 20);
    let books = exported(&directory.0, "hledger", &[]);
    let transactions = hledger(&books);
    let is_asserted = |it: &Transaction| it.postings[0].2.is_some();
    assert!(transactions.iter().all(is_asserted));
    assert_balances(&known, assert_movements(&transactions, known.granted()));
}

#[test]
fn beancount_gets_every_movement_and_balances_by_day() {
    let (directory, known) = written(34, 2_000, 20);
    let books = exported(&directory.0, "beancount", &[]);
    let held = assert_movements(&beancount(&books), known.granted());
    assert_balances(&known, held);
    let count = |what: &str| books.lines().filter(|line| line.contains(what)).count();
    let accounts = known.open.len() + known.closed.len();
    assert_eq!(count(" open Assets:Accounts:N-"), accounts);
    assert_eq!(count(" close Assets:Accounts:N-"), known.closed.len());
    // At the start of the day after each day, what the accounts hold that moved on it and are open.
    let mut by_day = BTreeMap::<i64, BTreeMap<&str, i64>>::new();
    for entry in known.granted() {
        let day = by_day.entry(entry.at_us / 86_400_000_000).or_default();
        let number = entry.number.as_deref().unwrap();
        day.insert(number, entry.balance.unwrap());
        if entry.kind == "closing" {
            day.remove(number);
        }
    }
    assert!(by_day.len() > 1, "it takes days");
    let asserted: Vec<_> = by_day
        .values()
        .flatten()
        .map(|(number, balance)| {
            let sum = format!("{}.{:02}", balance / 100, balance % 100);
            format!("balance Assets:Accounts:N-{number}  {sum} ~ 0.00 XXX")
        })
        .collect();
    let written = books.lines().filter_map(|line| line.get(11..));
    let written: Vec<_> = written
        .filter(|rest| rest.starts_with("balance "))
        .collect();
    assert_eq!(written, asserted);
}

#[test]
fn a_part_begins_with_what_was_there_before() {
    let (directory, known) = written(35, 2_000, 20);
    let (from, to) = (700, 1_200);
    let mut before = BTreeMap::new();
    for entry in known.granted().take_while(|entry| entry.sequence < from) {
        let number = entry.number.clone().unwrap();
        before.insert(number.clone(), entry.balance.unwrap());
        if entry.kind == "closing" {
            before.remove(&number);
        }
    }
    let arguments = ["--from", "700", "--to", "1200"];
    let within = || {
        known
            .granted()
            .filter(|it| (from..=to).contains(&it.sequence))
    };
    for transactions in [
        hledger(&exported(&directory.0, "hledger", &arguments)),
        beancount(&exported(&directory.0, "beancount", &arguments)),
    ] {
        let carried: BTreeMap<_, _> = transactions
            .iter()
            .take_while(|it| it.sequence.is_none())
            .map(|it| {
                let (account, gain, _) = &it.postings[0];
                (
                    account.strip_prefix("assets:accounts:").unwrap().to_owned(),
                    *gain,
                )
            })
            .collect();
        assert_eq!(carried, before);
        assert_movements(&transactions, within());
    }
    let account = within().next().unwrap().number.clone().unwrap();
    let arguments = [&arguments[..], &["--account", &account]].concat();
    let of_account = within().filter(|it| it.number.as_ref() == Some(&account));
    let transactions = hledger(&exported(&directory.0, "hledger", &arguments));
    assert_movements(&transactions, of_account);
}

#[test]
fn a_file_and_a_currency_can_be_named() {
    let (directory, _) = written(36, 50, 1);
    let file = directory.0.join("books.journal");
    let arguments = [
        "--format",
        "hledger",
        "--currency",
        "EUR",
        "--output",
        file.to_str().unwrap(),
    ];
    // The file is in the directory of the journal: it is none of its files.
    let output = journal("export", &directory.0, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert_eq!(output.stdout, b"");
    let books = fs::read_to_string(&file).unwrap();
    assert!(
        books.contains("commodity 1000.00 EUR\n") && !books.contains("XXX"),
        "{books}"
    );
    for currency in ["", "E", "eur", "E1R", "EUR\n"] {
        let arguments = ["--format", "hledger", "--currency", currency];
        assert_eq!(
            journal("export", &directory.0, &arguments).status.code(),
            Some(2),
            "{currency:?}"
        );
    }
    let nowhere = directory.0.join("missing/books.csv");
    let output = journal(
        "export",
        &directory.0,
        &["--format", "csv", "--output", nowhere.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("missing/books.csv cannot be written"),
        "{}",
        errors(&output)
    );
}

#[test]
fn a_link_in_the_place_of_an_unfinished_export_is_not_followed() {
    let (directory, _) = written(37, 50, 1);
    let (victim, books) = (directory.0.join("victim"), directory.0.join("books.csv"));
    fs::write(&victim, "the victim's\n").unwrap();
    let arguments = ["--format", "csv", "--output", books.to_str().unwrap()];
    let unfinished = directory.0.join("books.csv.unfinished");
    for target in [&victim, &directory.0.join("missing")] {
        std::os::unix::fs::symlink(target, &unfinished).unwrap();
        let output = journal("export", &directory.0, &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "the victim's\n");
        let found = fs::symlink_metadata(&books).unwrap();
        assert!(found.is_file(), "{found:?}");
        assert!(!directory.0.join("missing").exists());
    }
    assert_eq!(
        fs::read_to_string(&books).unwrap(),
        exported(&directory.0, "csv", &[])
    );
}

/// So `--output /dev/null` leaves `/dev/null` as it is.
#[test]
fn an_export_to_a_pipe_or_a_device_leaves_it_what_it_is() {
    let (directory, _) = written(38, 50, 1);
    let pipe = directory.0.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Open for both, so that neither waits for the other.
    let mut reader = fs::File::options()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    let arguments = ["--format", "csv", "--output", pipe.to_str().unwrap()];
    let output = journal("export", &directory.0, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let found = fs::symlink_metadata(&pipe).unwrap();
    assert!(found.file_type().is_fifo(), "{found:?}");
    let expected = exported(&directory.0, "csv", &[]);
    let mut written = vec![0; expected.len()];
    reader.read_exact(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}

/// Makes the journal that `tests/exports/run.sh` has hledger and beancount read: it takes days, which a server under a
/// script does not.
#[test]
#[ignore = "only for tests/exports/run.sh, which names the directory"]
fn writes_a_journal_that_takes_days() {
    let directory = std::env::var_os("JOURNAL").unwrap();
    let mut author = JournalAuthor::new(Path::new(&directory), 37);
    author.write(3_000, 10);
    author.close();
}

#[test]
fn an_empty_journal_is_an_empty_export() {
    let directory = Directory::new();
    JournalAuthor::new(&directory.0, 38).close();
    assert_eq!(exported(&directory.0, "csv", &[]).lines().count(), 1);
    assert_eq!(exported(&directory.0, "jsonl", &[]), "");
    assert_eq!(hledger(&exported(&directory.0, "hledger", &[])).len(), 0);
    assert_eq!(
        beancount(&exported(&directory.0, "beancount", &[])).len(),
        0
    );
}
