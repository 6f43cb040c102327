//! Twins of the service, each with one fault.
//!
//! A twin keeps the accounts itself, behind locks, and does right but for its fault. Everything that has
//! nothing to do with accounts (invalid input, redirects, preflights, pages) is asked of a real server beside
//! it, which also mints the account numbers and reads amounts in unusual notation.
//!
//! A fault that needs two operations at a time *sleeps* in between: that gives up the processor, so that others
//! get into the gap on a machine of any load and with one core as well; the busier the machine, the longer
//! the gap. Each fault says why a run of 20,000 operations over 16 connections shows it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cashpoint::Cents;
use cashpoint::service::Service;
use cashpoint_server::Config;

use crate::wire::{self, Message, Upstream};

/// What is wrong with a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// No fault: breaks off one connection of fifty before it does what was asked, and one after.
    BreaksOff,
    /// No fault: answers 503 to one request of fifty before it does what was asked, and to one after.
    Overloaded,
    /// No fault: answers 503 to every second request, once there are [`BUSY`] accounts, and does none of them.
    OftenOverloaded,
    /// No fault: does one thing of a hundred so late that nobody waits for the answer any more.
    Late,
    /// No fault: is gone after a while.
    Dies,
    /// Looks whether there is enough, and takes it later. On the hot account 16 clients compete for the last
    /// money all the time, and about a third of what they do is to withdraw.
    CheckThenActWithdrawal,
    /// Reads the balance, and later stores it with the deposit added: what others did in between is lost. On
    /// the hot account something nearly always is.
    LostUpdate,
    /// Tells balances of up to [`STALE`] ago. The hot account changes a few times in each millisecond.
    StaleRead,
    /// Does one deposit of fifty twice, and tells of once. That is a hundred in a run, each to be seen by
    /// whoever comes next.
    DoubleApply,
    /// Knows no idempotency keys: a deposit that is sent again is done again.
    DoubleApplyOnRetry,
    /// Keeps balances in binary floats, and prints them as the original does. Ten deposits of 0.1 show it, and
    /// no chance is needed.
    FloatMoney,
    /// Has room for one account more than it says. Whoever fills it up sees that.
    LimitOffByOne,
    /// Never gives the last place away. Whoever fills it up sees that.
    LimitTooLow,
    /// Counts the accounts, and opens one later. When 16 clients fill it up, all of them come to the last
    /// place together.
    LimitCheckThenAct,
    /// A deposit puts back the account that it found, also if it was closed meanwhile. A third of what is under
    /// way are deposits, and with their pause they are under way nearly all of the time: of some fifty
    /// closings many meet one, on the hot account each does. The account stays, so whoever asks later sees it.
    ResurrectingDelete,
    /// Answers that an account is closed, and closes it [`LATER`]. The next request finds it open.
    DeleteBeforeEffect,
    /// Looks whether an account is open, and closes it later: two are told that they closed it. While one client
    /// closes the hot account a third of what the others do is to close it too.
    CloseCheckThenAct,
    /// Answers that a deposit is done, and does it [`LATER`]. The next request does not find it.
    DepositBeforeEffect,
    /// Refuses one withdrawal of fifty though there is enough. Of five thousand that is a hundred.
    RefusedThoughFunded,
    /// Takes first, and gives back if there was not enough: meanwhile others see a debt, or are refused what
    /// would have been there. A quarter of all withdrawals on the hot account is refused.
    TransientDebt,
    /// Grants every withdrawal. The first that is too large shows it.
    Overdraft,
    /// Does not list every third account. Whoever opens three sees that one is missing.
    ForgetfulListing,
    /// Lists the newest account twice.
    StutteringListing,
    /// A withdrawal leaves `last_updated`.
    StaleTimes,
    /// One answer of fifty is about another account: the object that it is made of was used by somebody else meanwhile.
    MixedUpAnswer,
    /// One transaction of fifty is answered with another amount than was asked for.
    MixedUpAmount,
    /// One transaction of fifty is answered as a deposit, whatever it was.
    MixedUpKind,
    /// The time of a transaction was never set.
    TimesOf1970,
    /// One transaction of fifty has the time of a clock that was read [`LONG_AGO`].
    TimesThatRunBackwards,
    /// Prints balances from a million on as some languages do: `1e+06`.
    Exponents,
    /// Keeps balances in floats of 32 bits, which count cents exactly up to 167,772.16.
    SmallFloats,
    /// Keeps cents in 32 bits.
    SmallIntegers,
    /// Lists an account that nobody opened.
    StrangeListing,
    /// Says that there are more accounts than it lists.
    ShortListing,
    /// Lists the newest account first.
    ReversedListing,
    /// Looks whether a key is known, does what is asked, and remembers the key then.
    KeyCheckThenAct,
    /// Remembers 256 keys.
    ForgetfulKeys,
    /// Has a store of keys for each of two nodes.
    KeysOfEachNode,
    /// Takes a key for any account.
    KeysOfAnyAccount,
    /// An account that was closed is counted on.
    CountsTheClosed,
    /// Says that there are fewer accounts than none, once there are any.
    NegativeCount,
    /// Fails, with a page that says so, at one request of fifty under load.
    InternalErrors,
    /// Keeps an account for who asks for a movement of money, from the head of the request on; whoever comes meanwhile waits, and
    /// is told that the account is busy. If the body never comes the account is kept for ever.
    KeptForWhoHungUp,
    /// Has a place for 200 accounts where they are looked up, and those that come later take the places of the first.
    ForgetsTheOldest,
}

