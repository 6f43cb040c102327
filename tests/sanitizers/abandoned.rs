//! Callers who give up on the durable ledger: they ask, poll the answer, and drop it while it is being sent.
//!
//! That is what an HTTP client does to the service by closing its connection while it waits. The commands are done all
//! the same, so in the end every one of them is on the account.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use cashpoint::durable::{DurableConfig, DurableLedger, Pending};
use cashpoint::{AccountNumber, Cents};

use super::{THREADS, amount};

/// How many answers a caller waits for at a time.
const AT_A_TIME: usize = 32;

/// Runs `rounds` rounds in each thread, and checks that no command was lost and none was done twice.
pub(crate) fn run(rounds: u64) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = DurableLedger::open(directory.path(), DurableConfig::new(1)).unwrap();
    let account = ledger.create(Cents::ZERO).wait();
    let account = account.unwrap().number;
    let dropped = AtomicU64::new(0);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..THREADS)
            .map(|caller| {
                let (ledger, dropped) = (&ledger, &dropped);
                scope.spawn(move || {
                    for round in 0..rounds {
                        dropped.fetch_add(abandon(ledger, account, caller + round), Relaxed);
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
    });
    // What was submitted before is decided before: there is one order.
    let last = ledger.deposit(account, amount(1)).wait();
    let asked = THREADS * rounds * AT_A_TIME as u64 + 1;
    let balance = last.unwrap().balance;
    assert_eq!(balance.get(), i64::try_from(asked).unwrap());
    let dropped = dropped.into_inner();
    assert!(dropped > 0, "no answer was dropped before it came");
    println!(
        "{asked} durable deposits, {dropped} of them dropped before their answer came; all are on the account"
    );
}

/// Asks for some deposits, polls each answer once, and drops them all as soon as something comes: the rest is being sent
/// then. Returns how many answers had not come when they were polled.
fn abandon(ledger: &DurableLedger, account: AccountNumber, turn: u64) -> u64 {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut answers: Vec<Pending> = (0..AT_A_TIME)
        .map(|_| ledger.deposit(account, amount(1)))
        .collect();
    answers.retain_mut(|answer| match Pin::new(answer).poll(&mut context) {
        Poll::Ready(answer) => {
            answer.unwrap();
            false
        }
        Poll::Pending => true,
    });
    let open = answers.len() as u64;
    if open > 0 {
        thread::park();
    }
    // From the other end now and then, so that callers and the sequencer meet at every place.
    if turn.is_multiple_of(2) {
        answers.reverse();
    }
    // Whoever has polled may wait all the same.
    if turn.is_multiple_of(8)
        && let Some(last) = answers.pop()
    {
        assert_eq!(last.wait().unwrap().number, account);
    }
    open
}

/// Wakes a thread, which takes its time, as waking a task of an async runtime does.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
