//! A fuzzer whose forgeries have right checksums and hashes, so that they get behind the first door.
//!
//! Each journal is read by `check` and by a start, in a process with little memory, which is killed if it takes long.
//! What must hold:
//!
//! 1. Nothing panics, aborts or hangs, and no journal of a few kilobytes takes megabytes.
//! 2. What `check` calls whole is served, with the balances that `check` has found.
//! 3. It is served alike without its snapshots, if its records are all there: statements and idempotency keys included.
//! 4. Of one in fifty, what the program itself prints has no escape sequence.
//!
//! `FORGED_CASES=10000 cargo test --test forged fuzz` is the long run. `FORGED_SEED` repeats a case, with `FORGED_CASES=1`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use cashpoint::durable::{DurableConfig, DurableLedger};
use cashpoint::history::{StatementEntry, StatementQuery};
use cashpoint::journal::{Directory, JournalError, audit};
use cashpoint::service::{AccountSummary, Timestamp};
use cashpoint::{AccountNumber, Amount, Change, IdempotencyKey};

use crate::forger::mutate::{Dice, forge, honest};
use crate::forger::{BEGIN_US, Journal, number};
use crate::program::{bounded, journal, wait};

/// How many are forged by default.
const CASES: u64 = 400;

/// How much more memory a case may take than those before it.
const GROWTH_MAX_KB: u64 = 32 << 10;

/// The longest file that is written; what is longer is a hole in any case.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// Tells the child process which cases are its own: the first seed, and how many.
const SEED: &str = "FORGED_SEED";
const COUNT: &str = "FORGED_CASES";

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_that_is_forged_and_mended_does_harm_or_is_called_whole_and_served_otherwise() {
    let mut child = bounded(std::env::current_exe().unwrap());
    let cases = variable(COUNT).unwrap_or(CASES);
    child.args(["--exact", "fuzz::child", "--ignored", "--nocapture"]);
    child.env(COUNT, cases.to_string());
    child.env(SEED, variable(SEED).unwrap_or(1).to_string());
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped());
    let patience = std::time::Duration::from_secs(60 + cases);
    let output = wait(child.spawn().unwrap(), "the fuzzer", patience);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let last = stdout.lines().rfind(|line| line.starts_with("seed"));
    let tally = stdout.lines().find(|line| line.starts_with("Tally"));
    assert!(
        output.status.success(),
        "{}: {last:?}, {tally:?}\n{stderr}",
        output.status
    );
    println!("{}", tally.unwrap());
}

/// What came of the cases.
#[derive(Debug, Default)]
struct Tally {
    whole: u64,
    refused: u64,
    /// Served, though not whole: what a snapshot said was passed over, or a torn end cut off.
    mended: u64,
}

#[test]
#[ignore = "is run by the test above, in a process of its own"]
fn child() {
    let (first, count) = (variable(SEED).unwrap(), variable(COUNT).unwrap());
    let place = tempfile::tempdir_in(place()).unwrap();
    let mut tally = Tally::default();
    let mut peak_kb = None;
    for seed in first..first + count {
        // If this is the last line, it was this one.
        println!("seed {seed}");
        one(seed, place.path(), &mut tally);
        let now_kb = peak();
        let before_kb = *peak_kb.get_or_insert(now_kb);
        assert!(
            now_kb < before_kb + GROWTH_MAX_KB,
            "seed {seed}: {now_kb} kB after {before_kb}"
        );
        peak_kb = Some(before_kb.max(now_kb));
    }
    println!("{tally:?}");
    if count >= CASES {
        // Else nothing was tried.
        assert!(tally.whole > count / 20, "{tally:?}");
        assert!(tally.refused > count / 5, "{tally:?}");
        assert!(tally.mended > count / 50, "{tally:?}");
    }
}

/// In memory, if there is such a place: a disk would be waited for.
fn place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    match memory.is_dir() {
        true => memory,
        false => std::env::temp_dir(),
    }
}

/// The most memory that this process ever had.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let digits = line.and_then(|line| line.split_whitespace().next());
    digits.map_or(0, |digits| digits.parse().unwrap())
}

