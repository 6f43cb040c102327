//! A thread that drives its share of the connections.
//!
//! Order of events: a connection with room for a request is `ready`. Without a rate it is given a request
//! at once; with one, requests are begun at fixed times, by whichever connection has been ready longest, and
//! wait where none is. Their latency counts from the time that was intended, so a target that stalls is
//! charged for all who would have come meanwhile, not for one (Gil Tene calls the contrary coordinated
//! omission). When the round ends nothing more is sent, and what is under way is waited for.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use cashpoint::AccountNumber;
use mio::{Events, Poll, Token};

use super::HttpTarget;
use super::alarm::Alarm;
use super::connection::{Connection, End, Pending};
use crate::bench::record::{GRACE, Measurements, NOT_BEGUN, Round};
use crate::bench::target::Case;
use crate::bench::workload::{AMOUNT, Action, Step, Steps};
use crate::client::{Address, Broken};

/// How often connections that failed are opened anew, and answers that take too long are given up.
const TICK: Duration = Duration::from_millis(100);

const ALARM: Token = Token(usize::MAX);

/// How many events are taken at a time.
const EVENTS: usize = 256;

pub(super) struct EventLoop<'a> {
    server: &'a HttpTarget,
    round: &'a Round<'a>,
    requests: Requests<'a>,
    steps: Steps,
    /// With a rate: from one start to the next, and when the next one is.
    schedule: Option<(Duration, Instant)>,
    poll: Poll,
    alarm: Alarm,
    connections: Vec<Option<Connection>>,
    /// The connections with room for a request, each once.
    ready: VecDeque<usize>,
    under_way: usize,
    record: Measurements,
}

impl<'a> EventLoop<'a> {
    /// The `thread`-th of so many `threads`.
    pub(super) fn new(
        server: &'a HttpTarget,
        case: &Case,
        round: &'a Round<'a>,
        thread: usize,
        threads: usize,
    ) -> Result<Self, Broken> {
        let unavailable = |error: io::Error| Broken(format!("no event loop: {error}"));
        let poll = Poll::new().map_err(unavailable)?;
        let alarm = Alarm::new(poll.registry(), ALARM).map_err(unavailable)?;
        let accounts = server.numbers.len();
        let connections = (thread..case.workers).step_by(threads).count();
        let now = Instant::now();
        Ok(Self {
            server,
            round,
            requests: Requests::new(&server.address, &server.numbers),
            steps: Steps::new(
                case.mix,
                case.skew,
                accounts,
                round.seed.wrapping_add(thread as u64),
            ),
            schedule: case.interval(threads).map(|interval| {
                // The threads take turns, so that together they begin requests at even distances.
                let first = now + interval * thread as u32 / threads as u32;
                (interval, first)
            }),
            poll,
            alarm,
            connections: (0..connections).map(|_| None).collect(),
            ready: VecDeque::with_capacity(connections),
            under_way: 0,
            record: Measurements::new(accounts),
        })
    }

    pub(super) fn run(mut self) -> Result<Measurements, Broken> {
        let mut events = Events::with_capacity(EVENTS);
        let mut tick = Instant::now();
        loop {
            let now = Instant::now();
            let sending = self.has_more(now) && !self.round.stop.load(Relaxed);
            if !sending && self.under_way == 0 {
                break;
            }
            if now >= tick {
                self.tick(now, sending);
                tick = now + TICK;
            }
            if sending {
                self.send(now);
            }
            let waited = self.wait(&mut events, tick.saturating_duration_since(now));
            waited.map_err(|error| Broken(format!("the event loop failed: {error}")))?;
            for event in &events {
                if event.token() != ALARM {
                    self.handle(event.token().0, event.is_writable());
                }
            }
        }
        self.count_what_was_not_begun();
        Ok(self.record)
    }

    /// Whether there are requests yet to be begun: those due before the end, if need be a little after it.
    fn has_more(&self, now: Instant) -> bool {
        match self.schedule {
            None => now < self.round.end,
            Some((_, next)) => next < self.round.end && now < self.round.end + GRACE,
        }
    }

