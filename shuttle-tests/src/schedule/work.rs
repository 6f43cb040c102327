//! What the threads do, drawn from the schedule's seed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use shuttle::rand::RngCore as _;
use shuttle::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::books::{ACCOUNT_LIMIT, Books, Listing, Span, View};
use super::history::{Action, Outcome};
use super::{OPERATIONS, THREADS};
use crate::{
    AccountNumber, Amount, Cents, CreateError, Ledger, Operation, Refusal, Session, UnknownAccount,
    WithdrawError,
};

/// What is on an account at first, in cents. Sums go up to [`SUM_MAX`], so that two withdrawals may be
/// too much.
const INITIAL: i64 = 100;

/// The largest sum that is moved at a time, in cents.
const SUM_MAX: u64 = 60;

/// The most operations in a batch.
const BATCH_MAX: u64 = 4;

/// One schedule out of so many begins at the edge of a page of the creation index.
const SCHEDULES_PER_EDGE: u64 = 64;

/// How many creation numbers are used up before such a schedule begins. The first page of the creation index has
/// 31 (its place 0 is never used), the second ends with number 63.
const NUMBERS_BEFORE_EDGE: usize = 59;

/// A ledger, and what is known of it.
pub(super) struct World {
    ledger: Ledger,
    books: Mutex<Books>,
    seed: Numbers,
    turn: AtomicBool,
}

impl World {
    /// Two accounts that stay to the end, and a third.
    pub(super) fn new(mut seed: Numbers) -> Self {
        let ledger = Ledger::new(ACCOUNT_LIMIT);
        let mut books = Books::default();
        let mut open = || {
            books.opened(
                ledger.create(cents(INITIAL)).unwrap(),
                INITIAL,
                Span::default(),
            )
        };
        open();
        open();
        if seed.below(SCHEDULES_PER_EDGE) == 0 {
            for _ in 2..NUMBERS_BEFORE_EDGE {
                let number = ledger.create(Cents::ZERO).unwrap();
                ledger.close(number).unwrap();
            }
        }
        open();
        Self {
            ledger,
            books: Mutex::new(books),
            seed,
            turn: AtomicBool::new(false),
        }
    }

    pub(super) fn into_parts(self) -> (Ledger, Books) {
        let books = self.books.into_inner();
        (self.ledger, books.unwrap_or_else(PoisonError::into_inner))
    }

    /// One thread's operations. Every other thread keeps one session throughout, and so holds on to accounts
    /// that are gone; the others pin the map for each operation.
    pub(super) fn work(&self, thread: usize) {
        let mut random = self.seed.of_thread(thread);
        let kept = thread.is_multiple_of(2).then(|| self.ledger.pin());
        for _ in 0..OPERATIONS {
            // Before every other operation, a scheduling point: others come between the last access of
            // one and the lookup of the next. Not a yield, which would tell PCT that this thread waits
            // for others.
            if random.below(2) == 0 {
                let _ = self.turn.load(SeqCst);
            }
            let pinned;
            let session = match &kept {
                Some(session) => session,
                None => {
                    pinned = self.ledger.pin();
                    &pinned
                }
            };
            self.operate(session, thread as u32, &mut random);
        }
    }

    fn operate(&self, session: &Session<'_>, worker: u32, random: &mut Numbers) {
        match random.below(48) {
            0..=5 => self.create(session),
            6..=11 => {
                // The first two stay.
                let among = self.books().accounts.len() as u64 - 2;
                let account = 2 + random.below(among) as u32;
                self.single(session, worker, account, Action::Close);
            }
            12..=41 => {
                let account = self.draw_account(random);
                let action = draw_action(random);
                self.single(session, worker, account, action);
            }
            42..=45 => self.batch(session, worker, random),
            46 => self.list(session, 1 + random.below(3) as usize),
            _ => self.count(),
        }
    }