/// How long a gap is between what belongs together.
const GAP: Duration = Duration::from_millis(1);
/// The same where the rarest meeting matters.
const LONG_GAP: Duration = Duration::from_millis(4);
const STALE: Duration = Duration::from_millis(5);
/// Longer than the tests have a client wait.
const TOO_LATE: Duration = Duration::from_millis(900);
/// How many requests a twin that dies answers.
const LIFE: u64 = 6_000;
const LATER: Duration = Duration::from_millis(5);
const LONG_AGO: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);
/// How many accounts are open under load, and never while rules are asked one by one.
const LOADED: usize = 50;
/// With how many accounts one that is often overloaded is.
const BUSY: usize = 25;
/// Of how many keys a forgetful twin knows.
const FEW_KEYS: usize = 256;
/// How long a request waits for an account that is kept for somebody else.
const A_WHILE: Duration = Duration::from_millis(20);
/// How many accounts a twin looks up.
const PLACES: usize = 200;
/// A number that no account has.
const NOBODY: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
/// Of so many operations one goes wrong, where that is a matter of chance.
const ONE_IN: u64 = 50;

/// A twin that runs until the process ends.
pub(crate) struct Twin {
    address: SocketAddr,
    bank: Arc<Bank>,
}

impl Twin {
    pub(crate) fn start(fault: Fault, max_accounts: usize) -> Self {
        let behind = real_server(1_000_000, Config::default());
        let bank = Arc::new(Bank {
            fault,
            max_accounts,
            accounts: RwLock::default(),
            opened: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            told: Mutex::default(),
            kept: Mutex::default(),
            answered: Mutex::default(),
            scratch: scratch_account(behind),
        });
        let (seeing, serving) = (Arc::clone(&bank), Arc::clone(&bank));
        let see = move |head: &Message| seeing.keep(head);
        let address = wire::serve_seeing(behind, see, move |request, upstream| {
            let mut answer = serving.answer_or_not(&request, upstream)?;
            if request.field("origin").is_some() {
                answer.set("access-control-allow-origin", "*");
            }
            Some(answer)
        });
        Self { address, bank }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn accounts_left(&self) -> usize {
        self.bank.accounts.read().unwrap().len()
    }
}

/// A server of ours in this process.
pub(crate) fn real_server(accounts: usize, config: Config) -> SocketAddr {
    let (told, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            let service = Arc::new(Service::in_memory(accounts));
            let _ = cashpoint_server::run(listener, service, config, std::future::pending()).await;
        });
    });
    address.recv().unwrap()
}

/// An account of the real server that takes amounts for the sake of having them read.
fn scratch_account(behind: SocketAddr) -> String {
    let request = Message {
        start: "POST /accounts HTTP/1.1".to_owned(),
        fields: vec![("Host".to_owned(), behind.to_string())],
        body: b"{}".to_vec(),
        has_length: true,
    };
    let answer = Upstream::new(behind).ask(&request).unwrap();
    value(&answer.text(), "account_number").to_owned()
}

