//! The threads of the durable ledger, and what passes between them.
//!
//! ```text
//! callers ──submissions──▶ sequencer ──batches──▶ disk
//!    ▲                      │  ▲  ▲                │
//!    └───────replies────────┘  │  └────durable─────┘
//!                       segments, made ahead
//! ```
//!
//! - *sequencer*: decides, publishes, replies. The only one that changes the books and what readers see.
//! - *disk*: makes one batch after another durable.
//! - *housekeeper*: makes segments ahead, and snapshots behind. Nobody waits for it, unless a segment is full
//!   before the next one is made.
//!
//! The order of events of a batch: decided, sealed, written, durable, published, answered. While the disk
//! works the next batch forms; when it is done, that one is handed over first, then the finished one is
//! published and answered. Nobody waits for company: with the disk idle, a single command is a batch.
//!
//! After a failure of the disk the sequencer answers: what was written or decided, with
//! [`Failed`](NotDone::Failed), all else with [`ReadOnly`](NotDone::ReadOnly). It never tries again.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{
    Receiver, Sender, TryRecvError, at, bounded, never, select_biased, unbounded,
};

use super::backlog::Backlog;
use super::command::{Reply, Submission};
use super::config::DurableConfig;
use super::housekeeper::{Chore, Housekeeper};
use super::published::Published;
use super::sequencer::{NotTaken, Sequencer, Settlement};
use crate::change::NotDone;
use crate::journal::segment::Prepared;
use crate::journal::{Batch, JournalError, Writer};
use crate::timestamp::Timestamp;

/// How long after the disk was found to be full it is tried again.
const DISK_FULL_PAUSE: Duration = Duration::from_millis(500);

/// How a durable ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Changes are made.
    Healthy,
    /// There is no room for the next segment of the journal. Changes are refused until there is.
    DiskFull,
    /// A write or a sync failed. Nothing is changed any more; balances can be read.
    Failed {
        /// What the disk said.
        reason: String,
    },
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) published: Published,
    pub(crate) backlog: Backlog,
    condition: Mutex<Condition>,
    stopping: AtomicBool,
    batches: AtomicU64,
}

impl Shared {
    pub(crate) fn new(published: Published, waiting_max: usize) -> Self {
        Self {
            published,
            backlog: Backlog::new(waiting_max),
            condition: Mutex::new(Condition::Healthy),
            stopping: AtomicBool::new(false),
            batches: AtomicU64::new(0),
        }
    }

    pub(crate) fn condition(&self) -> Condition {
        let condition = self.condition.lock();
        condition.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_condition(&self, condition: Condition) {
        *self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = condition;
    }

    /// How many batches became durable.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.load(Relaxed)
    }

    /// Is set once nothing more will be submitted.
    pub(super) fn stopping(&self) -> &AtomicBool {
        &self.stopping
    }

    fn send(&self, reply: Reply) {
        self.backlog.leave(reply.weight());
        reply.send();
    }
}

/// The threads. Dropped, it finishes what was submitted, and waits for them.
#[derive(Debug)]
pub(crate) struct Engine {
    submissions: Option<Sender<Submission>>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] if the system has no thread left.
    pub(crate) fn start(
        shared: Arc<Shared>,
        sequencer: Sequencer,
        writer: Writer,
        housekeeper: Housekeeper,
        config: &DurableConfig,
    ) -> Result<Self, JournalError> {
        let (submissions, submitted) = unbounded();
        let (batches, to_write) = bounded(1);
        let (durable, written) = bounded(1);
        let (chores, to_do) = unbounded();
        let (made, segments) = bounded(1);
        let mut engine = Self {
            submissions: Some(submissions),
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        engine.spawn("disk", move || write_batches(&to_write, &durable))?;
        engine.spawn("housekeeper", move || housekeeper.run(&to_do, &made))?;
        let desk = Desk {
            shared,
            sequencer,
            writer: Some(writer),
            write_beside_bytes: config.write_beside_bytes,
            clock: Arc::clone(&config.clock),
            submitted,
            batches,
            written,
            chores,
            segments,
            held: None,
            in_flight: None,
            segment_asked: false,
            disk_full_since: None,
        };
        engine.spawn("sequencer", move || desk.run())?;
        Ok(engine)
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
            self.shared
                .send(refused.into_inner().turn_away(NotDone::Stopped));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Relaxed);
        self.submissions = None;
        for thread in self.threads.drain(..) {
            // It never panics; if it did, there is nobody to tell.
            let _ = thread.join();
        }
    }
}

