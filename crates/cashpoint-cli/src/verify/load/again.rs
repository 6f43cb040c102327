//! What clients do beside asking and waiting: they send a request again with its key, two of them at a time, they hang up,
//! shut down their sending side, or go quiet in the middle of a request.

use std::sync::Mutex;
use std::time::Duration;

use cashpoint::AccountNumber;
use rand::RngExt as _;

use super::{Load, Seat, Tenant, Worker, doom, lock};
use crate::client::Manner;
use crate::verify::history::{Action, Outcome};
use crate::verify::keyed::{Keyed, Verbatim};
use crate::verify::repeats::{self, Repeats};
use crate::verify::subject::{Stage, is_answered};

/// One request with a key of so many is sent by another worker at the same time; and one operation of so many is one of before,
/// sent again.
const RACE_ONE_IN: u32 = 4;
const REPEAT_ONE_IN: u32 = 16;

/// For how long a client goes quiet, and how seldom: a few times for each connection in a run of a million operations.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_ONE_IN: u32 = 8;

/// How often an account is asked, and others in between, before it is taken for one that does not answer any more.
const ROUNDS: u32 = 12;

/// How likely it is that a request has a key whose client hangs up: without one its outcome stays unknown.
const HANG_UP_WITH_KEY: f64 = 0.75;