/// The value of a key in flat JSON, without quotes.
fn value<'a>(json: &'a str, key: &str) -> &'a str {
    let (_, rest) = json.split_once(&format!("\"{key}\":")).unwrap();
    rest.split([',', '}']).next().unwrap().trim_matches('"')
}

/// What was asked with a key, and what was answered, once it was.
type Remembered = Option<(String, Message)>;

struct Bank {
    fault: Fault,
    max_accounts: usize,
    accounts: RwLock<HashMap<String, Arc<Account>>>,
    /// How many accounts were ever opened, and how often money moved.
    opened: AtomicU64,
    moved: AtomicU64,
    /// How often it was asked for something.
    asked: AtomicU64,
    /// Balances that were told, and when.
    told: Mutex<HashMap<String, (String, Instant)>>,
    /// The accounts that are kept for somebody, by their paths, and for how many.
    kept: Mutex<HashMap<String, u32>>,
    /// By idempotency keys: what was asked with them, and what was answered.
    answered: Mutex<HashMap<String, Arc<Mutex<Remembered>>>>,
    scratch: String,
}

struct Account {
    number: String,
    place: u64,
    created_at: String,
    state: Mutex<State>,
}

#[derive(Clone)]
struct State {
    cents: i64,
    /// The same, as binary floats have it.
    float: f64,
    closed: bool,
    last_updated: String,
}

/// Why a movement of money is refused.
enum Refused {
    Closed,
    InsufficientFunds,
}

impl Bank {
    /// Keeps an account for who asks for something with a body, until that is there.
    fn keep(&self, head: &Message) {
        if self.fault == Fault::KeptForWhoHungUp && asks_with_a_body(head) {
            let mut kept = self.kept.lock().unwrap();
            *kept.entry(account_of(head)).or_default() += 1;
        }
    }

    /// Whether an account is kept for somebody else for longer than a request takes.
    fn is_kept(&self, request: &Message) -> bool {
        let account = account_of(request);
        if asks_with_a_body(request) {
            let mut kept = self.kept.lock().unwrap();
            *kept.entry(account.clone()).or_insert(1) -= 1;
        }
        let is_free = || {
            self.kept
                .lock()
                .unwrap()
                .get(&account)
                .is_none_or(|it| *it == 0)
        };
        let until = Instant::now() + A_WHILE;
        while !is_free() && Instant::now() < until {
            thread::sleep(GAP);
        }
        !is_free()
    }

    /// The answer, unless this is a twin that has none now and then.
    fn answer_or_not(
        self: &Arc<Self>,
        request: &Message,
        upstream: &mut Upstream,
    ) -> Option<Message> {
        let asked = self.asked.fetch_add(1, SeqCst);
        let busy = || Message::answer(503, "{\"detail\":\"busy\"}");
        let is_loaded = self.accounts.read().unwrap().len() > LOADED;
        let is_busy = self.accounts.read().unwrap().len() >= BUSY;
        match (self.fault, asked % 100) {
            (Fault::KeptForWhoHungUp, _) if self.is_kept(request) => Some(busy()),
            (Fault::InternalErrors, 10 | 60) if is_loaded => {
                Some(Message::answer(500, "<h1>Internal Server Error</h1>"))
            }
            // As good as random, so that no client is always refused.
            (Fault::OftenOverloaded, _)
                if is_busy && ((asked * 2_654_435_761) >> 7).is_multiple_of(2) =>
            {
                Some(busy())
            }
            (Fault::BreaksOff, 10 | 60) => None,
            (Fault::Overloaded, 10 | 60) => Some(busy()),
            (Fault::BreaksOff, 35 | 85) => {
                self.answer(request, upstream)?;
                None
            }
            (Fault::Overloaded, 35 | 85) => {
                self.answer(request, upstream)?;
                Some(busy())
            }
            (Fault::Late, 50) => {
                thread::sleep(TOO_LATE);
                self.answer(request, upstream)
            }
            (Fault::Dies, _) if asked > LIFE => None,
            _ => self.answer(request, upstream),
        }
    }

