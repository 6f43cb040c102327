//! The threads of the durable ledger, and what passes between them.
//!
//! ```text
//!            segments, made ahead
//!                   │
//! callers ──────▶ sequencer ◀────committer────▶ disk
//!    ▲  submissions │          and batch       │
//!    └──────────────┴──────────replies─────────┘
//! ```
//!
//! - *sequencer*: decides, the only one that changes the books. It writes small batches itself.
//! - *disk*: writes large batches, so that the next can be decided meanwhile.
//! - *segments*: makes a segment ahead. Nobody waits for it, unless a segment is full before the next one is made.
//! - *snapshots*: takes snapshots behind. Nobody ever waits for it, so it is a thread of its own.
//! - *watch*: looks twice a second whether the directory is still where it was.
//!
//! The order of events of a batch: decided, sealed, written, durable, published, answered. Whoever has the
//! [`Committer`] does all that follows the seal, and there is one: so one batch after another is durable, published
//! and answered. While the disk works the next batch forms. Nobody waits for company: with the disk idle, a
//! single command is a batch.
//!
//! After a failure of the disk, what was being written is answered with [`Failed`](NotDone::Failed), all else with
//! [`ReadOnly`](NotDone::ReadOnly). It is never tried again. Making a segment is tried again: nothing depends on one that
//! is not there yet, and nobody is refused for it before the present one is full.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{
    Receiver, Sender, TryRecvError, at, bounded, never, select_biased, unbounded,
};

use super::committer::Committer;
use super::config::DurableConfig;
use super::sequencer::{NotTaken, Sequencer, Settlement};
use super::shared::{Condition, Shared};
use super::snapshots::Snapshots;
use super::submission::Submission;
use super::watch::Watch;
use crate::journal::prepared::{self, Prepared};
use crate::journal::storage::lookout::Lookout;
use crate::journal::{Batch, JournalError, Storage, Writer};
use crate::values::change::NotDone;

/// How long after a segment could not be made it is tried again.
const SEGMENT_PAUSE: Duration = Duration::from_millis(500);

/// The threads. Dropped, it finishes what was submitted, and waits for them.
#[derive(Debug)]
pub(crate) struct Pipeline {
    submissions: Option<Sender<Submission>>,
    /// Lets the watch go on until it is dropped.
    watching: Option<Sender<()>>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads work with.
pub(super) struct Parts {
    pub(super) sequencer: Sequencer,
    pub(super) writer: Writer,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) snapshots: Snapshots,
}

