//! Whether the history of one account is linearizable: whether each operation can have taken effect at one
//! instant between its call and its answer.
//!
//! Just-in-time linearization (Lowe, "Testing for linearizability", 2017). The checker is told of calls and
//! answers in the order of their times, and keeps every *configuration* that they leave possible: the state of
//! the account, and which of the open operations have taken effect already. At an answer each configuration in
//! which that operation has not yet taken effect is replaced by all those that other open operations lead to,
//! one after another, up to it. When none is left, no order explains what was answered.
//!
//! So it remembers as much as is open, and nothing of the past, however long the history. Accounts are
//! checked one by one because linearizability is local (Herlihy and Wing, 1990).
//!
//! Operations that leave the account as it was take effect as soon as a configuration is in a state that they
//! fit: it costs nothing and rules nothing out. Without this, eight open reads would make 256
//! configurations of one.
//!
//! An operation of unknown outcome stays open for good: it may take effect at any later time, or never. Two
//! things keep such operations from multiplying the configurations. Those that ask for the same are
//! interchangeable, so they take effect in one order only. And of two configurations that differ in no more
//! than which of them have taken effect, the one with more of them still to come explains all that the other
//! does.

use foldhash::{HashSet, HashSetExt as _};

use super::history::{Action, Outcome};
use super::specification::{Effect, State};

/// The most operations on one account that may be open at a time, those of unknown outcome included.
pub(super) const OPEN_MAX: usize = 128;

/// How many configurations are looked at for one answer before the checker gives up. A history with answers
/// has a handful; only many unknown outcomes of different kinds on one account come near.
const CONFIGURATIONS_MAX: usize = 1 << 16;

/// How many are looked at for one account in all, those with one explanation only not counted.
const ACCOUNT_CONFIGURATIONS_MAX: usize = 1 << 22;

/// Larger sets are let go of after use.
const SCRATCH_MAX: usize = 1 << 10;

/// An open operation, from its call to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u8);

/// Which open operations have taken effect, a bit for each slot.
type Set = u128;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Configuration {
    state: State,
    done: Set,
}

impl Configuration {
    /// Whether it explains all that `other` does: at most fewer of the `unknown` operations have taken effect.
    fn covers(self, other: Self, unknown: Set) -> bool {
        self.state == other.state
            && self.done & !unknown == other.done & !unknown
            && self.done & !other.done == 0
    }
}

/// What the checker says at an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Some order explains everything so far.
    Linearizable,
    /// None does.
    Violation,
    /// There are more orders than can be looked at.
    GaveUp,
}

/// Follows one account.
#[derive(Clone, Debug)]
pub(super) struct Checker {
    configurations: Vec<Configuration>,
    open: Set,
    /// Of those, the operations that leave the account as it was.
    harmless: Set,
    /// Of those, the operations of unknown outcome.
    unknown: Set,
    /// The effects of what is open, by slot.
    effects: Vec<Effect>,
    next: Vec<Configuration>,
    /// Configurations to go on from, each with the operations that can take effect next.
    pending: Vec<(Configuration, Set)>,
    seen: HashSet<Configuration>,
    /// How many configurations were looked at so far.
    looked_at: usize,
}

impl Checker {
    /// Begins with an account in this state.
    pub(super) fn new(state: State) -> Self {
        Self {
            configurations: vec![Configuration { state, done: 0 }],
            open: 0,
            harmless: 0,
            unknown: 0,
            effects: Vec::new(),
            next: Vec::new(),
            pending: Vec::new(),
            seen: HashSet::new(),
            looked_at: 0,
        }
    }

    /// An operation is called that will be answered so. `None` if too many are open.
    pub(super) fn call(&mut self, action: Action, outcome: Outcome) -> Option<Slot> {
        let index = (!self.open).trailing_zeros() as usize;
        if index >= OPEN_MAX {
            return None;
        }
        let effect = Effect::of(action, outcome);
        if index == self.effects.len() {
            self.effects.push(effect);
        } else if let Some(slot) = self.effects.get_mut(index) {
            *slot = effect;
        }
        let bit = 1 << index;
        self.open |= bit;
        if outcome == Outcome::Unknown {
            self.unknown |= bit;
        } else if effect.leaves_as_it_was() {
            self.harmless |= bit;
            for configuration in &mut self.configurations {
                if effect.fits(configuration.state) {
                    configuration.done |= bit;
                }
            }
        }
        Some(Slot(index as u8))
    }