    fn answer(self: &Arc<Self>, request: &Message, upstream: &mut Upstream) -> Option<Message> {
        let key = request.field("idempotency-key");
        let Some(key) = key.filter(|_| self.fault != Fault::DoubleApplyOnRetry) else {
            return self.do_now(request, upstream);
        };
        let asked = match self.fault {
            Fault::KeysOfAnyAccount => request.text(),
            _ => format!("{} {}", request.start, request.text()),
        };
        let node = match self.fault {
            Fault::KeysOfEachNode => self.asked.load(SeqCst) % 2,
            _ => 0,
        };
        let key = format!("{node} {key}");
        if self.fault == Fault::KeyCheckThenAct {
            let is_known = self.answered.lock().unwrap().contains_key(&key);
            if !is_known {
                thread::sleep(GAP);
                let answer = self.do_now(request, upstream)?;
                let place = Arc::new(Mutex::new(Some((asked, answer.clone()))));
                self.answered.lock().unwrap().insert(key, place);
                return Some(answer);
            }
        }
        let place = {
            let mut answered = self.answered.lock().unwrap();
            if self.fault == Fault::ForgetfulKeys && answered.len() >= FEW_KEYS {
                answered.clear();
            }
            Arc::clone(answered.entry(key).or_default())
        };
        // Whoever sends it meanwhile waits for the answer.
        let mut place = place.lock().unwrap();
        let Some((before, mut answer)) = place.clone() else {
            let answer = self.do_now(request, upstream)?;
            *place = Some((asked, answer.clone()));
            return Some(answer);
        };
        if before != asked {
            let detail = "The idempotency key was used before with another request";
            return Some(Message::answer(
                422,
                &format!("{{\"detail\":\"{detail}\"}}"),
            ));
        }
        answer.set("idempotency-replayed", "true");
        Some(answer)
    }

    fn do_now(self: &Arc<Self>, request: &Message, upstream: &mut Upstream) -> Option<Message> {
        let parts: Vec<_> = request.word(1).split('/').skip(1).collect();
        match (request.word(0), parts.as_slice()) {
            ("GET", ["health"]) => Some(self.health()),
            ("GET", ["accounts"]) => Some(self.listing()),
            // It has no pages of the listing, and does not offer them.
            ("GET", ["openapi.json"]) => {
                let mut answer = upstream.ask(request)?;
                let offered = answer.text();
                answer.body = offered.replace("\"limit\"", "\"unlimited\"").into_bytes();
                Some(answer)
            }
            ("POST", ["accounts"]) => self.create(request, upstream),
            ("GET", ["accounts", number, "balance"])
            | ("POST", ["accounts", number, "deposit" | "withdraw"])
            | ("DELETE", ["accounts", number])
                if !number.is_empty() =>
            {
                let accounts = self.accounts.read().unwrap();
                let mut account = accounts.get(*number).cloned();
                if self.fault == Fault::ForgetsTheOldest && accounts.len() > PLACES {
                    let latest = self.opened.load(SeqCst);
                    account = account.filter(|it| it.place + PLACES as u64 >= latest);
                }
                drop(accounts);
                let Some(account) = account else {
                    return of_nobody(request, number, upstream);
                };
                match parts.last() {
                    Some(&"balance") => Some(self.balance(&account)),
                    Some(&verb @ ("deposit" | "withdraw")) => {
                        match self.amount(request, upstream)? {
                            Ok(cents) => Some(self.transact(&account, verb, cents)),
                            Err(refusal) => Some(refusal),
                        }
                    }
                    _ => self.delete(&account, request, upstream),
                }
            }
            _ => upstream.ask(request),
        }
    }

    fn health(&self) -> Message {
        let count = self.accounts.read().unwrap().len() as i64;
        let count = match self.fault {
            Fault::CountsTheClosed => self.opened.load(SeqCst) as i64,
            Fault::NegativeCount => -count,
            _ => count,
        };
        let (limit, now) = (self.max_accounts, now());
        Message::answer(
            200,
            &format!(
                "{{\"status\":\"healthy\",\"accounts_count\":{count},\"max_accounts\":{limit},\
                 \"timestamp\":\"{now}\",\"version\":\"twin\"}}"
            ),
        )
    }

