//! Opens the ledger that `cashpoint serve` serves, and watches over it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::Failure;
use crate::durable::{Condition, DurableConfig, DurableLedger};
use crate::journal::Recovery;
use crate::service::Service;

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
    let ledger = ledger.map_err(|error| Failure(error.to_string()))?;
    log(directory, ledger.recovery());
    Ok(ledger)
}

fn log(directory: &Path, recovery: &Recovery) {
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

/// Logs when the ledger gets better or worse, and snapshots that fail. Is ready, with the reason, once it has failed for good.
pub(super) async fn failure(service: Arc<Service>) -> String {
    let Some(ledger) = service.durable_ledger() else {
        return std::future::pending().await;
    };
    let mut last = Condition::Healthy;
    let mut last_snapshot_failure = None;
    loop {
        let snapshot_failure = ledger.snapshot_failure();
        if snapshot_failure != last_snapshot_failure {
            if let Some(reason) = &snapshot_failure {
                warn!(
                    reason,
                    "no snapshot could be taken: changes are made as before, and the next start takes longer"
                );
            }
            last_snapshot_failure = snapshot_failure;
        }
        let condition = ledger.condition();
        if condition != last {
            match &condition {
                Condition::Healthy => info!("there is room on the disk again: changes are made"),
                Condition::DiskFull => {
                    warn!("the disk is full: changes are refused until there is room");
                }
                Condition::Failed { reason } => {
                    error!(
                        reason,
                        "the journal failed: nothing is changed any more, balances can be read; \
                         restart once the disk is well"
                    );
                    return reason.clone();
                }
            }
            last = condition;
        }
        tokio::time::sleep(LOOK).await;
    }
}
