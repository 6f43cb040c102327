//! How many bytes of memory an account takes at a million accounts, everything included.
//!
//! `cargo bench -p cashpoint-benches --bench memory`
//!
//! Each contestant opens its accounts in a process of its own, which compares what the system says it
//! occupies before and after. So the allocator's overhead counts, and what was reserved and never touched
//! does not. Linux only. Prints Markdown.

use std::error::Error;
use std::process::Command;

use cashpoint_benches::{
    Contestant, DashMapDefault, GlobalLock, MutexPerAccount, PapayaDefault, PerOperation,
    SccDefault, ShardedLock,
};

const ACCOUNTS: usize = 1_000_000;

/// Says to the child process whom to measure.
const CHILD: &str = "--contestant";

/// Measures the bytes that an account takes.
type Measure = fn() -> f64;

const CONTESTANTS: [(&str, Measure); 7] = [
    ("cashpoint", bytes_an_account::<PerOperation>),
    ("papaya", bytes_an_account::<PapayaDefault>),
    ("dashmap", bytes_an_account::<DashMapDefault>),
    ("scc", bytes_an_account::<SccDefault>),
    ("64 locks", bytes_an_account::<ShardedLock>),
    ("one lock", bytes_an_account::<GlobalLock>),
    (
        "mutex for each account",
        bytes_an_account::<MutexPerAccount>,
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip_while(|argument| argument != CHILD);
    if let Some(chosen) = arguments.nth(1) {
        let mut contestants = CONTESTANTS.into_iter();
        if let Some((_, measure)) = contestants.find(|(name, _)| *name == chosen) {
            println!("{:.0}", measure());
        }
        return Ok(());
    }
    println!("| | bytes an account |\n|---|---:|");
    for (name, _) in CONTESTANTS {
        let child = Command::new(std::env::current_exe()?)
            .args([CHILD, name])
            .output()?;
        let bytes = String::from_utf8(child.stdout)?;
        println!("| {name} | {} |", bytes.trim());
    }
    Ok(())
}

#[expect(clippy::float_arithmetic, reason = "bytes, not money")]
fn bytes_an_account<C: Contestant>() -> f64 {
    // What the first account costs once is no part of what the others cost each.
    drop(C::open(1));
    let before = resident_bytes();
    let (contestant, keys) = C::open(ACCOUNTS);
    let keys_bytes = size_of_val(keys.as_slice()) as f64;
    let bytes = resident_bytes() - before - keys_bytes;
    drop(contestant);
    bytes / ACCOUNTS as f64
}

/// What this process occupies, in bytes.
#[expect(clippy::float_arithmetic, reason = "bytes, not money")]
fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kibibytes.map_or(f64::NAN, |kibibytes| kibibytes * 1024.0)
}