    fn listing(&self) -> Message {
        let accounts = self.accounts.read().unwrap();
        let mut accounts: Vec<_> = accounts.values().cloned().collect();
        accounts.sort_by_key(|account| account.place);
        match (self.fault, accounts.last().cloned()) {
            (Fault::ForgetfulListing, _) => accounts.retain(|account| account.place % 3 != 1),
            (Fault::StutteringListing, Some(newest)) => accounts.push(newest),
            (Fault::ReversedListing, _) => accounts.reverse(),
            _ => {}
        }
        let listed = accounts.iter().map(|account| {
            let state = account.state.lock().unwrap();
            format!(
                "{{\"account_number\":\"{}\",\"balance\":{},\"created_at\":\"{}\",\"last_updated\":\"{}\"}}",
                account.number,
                self.print(&state),
                account.created_at,
                state.last_updated
            )
        });
        let mut listed: Vec<_> = listed.collect();
        let is_loaded = accounts.len() > LOADED;
        if self.fault == Fault::StrangeListing && is_loaded {
            let numbered = |row: &String| row.replacen(value(row, "account_number"), NOBODY, 1);
            let stranger = listed.first().map(numbered);
            listed.extend(stranger);
        }
        let total = match self.fault {
            Fault::ShortListing if is_loaded => listed.len() + 1,
            _ => listed.len(),
        };
        Message::answer(
            200,
            &format!(
                "{{\"total_accounts\":{total},\"max_accounts\":{},\"accounts\":[{}]}}",
                self.max_accounts,
                listed.join(",")
            ),
        )
    }

    fn create(&self, request: &Message, upstream: &mut Upstream) -> Option<Message> {
        let minted = upstream.ask(request)?;
        if minted.word(1) != "201" {
            return Some(minted);
        }
        let (number, cents) = {
            let text = minted.text();
            (
                value(&text, "account_number").to_owned(),
                cents(value(&text, "balance")),
            )
        };
        let now = now();
        let account = Account {
            number: number.clone(),
            place: self.opened.fetch_add(1, SeqCst),
            created_at: now.clone(),
            state: Mutex::new(State {
                cents,
                float: cents as f64 / 100.0,
                closed: false,
                last_updated: now,
            }),
        };
        let has_room = |count: usize| match self.fault {
            Fault::LimitOffByOne => count <= self.max_accounts,
            Fault::LimitTooLow => count + 1 < self.max_accounts,
            _ => count < self.max_accounts,
        };
        let had_room = self.fault == Fault::LimitCheckThenAct && {
            let count = self.accounts.read().unwrap().len();
            thread::sleep(GAP);
            has_room(count)
        };
        let mut accounts = self.accounts.write().unwrap();
        if had_room || (self.fault != Fault::LimitCheckThenAct && has_room(accounts.len())) {
            accounts.insert(number, Arc::new(account));
            return Some(minted);
        }
        drop(accounts);
        forget(&number, upstream);
        let limit = self.max_accounts;
        let detail = format!("{{\"detail\":\"Maximum number of accounts ({limit}) reached\"}}");
        Some(Message::answer(507, &detail))
    }

    fn balance(&self, account: &Account) -> Message {
        let state = account.state.lock().unwrap().clone();
        if state.closed {
            return not_found();
        }
        let mut balance = self.print(&state);
        if self.fault == Fault::StaleRead {
            let mut told = self.told.lock().unwrap();
            let (told, at) = told
                .entry(account.number.clone())
                .or_insert_with(|| (balance.clone(), Instant::now()));
            if at.elapsed() < STALE {
                balance.clone_from(told);
            } else {
                (*told, *at) = (balance.clone(), Instant::now());
            }
        }
        let number = &account.number;
        Message::answer(
            200,
            &format!("{{\"account_number\":\"{number}\",\"balance\":{balance}}}"),
        )
    }

    /// The amount of a transaction, or why it is none.
    fn amount(&self, request: &Message, upstream: &mut Upstream) -> Option<Result<i64, Message>> {
        if let Some(cents) = plain_amount(request) {
            return Some(Ok(cents));
        }
        let mut reading = request.clone();
        reading.start = format!("POST /accounts/{}/deposit HTTP/1.1", self.scratch);
        let answer = upstream.ask(&reading)?;
        Some(match answer.word(1) {
            "200" => Ok(cents(value(&answer.text(), "transaction_amount"))),
            _ => Err(answer),
        })
    }

