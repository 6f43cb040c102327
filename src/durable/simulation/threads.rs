//! The engine with its threads, which a crash ends anywhere.
//!
//! The order of events is the threads' own, so a seed does not bring a failure back; the rounds are many instead.
//! Every command has a key. What was acknowledged before the crash is in the journal; all the rest is sent again, and
//! afterwards each happened once.

use std::collections::BTreeMap;

use super::disk::Disk;
use super::judge;
use super::model::answer_of;
use crate::durable::submission::Answer;
use crate::durable::{DurableConfig, DurableLedger};
use crate::journal::Record;
use crate::values::account_number::AccountNumber;
use crate::values::change::{Change, Command, CommandError, NotDone};
use crate::values::money::{Amount, Cents};

/// How many crashes there are without `THREAD_CRASHES`.
const CRASHES: u64 = 12;

const CALLERS: usize = 4;

/// How many commands each caller sends in a round.
const COMMANDS: usize = 24;

fn open(disk: &Disk, round: u64) -> Option<DurableLedger> {
    let mut config = DurableConfig::new(100);
    config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
    // In some rounds all batches are written beside, in some those of several records.
    config.write_beside_bytes = usize::try_from(round % 3).unwrap() * 250;
    DurableLedger::open_on(disk.mount(), config, &mut |_| {}).ok()
}

fn command(number: AccountNumber, caller: usize, index: usize) -> Command {
    let amount = Amount::from_cents(1 + index as i64 % 5).unwrap();
    let change = match index % 3 {
        0 => Change::Deposit { number, amount },
        1 => Change::Withdraw { number, amount },
        _ => Change::Open {
            initial: Cents::new(caller as i64).unwrap(),
        },
    };
    Command {
        change,
        key: Some(format!("{caller}-{index}").parse().unwrap()),
    }
}

/// Sends what one caller has to send: one by one, a few at a time, or all at once.
fn call(ledger: &DurableLedger, number: AccountNumber, caller: usize) -> Vec<Answer> {
    let commands: Vec<_> = (0..COMMANDS)
        .map(|index| command(number, caller, index))
        .collect();
    let at_once = [1, 2, 5, COMMANDS][caller % 4];
    let submissions = commands.chunks(at_once);
    submissions
        .flat_map(|commands| {
            let answers = ledger.submit(commands.to_vec()).wait();
            // Whoever is answered sees what was said, or something later.
            for receipt in answers.iter().flatten() {
                ledger.balance(receipt.number).expect("it is visible");
            }
            answers
        })
        .collect()
}

fn all_call(ledger: &DurableLedger, number: AccountNumber) -> Vec<Vec<Answer>> {
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| scope.spawn(move || call(ledger, number, caller)))
            .collect();
        callers.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

fn crash(round: u64) {
    let disk = Disk::new(round);
    let ledger = open(&disk, round).unwrap();
    let initial = Cents::new(10).unwrap();
    let opened = ledger.create(initial).wait();
    let number = opened.unwrap().number;
    disk.end_at(disk.calls() + usize::try_from(round % 40).unwrap());
    let answers = all_call(&ledger, number);
    let seen = ledger.balance(number).unwrap();
    drop(ledger);
    if round.is_multiple_of(3) {
        disk.kill();
    } else {
        disk.lose_power();
    }
    let ledger = open(&disk, round).expect("it opens");
    let by_key = |records: Vec<Record>| {
        let keyed = records
            .into_iter()
            .filter_map(|it| Some((it.key.clone()?, it)));
        keyed.collect::<BTreeMap<_, _>>()
    };
    let records = by_key(judge::records(&*disk.copy().mount()));
    let mut balances = vec![initial];
    balances.extend(
        records
            .values()
            .filter(|it| it.number() == Some(number))
            .filter_map(|it| Some(it.outcome.ok()?.balance)),
    );
    assert!(balances.contains(&seen), "what was seen is gone");
    for (caller, answers) in answers.iter().enumerate() {
        for (index, answer) in answers.iter().enumerate() {
            let sent = command(number, caller, index);
            match answer {
                Err(CommandError::NotDone(NotDone::Failed)) => {}
                Err(CommandError::NotDone(NotDone::ReadOnly)) => {
                    assert!(!records.contains_key(sent.key.as_ref().unwrap()));
                }
                Err(CommandError::NotDone(other)) => panic!("{other}"),
                decided => {
                    let record = &records[sent.key.as_ref().unwrap()];
                    assert_eq!(*decided, answer_to(record, false));
                    assert_eq!(record.change, sent.change);
                }
            }
        }
    }
    let again = all_call(&ledger, number);
    let all = judge::records(&*disk.copy().mount());
    assert_eq!(all.len(), 1 + CALLERS * COMMANDS, "each is there once");
    let all = by_key(all);
    for (caller, answers) in again.iter().enumerate() {
        for (index, answer) in answers.iter().enumerate() {
            let key = command(number, caller, index).key.unwrap();
            let replayed = records.contains_key(&key);
            assert_eq!(*answer, answer_to(&all[&key], replayed));
        }
    }
}

#[test]
fn no_crash_of_the_threads_loses_what_was_acknowledged_or_does_anything_twice() {
    let crashes = std::env::var("THREAD_CRASHES").map(|it| it.parse().unwrap());
    for round in 0..crashes.unwrap_or(CRASHES) {
        crash(round);
    }
}

/// What the caller of a record is answered.
fn answer_to(record: &Record, replayed: bool) -> Answer {
    answer_of(record.outcome, record.at.as_micros(), replayed)
}