/// The disk's thread.
fn write_batches(batches: &Receiver<(Writer, Batch)>, durable: &Sender<Written>) {
    for (mut writer, batch) in batches {
        let written = writer.append(batch).map(|()| writer);
        if durable.send(written).is_err() {
            return;
        }
    }
}

/// The writer comes back from the disk's thread, unless it failed.
type Written = Result<Writer, JournalError>;

/// The sequencer's thread.
struct Desk {
    shared: Arc<Shared>,
    sequencer: Sequencer,
    /// Here, unless the disk's thread is writing.
    writer: Option<Writer>,
    write_beside_bytes: usize,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    submitted: Receiver<Submission>,
    batches: Sender<(Writer, Batch)>,
    written: Receiver<Written>,
    chores: Sender<Chore>,
    segments: Receiver<Result<Prepared, JournalError>>,
    /// What the forming batch had no room for.
    held: Option<Submission>,
    /// What happens once the batch that is being written is durable.
    in_flight: Option<Settlement>,
    /// Whether a segment is being made.
    segment_asked: bool,
    disk_full_since: Option<Instant>,
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

impl Desk {
    fn run(mut self) {
        loop {
            let next = self.decide_all();
            if self.sequencer.wants_segment() && !self.is_disk_full() {
                self.ask_for_segment();
            }
            if self.in_flight.is_none() && self.sequencer.is_forming() {
                self.hand_over();
                continue;
            }
            match next {
                Next::Close if self.in_flight.is_none() => return,
                Next::Decide => self.wait_for_anything(),
                Next::Wait | Next::Close => self.wait_for_disk(),
            }
        }
    }

    /// Decides what was submitted, until there is nothing more, or no room.
    fn decide_all(&mut self) -> Next {
        loop {
            let submission = match self
                .held
                .take()
                .map_or_else(|| self.submitted.try_recv(), Ok)
            {
                Ok(submission) => submission,
                Err(TryRecvError::Empty) => return Next::Decide,
                Err(TryRecvError::Disconnected) => return Next::Close,
            };
            match self.sequencer.take(submission, (self.clock)()) {
                Ok(()) => {}
                Err(NotTaken::BatchFull(submission)) => {
                    self.held = Some(submission);
                    return Next::Wait;
                }
                Err(NotTaken::NoSegment(submission)) => {
                    if self.is_disk_full() {
                        self.shared.send(submission.turn_away(NotDone::DiskFull));
                        continue;
                    }
                    self.ask_for_segment();
                    self.held = Some(submission);
                    return Next::Wait;
                }
            }
        }
    }

    /// Whether it was found full just now. After a while it is tried again.
    fn is_disk_full(&self) -> bool {
        let since = self.disk_full_since;
        since.is_some_and(|since| since.elapsed() < DISK_FULL_PAUSE)
    }

    /// Tells when to try again whether there is room: otherwise a ledger that nobody asks for anything, because its
    /// disk is full, would stay so.
    fn disk_full_pause(&self) -> Receiver<Instant> {
        let since = self.disk_full_since.filter(|_| !self.segment_asked);
        since.map_or_else(never, |since| at(since + DISK_FULL_PAUSE))
    }

    fn ask_for_segment(&mut self) {
        if !self.segment_asked {
            self.segment_asked = self.chores.send(Chore::MakeSegment).is_ok();
        }
    }

