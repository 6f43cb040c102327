//! Opens the ledger that `cashpoint serve` serves, and watches over it.

use std::mem::discriminant;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::Failure;
use crate::durable::{Condition, DurableConfig, DurableLedger};
use crate::journal::{JournalError, Recovery};
use crate::moment::time_text;
use crate::service::Service;
use crate::timestamp::about;
use crate::warning::{NextStart, Warning};

/// How often it is looked at how a durable ledger is.
const LOOK: Duration = Duration::from_millis(200);

/// How often it is logged how far the reading of old records is.
const TELL: Duration = Duration::from_secs(2);

/// Opens the ledger in `directory`, and logs how far it is if that takes long. There is no bar: it would wait for a
/// terminal that is stuck.
pub(super) fn open(directory: &Path, config: DurableConfig) -> Result<DurableLedger, Failure> {
    let mut told = Instant::now();
    let ledger = DurableLedger::open_with_progress(directory, config, &mut |progress| {
        if told.elapsed() >= TELL {
            told = Instant::now();
            info!(
                read_bytes = progress.position,
                of_bytes = progress.end,
                "reading the journal"
            );
        }
    });
    let ledger = ledger.map_err(|error| refusal(directory, error))?;
    log(directory, ledger.recovery());
    Ok(ledger)
}

/// Why a ledger is not opened.
fn refusal(directory: &Path, error: JournalError) -> Failure {
    let JournalError::Clock { clock, last_record } = error else {
        return Failure(error.to_string());
    };
    let (far, side) = match clock > last_record {
        true => (
            "later",
            "If this clock is right, and the ledger was not used for so long",
        ),
        false => (
            "earlier",
            "If this clock is right, and was wrong when that record was written",
        ),
    };
    Failure(format!(
        "the clock shows {} UTC, and the last record in {} is of {} UTC: that is {} {far}. If the clock is wrong, correct \
         it: it would spoil the times of all records to come. {side}, go on with --accept-clock (ACCEPT_CLOCK=true)",
        time_text(clock),
        directory.display(),
        time_text(last_record),
        about(clock.distance(last_record)),
    ))
}

fn log(directory: &Path, recovery: &Recovery) {
    for warning in &recovery.warnings {
        warn!("{warning}");
    }
    for snapshot in &recovery.broken_snapshots {
        warn!(
            snapshot,
            "a snapshot is not whole and was passed over; the journal has all that was in it"
        );
    }
    if let Some(torn) = &recovery.torn {
        warn!(
            segment = torn.segment,
            offset = torn.offset,
            bytes = torn.bytes,
            "the last batch was torn by a crash and was cut off; nothing in it had been acknowledged"
        );
    }
    if recovery.begun {
        info!(directory = %directory.display(), "there was no ledger: a new one was begun");
        return;
    }
    info!(
        directory = %directory.display(),
        records = recovery.records,
        from_snapshot = recovery.snapshot.is_some(),
        took_s = recovery.took.as_secs_f64(),
        "ledger opened"
    );
}

/// Logs, once for each event, when the ledger gets better or worse. Is ready, with the reason, once it has failed for good.
pub(super) async fn failure(service: Arc<Service>) -> String {
    let mut watch = Watch::default();
    loop {
        if let Some(ledger) = service.durable_ledger()
            && let Some(reason) = watch.condition(ledger.condition())
        {
            return reason;
        }
        watch.warnings(service.warnings());
        tokio::time::sleep(LOOK).await;
    }
}

/// What has been logged.
#[derive(Debug)]
struct Watch {
    condition: Condition,
    /// Since when it has been so.
    since: Instant,
    warnings: Vec<Warning>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            condition: Condition::Healthy,
            since: Instant::now(),
            warnings: Vec::new(),
        }
    }
}

impl Watch {
    /// Returns the reason if it has failed.
    fn condition(&mut self, now: Condition) -> Option<String> {
        if now == self.condition {
            return None;
        }
        let before = std::mem::replace(&mut self.condition, now);
        let lasted_s = std::mem::replace(&mut self.since, Instant::now())
            .elapsed()
            .as_secs_f64();
        match before {
            Condition::DiskStuck => info!(lasted_s, "the disk answers again: changes are made"),
            Condition::DiskFull => info!(
                lasted_s,
                "there is room on the disk again: changes are made"
            ),
            Condition::NoSegment { .. } => {
                info!(lasted_s, "there is a segment again: changes are made");
            }
            _ => {}
        }
        match &self.condition {
            Condition::Healthy => {}
            Condition::DiskStuck => error!(
                "the disk has not answered for seconds: changes wait until it does, balances can be read"
            ),
            Condition::DiskFull => {
                warn!("the disk is full: changes are refused until there is room");
            }
            Condition::NoSegment { reason } => warn!(
                reason,
                "there is no segment to go on in: changes are refused until there is"
            ),
            Condition::Failed { reason } => {
                error!(
                    reason,
                    "the journal failed: nothing is changed any more, balances can be read; restart once that is \
                     mended"
                );
                return Some(reason.clone());
            }
        }
        None
    }

    /// Those of the condition are left to it.
    fn warnings(&mut self, now: Vec<Warning>) {
        let before = std::mem::replace(&mut self.warnings, now);
        for warning in &self.warnings {
            if !before.iter().any(|it| is_same(it, warning)) {
                begins(warning);
            }
        }
        for warning in &before {
            if !self.warnings.iter().any(|it| is_same(it, warning)) {
                ends(warning);
            }
        }
    }
}

/// Whether two warnings are of one event.
fn is_same(one: &Warning, other: &Warning) -> bool {
    match (one, other) {
        (Warning::NoSnapshot { .. }, Warning::NoSnapshot { .. }) => one == other,
        _ => discriminant(one) == discriminant(other),
    }
}

fn begins(warning: &Warning) {
    match warning {
        Warning::DiskFull | Warning::DiskStuck { .. } | Warning::ReadOnly { .. } => {}
        Warning::NoSnapshot { next_start, .. } if *next_start == NextStart::Refused => {
            error!("{warning}");
        }
        _ => warn!("{warning}"),
    }
}

fn ends(warning: &Warning) {
    match warning {
        Warning::NoSnapshot { .. } => info!("that snapshot failure is over"),
        Warning::KeysFull { .. } => info!("there is room for idempotency keys again"),
        Warning::ClockBehind { .. } | Warning::ClockAhead { .. } => {
            info!("the clock is right again");
        }
        _ => {}
    }
}