    /// Held only between scheduling points, so nobody ever waits for it.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw_account(&self, random: &mut Numbers) -> u32 {
        random.below(self.books().accounts.len() as u64) as u32
    }

    fn number(&self, account: u32) -> AccountNumber {
        self.books().accounts[account as usize].number
    }

    /// Does something between two ticks of the clock.
    fn timed<T>(&self, operation: impl FnOnce() -> T) -> (T, Span) {
        let called = self.books().tick();
        let returned = operation();
        let answered = self.books().tick();
        (returned, Span { called, answered })
    }

    fn create(&self, session: &Session<'_>) {
        let (created, span) = self.timed(|| session.create(cents(INITIAL), ()));
        match created {
            Ok(number) => self.books().opened(number, INITIAL, span),
            Err(CreateError::LimitReached { .. }) => self.books().refused.push(span),
        }
    }

    fn single(&self, session: &Session<'_>, worker: u32, account: u32, action: Action) {
        let number = self.number(account);
        let ((outcome, left), span) = self.timed(|| done(session, number, action));
        let mut books = self.books();
        books.record(account, worker, action, outcome, span);
        if let Some(left) = left {
            books.accounts[account as usize].closed = Some((span, left));
        }
    }

    fn batch(&self, session: &Session<'_>, worker: u32, random: &mut Numbers) {
        let mut account = self.draw_account(random);
        let mut asked = Vec::new();
        for _ in 0..2 + random.below(BATCH_MAX - 1) {
            // Mostly the same account as before, so that there are runs.
            if random.below(4) == 0 {
                account = self.draw_account(random);
            }
            asked.push((account, draw_action(random)));
        }
        let operations: Vec<_> = asked
            .iter()
            .map(|&(account, action)| (self.number(account), operation(action)))
            .collect();
        // What is in it is to be replaced.
        let mut outcomes = vec![Ok(Cents::MAX)];
        let ((), span) = self.timed(|| session.apply(&operations, &mut outcomes));
        let mut books = self.books();
        let told = asked
            .into_iter()
            .zip(outcomes.iter().copied().map(told))
            .map(|((account, action), outcome)| (account, action, outcome))
            .collect();
        books.batch(worker, operations.len(), told, span);
    }

    /// Lists all accounts in two pages, the first of so many accounts.
    fn list(&self, session: &Session<'_>, first_page: usize) {
        let (views, span) = self.timed(|| {
            let mut views = self.page(session, None, first_page);
            if views.len() == first_page {
                let cursor = views.last().map(|view| view.created);
                views.extend(self.page(session, cursor, usize::MAX));
            }
            views
        });
        self.books().listings.push(Listing { span, views });
    }

    fn page(
        &self,
        session: &Session<'_>,
        cursor: Option<crate::CreationNumber>,
        length: usize,
    ) -> Vec<View> {
        let mut accounts = session.accounts_after(cursor);
        let mut views = Vec::new();
        while views.len() < length {
            // Timed one by one, so that it is known when each balance was read.
            let (next, span) = self.timed(|| accounts.next());
            let Some(account) = next else { break };
            views.push(View {
                number: account.number,
                created: account.created,
                balance: account.balance.get(),
                span,
            });
        }
        views
    }

    fn count(&self) {
        let (count, span) = self.timed(|| self.ledger.count());
        self.books().counts.push((span, count));
    }
}

/// Does it, and tells what came of it; and what was left, if it closed the account.
fn done(session: &Session<'_>, number: AccountNumber, action: Action) -> (Outcome, Option<i64>) {
    let outcome = match action {
        Action::Deposit(sum) => {
            let updated = session.deposit(number, amount(sum));
            told(updated.map(|updated| updated.balance).map_err(Into::into))
        }
        Action::Withdraw(sum) => match session.withdraw(number, amount(sum)) {
            Ok(updated) => Outcome::Balance(updated.balance.get()),
            Err(WithdrawError::InsufficientFunds { .. }) => Outcome::InsufficientFunds,
            Err(WithdrawError::UnknownAccount) => Outcome::UnknownAccount,
        },
        Action::Close => match session.close(number) {
            Ok(left) => return (Outcome::Closed, Some(left.get())),
            Err(UnknownAccount) => Outcome::UnknownAccount,
        },
        _ => told(session.balance(number).map_err(Into::into)),
    };
    (outcome, None)
}

/// What the checker calls it.
fn told(outcome: Result<Cents, Refusal>) -> Outcome {
    match outcome {
        Ok(balance) => Outcome::Balance(balance.get()),
        Err(Refusal::UnknownAccount) => Outcome::UnknownAccount,
        Err(Refusal::InsufficientFunds { .. }) => Outcome::InsufficientFunds,
        // No schedule deposits that much, and an operation opens no account: to it, it is an answer that fits no order.
        Err(Refusal::BalanceLimit { .. } | Refusal::AccountLimit { .. }) => {
            Outcome::InsufficientFunds
        }
    }
}

/// A balance, a deposit or a withdrawal.
fn draw_action(random: &mut Numbers) -> Action {
    let sum = 1 + random.below(SUM_MAX) as i64;
    match random.below(5) {
        0 => Action::Balance,
        1..=2 => Action::Deposit(sum),
        _ => Action::Withdraw(sum),
    }
}

/// The engine's value for it.
fn operation(action: Action) -> Operation {
    match action {
        Action::Deposit(sum) => Operation::Deposit(amount(sum)),
        Action::Withdraw(sum) => Operation::Withdraw(amount(sum)),
        _ => Operation::Balance,
    }
}

fn cents(value: i64) -> Cents {
    Cents::new(value).unwrap()
}

fn amount(value: i64) -> Amount {
    Amount::from_cents(value).unwrap()
}

/// A sequence that looks random and is the same for the same schedule (splitmix64).
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    /// Begins where the schedule says. Shuttle keeps that with the schedule.
    pub(super) fn of_schedule() -> Self {
        Self(shuttle::rand::thread_rng().next_u64())
    }

    fn of_thread(self, thread: usize) -> Self {
        let mut random = self;
        for _ in 0..=thread {
            random = Self(random.next());
        }
        debug_assert!(thread < THREADS);
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