    /// Seals the batch that is forming and makes it durable: a small one here and now, for that is faster than to
    /// wake another thread for it; a large one beside, so that the next can form meanwhile.
    fn hand_over(&mut self) {
        let (batch, settlement) = self.sequencer.seal();
        let Some(batch) = batch else {
            return self.settle(settlement);
        };
        self.in_flight = Some(settlement);
        match self.writer.take() {
            Some(mut writer) if batch.bytes.len() <= self.write_beside_bytes => {
                let written = writer.append(batch).map(|()| writer);
                self.written(Some(written));
            }
            Some(writer) => self.write_beside(writer, batch),
            // It is here whenever nothing is in flight.
            None => self.fail("there is no writer"),
        }
    }

    fn write_beside(&self, writer: Writer, batch: Batch) {
        // The disk's thread is there for as long as this one.
        let _ = self.batches.send((writer, batch));
    }

    fn wait_for_anything(&mut self) {
        let in_flight = self.in_flight.is_some();
        select_biased! {
            recv(self.written) -> result => self.written(result.ok()),
            recv(self.segments) -> segment => self.segment(segment.ok()),
            recv(self.submitted) -> submission => match submission {
                Ok(submission) => self.held = Some(submission),
                // Then what is in flight is all that there is to wait for.
                Err(_) if in_flight => self.wait_for_disk(),
                Err(_) => {}
            },
            recv(self.disk_full_pause()) -> _ => {}
        }
    }

    fn wait_for_disk(&mut self) {
        select_biased! {
            recv(self.written) -> result => self.written(result.ok()),
            recv(self.segments) -> segment => self.segment(segment.ok()),
        }
    }

    fn segment(&mut self, segment: Option<Result<Prepared, JournalError>>) {
        self.segment_asked = false;
        match segment {
            Some(Ok(segment)) => {
                self.sequencer.prepare(segment);
                if self.disk_full_since.take().is_some() {
                    self.shared.set_condition(Condition::Healthy);
                }
            }
            Some(Err(error)) if error.is_disk_full() => {
                self.disk_full_since = Some(Instant::now());
                self.shared.set_condition(Condition::DiskFull);
            }
            Some(Err(error)) => self.fail(&error.to_string()),
            None => self.fail("the housekeeper is gone"),
        }
    }

    /// A batch is durable, or never will be.
    fn written(&mut self, written: Option<Written>) {
        match written {
            Some(Ok(writer)) => {
                self.shared.batches.fetch_add(1, Relaxed);
                let durable = self.in_flight.take();
                if self.sequencer.is_forming() {
                    self.hand_over_before(writer, durable);
                } else {
                    self.writer = Some(writer);
                    durable.into_iter().for_each(|durable| self.settle(durable));
                }
            }
            Some(Err(error)) => self.fail(&error.to_string()),
            None => self.fail("the disk's thread is gone"),
        }
    }

    /// Gives the next batch to the disk, and then publishes and answers the one that is durable: the disk
    /// need not wait for that.
    fn hand_over_before(&mut self, writer: Writer, durable: Option<Settlement>) {
        let (batch, settlement) = self.sequencer.seal();
        let has_batch = batch.is_some();
        match batch {
            Some(batch) => self.write_beside(writer, batch),
            None => self.writer = Some(writer),
        }
        if let Some(durable) = durable {
            self.settle(durable);
        }
        if has_batch {
            self.in_flight = Some(settlement);
        } else {
            self.settle(settlement);
        }
    }

    /// Publishes a durable batch, and sends its replies.
    fn settle(&mut self, settlement: Settlement) {
        self.shared.published.publish(&settlement);
        if let Some(segment) = settlement.begun {
            let _ = self.chores.send(Chore::Snapshot(segment));
        }
        for reply in settlement.replies {
            self.shared.send(reply);
        }
    }

    /// From now on nothing is changed any more.
    fn fail(&mut self, reason: &str) {
        self.shared.set_condition(Condition::Failed {
            reason: reason.to_owned(),
        });
        let (_, undecided) = self.sequencer.seal();
        let in_flight = self.in_flight.take().map(|it| it.replies);
        for reply in in_flight.into_iter().flatten().chain(undecided.replies) {
            self.shared.backlog.leave(reply.weight());
            reply.fail();
        }
        let held = self.held.take();
        for submission in held.into_iter().chain(self.submitted.iter()) {
            self.shared.send(submission.turn_away(NotDone::ReadOnly));
        }
    }
}