    /// The answer has come.
    pub(super) fn answer(&mut self, Slot(slot): Slot) -> Judgement {
        let bit: Set = 1 << slot;
        self.next.clear();
        self.seen.clear();
        let mut gave_up = false;
        for index in 0..self.configurations.len() {
            let Some(&configuration) = self.configurations.get(index) else {
                break;
            };
            if configuration.done & bit != 0 {
                self.reach(configuration, bit);
            } else if !self.explore(configuration, bit) {
                gave_up = true;
                break;
            }
        }
        self.looked_at += self.seen.len();
        if self.seen.capacity() > SCRATCH_MAX {
            self.seen = HashSet::new();
        }
        self.open &= !bit;
        self.harmless &= !bit;
        std::mem::swap(&mut self.configurations, &mut self.next);
        if gave_up || self.looked_at > ACCOUNT_CONFIGURATIONS_MAX {
            Judgement::GaveUp
        } else if self.configurations.is_empty() {
            Judgement::Violation
        } else {
            Judgement::Linearizable
        }
    }

    /// The state of the account, and the slots of the open operations that have not taken effect, if nothing
    /// else is possible.
    pub(super) fn certain(&self) -> Option<(State, impl Fn(Slot) -> bool + use<>)> {
        match self.configurations.as_slice() {
            [one] => {
                let open = self.open & !one.done;
                Some((one.state, move |Slot(slot): Slot| open & (1 << slot) != 0))
            }
            _ => None,
        }
    }

    /// These operations of unknown outcome cannot take effect from now on: the server was stopped, and started
    /// again.
    ///
    /// What did take effect is known only once an answer has told: to be called after a read that was called
    /// after the restart.
    pub(super) fn forget(&mut self, slots: impl Iterator<Item = Slot>) {
        let over = slots.fold(0, |over, Slot(slot)| over | (1 << slot));
        self.unknown &= !over;
        self.open &= !over;
        for configuration in &mut self.configurations {
            configuration.done &= !over;
        }
        self.configurations.sort_unstable();
        self.configurations.dedup();
    }

    /// Keeps a configuration in which the operation of `bit` has taken effect, and is over.
    fn reach(&mut self, mut configuration: Configuration, bit: Set) {
        configuration.done &= !bit;
        let unknown = self.unknown;
        let kept = self
            .next
            .iter()
            .any(|kept| kept.covers(configuration, unknown));
        if !kept {
            self.next
                .retain(|kept| !configuration.covers(*kept, unknown));
            self.next.push(configuration);
        }
    }

    /// Reaches every configuration that open operations lead to from `from`, the last of them that of `bit`.
    /// Whether it got through all of them.
    fn explore(&mut self, from: Configuration, bit: Set) -> bool {
        self.pending.clear();
        let onward = self.fitting(from.state) & !self.harmless & !from.done;
        self.pending.push((from, onward));
        while let Some((Configuration { state, done }, onward)) = self.pending.pop() {
            let waiting = self.unknown & !done;
            for slot in slots(onward) {
                if self.has_twin_before(slot, waiting) {
                    continue;
                }
                let Some(state) = self.after(state, slot) else {
                    continue;
                };
                let fitting = self.fitting(state);
                let reached = Configuration {
                    state,
                    done: done | 1 << slot | (fitting & self.harmless),
                };
                let onward = fitting & !reached.done;
                if reached.done & bit != 0 {
                    self.reach(reached, bit);
                } else if onward != 0 && self.seen.insert(reached) {
                    if self.seen.len() + self.next.len() > CONFIGURATIONS_MAX {
                        return false;
                    }
                    self.pending.push((reached, onward));
                }
            }
        }
        true
    }

    /// Whether this is an operation of unknown outcome, and one that asks for the same waits in a lower slot.
    fn has_twin_before(&self, slot: usize, waiting: Set) -> bool {
        let bit: Set = 1 << slot;
        waiting & bit != 0
            && slots(waiting & (bit - 1))
                .any(|twin| self.effects.get(twin) == self.effects.get(slot))
    }

    /// The open operations that could take effect in this state.
    fn fitting(&self, state: State) -> Set {
        // Without a branch for each operation, and half a set at a time: most of the checker's time goes here.
        let halves = self.effects.chunks(u64::BITS as usize).map(|effects| {
            let fits = effects.iter().map(|effect| u64::from(effect.fits(state)));
            fits.rev().fold(0_u64, |set, fits| set << 1 | fits)
        });
        let fitting = halves
            .rev()
            .fold(0, |set: Set, half| set << 64 | Set::from(half));
        fitting & self.open
    }

    fn after(&self, state: State, slot: usize) -> Option<State> {
        state.after(self.effects.get(slot)?)
    }
}

