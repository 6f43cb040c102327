//! One process: the shipped sequencer, writer, readers' side and snapshots, in an order drawn at random.
//!
//! What the engine's threads do at the same time is done here in turns. A batch is decided, sealed, handed over, written,
//! published and answered, and the next one forms and is sealed anywhere in between, as in `engine.rs`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Duration;

use futures_channel::oneshot;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::judge;
use super::model::{Micros, Model};
use super::workload::{Workload, any_number};
use crate::KeyPolicy;
use crate::durable::DurableConfig;
use crate::durable::ledger_clock::{LedgerClock, Reading};
use crate::durable::published::Published;
use crate::durable::sequencer::{NotTaken, Sequencer, Settlement};
use crate::durable::submission::{Answer, Reply, Submission};
use crate::journal::prepared;
use crate::journal::{
    Appender as _, Batch, JournalError, Position, Recovered, Storage, Writer, snapshot,
};
use crate::values::change::{Command, NotDone};
use crate::values::timestamp::Timestamp;

/// The most that is decided into a batch, unless one submission is more. As in the engine, it is less than half of
/// a segment: so none is made ahead before the one before has its name.
const BATCH_BYTES_MAX: usize = 1536;

/// What is kept to by all processes of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) accounts_max: usize,
    pub(super) keys: KeyPolicy,
    pub(super) segment_bytes: u64,
}

/// All that was decided, as batches; and how much of it is certain.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    /// The states after no batch, one, two, and so on.
    pub(super) states: Vec<Model>,
    /// How many of the batches are durable for sure.
    pub(super) durable: usize,
    /// How many of the batches have been given to the disk.
    pub(super) written: usize,
    /// How many of them are visible.
    pub(super) visible: usize,
    /// What clients were told, other than that nothing was done or that it was done before.
    pub(super) told: Vec<(Command, Answer)>,
    /// What clients were not told before the process ended.
    pub(super) untold: Vec<Command>,
}

/// A client that waits.
enum Waiting {
    One(Command, oneshot::Receiver<Answer>),
    Many(Vec<Command>, oneshot::Receiver<Vec<Answer>>),
}

/// A process.
pub(super) struct Life<'run> {
    pub(super) random: &'run mut Xoshiro256PlusPlus,
    pub(super) workload: &'run mut Workload,
    pub(super) decided: &'run mut Decided,
    pub(super) clock: &'run mut Micros,
    ledger_clock: SimulatedClock,
    storage: Arc<dyn Storage>,
    settings: Settings,
    sequencer: Sequencer,
    writer: Writer,
    pub(super) published: Published,
    queue: VecDeque<Submission>,
    /// What was taken since the last seal, and when.
    taken: Vec<(Vec<Command>, Micros)>,
    waiting: Vec<Waiting>,
    in_flight: Option<(Batch, Settlement)>,
    /// What is durable, and neither visible nor answered yet.
    durable: Option<Settlement>,
    snapshot_due: Option<Position>,
}

impl<'run> Life<'run> {
    pub(super) fn begin(
        (random, workload, decided, clock): (
            &'run mut Xoshiro256PlusPlus,
            &'run mut Workload,
            &'run mut Decided,
            &'run mut Micros,
        ),
        storage: Arc<dyn Storage>,
        settings: Settings,
        recovered: Recovered,
    ) -> Self {
        let Recovered {
            books,
            writer,
            tail,
            reader,
            recovery: _,
        } = recovered;
        let last_record = (books.next_sequence > 1).then_some(books.last_at);
        let ledger_clock = SimulatedClock::new(*clock, last_record);
        let published = Published::new(&books, reader, settings.accounts_max, tail.position());
        let mut numbers: Xoshiro256PlusPlus = rand::SeedableRng::seed_from_u64(random.random());
        let sequencer = Sequencer::new(
            books,
            tail,
            settings.accounts_max,
            BATCH_BYTES_MAX,
            Box::new(move || any_number(&mut numbers)),
        );
        Self {
            random,
            workload,
            decided,
            clock,
            ledger_clock,
            storage,
            settings,
            sequencer,
            writer,
            published,
            queue: VecDeque::new(),
            taken: Vec::new(),
            waiting: Vec::new(),
            in_flight: None,
            durable: None,
            snapshot_due: None,
        }
    }