    fn transact(self: &Arc<Self>, account: &Arc<Account>, verb: &str, cents: i64) -> Message {
        let (moved, kind) = match verb {
            "deposit" => (self.deposit(account, cents), "deposit"),
            _ => (self.withdraw(account, cents), "withdrawal"),
        };
        let (balance, now) = match moved {
            Ok(state) => (self.print(&state), state.last_updated),
            Err(Refused::Closed) => return not_found(),
            Err(Refused::InsufficientFunds) => {
                return Message::answer(400, "{\"detail\":\"Insufficient funds\"}");
            }
        };
        let is_chosen = self.moved.load(SeqCst).is_multiple_of(ONE_IN);
        let number = match self.fault {
            Fault::MixedUpAnswer if is_chosen => NOBODY,
            _ => &account.number,
        };
        let amount = match self.fault {
            Fault::MixedUpAmount if is_chosen => print_cents(cents + 1),
            _ => print_cents(cents),
        };
        let kind = match self.fault {
            Fault::MixedUpKind if is_chosen => "deposit",
            _ => kind,
        };
        let now = match self.fault {
            Fault::TimesOf1970 => "1970-01-01T00:00:00.000000".to_owned(),
            Fault::TimesThatRunBackwards if is_chosen => written(jiff::Timestamp::now() - LONG_AGO),
            _ => now,
        };
        Message::answer(
            200,
            &format!(
                "{{\"account_number\":\"{number}\",\"new_balance\":{balance},\"transaction_amount\":{amount},\
                 \"transaction_type\":\"{kind}\",\"timestamp\":\"{now}\"}}"
            ),
        )
    }

    /// The state to tell of after a deposit.
    fn deposit(self: &Arc<Self>, account: &Arc<Account>, cents: i64) -> Result<State, Refused> {
        let moved = self.moved.fetch_add(1, SeqCst);
        let before = account.state.lock().unwrap().clone();
        match self.fault {
            _ if before.closed => return Err(Refused::Closed),
            Fault::LostUpdate => {
                thread::sleep(GAP);
                let mut state = account.state.lock().unwrap();
                if state.closed {
                    return Err(Refused::Closed);
                }
                *state = before;
                return Ok(state.add(cents));
            }
            Fault::ResurrectingDelete => {
                thread::sleep(LONG_GAP);
                let mut accounts = self.accounts.write().unwrap();
                accounts.insert(account.number.clone(), Arc::clone(account));
                let mut state = account.state.lock().unwrap();
                state.closed = false;
                return Ok(state.add(cents));
            }
            Fault::DepositBeforeEffect => {
                let account = Arc::clone(account);
                thread::spawn(move || {
                    thread::sleep(LATER);
                    account.state.lock().unwrap().add(cents);
                });
                return Ok(before.clone().add(cents));
            }
            _ => {}
        }
        let mut state = account.state.lock().unwrap();
        if state.closed {
            return Err(Refused::Closed);
        }
        let told = state.add(cents);
        if self.fault == Fault::DoubleApply && moved.is_multiple_of(ONE_IN) {
            state.add(cents);
        }
        Ok(told)
    }

    /// The state to tell of after a withdrawal.
    fn withdraw(&self, account: &Account, cents: i64) -> Result<State, Refused> {
        let moved = self.moved.fetch_add(1, SeqCst);
        let mut state = account.state.lock().unwrap();
        if state.closed {
            return Err(Refused::Closed);
        }
        let is_enough = match self.fault {
            Fault::FloatMoney => state.float >= cents as f64 / 100.0,
            Fault::Overdraft => true,
            Fault::RefusedThoughFunded if moved.is_multiple_of(ONE_IN) => false,
            _ => state.cents >= cents,
        };
        let before = state.last_updated.clone();
        match self.fault {
            Fault::CheckThenActWithdrawal if is_enough => {
                drop(state);
                thread::sleep(GAP);
                state = account.state.lock().unwrap();
                if state.closed {
                    return Err(Refused::Closed);
                }
            }
            Fault::TransientDebt if !is_enough => {
                state.cents -= cents;
                drop(state);
                thread::sleep(GAP);
                account.state.lock().unwrap().cents += cents;
                return Err(Refused::InsufficientFunds);
            }
            _ => {}
        }
        if !is_enough {
            return Err(Refused::InsufficientFunds);
        }
        let told = state.add(-cents);
        if self.fault == Fault::StaleTimes {
            state.last_updated = before;
        }
        Ok(told)
    }

