//! What an audit has found, for a person and for programs.

use std::io::{self, Write};
use std::time::Duration;

use cashpoint::journal::{Audit, JournalError, SnapshotVerdict, Sum, Total};
use cashpoint::service::about;
use cashpoint::{Cents, Timestamp};
use cashpoint_server::moment::time_text;
use schemars::JsonSchema;
use serde::Serialize;

use crate::export::exact;

/// The version of this form, for programs that read it.
const FORMAT: u32 = 1;

/// A last record that is less ahead is no news: two machines do not show the same time.
const FUTURE_TOLD: Duration = Duration::from_secs(60);

/// What is wrong, a line each.
pub(super) fn problems(audit: &Audit) -> Vec<String> {
    let damage = audit.damage.iter().map(ToString::to_string);
    let conservation = (audit.damage.is_none() && !audit.is_conserved()).then(|| {
        format!(
            "{} came in and did not go out, and {} is on the accounts",
            audit.remaining(),
            audit.balance()
        )
    });
    let snapshots = audit.snapshots.iter().filter_map(|it| match &it.verdict {
        SnapshotVerdict::Equal | SnapshotVerdict::Unknown | SnapshotVerdict::Believed => None,
        SnapshotVerdict::Different(what) => Some(format!(
            "snapshot {} does not say what the records say: {what}. Remove it before the next start: all is rebuilt \
             from the segments",
            it.name
        )),
        SnapshotVerdict::Broken(what) => Some(format!(
            "snapshot {} is of no use: {what}. Remove it: a start passes it over and reads the segments",
            it.name
        )),
        SnapshotVerdict::Foreign(version) => Some(format!(
            "snapshot {} has format version {version}, which this program does not know: check it with the program that \
             wrote it. Nothing says that it is damaged",
            it.name
        )),
    });
    let expected = audit.expected.filter(|it| it.found.is_none()).map(|it| {
        format!(
            "the journal never had the hash {}: something before it was rewritten or cut off, or it is that of another \
             journal{}",
            it.hash,
            match audit.begins {
                Some(_) => ", or it was noted before the records that are still there",
                None => "",
            }
        )
    });
    damage
        .chain(conservation)
        .chain(snapshots)
        .chain(expected)
        .collect()
}

/// What is to be said if the last record is of a time that this machine's clock has not reached.
pub(super) fn from_the_future(audit: &Audit, now: Timestamp) -> Option<String> {
    let (_, last) = audit.totals.times?;
    let ahead = last.distance(now);
    (last > now && ahead >= FUTURE_TOLD).then(|| {
        format!(
            "the last record is of {} UTC, {} ahead of this machine's clock: this clock is wrong, or it was wrong when that \
             record was written. Later records carry on from that time",
            time_text(last),
            about(ahead)
        )
    })
}

/// The audit as text.
pub(super) fn write_text(audit: &Audit, balances: bool, out: &mut impl Write) -> io::Result<()> {
    let totals = &audit.totals;
    let whole = if audit.damage.is_some() {
        "Whole before the damage:\n"
    } else {
        ""
    };
    write!(out, "{whole}")?;
    write_begin(audit, out)?;
    writeln!(
        out,
        "records       {}: {} openings, {} deposits, {} withdrawals, {} closings, {} refusals",
        totals.records(),
        totals.openings.count,
        totals.deposits.count,
        totals.withdrawals.count,
        totals.closings.count,
        totals.refusals.count()
    )?;
    if let Some((first, last)) = totals.times {
        writeln!(
            out,
            "time          {} to {} UTC",
            time_text(first),
            time_text(last)
        )?;
    }
    writeln!(
        out,
        "refusals      {} unknown account, {} insufficient funds, {} largest balance, {} number of accounts",
        totals.refusals.unknown_account,
        totals.refusals.insufficient_funds,
        totals.refusals.balance_limit,
        totals.refusals.account_limit
    )?;
    writeln!(
        out,
        "keys          {} records have an idempotency key",
        totals.keys
    )?;
    writeln!(
        out,
        "accounts      {} open, {} closed",
        audit.open_accounts(),
        audit.closed_accounts()
    )?;
    writeln!(out, "balances      {}", audit.balance())?;
    write_conservation(audit, out)?;
    write_files(audit, out)?;
    if balances {
        writeln!(out)?;
        for (number, balance) in audit.balances() {
            writeln!(out, "{number}  {:>16}", balance.to_string())?;
        }
    }
    Ok(())
}