fn one(seed: u64, place: &Path, tally: &mut Tally) {
    let mut dice = Dice::of(seed);
    let mut forged = honest(&mut dice);
    forge(&mut dice, &mut forged);
    let flips = if dice.once_in(10) { dice.below(4) } else { 0 };
    let write = |name: &str, journal: &Journal| {
        let directory = place.join(name);
        let _ = fs::remove_dir_all(&directory);
        write(&mut dice.clone(), journal, flips, &directory).unwrap();
        directory
    };
    let directory = write("forged", &forged);
    if seed.is_multiple_of(50) {
        print_all(&directory);
    }
    let found = Directory::open_read_only(&directory).unwrap();
    let found = audit(&found, None, &mut |_| {}).unwrap();
    let is_whole = found.as_ref().is_some_and(|it| it.is_whole());
    let served = serve(&directory, &forged);
    let Some(found) = found.filter(|_| is_whole) else {
        match served {
            Ok(_) => tally.mended += 1,
            Err(_) => tally.refused += 1,
        }
        return;
    };
    tally.whole += 1;
    let served = served.unwrap_or_else(|error| panic!("seed {seed}: whole, and refused: {error}"));
    let listed = served.accounts.iter().map(|it| (it.number, it.balance));
    assert!(
        listed.eq(found.balances()),
        "seed {seed}: {:?}",
        served.accounts
    );
    if found.begins.is_none() && !forged.snapshots.is_empty() && flips == 0 {
        forged.snapshots.clear();
        let replayed = serve(&write("replayed", &forged), &forged).unwrap();
        assert_eq!(served, replayed, "seed {seed}");
    }
}

fn write(dice: &mut Dice, journal: &Journal, flips: usize, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, (mut bytes, length)) in journal.files() {
        for _ in 0..flips {
            let count = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(dice.below(count)) {
                *byte ^= 1 << dice.below(8);
            }
        }
        let path = directory.join(name);
        fs::write(&path, &bytes)?;
        let file = fs::File::options().write(true).open(&path)?;
        file.set_len(length.min(FILE_BYTES_MAX).max(bytes.len() as u64))?;
    }
    Ok(())
}

/// What the program itself prints.
fn print_all(directory: &Path) {
    for (what, arguments) in [
        ("check", &["--json", "--balances"][..]),
        ("check", &[]),
        ("show", &[]),
        ("export", &["--format", "csv"]),
        ("export", &["--format", "hledger"]),
        ("export", &["--format", "jsonl"]),
    ] {
        journal(what, directory, arguments);
    }
}

/// What a client can see.
#[derive(Debug, PartialEq)]
struct Served {
    accounts: Vec<AccountSummary>,
    statements: Vec<Option<Vec<StatementEntry>>>,
    /// Whether a request with a known key is answered as one that was done before, and refused if it is another one.
    keys: Vec<(IdempotencyKey, Option<bool>)>,
}

fn serve(directory: &Path, forged: &Journal) -> Result<Served, JournalError> {
    let mut config = DurableConfig::new(1_000);
    config.accept_clock = true;
    config.insecure_data = true;
    config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
    // Soon after the last honest record, so that keys count.
    config.clock = Arc::new(|| Timestamp::from_micros(BEGIN_US + 1_000_000));
    let ledger = DurableLedger::open(directory, config)?;
    let accounts = ledger.accounts_after(None, usize::MAX);
    let listed = accounts.iter().map(|it| it.number);
    let numbers = listed.chain((0..6).map(|index| text(index).parse().unwrap()));
    let statements = numbers.map(|number| statement(&ledger, number)).collect();
    let batches = forged.segments.iter().flat_map(|it| &it.batches);
    let names = batches.flat_map(|it| &it.records).map(|it| &it.key);
    let names = names.filter_map(|it| str::from_utf8(it).ok()?.parse().ok());
    let mut names: Vec<IdempotencyKey> = names.collect();
    names.sort();
    names.dedup();
    let change = Change::Deposit {
        number: text(99).parse().unwrap(),
        amount: Amount::from_cents(1).unwrap(),
    };
    let keys = names.into_iter().map(|key| {
        let answer = ledger.execute(change.with_key(key.clone())).wait();
        (key, answer.ok().map(|it| it.replayed))
    });
    Ok(Served {
        accounts,
        statements,
        keys: keys.collect(),
    })
}

fn text(index: u64) -> String {
    let (first, second) = number(index);
    let text = format!("{first:016x}{second:016x}");
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    parts.join("-")
}

fn statement(ledger: &DurableLedger, number: AccountNumber) -> Option<Vec<StatementEntry>> {
    let mut query = StatementQuery::default();
    let mut entries = Vec::new();
    loop {
        let page = ledger.statement(number, &query).ok()?;
        entries.extend(page.entries);
        match page.next {
            // It falls, or there would be no end.
            Some(next) if query.cursor.is_none_or(|cursor| next < cursor) => {
                query.cursor = Some(next)
            }
            Some(next) => panic!("{number}: {next} after {:?}", query.cursor),
            None => return Some(entries),
        }
    }
}
