//! The end of `cashpoint serve`: in time, whatever the disk does, and with an exit code that tells.
//!
//! Whatever is still to be done at the end - connections, readers, the threads of the ledger - may wait for a disk that
//! does not answer. So nothing that ends the process waits for any of it: a thread that does nothing else ends it
//! when its time is over.

use std::thread;
use std::time::{Duration, Instant};

use cashpoint::durable::Observer;
use cashpoint::service::about;
use tracing::{error, info};

use super::logging;

/// The exit code if all that was asked for is done.
const CLEAN: i32 = 0;

/// The exit code if something that was asked for may not have been done.
const UNFINISHED: i32 = 1;

/// How much longer than its clients a ledger may take while the disk answers.
const GRACE: Duration = Duration::from_secs(1);

/// Time for the server to log what it has cut off.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// How long the log may take to be written then.
const FLUSH_MAX: Duration = Duration::from_millis(100);

/// How often to look at what is left.
const LOOKING_PAUSE: Duration = Duration::from_millis(5);

/// From now on the process ends in time: within `limit`, if the disk does not answer; and a little later, if it does
/// and there is more to finish.
pub(super) fn within(limit: Duration, ledger: Option<Observer>) {
    let deadline = Instant::now() + limit;
    let watch = move || {
        thread::sleep(deadline.saturating_duration_since(Instant::now()) + LAST_WORDS);
        let is_stuck = || ledger.as_ref().and_then(Observer::stuck_for).is_some();
        while Instant::now() < deadline + GRACE && !is_stuck() {
            thread::sleep(LOOKING_PAUSE);
        }
        end(ledger.as_ref());
    };
    if let Err(error) = thread::Builder::new()
        .name("cashpoint-end".to_owned())
        .spawn(watch)
    {
        error!(%error, "no thread is left to watch over the end");
    }
}

/// Waits until all that was asked of a ledger is done.
pub(super) async fn finished(ledger: &Observer) {
    while ledger.waiting() > 0 {
        tokio::time::sleep(LOOKING_PAUSE).await;
    }
}

/// Logs how the process ends, and ends it.
fn end(ledger: Option<&Observer>) -> ! {
    let unfinished = ledger.map_or(0, Observer::waiting);
    if unfinished > 0 {
        let changes = if unfinished == 1 { "change" } else { "changes" };
        let disk = match ledger.and_then(Observer::stuck_for) {
            Some(waits) => format!("the disk has not answered for {}", about(waits)),
            None => "the disk is too slow".to_owned(),
        };
        error!(
            "stopped with {unfinished} {changes} unfinished, because {disk}: they may be there at the next start or not; \
             their idempotency keys tell"
        );
    } else {
        info!("stopped without waiting for reads, or a snapshot, that were still under way");
    }
    let is_clean = unfinished == 0 && ledger.and_then(Observer::failure).is_none();
    // The one place where a process ends that cannot be waited for.
    logging::flush(FLUSH_MAX);
    std::process::exit(if is_clean { CLEAN } else { UNFINISHED })
}