fn write_begin(audit: &Audit, out: &mut impl Write) -> io::Result<()> {
    if let Some(begins) = &audit.begins {
        writeln!(
            out,
            "begins        at record {}: the segments before were taken away. Snapshot {} says what was before, and is \
             believed: {} was on the accounts",
            begins.sequence, begins.snapshot, begins.balance
        )?;
    }
    Ok(())
}

fn write_conservation(audit: &Audit, out: &mut impl Write) -> io::Result<()> {
    let totals = &audit.totals;
    writeln!(
        out,
        "conservation  {}{} opened + {} deposited - {} withdrawn - {} paid out at closing = {}",
        match &audit.begins {
            Some(begins) => format!("{} before + ", begins.balance),
            None => String::new(),
        },
        totals.openings.moved,
        totals.deposits.moved,
        totals.withdrawals.moved,
        totals.closings.moved,
        audit.remaining()
    )
}

fn write_files(audit: &Audit, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "files         {} segments, {} bytes, whole up to position {}",
        audit.segments, audit.bytes, audit.position
    )?;
    for snapshot in &audit.snapshots {
        let verdict = match snapshot.verdict {
            SnapshotVerdict::Equal => "says what the records say",
            SnapshotVerdict::Different(_) => "does not say what the records say",
            SnapshotVerdict::Broken(_) => "is of no use",
            SnapshotVerdict::Foreign(_) => "is of a format that this program does not know",
            SnapshotVerdict::Unknown => "cannot be compared: the records before it are damaged",
            SnapshotVerdict::Believed => {
                "cannot be compared: the records before it were taken away"
            }
        };
        writeln!(out, "snapshot      {} {verdict}", snapshot.name)?;
    }
    if let Some(torn) = &audit.torn {
        writeln!(
            out,
            "torn end      {} bytes of {} from byte {} on. Nothing in them was ever acknowledged: the next start cuts \
             them off. If a server is writing now, they are just what is on its way",
            torn.bytes, torn.segment, torn.offset
        )?;
    }
    if let Some((sequence, at)) = audit.expected.and_then(|it| it.found) {
        writeln!(
            out,
            "expected      found after record {sequence} of {}: nothing up to there was rewritten",
            time_text(at)
        )?;
    }
    writeln!(out, "head          {}", audit.head)?;
    if audit.is_whole() {
        writeln!(
            out,
            "\nAll is whole. Note the head elsewhere: --expect proves later that nothing up to here was rewritten."
        )?;
    }
    Ok(())
}

