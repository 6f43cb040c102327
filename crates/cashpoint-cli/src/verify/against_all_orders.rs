//! The checker against all orders tried one by one, on histories small enough for that.

use super::followed::{Course, Followed, follow};
use super::history::{Action, Call, Outcome};
use super::specification::{Effect, State};
use cashpoint::AccountNumber;
use proptest::prelude::*;

const START: State = State::Open(3);

/// What a client does, when, and at which time it takes effect.
#[derive(Clone, Debug)]
struct Step {
    action: Action,
    called: u64,
    length: u64,
    effect: u64,
    unknown: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop_oneof![
        Just(Action::Balance),
        (1..=2_i64).prop_map(Action::Deposit),
        (1..=4_i64).prop_map(Action::Withdraw),
        Just(Action::Close),
    ];
    (
        action,
        0..12_u64,
        0..8_u64,
        any::<prop::sample::Index>(),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(action, called, length, effect, unknown)| Step {
            action,
            called,
            length,
            effect: called + effect.index(length as usize + 1) as u64,
            unknown,
        })
}

/// What is told of an action in a state, and the state after it.
fn done(state: State, action: Action) -> (Outcome, State) {
    let tells = |outcome| {
        state
            .after(&Effect::of(action, outcome))
            .map(|after| (outcome, after))
    };
    let candidates = (0..=40).map(Outcome::Balance).chain([
        Outcome::Closed,
        Outcome::InsufficientFunds,
        Outcome::UnknownAccount,
    ]);
    candidates.into_iter().find_map(tells).unwrap()
}

/// A history of these steps: right, but for one outcome that may be another's.
fn history(mut steps: Vec<Step>, swapped: Option<(usize, Outcome)>) -> Vec<Call> {
    steps.sort_by_key(|step| step.effect);
    let mut state = START;
    let mut records: Vec<_> = steps
        .into_iter()
        .map(|step| {
            let (outcome, after) = done(state, step.action);
            state = after;
            Call {
                account: 0,
                worker: 0,
                action: step.action,
                outcome: if step.unknown {
                    Outcome::Unknown
                } else {
                    outcome
                },
                called: step.called,
                answered: step.called + step.length,
                told_at: None,
            }
        })
        .collect();
    if let Some((index, outcome)) = swapped {
        let index = index % records.len();
        records[index].outcome = outcome;
    }
    records.sort_by_key(|record| record.called);
    records
}

/// Whether some order of `left` explains them: each takes effect when none that was answered before its
/// call is left; those of unknown outcome may never.
fn some_order_explains(state: State, left: &[Call]) -> bool {
    if left.iter().all(|it| it.outcome == Outcome::Unknown) {
        return true;
    }
    left.iter().enumerate().any(|(index, next)| {
        let must_wait = left
            .iter()
            .any(|it| it.outcome != Outcome::Unknown && it.answered < next.called);
        if must_wait {
            return false;
        }
        let Some(state) = state.after(&Effect::of(next.action, next.outcome)) else {
            return false;
        };
        let mut rest = left.to_vec();
        rest.remove(index);
        some_order_explains(state, &rest)
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (0..8_i64).prop_map(Outcome::Balance),
        Just(Outcome::Closed),
        Just(Outcome::InsufficientFunds),
        Just(Outcome::UnknownAccount),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn the_checker_says_what_all_orders_say(
        steps in prop::collection::vec(step(), 1..7),
        swapped in prop::option::of((any::<usize>(), outcome())),
    ) {
        let records = history(steps, swapped);
        let course = follow(&mut Followed::new(AccountNumber::random(), START), &records, |_, _, _| ());
        let explained = some_order_explains(START, &records);
        prop_assert_eq!(course == Course::Linearizable, explained, "{:?}: {:?}", course, records);
        if swapped.is_none() {
            prop_assert!(explained, "it was made in one order");
        }
    }
}