    /// Goes on for so many steps.
    ///
    /// # Errors
    ///
    /// What ended the process before.
    pub(super) fn go_on(&mut self, steps: usize) -> Result<(), JournalError> {
        for _ in 0..steps {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), JournalError> {
        match self.random.random_range(0..20) {
            0..6 => self.submit(),
            6..12 => return self.decide(),
            12 => self.hand_over(),
            13..16 => return self.write(),
            16 if self.sequencer.wants_segment() => self.make_segment(),
            16..18 => self.take_snapshot(),
            18 => self.look(),
            _ => self.let_time_pass(),
        }
        Ok(())
    }

    fn let_time_pass(&mut self) {
        let window = i64::try_from(self.settings.keys.window.as_micros()).unwrap();
        *self.clock += match self.random.random_range(0..12) {
            0 => window,
            1 => -window,
            2 => -self.random.random_range(0..window),
            3 => 0,
            _ => self.random.random_range(0..window / 8),
        };
        let passed = match self.random.random_range(0..12) {
            0 => window,
            _ => self.random.random_range(0..window / 8),
        };
        self.ledger_clock.uptime.fetch_add(passed, Relaxed);
    }

    /// A client asks for something, or once more for what it was not told.
    fn submit(&mut self) {
        let model = self.decided.states.last().unwrap().clone();
        let mut draw = || {
            let again = self.random.random_range(0..2) == 0;
            match self.decided.untold.pop() {
                Some(untold) if again => untold,
                _ => self.workload.command(self.random, &model),
            }
        };
        let first = draw();
        if self.random.random_range(0..3) > 0 {
            let (reply, answer) = oneshot::channel();
            self.waiting.push(Waiting::One(first.clone(), answer));
            self.queue.push_back(Submission::One(first, reply));
            return;
        }
        let mut commands = vec![first];
        for _ in 0..self.random.random_range(0..4) {
            commands.push(self.workload.command(self.random, &model));
        }
        let (reply, answers) = oneshot::channel();
        self.waiting.push(Waiting::Many(commands.clone(), answers));
        self.queue.push_back(Submission::Many(commands, reply));
    }

    fn decide(&mut self) -> Result<(), JournalError> {
        let Some(submission) = self.queue.pop_front() else {
            return Ok(());
        };
        let commands = match &submission {
            Submission::One(command, _) => vec![command.clone()],
            Submission::Many(commands, _) => commands.clone(),
        };
        let reading = self.ledger_clock.read(*self.clock);
        let taken = self.sequencer.take(submission, reading.time);
        self.ledger_clock
            .recorded(self.sequencer.last_at(), reading);
        match taken {
            Ok(()) => self.taken.push((commands, reading.time.as_micros())),
            Err(NotTaken::BatchFull(submission)) => {
                self.queue.push_front(submission);
                self.hand_over();
                return self.write();
            }
            Err(NotTaken::NoSegment(submission)) => {
                self.queue.push_front(submission);
                self.make_segment();
            }
        }
        Ok(())
    }

    /// Has a segment made ahead. If it cannot be made now, what waits for it is turned away.
    fn make_segment(&mut self) {
        match prepared::prepare(&*self.storage, self.settings.segment_bytes) {
            Ok(prepared) => self.sequencer.prepare(prepared),
            Err(_) => {
                if let Some(submission) = self.queue.pop_front() {
                    submission.turn_away(NotDone::NoSegment).send();
                    self.hear();
                }
            }
        }
    }

    /// Seals what was decided, if nothing is on its way to the disk.
    fn hand_over(&mut self) {
        if self.in_flight.is_some() || !self.sequencer.is_forming() {
            return;
        }
        match self.seal() {
            (Some(batch), settlement) => self.in_flight = Some((batch, settlement)),
            (None, settlement) => self.settle(settlement),
        }
    }

    /// Ends the forming batch, and holds what was decided against the model.
    fn seal(&mut self) -> (Option<Batch>, Settlement) {
        let (batch, settlement) = self.sequencer.seal();
        let before = self.decided.states.last().unwrap();
        let mut model = before.clone();
        let taken = std::mem::take(&mut self.taken);
        assert_eq!(taken.len(), settlement.replies.len());
        for ((commands, now), reply) in taken.iter().zip(&settlement.replies) {
            let answers = match reply {
                Reply::One(answer, _) => std::slice::from_ref(answer),
                Reply::Many(answers, _) => answers,
            };
            assert_eq!(commands.len(), answers.len());
            for (command, answer) in commands.iter().zip(answers) {
                let expected = model.answer(command, *now, answer);
                assert_eq!(*answer, expected, "to {command:?} at {now}");
            }
        }
        assert_eq!(batch.is_some(), model.records > before.records);
        if batch.is_some() {
            self.decided.states.push(model);
        }
        (batch, settlement)
    }

    /// Has the disk write what is on its way there. As in the engine, the next batch may be handed over, and
    /// even be written, before this one is published.
    fn write(&mut self) -> Result<(), JournalError> {
        let Some((batch, settlement)) = self.in_flight.take() else {
            return Ok(());
        };
        self.decided.written = self.decided.durable + 1;
        self.writer.append(batch.seal(self.writer.last_hash()))?;
        self.settle_durable();
        self.decided.durable += 1;
        self.durable = Some(settlement);
        if self.random.random_range(0..3) == 0 {
            self.hand_over();
        }
        if self.random.random_range(0..3) > 0 {
            self.settle_durable();
        }
        Ok(())
    }

    fn settle_durable(&mut self) {
        if let Some(settlement) = self.durable.take() {
            self.publish_and_answer(settlement);
        }
    }

    fn settle(&mut self, settlement: Settlement) {
        self.settle_durable();
        self.publish_and_answer(settlement);
    }

    fn publish_and_answer(&mut self, settlement: Settlement) {
        self.published.publish(&settlement);
        if !settlement.records.is_empty() {
            self.decided.visible += 1;
        }
        if settlement.begun.is_some() {
            self.snapshot_due = settlement.begun;
        }
        for reply in settlement.replies {
            reply.send();
        }
        self.hear();
    }

    /// Clients take note of what they are told.
    fn hear(&mut self) {
        let told = &mut self.decided.told;
        self.waiting.retain_mut(|waiting| match waiting {
            Waiting::One(command, answer) => match answer.try_recv() {
                Ok(Some(answer)) => {
                    told.push((command.clone(), answer));
                    false
                }
                Ok(None) | Err(_) => true,
            },
            Waiting::Many(commands, answers) => match answers.try_recv() {
                Ok(Some(answers)) => {
                    told.extend(commands.iter().cloned().zip(answers));
                    false
                }
                Ok(None) | Err(_) => true,
            },
        });
    }

    /// A snapshot that fails costs time at the next start, and nothing else.
    fn take_snapshot(&mut self) {
        if let Some(until) = self.snapshot_due.take() {
            let stop = AtomicBool::new(false);
            let _ = snapshot::take(&*self.storage, self.settings.keys, until, &stop);
        }
    }

    /// A reader looks at everything.
    fn look(&mut self) {
        assert!(self.decided.visible <= self.decided.durable);
        let state = &self.decided.states[self.decided.visible];
        judge::published(&self.published, state);
        if self.random.random_range(0..4) == 0 {
            judge::entries(&self.published, state);
        }
    }

    /// The process ends. Those who have heard nothing will ask again, if they have a key.
    pub(super) fn end(self) {
        for waiting in self.waiting {
            let commands = match waiting {
                Waiting::One(command, _) => vec![command],
                Waiting::Many(commands, _) => commands,
            };
            let keyed = commands.into_iter().filter(|it| it.key.is_some());
            self.decided.untold.extend(keyed);
        }
    }
}

/// The clock of a process: the shipped one, over times that are ours, held against what it promises.
struct SimulatedClock {
    clock: LedgerClock,
    system: Arc<AtomicI64>,
    uptime: Arc<AtomicI64>,
    /// The times of records, and the uptime at each.
    recorded: Vec<(Micros, Micros)>,
}

impl SimulatedClock {
    fn new(system: Micros, last_record: Option<Timestamp>) -> Self {
        let system = Arc::new(AtomicI64::new(system));
        let uptime = Arc::new(AtomicI64::new(0));
        let mut config = DurableConfig::new(1);
        let (shown, passed) = (Arc::clone(&system), Arc::clone(&uptime));
        config.clock = Arc::new(move || Timestamp::from_micros(shown.load(Relaxed)));
        config.uptime =
            Arc::new(move || Duration::from_micros(passed.load(Relaxed).unsigned_abs()));
        Self {
            clock: LedgerClock::new(&config, last_record),
            system,
            uptime,
            recorded: last_record
                .map(|at| (at.as_micros(), 0))
                .into_iter()
                .collect(),
        }
    }

    /// Behind the last record, time goes on at fifteen sixteenths of the world's; otherwise it is the system's.
    fn read(&self, system: Micros) -> Reading {
        self.system.store(system, Relaxed);
        let reading = self.clock.read();
        let uptime = self.uptime.load(Relaxed);
        let passed = self
            .recorded
            .iter()
            .map(|(at, then)| at + (uptime - then) * 15 / 16);
        let not_before = passed.max().unwrap_or(system);
        let time = reading.time.as_micros();
        // A microsecond may be lost where each is rounded.
        assert!(
            (system.max(not_before) - time).abs() <= 1,
            "{time}, {system}, {not_before}"
        );
        reading
    }

    fn recorded(&mut self, at: Timestamp, reading: Reading) {
        self.clock.recorded(at, reading);
        let uptime = self.uptime.load(Relaxed);
        self.recorded.push((at.as_micros(), uptime));
    }
}