    fn wait(&mut self, events: &mut Events, timeout: Duration) -> io::Result<()> {
        if let Some((_, next)) = self.schedule
            && !self.ready.is_empty()
        {
            self.alarm.set(next)?;
        }
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    /// Opens the connections that are not, and gives up those whose answers take too long.
    fn tick(&mut self, now: Instant, sending: bool) {
        for index in 0..self.connections.len() {
            let oldest = match self.connections.get(index) {
                Some(Some(connection)) => connection.pending.front().map(|pending| pending.sent),
                Some(None) if sending => {
                    self.connect(index);
                    None
                }
                _ => None,
            };
            if oldest.is_some_and(|sent| now - sent > self.server.manner.timeout) {
                self.end(index, End::Late);
            }
        }
    }

    fn connect(&mut self, index: usize) {
        let (to, registry) = (self.server.address.socket, self.poll.registry());
        match Connection::open(to, registry, Token(index)) {
            Ok(connection) => {
                if let Some(place) = self.connections.get_mut(index) {
                    *place = Some(connection);
                }
                self.ready.push_back(index);
            }
            Err(error) => self
                .record
                .error(&format!("not connected: {}", error.kind())),
        }
    }

    /// Gives requests to the connections that are ready: to all, or those that are due.
    fn send(&mut self, now: Instant) {
        while let Some(index) = self.ready.pop_front() {
            match &mut self.schedule {
                None => self.send_on(index, now, now),
                Some((interval, next)) if *next <= now => {
                    let intended = *next;
                    *next += *interval;
                    self.send_on(index, intended, now);
                }
                Some(_) => {
                    self.ready.push_front(index);
                    return;
                }
            }
        }
    }

    fn send_on(&mut self, index: usize, intended: Instant, now: Instant) {
        let Some(Some(connection)) = self.connections.get_mut(index) else {
            return;
        };
        let room = self.server.manner.pipelining - connection.pending.len();
        // Without a rate a connection takes all that it has room for.
        let count = if self.schedule.is_some() { 1 } else { room };
        for _ in 0..count {
            let step = self.steps.next();
            let pending = Pending {
                step,
                intended,
                sent: now,
            };
            connection.send(pending, |outgoing| self.requests.write(step, outgoing));
        }
        self.under_way += count;
        if count < room {
            self.ready.push_back(index);
        }
        if let Err(end) = connection.flush() {
            self.end(index, end);
        }
    }

    /// Something happened on a connection.
    fn handle(&mut self, index: usize, writable: bool) {
        let Some(Some(connection)) = self.connections.get_mut(index) else {
            return;
        };
        let was_full = connection.pending.len() == self.server.manner.pipelining;
        let mut answered = 0;
        let now = Instant::now();
        let result = connection.receive(|pending, answer| {
            answered += 1;
            let counts_from = if self.schedule.is_some() {
                pending.intended
            } else {
                now
            };
            note(
                &mut self.record,
                self.round,
                &pending,
                answer.status,
                now,
                counts_from,
            );
        });
        let result = match result {
            Ok(()) if writable => connection.flush(),
            result => result,
        };
        self.under_way -= answered;
        self.round.live.fetch_add(answered as u64, Relaxed);
        if was_full && answered > 0 {
            self.ready.push_back(index);
        }
        if let Err(end) = result {
            self.end(index, end);
        }
    }

    /// Gives a connection up. What was under way on it may have happened or not.
    fn end(&mut self, index: usize, end: End) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::take) else {
            return;
        };
        self.ready.retain(|ready| *ready != index);
        self.under_way -= connection.pending.len();
        for pending in &connection.pending {
            self.record.tally.unanswered(pending.step);
            self.record.error(&end.to_string());
        }
        // A server may close a connection after an answer. One that is failing is left alone for a tick.
        if connection.pending.is_empty() && end == End::Closed {
            self.connect(index);
        }
    }

    fn count_what_was_not_begun(&mut self) {
        if let Some((interval, next)) = self.schedule
            && next < self.round.end
            && !self.round.stop.load(Relaxed)
        {
            let missed = (self.round.end - next).as_nanos() / interval.as_nanos().max(1) + 1;
            self.record.errors_of_a_kind(NOT_BEGUN, missed as u64);
        }
    }
}

/// Writes down that a request was answered. Its latency is kept if `counts_from` is within the round: with a
/// rate that is when it was to begin, however late its answer; else the time of its answer.
fn note(
    record: &mut Measurements,
    round: &Round<'_>,
    pending: &Pending,
    status: u16,
    now: Instant,
    counts_from: Instant,
) {
    let refused = status == 400 && pending.step.action == Action::Withdraw;
    if status != 200 && !refused {
        // An error of the server's may have come before or after the money moved.
        if status >= 500 {
            record.tally.unanswered(pending.step);
        }
        record.error(&format!("status {status}"));
        return;
    }
    if !refused {
        record.tally.acknowledged(pending.step, 1);
    }
    record.operations(round, now, 1);
    if round.counts(now) && refused {
        record.refused += 1;
    }
    if round.counts(counts_from) {
        record.latency(now - pending.intended);
    }
}

/// Writes requests.
struct Requests<'a> {
    numbers: &'a [AccountNumber],
    read: Template,
    deposit: Template,
    withdraw: Template,
}

/// A request but for the account's number.
struct Template {
    before: String,
    after: String,
}

impl<'a> Requests<'a> {
    fn new(address: &Address, numbers: &'a [AccountNumber]) -> Self {
        let body = format!("{{\"amount\":{}}}", AMOUNT.cents());
        let template = |method: &str, path: &str, fields: &str| Template {
            before: format!("{method} {}/accounts/", address.prefix),
            after: format!(
                "/{path} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n",
                address.authority
            ),
        };
        let length = body.len();
        let fields = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        let post = |path| {
            let template = template("POST", path, &fields);
            Template {
                after: template.after + &body,
                ..template
            }
        };
        Self {
            numbers,
            read: template("GET", "balance", ""),
            deposit: post("deposit"),
            withdraw: post("withdraw"),
        }
    }

    fn write(&self, step: Step, outgoing: &mut Vec<u8>) {
        let template = match step.action {
            Action::Read => &self.read,
            Action::Deposit => &self.deposit,
            Action::Withdraw => &self.withdraw,
        };
        outgoing.extend_from_slice(template.before.as_bytes());
        if let Some(number) = self.numbers.get(step.account) {
            let mut text = [0; AccountNumber::TEXT_LEN];
            outgoing.extend_from_slice(number.encode(&mut text).as_bytes());
        }
        outgoing.extend_from_slice(template.after.as_bytes());
    }
}
