//! Runs a model over all executions, and collects what came of them.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use loom_tests::{Amount, Cents, Loads, model_loads_as};

/// How often, in models that are too large to be run without a bound, a thread may be stopped in the
/// middle of what it does. One less with plain loads, of which each may moreover read several values.
pub(crate) const PREEMPTIONS_MAX: usize = 3;

/// Runs `model` both ways (see `Loads`), and holds its outcomes against `specified`.
///
/// With loads as read-modify-writes the outcomes must *equal* what is specified: every one comes up, and
/// no other. With plain loads, where loom tries fewer interleavings but lets a load read stale values,
/// none may come up that is not specified. Returns which did.
#[track_caller]
pub(crate) fn assert_outcomes<O>(
    model: impl Fn() -> O + Clone + Send + Sync + 'static,
    specified: &BTreeSet<O>,
) -> BTreeSet<O>
where
    O: Debug + Ord + Send + 'static,
{
    assert_outcomes_within(model, None, specified)
}

/// As [`assert_outcomes`], over the executions with at most [`PREEMPTIONS_MAX`] preemptions: four threads are
/// out of reach without a bound. A thread that has ended is not preempted, so all sequential orders are among
/// them.
#[track_caller]
pub(crate) fn assert_outcomes_of_few_preemptions<O>(
    model: impl Fn() -> O + Clone + Send + Sync + 'static,
    specified: &BTreeSet<O>,
) where
    O: Debug + Ord + Send + 'static,
{
    assert_outcomes_within(model, Some(PREEMPTIONS_MAX), specified);
}

#[track_caller]
fn assert_outcomes_within<O>(
    model: impl Fn() -> O + Clone + Send + Sync + 'static,
    preemptions_max: Option<usize>,
    specified: &BTreeSet<O>,
) -> BTreeSet<O>
where
    O: Debug + Ord + Send + 'static,
{
    let start = Instant::now();
    let (outcomes, executions) =
        every_outcome_of(Loads::ReadModifyWrite, preemptions_max, model.clone());
    assert_eq!(
        &outcomes, specified,
        "the outcomes of all interleavings (left) are not those specified (right)"
    );
    let preemptions_max = preemptions_max.map(|max| max - 1);
    let (stale, executions_plain) = every_outcome_of(Loads::Plain, preemptions_max, model);
    assert!(
        stale.is_subset(specified),
        "stale reads lead to {:?}",
        stale.difference(specified)
    );
    println!(
        "{}: all {} outcomes in {executions} executions; with plain loads {} in {executions_plain}; {} ms",
        std::thread::current().name().unwrap_or_default(),
        specified.len(),
        stale.len(),
        start.elapsed().as_millis()
    );
    stale
}

/// As [`assert_outcomes`], and with plain loads every outcome must come up as well: a model of orderings
/// that does not get there shows nothing.
#[track_caller]
pub(crate) fn assert_outcomes_also_of_stale_reads<O>(
    model: impl Fn() -> O + Clone + Send + Sync + 'static,
    specified: &BTreeSet<O>,
) where
    O: Debug + Ord + Send + 'static,
{
    let stale = assert_outcomes(model, specified);
    assert_eq!(
        &stale, specified,
        "with plain loads, loom does not reach every outcome"
    );
}

/// The outcomes of all executions that loom tries, and how many these are.
fn every_outcome_of<O: Ord + Send + 'static>(
    loads: Loads,
    preemptions_max: Option<usize>,
    model: impl Fn() -> O + Send + Sync + 'static,
) -> (BTreeSet<O>, usize) {
    let seen = Arc::new(Mutex::new((BTreeSet::new(), 0)));
    let into = Arc::clone(&seen);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions_max;
    builder.check(move || {
        model_loads_as(loads);
        let outcome = model();
        let mut seen = into.lock().unwrap();
        seen.0.insert(outcome);
        seen.1 += 1;
    });
    let mut seen = seen.lock().unwrap();
    std::mem::take(&mut *seen)
}

/// Runs all at once, each on a thread of its own, and returns what they returned.
pub(crate) fn concurrently<T: Send + 'static>(
    threads: impl IntoIterator<Item = Box<dyn FnOnce() -> T + Send>>,
) -> Vec<T> {
    let mut threads = threads.into_iter();
    // The model's own thread takes part: loom allows few, and each one more costs.
    let own = threads.next().unwrap();
    let others: Vec<_> = threads.map(loom::thread::spawn).collect();
    let mut results = vec![own()];
    results.extend(others.into_iter().map(|thread| thread.join().unwrap()));
    results
}

pub(crate) fn cents(value: i64) -> Cents {
    Cents::new(value).unwrap()
}

pub(crate) fn amount(value: i64) -> Amount {
    Amount::new(cents(value)).unwrap()
}