/// The audit as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::command) struct JournalReport {
    format: u32,
    whole: bool,
    problems: Vec<String>,
    damage: Option<Damage>,
    /// Of a journal whose old segments were taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    begins: Option<Begins>,
    records: u64,
    openings: Moved,
    deposits: Moved,
    withdrawals: Moved,
    closings: Moved,
    refusals: Refusals,
    keys: u64,
    first_at: Option<String>,
    last_at: Option<String>,
    open_accounts: usize,
    closed_accounts: usize,
    #[serde(serialize_with = "exact")]
    #[schemars(with = "f64")]
    balance: Sum,
    #[serde(serialize_with = "exact")]
    #[schemars(with = "f64")]
    came_in_less_went_out: Sum,
    conserved: bool,
    segments: usize,
    bytes: u64,
    position: u64,
    snapshots: Vec<Snapshot>,
    torn: Option<Torn>,
    expected: Option<Expected>,
    head: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<Account>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Damage {
    segment: Option<String>,
    offset: Option<u64>,
    what: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Begins {
    sequence: u64,
    snapshot: String,
    #[serde(serialize_with = "exact")]
    #[schemars(with = "f64")]
    balance: Sum,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Moved {
    count: u64,
    #[serde(serialize_with = "exact")]
    #[schemars(with = "f64")]
    amount: Sum,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Refusals {
    count: u64,
    unknown_account: u64,
    insufficient_funds: u64,
    balance_limit: u64,
    account_limit: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Snapshot {
    name: String,
    verdict: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Torn {
    segment: String,
    offset: u64,
    bytes: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Expected {
    hash: String,
    found: bool,
    /// The record after which the journal had it.
    sequence: Option<u64>,
    at: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Account {
    account_number: String,
    #[serde(serialize_with = "exact")]
    #[schemars(with = "f64")]
    balance: Cents,
}

impl From<Total> for Moved {
    fn from(total: Total) -> Self {
        Self {
            count: total.count,
            amount: total.moved,
        }
    }
}

impl From<&JournalError> for Damage {
    fn from(error: &JournalError) -> Self {
        match error {
            JournalError::Damaged {
                segment,
                offset,
                what,
            } => Self {
                segment: Some(segment.clone()),
                offset: Some(*offset),
                what: what.clone(),
            },
            other => Self {
                segment: None,
                offset: None,
                what: other.to_string(),
            },
        }
    }
}

impl JournalReport {
    pub(super) fn new(audit: &Audit, balances: bool) -> Self {
        let totals = &audit.totals;
        let times = totals.times;
        Self {
            format: FORMAT,
            whole: audit.is_whole(),
            problems: problems(audit),
            damage: audit.damage.as_ref().map(Damage::from),
            begins: audit.begins.as_ref().map(|begins| Begins {
                sequence: begins.sequence,
                snapshot: begins.snapshot.clone(),
                balance: begins.balance,
            }),
            records: totals.records(),
            openings: totals.openings.into(),
            deposits: totals.deposits.into(),
            withdrawals: totals.withdrawals.into(),
            closings: totals.closings.into(),
            refusals: Refusals {
                count: totals.refusals.count(),
                unknown_account: totals.refusals.unknown_account,
                insufficient_funds: totals.refusals.insufficient_funds,
                balance_limit: totals.refusals.balance_limit,
                account_limit: totals.refusals.account_limit,
            },
            keys: totals.keys,
            first_at: times.map(|(first, _)| time_text(first)),
            last_at: times.map(|(_, last)| time_text(last)),
            open_accounts: audit.open_accounts(),
            closed_accounts: audit.closed_accounts(),
            balance: audit.balance(),
            came_in_less_went_out: audit.remaining(),
            conserved: audit.is_conserved(),
            segments: audit.segments,
            bytes: audit.bytes,
            position: audit.position,
            snapshots: snapshots(audit),
            torn: audit.torn.as_ref().map(|torn| Torn {
                segment: torn.segment.clone(),
                offset: torn.offset,
                bytes: torn.bytes,
            }),
            expected: audit.expected.map(|expected| Expected {
                hash: expected.hash.to_string(),
                found: expected.found.is_some(),
                sequence: expected.found.map(|(sequence, _)| sequence),
                at: expected.found.map(|(_, at)| time_text(at)),
            }),
            head: audit.head.to_string(),
            accounts: balances.then(|| accounts(audit)),
        }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

fn snapshots(audit: &Audit) -> Vec<Snapshot> {
    let snapshots = audit.snapshots.iter().map(|it| Snapshot {
        name: it.name.clone(),
        verdict: match it.verdict {
            SnapshotVerdict::Equal => "equal",
            SnapshotVerdict::Different(_) => "different",
            SnapshotVerdict::Broken(_) => "broken",
            SnapshotVerdict::Foreign(_) => "foreign",
            SnapshotVerdict::Unknown => "unknown",
            SnapshotVerdict::Believed => "believed",
        },
    });
    snapshots.collect()
}

fn accounts(audit: &Audit) -> Vec<Account> {
    let accounts = audit.balances().map(|(number, balance)| Account {
        account_number: number.to_string(),
        balance,
    });
    accounts.collect()
}