/// The slots of a set, from the lowest.
fn slots(mut set: Set) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let slot = set.trailing_zeros() as usize;
        set &= set.checked_sub(1)?;
        Some(slot)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Balance, Close, Deposit, Withdraw};
    use Judgement::{Linearizable, Violation};

    /// A checker of an account with a balance of 100.
    fn checker() -> Checker {
        Checker::new(State::Open(100))
    }

    /// Calls, one while the others are open.
    fn call<const N: usize>(checker: &mut Checker, calls: [(Action, Outcome); N]) -> [Slot; N] {
        calls.map(|(action, outcome)| checker.call(action, outcome).unwrap())
    }

    #[test]
    fn one_operation_after_another_has_one_explanation() {
        let mut checker = checker();
        for (action, outcome, judgement) in [
            (Deposit(50), Outcome::Balance(150), Linearizable),
            (Balance, Outcome::Balance(150), Linearizable),
            (Withdraw(151), Outcome::InsufficientFunds, Linearizable),
            (Withdraw(150), Outcome::Balance(0), Linearizable),
            (Close, Outcome::Closed, Linearizable),
            (Balance, Outcome::UnknownAccount, Linearizable),
            (Balance, Outcome::Balance(0), Violation),
        ] {
            let slot = checker.call(action, outcome).unwrap();
            assert_eq!(checker.answer(slot), judgement, "{action:?} {outcome:?}");
        }
    }

    #[test]
    fn operations_that_overlap_take_effect_in_any_order() {
        let mut checker = checker();
        let [deposit, withdrawal, read] = call(
            &mut checker,
            [
                (Deposit(50), Outcome::Balance(80)),
                (Withdraw(70), Outcome::Balance(30)),
                (Balance, Outcome::Balance(100)),
            ],
        );
        assert_eq!(checker.answer(deposit), Linearizable);
        assert_eq!(checker.answer(withdrawal), Linearizable);
        assert_eq!(checker.answer(read), Linearizable);
        let late = checker.call(Balance, Outcome::Balance(30)).unwrap();
        assert_eq!(checker.answer(late), Violation, "both were answered before");
    }

    #[test]
    fn two_withdrawals_of_the_same_money_convict() {
        let mut checker = checker();
        let [one, other] = call(
            &mut checker,
            [
                (Withdraw(70), Outcome::Balance(30)),
                (Withdraw(80), Outcome::Balance(20)),
            ],
        );
        assert_eq!(checker.answer(one), Linearizable);
        assert_eq!(checker.answer(other), Violation);
    }

    #[test]
    fn what_is_unknown_may_happen_late_or_never_and_only_once() {
        for (told, judgement) in [(100, Linearizable), (150, Linearizable), (200, Violation)] {
            let mut checker = checker();
            checker.call(Deposit(50), Outcome::Unknown).unwrap();
            let before = checker.call(Balance, Outcome::Balance(100)).unwrap();
            assert_eq!(checker.answer(before), Linearizable);
            let after = checker.call(Balance, Outcome::Balance(told)).unwrap();
            assert_eq!(checker.answer(after), judgement, "{told}");
        }
    }

    #[test]
    fn what_was_unknown_before_a_restart_has_happened_or_never_will() {
        for (told, judgement) in [(100, Linearizable), (150, Violation)] {
            let mut checker = checker();
            let unknown = checker.call(Deposit(50), Outcome::Unknown).unwrap();
            let read = checker.call(Balance, Outcome::Balance(100)).unwrap();
            assert_eq!(checker.answer(read), Linearizable);
            checker.forget([unknown].into_iter());
            let after = checker.call(Balance, Outcome::Balance(told)).unwrap();
            assert_eq!(checker.answer(after), judgement, "{told}");
        }
    }

    /// Without the two rules for unknown outcomes this would look at 2^48 configurations.
    #[test]
    fn dozens_of_unknown_outcomes_are_followed() {
        let mut checker = Checker::new(State::Open(1_000));
        for _ in 0..16 {
            for action in [Deposit(1), Deposit(20), Withdraw(300)] {
                checker.call(action, Outcome::Unknown).unwrap();
            }
        }
        for (told, judgement) in [
            (1_000, Linearizable),
            (1_000 + 16 + 320, Linearizable),
            (16 + 320 + 1_000 - 4 * 300, Linearizable),
            (17 + 320 + 1_000 - 4 * 300, Violation),
        ] {
            let read = checker.call(Balance, Outcome::Balance(told)).unwrap();
            assert_eq!(checker.answer(read), judgement, "{told}");
        }
    }

    /// As many kinds as `load` draws: more orders than can be looked at, which takes no longer for that.
    #[test]
    fn too_many_unknown_outcomes_are_given_up_at_once() {
        let mut checker = Checker::new(State::Open(1_000_000));
        for kind in 0..32 {
            checker.call(Deposit(1 << kind), Outcome::Unknown).unwrap();
        }
        let deposit = checker.call(Deposit(7), Outcome::Balance(9)).unwrap();
        assert_eq!(checker.answer(deposit), Judgement::GaveUp);
    }

    #[test]
    fn an_operation_too_many_at_once_is_refused() {
        let mut checker = checker();
        for _ in 0..OPEN_MAX {
            checker.call(Balance, Outcome::Balance(100)).unwrap();
        }
        assert_eq!(checker.call(Balance, Outcome::Balance(100)), None);
    }
}