impl Worker<'_> {
    /// The same with an idempotency key: others send it, too, at the same time and later.
    pub(super) fn perform_with_key(
        &mut self,
        load: &Load,
        repeats: &Repeats,
        tenant: Tenant,
        action: Action,
    ) -> Option<Outcome> {
        let Some(keyed) = repeats.key(tenant.number, action) else {
            return self.perform(load, tenant, action);
        };
        let races = self.random.random_ratio(1, RACE_ONE_IN);
        let called = self.begin(load);
        if races {
            repeats.offer(&keyed);
        }
        let (mut answered, verbatim) = self.session.call_with_key(&keyed);
        if races && answered.is_none() {
            // Not sent from here, but perhaps by somebody else.
            answered = Some(Outcome::Unknown.into());
        }
        if let Some(verbatim) = verbatim {
            if races {
                repeats.raced(&keyed, &verbatim, &mut self.oddities);
            }
            repeats.remember(keyed, verbatim);
        }
        self.record(load, tenant, action, called, answered)
    }

    /// Sends again what others have sent, or are about to.
    pub(super) fn repeat(&mut self, load: &Load, repeats: &Repeats) {
        if let Some(keyed) = repeats.take_offered()
            && let Some(answer) = self.session.call_again(&keyed)
        {
            repeats.raced(&keyed, &answer, &mut self.oddities);
        }
        if !self.random.random_ratio(1, REPEAT_ONE_IN) {
            return;
        }
        let Some((keyed, first)) = repeats.draw(&mut self.random) else {
            return;
        };
        let other = match (self.random.random_range(0..8), keyed.action) {
            (0, Action::Deposit(sum)) => Some((keyed.number, Action::Deposit(sum + 1))),
            (0, Action::Withdraw(sum)) => Some((keyed.number, Action::Withdraw(sum + 1))),
            (1, action) => {
                let seat = load
                    .seats
                    .get(self.random.random_range(0..load.seats.len()));
                let number = seat.map(|seat| lock(seat).current.number);
                number
                    .filter(|it| *it != keyed.number)
                    .map(|it| (it, action))
            }
            _ => None,
        };
        match other {
            Some((number, action)) => {
                let key = keyed.key.clone();
                let other = Keyed {
                    number,
                    action,
                    key,
                };
                if let Some(answer) = self.session.call_again(&other) {
                    repeats::hold_other(&keyed, &other, &answer, &mut self.oddities);
                }
            }
            None => self.ask_again(&keyed, &first, "later"),
        }
    }

    /// Sends a request again, and holds what is answered against the first answer.
    pub(super) fn ask_again(&mut self, keyed: &Keyed, first: &Verbatim, when: &str) {
        if let Some(again) = self.session.call_again(keyed) {
            repeats::hold(keyed, first, &again, when, &mut self.oddities);
        }
    }

    /// Asks for a movement of money as few clients do. Afterwards the account must still answer.
    pub(super) fn misbehave(
        &mut self,
        load: &Load,
        seat: &Mutex<Seat>,
        tenant: Tenant,
        action: Action,
    ) {
        let what = match self.random.random_range(0..4) {
            0 => {
                self.ask_as(Manner::HalfCloses, load, seat, tenant, action);
                "a client shut down its sending side"
            }
            1 if self.random.random_ratio(1, PAUSE_ONE_IN) => {
                self.ask_as(Manner::Pauses(PAUSE), load, seat, tenant, action);
                "a client went quiet in the middle of a request"
            }
            _ => {
                self.hang_up(load, seat, tenant, action);
                "a client hung up"
            }
        };
        let answered = self.perform(load, tenant, Action::Balance);
        if !is_answered(answered) && self.is_out_of_reach(tenant.number) {
            let kind = format!("an account that does not answer any more after {what}");
            self.oddities
                .wrong(&kind, || format!("account {}, {action:?}", tenant.number));
        }
    }

    /// Tells of an account that does not answer, if everything else does. A server may get to know late that a client
    /// has hung up, so an account is asked again when nothing else is under way.
    pub(super) fn tell_out_of_reach(&mut self, number: AccountNumber) {
        if self.is_out_of_reach(number) {
            self.oddities
                .wrong("an account that does not answer any more", || {
                    format!("account {number}")
                });
        }
    }

    /// Whether an account does not answer while everything else does. A server that has no time for many requests now and then
    /// has none for a few in a row.
    fn is_out_of_reach(&mut self, number: AccountNumber) -> bool {
        (0..ROUNDS).all(|_| {
            let answered = self.session.call(number, Action::Balance);
            !is_answered(answered.map(|it| it.outcome)) && self.session.list().is_some()
        })
    }

    /// Asks for a movement of money as a client of this manner, and waits for the answer.
    fn ask_as(
        &mut self,
        manner: Manner,
        load: &Load,
        seat: &Mutex<Seat>,
        tenant: Tenant,
        action: Action,
    ) {
        let called = self.begin(load);
        let answered = self.session.call_as(manner, tenant.number, action);
        // A server may take it that such a client is gone.
        if self.record(load, tenant, action, called, answered) == Some(Outcome::Unknown) {
            doom(seat, tenant);
        }
    }

    /// Asks for a movement of money and hangs up.
    fn hang_up(&mut self, load: &Load, seat: &Mutex<Seat>, tenant: Tenant, action: Action) {
        let stages = [Stage::Half, Stage::Sent, Stage::Begun];
        let stage = stages.get(self.random.random_range(0..stages.len()));
        let stage = stage.copied().unwrap_or(Stage::Sent);
        let has_key = self.random.random_bool(HANG_UP_WITH_KEY);
        let repeats = load.repeats.as_ref().filter(|_| has_key);
        let keyed = repeats.and_then(|it| it.key(tenant.number, action));
        let called = self.begin(load);
        if self
            .session
            .hang_up(tenant.number, action, keyed.as_ref(), stage)
        {
            let mut answered = Some(Outcome::Unknown.into());
            if let (Some(keyed), Some(repeats)) = (keyed, &load.repeats) {
                // Whether it was done or not: after this it is, once.
                let (again, verbatim) = self.session.call_with_key(&keyed);
                answered = again.or(answered);
                if let Some(verbatim) = verbatim {
                    repeats.remember(keyed, verbatim);
                }
            }
            if self.record(load, tenant, action, called, answered) == Some(Outcome::Unknown) {
                doom(seat, tenant);
            }
        }
    }
}
