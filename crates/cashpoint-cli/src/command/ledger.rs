//! Opens the ledger that `cashpoint serve` serves, and watches over it.

use std::mem::discriminant;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cashpoint::durable::{Condition, DurableConfig, DurableLedger};
use cashpoint::journal::{JournalError, Recovery};
use cashpoint::service::{Service, about};
use cashpoint::{NextStart, Warning};
use cashpoint_server::moment::time_text;
use tracing::{error, info, warn};

use super::Failure;

/// How often it is looked at how a durable ledger is.
const LOOKING_PAUSE: Duration = Duration::from_millis(200);

/// A warning is over once it has not been seen for so long. Room for one more key comes and goes: that is one event.
const OVER_AFTER: Duration = Duration::from_secs(5);

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
    let (side, reason) = match clock > last_record {
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
        "the clock shows {} UTC, {} {side} than the last record in {} ({} UTC). If the clock is wrong, correct it: it would \
         spoil the times of all records to come. {reason}, start with --accept-clock (ACCEPT_CLOCK=true)",
        time_text(clock),
        about(clock.distance(last_record)),
        directory.display(),
        time_text(last_record),
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

/// Logs each event once when the ledger gets better or worse. Is ready, with the reason, once it has failed for good.
pub(super) async fn failure(service: Arc<Service>) -> String {
    let mut watch = Watch::default();
    loop {
        if let Some(ledger) = service.durable_ledger()
            && let Some(reason) = watch.condition(ledger.condition())
        {
            return reason;
        }
        watch.warnings(service.warnings(), Instant::now());
        tokio::time::sleep(LOOKING_PAUSE).await;
    }
}

/// What has been logged.
#[derive(Debug)]
struct Watch {
    condition: Condition,
    /// Since when it has been so.
    since: Instant,
    /// The warnings that are not over, and when each was last seen.
    told: Vec<(Warning, Instant)>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            condition: Condition::Healthy,
            since: Instant::now(),
            told: Vec::new(),
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
        match &self.condition {
            Condition::Healthy => {
                let what = match before {
                    Condition::DiskFull => "there is room on the disk again",
                    Condition::NoSegment { .. } => "there is a segment again",
                    _ => "the disk answers again",
                };
                info!(lasted_s, "{what}: changes are made");
            }
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
    fn warnings(&mut self, warnings: Vec<Warning>, now: Instant) {
        for warning in warnings {
            match self.told.iter_mut().find(|it| is_same(&it.0, &warning)) {
                Some((_, seen)) => *seen = now,
                None => {
                    begins(&warning);
                    self.told.push((warning, now));
                }
            }
        }
        self.told.retain(|(warning, seen)| {
            let is_over = now.saturating_duration_since(*seen) >= OVER_AFTER;
            if is_over {
                ends(warning);
            }
            !is_over
        });
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
        Warning::NoSnapshot { reason, .. } => info!(reason, "this snapshot failure is over"),
        Warning::KeysFull { .. } => info!("there is room for idempotency keys again"),
        Warning::ClockBehind { .. } | Warning::ClockAhead { .. } => {
            info!("the clock is right again");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, pipe};

    use tracing::subscriber::with_default;

    use super::*;

    /// What is logged meanwhile.
    fn logged(what: impl FnOnce(&mut Watch)) -> String {
        let (mut reader, writer) = pipe().unwrap();
        let log = tracing_subscriber::fmt().with_writer(Arc::new(writer));
        with_default(log.finish(), || what(&mut Watch::default()));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_disk_is_said_to_be_well_only_if_changes_are_made_again() {
        let failed = Condition::Failed {
            reason: "input/output error".to_owned(),
        };
        let well = "changes are made";
        for trouble in [Condition::DiskStuck, Condition::DiskFull] {
            let log = logged(|watch| {
                assert_eq!(watch.condition(trouble.clone()), None);
                assert_eq!(watch.condition(Condition::Healthy), None);
            });
            assert_eq!(log.matches(well).count(), 1, "{log}");
            let log = logged(|watch| {
                watch.condition(trouble.clone());
                assert!(watch.condition(failed.clone()).is_some());
            });
            assert!(!log.contains(well), "{log}");
        }
        let log = logged(|watch| {
            watch.condition(Condition::DiskStuck);
            watch.condition(Condition::DiskFull);
        });
        assert!(!log.contains(well), "{log}");
    }

    #[test]
    fn a_warning_that_comes_and_goes_is_told_once() {
        let full = Warning::KeysFull {
            room_in: Duration::from_secs(1),
        };
        let (begins, ends) = ("number of idempotency keys", "room for idempotency keys");
        let log = logged(|watch| {
            let begun = Instant::now();
            for look in 0..100 {
                let warnings = (look % 2 == 0).then(|| full.clone());
                watch.warnings(warnings.into_iter().collect(), begun + LOOKING_PAUSE * look);
            }
        });
        assert_eq!(log.matches(begins).count(), 1);
        assert_eq!(log.matches(ends).count(), 0);
        let log = logged(|watch| {
            let begun = Instant::now();
            watch.warnings(vec![full.clone()], begun);
            for minute in 1..10 {
                watch.warnings(Vec::new(), begun + Duration::from_secs(60) * minute);
            }
        });
        assert_eq!(log.matches(begins).count(), 1);
        assert_eq!(log.matches(ends).count(), 1);
    }
}
