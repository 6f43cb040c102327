//! Everything that a ledger does, by several threads at once: for ThreadSanitizer and AddressSanitizer to watch.
//!
//! A plain program, because libtest's own threads set ThreadSanitizer off. It is `cargo test` as well, and fails
//! then if the books do not balance. See run.sh.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test states what it expects by panicking"
)]

#[cfg(feature = "durable")]
mod abandoned;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::thread;

use cashpoint::service::Service;
use cashpoint::{AccountNumber, Amount, Cents, Ledger, Operation};

const THREADS: u64 = 4;
const ROUNDS_DEFAULT: u64 = 500;
const LIMIT: usize = 64;

/// What all threads share.
struct Shared {
    ledger: Ledger,
    service: Service,
    /// Numbers that were open a moment ago, so that threads meet on accounts that others close.
    recent: [(AtomicU64, AtomicU64); 8],
    /// Cents paid in, less those taken out.
    moved: AtomicI64,
}

fn main() {
    // `cargo test` may pass arguments of its own.
    let rounds = std::env::args()
        .nth(1)
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS_DEFAULT);
    let shared = Shared {
        ledger: Ledger::new(LIMIT),
        service: Service::in_memory(LIMIT),
        recent: Default::default(),
        moved: AtomicI64::new(0),
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let shared = &shared;
                scope.spawn(move || (0..rounds).for_each(|round| shared.round(thread, round)))
            })
            .collect();
        // By `join`, whose order of events ThreadSanitizer knows; the end of a scope alone it does not.
        for thread in threads {
            thread.join().unwrap();
        }
    });
    let session = shared.ledger.pin();
    let left: i64 = session
        .accounts_after(None)
        .map(|it| it.balance.get())
        .sum();
    assert_eq!(left, shared.moved.load(Relaxed), "a cent was made or lost");
    assert_eq!(session.accounts_after(None).count(), shared.ledger.count());
    println!(
        "{} rounds by each of {THREADS} threads; the books balance",
        rounds
    );
    #[cfg(feature = "durable")]
    abandoned::run(rounds);
}

impl Shared {
    fn round(&self, thread: u64, round: u64) {
        let mine = self.ledger.create(cents(100)).ok();
        if let Some(mine) = mine {
            self.moved.fetch_add(100, Relaxed);
            self.remember(round, mine);
        }
        self.move_money(thread + round);
        self.move_money_by_batch(round);
        self.use_the_service(round);
        let session = self.ledger.pin();
        let listed: Vec<_> = session.accounts_after(None).take(40).collect();
        assert!(listed.is_sorted_by(|one, next| one.created < next.created));
        // Somebody else's, as often as one's own; and now and then nobody's.
        let going = match round % 3 {
            0 => mine,
            _ => listed.first().map(|account| account.number),
        };
        if let Some(left) = going.and_then(|number| session.close(number).ok()) {
            self.moved.fetch_sub(left.get(), Relaxed);
        }
    }

    fn move_money(&self, turn: u64) {
        let session = self.ledger.pin();
        for place in 0..8 {
            let number = self.recent(turn + place);
            if session.deposit(number, amount(3)).is_ok() {
                self.moved.fetch_add(3, Relaxed);
            }
            if session.withdraw(number, amount(2)).is_ok() {
                self.moved.fetch_sub(2, Relaxed);
            }
            let _ = self.ledger.balance(number);
        }
        let session = session.refresh();
        let _ = session.balance(self.recent(turn));
    }

    fn move_money_by_batch(&self, turn: u64) {
        let operations: Vec<_> = (0..24)
            .map(|place| {
                let operation = match place % 3 {
                    0 => Operation::Deposit(amount(5)),
                    1 => Operation::Withdraw(amount(4)),
                    _ => Operation::Balance,
                };
                (self.recent(turn + place / 6), operation)
            })
            .collect();
        let mut outcomes = Vec::new();
        self.ledger.pin().apply(&operations, &mut outcomes);
        for ((_, operation), outcome) in operations.iter().zip(outcomes) {
            let cents = match *operation {
                Operation::Deposit(amount) => amount.cents().get(),
                Operation::Withdraw(amount) => -amount.cents().get(),
                Operation::Balance => 0,
            };
            self.moved
                .fetch_add(if outcome.is_ok() { cents } else { 0 }, Relaxed);
        }
    }

    fn use_the_service(&self, turn: u64) {
        let accounts = self.service.accounts_after(None, 5);
        assert!(accounts.iter().all(|it| it.created_at <= it.last_updated));
        match accounts.first() {
            Some(account) if turn.is_multiple_of(4) => {
                let _ = at_once(self.service.close(account.number));
            }
            Some(account) => {
                let _ = at_once(self.service.deposit(account.number, amount(1)));
            }
            None => {}
        }
        let _ = at_once(self.service.create(Cents::ZERO));
    }

    fn remember(&self, turn: u64, number: AccountNumber) {
        let [first, second] = halves(number);
        let (high, low) = self.place(turn);
        // The halves of two numbers may come to stand together: then it is the number of nobody.
        high.store(first, Relaxed);
        low.store(second, Relaxed);
    }

    fn recent(&self, turn: u64) -> AccountNumber {
        let (high, low) = self.place(turn);
        let (high, low) = (high.load(Relaxed), low.load(Relaxed));
        let hex = format!("{high:016x}{low:016x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &hex[part]);
        parts.join("-").parse().unwrap()
    }

    fn place(&self, turn: u64) -> &(AtomicU64, AtomicU64) {
        let mut places = self.recent.iter().cycle();
        places.nth((turn % 8) as usize).unwrap()
    }
}

/// The two halves of a number, by its text.
fn halves(number: AccountNumber) -> [u64; 2] {
    let hex = number.to_string().replace('-', "");
    [&hex[..16], &hex[16..]].map(|half| u64::from_str_radix(half, 16).unwrap())
}

/// What a future gives that is ready when it is first asked, as those of a service in memory are.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("a service in memory never waits"),
    }
}

fn cents(value: i64) -> Cents {
    Cents::new(value).unwrap()
}

fn amount(value: i64) -> Amount {
    Amount::from_cents(value).unwrap()
}