impl Pipeline {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] if the system has no thread left.
    pub(super) fn start(
        shared: Arc<Shared>,
        parts: Parts,
        config: &DurableConfig,
    ) -> Result<Self, JournalError> {
        let Parts {
            sequencer,
            writer,
            storage,
            snapshots,
        } = parts;
        let (submissions, submitted) = unbounded();
        let mut pipeline = Self {
            submissions: Some(submissions),
            watching: None,
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        // After the pipeline, so that they go before it if a thread cannot be started: its drop waits for the threads
        // that were, and those end when these are gone.
        let (batches, to_write) = bounded(1);
        let (come_back, written) = bounded(1);
        let (wanted, to_make) = bounded(1);
        let (made, segments) = bounded(1);
        let (begun, to_take) = unbounded();
        let (lost, is_lost) = bounded(1);
        let (watching, stop) = bounded(0);
        pipeline.watching = Some(watching);
        let segment_bytes = config.segment_bytes;
        let lookout = writer.lookout();
        let watch = Watch {
            lookout: Arc::clone(&lookout),
            shared: Arc::clone(&shared),
            lost,
        };
        pipeline.spawn("watch", move || watch.run(&stop))?;
        pipeline.spawn("disk", move || write_batches(&to_write, &come_back))?;
        pipeline.spawn("segments", move || {
            make_segments(&*storage, &lookout, segment_bytes, &to_make, &made);
        })?;
        pipeline.spawn("snapshots", move || snapshots.run(&to_take))?;
        let thread = SequencerThread {
            committer: Some(Committer {
                journal: Box::new(writer),
                begun,
                shared: Arc::clone(&shared),
            }),
            shared,
            sequencer,
            write_beside_bytes: config.write_beside_bytes,
            submitted,
            batches,
            written,
            wanted,
            segments,
            held: None,
            segment_asked: false,
            is_lost,
            unmade: None,
            has_failed: false,
        };
        pipeline.spawn("sequencer", move || thread.run())?;
        Ok(pipeline)
    }

    fn spawn(
        &mut self,
        name: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), JournalError> {
        let thread = std::thread::Builder::new()
            .name(format!("cashpoint-{name}"))
            .spawn(run)
            .map_err(|source| JournalError::Io {
                what: "start the thread",
                path: name.to_owned(),
                source,
            })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Hands a submission to the sequencer, unless too much waits already.
    pub(crate) fn submit(&self, submission: Submission) {
        let weight = submission.weight();
        if !self.shared.backlog.join(weight) {
            return submission.turn_away(NotDone::Busy).send();
        }
        let Some(submissions) = &self.submissions else {
            return self.shared.send(submission.turn_away(NotDone::Stopped));
        };
        if let Err(refused) = submissions.send(submission) {
            // The sequencer ends before this does only in a panic.
            self.shared
                .send(refused.into_inner().turn_away(NotDone::ReadOnly));
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shared.stopping().store(true, Relaxed);
        self.submissions = None;
        self.watching = None;
        for thread in self.threads.drain(..) {
            // If it panicked, the condition says so.
            let _ = thread.join();
        }
    }
}

/// A batch that is sealed: what is to be written, and what happens once it is durable.
type Sealed = (Batch, Settlement);

/// The committer comes back, unless it failed.
type Written = Result<Committer, JournalError>;

/// The disk's thread.
fn write_batches(batches: &Receiver<(Committer, Sealed)>, written: &Sender<Written>) {
    for (committer, (batch, settlement)) in batches {
        if written.send(committer.write(batch, settlement)).is_err() {
            return;
        }
    }
}

/// The thread that makes segments: one each time that one is `wanted`, if the directory is still where it was.
fn make_segments(
    storage: &dyn Storage,
    lookout: &Lookout,
    segment_bytes: u64,
    wanted: &Receiver<()>,
    made: &Sender<Result<Prepared, JournalError>>,
) {
    for () in wanted {
        let segment = lookout
            .look_at_all()
            .and_then(|()| prepared::prepare(storage, segment_bytes));
        if made.send(segment).is_err() {
            return;
        }
    }
}

/// The sequencer's thread.
struct SequencerThread {
    shared: Arc<Shared>,
    sequencer: Sequencer,
    /// Here, unless the disk's thread is writing.
    committer: Option<Committer>,
    write_beside_bytes: usize,
    submitted: Receiver<Submission>,
    batches: Sender<(Committer, Sealed)>,
    written: Receiver<Written>,
    wanted: Sender<()>,
    segments: Receiver<Result<Prepared, JournalError>>,
    /// What the forming batch had no room for.
    held: Option<Submission>,
    /// Whether a segment is being made.
    segment_asked: bool,
    /// Why it is over, from the watch.
    is_lost: Receiver<String>,
    /// Why no segment could be made.
    unmade: Option<Unmade>,
    /// Whether all is over.
    has_failed: bool,
}

/// A segment that could not be made.
struct Unmade {
    since: Instant,
    /// How the ledger is once somebody is refused for it.
    condition: Condition,
    /// With what.
    not_done: NotDone,
}

impl Unmade {
    fn now(error: &JournalError) -> Self {
        let (condition, not_done) = match error.is_disk_full() {
            true => (Condition::DiskFull, NotDone::DiskFull),
            false => {
                let reason = error.to_string();
                (Condition::NoSegment { reason }, NotDone::NoSegment)
            }
        };
        Self {
            since: Instant::now(),
            condition,
            not_done,
        }
    }

    /// Whether it was found out just now. After a while it is tried again.
    fn is_recent(&self) -> bool {
        self.since.elapsed() < SEGMENT_PAUSE
    }
}

/// What the sequencer does next.
enum Next {
    /// Something may be decided.
    Decide,
    /// It has to wait for the disk, or for a segment.
    Wait,
    /// Nobody will submit anything any more.
    Close,
}

impl SequencerThread {
    fn run(mut self) {
        while !self.has_failed {
            let next = self.decide_all();
            let goes_on = !matches!(next, Next::Close);
            let is_unmade = self.unmade.as_ref().is_some_and(Unmade::is_recent);
            if goes_on && self.sequencer.wants_segment() && !is_unmade {
                self.ask_for_segment();
            }
            if self.committer.is_some() && self.sequencer.is_forming() {
                self.hand_over();
                continue;
            }
            match next {
                Next::Close if self.committer.is_some() => return,
                Next::Decide => self.wait_for_anything(),
                Next::Wait | Next::Close => self.wait_for_disk(),
            }
        }
    }

    /// Decides what was submitted, until there is nothing more, or no room.
    ///
    /// All of it has one time: reading the clocks for each command took a tenth of the time. A turn never waits and is no
    /// longer than a batch, so the time is off by milliseconds at most.
    fn decide_all(&mut self) -> Next {
        let mut turn = None;
        let next = loop {
            let submission = match self
                .held
                .take()
                .map_or_else(|| self.submitted.try_recv(), Ok)
            {
                Ok(submission) => submission,
                Err(TryRecvError::Empty) => break Next::Decide,
                Err(TryRecvError::Disconnected) => break Next::Close,
            };
            let reading = *turn.get_or_insert_with(|| self.shared.clock.read());
            match self.sequencer.take(submission, reading.time) {
                Ok(()) if self.sequencer.has_failed() => {
                    self.fail("the books contradict what was decided on them");
                    break Next::Close;
                }
                Ok(()) => {}
                Err(NotTaken::BatchFull(submission)) => {
                    self.held = Some(submission);
                    break Next::Wait;
                }
                Err(NotTaken::NoSegment(submission)) => {
                    if let Some(unmade) = self.unmade.as_ref().filter(|it| it.is_recent()) {
                        self.shared.set_condition(unmade.condition.clone());
                        self.shared.send(submission.turn_away(unmade.not_done));
                        break Next::Decide;
                    }
                    self.ask_for_segment();
                    self.shared.segment.begin(self.shared.clock.uptime());
                    self.held = Some(submission);
                    break Next::Wait;
                }
            }
        };
        if let Some(reading) = turn {
            // Once for all of them: their records have the same time, and nobody has an answer yet.
            let last_at = self.sequencer.last_at();
            self.shared.clock.recorded(last_at, reading);
            let full_until = self.sequencer.keys_full_until();
            self.shared.set_keys_full_until(full_until);
        }
        next
    }

    /// Tells when to try again to make a segment: otherwise a ledger that nobody asks for anything, because its
    /// disk is full, would stay so.
    fn segment_pause(&self) -> Receiver<Instant> {
        let unmade = self.unmade.as_ref().filter(|_| !self.segment_asked);
        unmade.map_or_else(never, |unmade| at(unmade.since + SEGMENT_PAUSE))
    }

    fn ask_for_segment(&mut self) {
        if !self.segment_asked {
            self.segment_asked = self.wanted.send(()).is_ok();
        }
    }

    /// Seals the batch that is forming and makes it durable: a small one here and now, because that is faster than
    /// waking another thread; a large one on the disk's thread, so that the next batch can form meanwhile.
    fn hand_over(&mut self) {
        let (batch, settlement) = self.sequencer.seal();
        let Some(batch) = batch else {
            // All before it is durable, for the committer is here.
            return self.shared.settle(settlement);
        };
        match self.committer.take() {
            Some(committer) if batch.bytes.len() <= self.write_beside_bytes => {
                self.written(Some(committer.write(batch, settlement)));
            }
            Some(committer) => {
                // The disk's thread is there for as long as this one.
                let _ = self.batches.send((committer, (batch, settlement)));
            }
            // It is never called without.
            None => {
                let reason = "the journal's writer is missing";
                self.shared.fail(settlement, NotDone::ReadOnly, reason);
                self.fail(reason);
            }
        }
    }

    fn wait_for_anything(&mut self) {
        let in_flight = self.committer.is_none();
        select_biased! {
            recv(self.written) -> result => self.written(result.ok()),
            recv(self.segments) -> segment => self.segment(segment.ok()),
            recv(self.is_lost) -> reason => self.lost(reason.ok()),
            recv(self.submitted) -> submission => match submission {
                Ok(submission) => self.held = Some(submission),
                // Then what is in flight is all that there is to wait for.
                Err(_) if in_flight => self.wait_for_disk(),
                Err(_) => {}
            },
            recv(self.segment_pause()) -> _ => {}
        }
    }

    fn wait_for_disk(&mut self) {
        select_biased! {
            recv(self.written) -> result => self.written(result.ok()),
            recv(self.segments) -> segment => self.segment(segment.ok()),
            recv(self.is_lost) -> reason => self.lost(reason.ok()),
        }
    }

    /// The directory is not where it was.
    fn lost(&mut self, reason: Option<String>) {
        match reason {
            Some(reason) => self.fail(&reason),
            // The watch ends, because everything is about to.
            None => self.is_lost = never(),
        }
    }

    fn segment(&mut self, segment: Option<Result<Prepared, JournalError>>) {
        self.segment_asked = false;
        self.shared.segment.end();
        match segment {
            Some(Ok(segment)) => {
                self.sequencer.prepare(segment);
                if self.unmade.take().is_some() {
                    self.shared.set_segment_failure(None);
                    self.shared.set_condition(Condition::Healthy);
                }
            }
            Some(Err(error @ JournalError::Displaced { .. })) => self.fail(&error.to_string()),
            // Nobody is refused for it before this segment is full.
            Some(Err(error)) => {
                self.shared.set_segment_failure(Some(error.to_string()));
                self.unmade = Some(Unmade::now(&error));
            }
            None => self.fail("the thread that makes segments is gone"),
        }
    }

    /// A batch is durable, published and answered; or never will be.
    fn written(&mut self, written: Option<Written>) {
        match written {
            Some(Ok(committer)) => self.committer = Some(committer),
            Some(Err(error)) => self.fail(&error.to_string()),
            None => self.fail("the disk's thread is gone"),
        }
    }

    /// From now on nothing is changed any more.
    fn fail(&mut self, reason: &str) {
        self.has_failed = true;
        // What is being written beside is answered there. What was decided meanwhile never came to the disk.
        let (_, decided) = self.sequencer.seal();
        self.shared.fail(decided, NotDone::ReadOnly, reason);
        let held = self.held.take();
        for submission in held.into_iter().chain(self.submitted.iter()) {
            self.shared.send(submission.turn_away(NotDone::ReadOnly));
        }
    }
}

impl Drop for SequencerThread {
    fn drop(&mut self) {
        // Nobody else could say that nothing is changed any more. What waits is answered by being dropped.
        if std::thread::panicking() {
            self.shared.set_condition(Condition::Failed {
                reason: "the thread that decides has panicked".to_owned(),
            });
        }
    }
}