    fn delete(
        self: &Arc<Self>,
        account: &Arc<Account>,
        request: &Message,
        upstream: &mut Upstream,
    ) -> Option<Message> {
        if self.fault == Fault::DeleteBeforeEffect {
            let (bank, account) = (Arc::clone(self), Arc::clone(account));
            thread::spawn(move || {
                thread::sleep(LATER);
                bank.close(&account);
            });
        } else if self.fault == Fault::CloseCheckThenAct {
            let was_open = !account.state.lock().unwrap().closed;
            thread::sleep(LONG_GAP);
            self.close(account);
            if !was_open {
                return Some(not_found());
            }
        } else if !self.close(account) {
            return Some(not_found());
        }
        // Of the real server's account nobody knows the number but this twin.
        upstream.ask(request)?;
        Some(Message::answer(204, ""))
    }

    /// Whether the account was open.
    fn close(&self, account: &Account) -> bool {
        let mut state = account.state.lock().unwrap();
        let was_open = !state.closed;
        state.closed = true;
        drop(state);
        self.accounts.write().unwrap().remove(&account.number);
        was_open
    }

    fn print(&self, state: &State) -> String {
        match self.fault {
            Fault::FloatMoney => format!("{:?}", state.float),
            Fault::Exponents if state.cents >= 100_000_000 => {
                let text = format!("{:e}", state.cents as f64 / 100.0);
                text.replace('e', "e+0")
            }
            Fault::SmallFloats => print_cents((state.cents as f32) as i64),
            Fault::SmallIntegers => print_cents(i64::from(state.cents as i32)),
            _ => print_cents(state.cents),
        }
    }
}

impl State {
    /// Moves money now; the state after it.
    fn add(&mut self, cents: i64) -> Self {
        self.cents += cents;
        self.float += cents as f64 / 100.0;
        self.last_updated = now();
        self.clone()
    }
}

/// What is asked of an account that there is not: whether the request is valid comes first, and the real
/// server knows.
fn of_nobody(request: &Message, number: &str, upstream: &mut Upstream) -> Option<Message> {
    let mut request = request.clone();
    request.start = request.start.replacen(number, "nobody", 1);
    upstream.ask(&request)
}

fn asks_with_a_body(head: &Message) -> bool {
    head.has_length && head.word(0) == "POST"
}

/// The account that a request is about.
fn account_of(request: &Message) -> String {
    let mut parts = request.word(1).split('/').skip(2);
    parts.next().unwrap_or_default().to_owned()
}

fn forget(number: &str, upstream: &mut Upstream) {
    upstream.ask(&Message {
        start: format!("DELETE /accounts/{number} HTTP/1.1"),
        fields: Vec::new(),
        body: Vec::new(),
        has_length: false,
    });
}

fn not_found() -> Message {
    Message::answer(404, "{\"detail\":\"Account not found\"}")
}

/// The amount in cents of a request as nearly all are.
fn plain_amount(request: &Message) -> Option<i64> {
    if request.field("content-type") != Some("application/json") {
        return None;
    }
    let body = request.text();
    let text = body.strip_prefix("{\"amount\":")?.strip_suffix('}')?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = |digits: &str, max: usize| {
        (1..=max).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_plain(whole, 4) || !is_plain(decimals, 2) || (whole.len() > 1 && whole.starts_with('0'))
    {
        return None;
    }
    Some(cents(text)).filter(|cents| *cents > 0)
}

/// A decimal number of units, as cents.
fn cents(text: &str) -> i64 {
    text.parse::<Cents>().unwrap().get()
}

fn print_cents(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}", Cents::new(cents.abs()).unwrap())
}

pub(crate) fn now() -> String {
    written(jiff::Timestamp::now())
}

fn written(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}
