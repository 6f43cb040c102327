//! A server of the contract, over HTTP.
//!
//! Each worker has a connection of its own, and one request under way on it. What cannot be known stays
//! unknown: a request whose connection breaks before its answer may have been done, now or later.

use std::time::Duration;

use cashpoint::{AccountNumber, Cents};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::contract::{BUSY, largest_told, offers_keys};
use super::history::{Action, Outcome};
use super::keyed::{Keyed, Verbatim};
use super::pace::{Pace, retry_after};
use super::server::Server;
use super::shown::shown;
use super::subject::{
    Answered, Created, LARGEST_CENTS, Listed, Oddities, Room, Session, Stage, Subject,
};
use super::told::{self, Listing};
use crate::client::{Broken, Connection, Lost, Manner, Response};

/// How long a worker waits before it connects again to a server that is not there.
const RECONNECT_PAUSE: Duration = Duration::from_millis(5);

impl Server {
    /// Fails if nobody is there.
    pub(super) fn reach(&self) -> Result<(), Broken> {
        let mut connection = self.connect();
        match self.exchange(&mut connection, "GET", "/health", None) {
            Err(lost @ Lost::NotSent(_)) => {
                let url = &self.address.url;
                Err(Broken(format!("{url} cannot be reached: {lost}")))
            }
            _ => Ok(()),
        }
    }

    /// Fails if it is no server of the contract at all: of three requests that each of them answers with a JSON object,
    /// it answers none so. One that has no time now may be one.
    pub(super) fn speak(&self) -> Result<(), Broken> {
        let mut connection = self.connect();
        let mut said = Vec::new();
        for (method, path, body) in [
            ("GET", "/health", None),
            ("GET", "/accounts", None),
            ("POST", "/accounts/0/deposit", Some("{}")),
        ] {
            let Ok(answer) = self.exchange(&mut connection, method, path, body) else {
                return Ok(());
            };
            let is_object = serde_json::from_slice::<Map<String, Value>>(&answer.body()).is_ok();
            if is_object || BUSY.contains(&answer.status) {
                return Ok(());
            }
            let body = answer.body();
            let shown = shown(body.get(..SAMPLE_BYTES).unwrap_or(&body));
            said.push(format!("  {method} {path} → {} {shown}", answer.status));
        }
        Err(Broken(format!(
            "{} does not speak the contract: is it the right address? It answered\n{}",
            self.address.url,
            said.join("\n")
        )))
    }
}

impl Subject for Server {
    fn session(&self) -> Box<dyn Session + '_> {
        Box::new(HttpSession {
            connection: self.connect(),
            pace: &self.pace,
            has_turn: false,
            oddities: Oddities::default(),
            limit: None,
        })
    }

    fn room(&self) -> Result<Room, Broken> {
        #[derive(Deserialize)]
        struct Health {
            accounts_count: i64,
            max_accounts: i64,
        }
        let url = &self.address.url;
        let mut connection = self.connect();
        let reply = self
            .exchange(&mut connection, "GET", "/health", None)
            .map_err(|lost| Broken(format!("{url}/health: {lost}")))?;
        let health: Health = serde_json::from_slice(&reply.body()).map_err(|_| {
            Broken(format!(
                "{url}/health does not say how many accounts there are and may be: {} {}",
                reply.status,
                shown(reply.body())
            ))
        })?;
        Ok(Room {
            count: health.accounts_count,
            limit: health.max_accounts,
        })
    }

    /// Whether its OpenAPI document offers them.
    fn keeps_keys(&self) -> bool {
        let mut connection = self.connect();
        let document = self.exchange(&mut connection, "GET", "/openapi.json", None);
        document.is_ok_and(|it| offers_keys(&String::from_utf8_lossy(&it.body())))
    }

    fn can_hang_up(&self) -> bool {
        true
    }

    /// That of the contract, unless the refusal of an account with so much tells of another.
    fn largest(&self) -> i64 {
        let mut connection = self.connect();
        // Never opened, also not by who takes any sum: the number of accounts must stay what it is.
        let asked = self.exchange(
            &mut connection,
            "POST",
            "/accounts/0/deposit",
            Some(BEYOND_ALL),
        );
        let told = asked.ok().and_then(|refusal| largest_told(&refusal.body()));
        told.map_or(LARGEST_CENTS, |largest| largest.get().min(LARGEST_CENTS))
    }
}

/// A deposit that no server takes.
const BEYOND_ALL: &str = "{\"amount\":9999999999999.99}";

/// A request.
struct Asked {
    method: &'static str,
    path: String,
    body: Option<String>,
}

impl Asked {
    fn accounts() -> Self {
        Self {
            method: "GET",
            path: "/accounts".to_owned(),
            body: None,
        }
    }

    fn creation(body: &str) -> Self {
        Self {
            method: "POST",
            path: "/accounts".to_owned(),
            body: Some(body.to_owned()),
        }
    }

    fn new(number: AccountNumber, action: Action) -> Self {
        let (method, operation, sum) = match action {
            Action::Balance | Action::List => ("GET", "/balance", None),
            Action::Deposit(sum) => ("POST", "/deposit", Some(sum)),
            Action::Withdraw(sum) => ("POST", "/withdraw", Some(sum)),
            Action::Close => ("DELETE", "", None),
        };
        let body = sum.and_then(Cents::new);
        Self {
            method,
            path: format!("/accounts/{number}{operation}"),
            body: body.map(|sum| format!("{{\"amount\":{sum}}}")),
        }
    }

    fn fields(&self, keyed: Option<&Keyed>) -> String {
        let key = keyed.map_or_else(String::new, |keyed| {
            format!("Idempotency-Key: {}\r\n", keyed.key.as_str())
        });
        match self.body {
            Some(_) => format!("Content-Type: application/json\r\n{key}"),
            None => key,
        }
    }
}

/// What is said of a new account.
const CREATED: &str = "Account created successfully";

/// How much is shown of an answer that is none of the contract.
const SAMPLE_BYTES: usize = 80;

/// A worker's connection.
struct HttpSession<'a> {
    connection: Connection<'a>,
    pace: &'a Pace,
    /// It has waited, and the next request may be sent.
    has_turn: bool,
    oddities: Oddities,
    /// The limit of accounts, as refusals tell it.
    limit: Option<u64>,
}

impl HttpSession<'_> {
    /// Asks for something, when it is time to, as a client of this manner.
    fn ask(
        &mut self,
        asked: &Asked,
        keyed: Option<&Keyed>,
        manner: Manner,
    ) -> Result<Verbatim, Lost> {
        self.ready();
        self.has_turn = false;
        let fields = asked.fields(keyed);
        let body = asked.body.as_deref().map(str::as_bytes);
        let connection = &mut self.connection;
        let reply = connection.exchange_as(manner, asked.method, &asked.path, &fields, body)?;
        let pause = match BUSY.contains(&reply.status) {
            true => retry_after(reply.header("retry-after").as_deref()),
            false => None,
        };
        let reply = verbatim(reply);
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        Ok(reply)
    }

    /// Notes why there is no answer. Whether the request was sent.
    fn lost(&mut self, lost: &Lost) -> bool {
        self.oddities.error(lost.to_string());
        match lost {
            Lost::NotSent(_) => {
                std::thread::sleep(RECONNECT_PAUSE);
                false
            }
            Lost::Unanswered(_) => true,
        }
    }

    /// Notes an answer that the contract does not have.
    fn wrong(&mut self, kind: &str, what: &str, body: &[u8]) {
        let example = || format!("{what}: {}", shown(body));
        self.oddities.wrong(kind, example);
    }

    /// Reads what is told of the account `number`: its balance, and of a transaction also the rest.
    fn account(&mut self, what: &str, body: &[u8], number: &str, action: Action) -> Answered {
        let Some(told) = told::read(body) else {
            self.wrong("an answer that cannot be read", what, body);
            return Outcome::Unknown.into();
        };
        if told.account_number.as_deref() != Some(number) {
            self.wrong(
                "an answer about another account than was asked for",
                what,
                body,
            );
        }
        let transaction = match action {
            Action::Deposit(sum) => Some((sum, "deposit")),
            Action::Withdraw(sum) => Some((sum, "withdrawal")),
            Action::Balance | Action::List | Action::Close => None,
        };
        let mut told_at = None;
        let sum = match transaction {
            None => told.balance,
            Some((sum, kind)) => {
                told_at = told.timestamp.as_deref().and_then(told::time);
                if told_at.is_none() {
                    self.wrong("a transaction whose timestamp is none", what, body);
                }
                if told.transaction_type.as_deref() != Some(kind) {
                    self.wrong(
                        "a transaction of another kind than was asked for",
                        what,
                        body,
                    );
                }
                let amount = told.transaction_amount.map(RawValue::get);
                if amount.and_then(|amount| self.cents(what, amount)) != Some(sum) {
                    self.wrong(
                        "a transaction of another amount than was asked for",
                        what,
                        body,
                    );
                }
                told.new_balance
            }
        };
        let Some(sum) = sum.map(RawValue::get) else {
            self.wrong("an answer without a balance", what, body);
            return Outcome::Unknown.into();
        };
        let outcome = self.cents(what, sum);
        let outcome = outcome.map_or(Outcome::Unknown, Outcome::Balance);
        Answered { outcome, told_at }
    }

    /// Reads a sum of money.
    fn cents(&mut self, what: &str, sum: &str) -> Option<i64> {
        let Some(cents) = told::exact_cents(sum) else {
            self.wrong(
                "a sum that is not written in whole cents",
                what,
                sum.as_bytes(),
            );
            // As near as it is to a cent, the history may still tell more.
            return sum.parse::<Cents>().ok().map(Cents::get);
        };
        if !told::is_plain(sum, cents) {
            let kind = "a sum that is written otherwise than the contract writes it";
            self.wrong(kind, what, sum.as_bytes());
        }
        Some(cents)
    }

    /// Reads the answer to what was asked.
    fn read(
        &mut self,
        number: AccountNumber,
        action: Action,
        asked: &Asked,
        reply: &Verbatim,
    ) -> Answered {
        let what = || format!("{} {}", asked.method, asked.path);
        let outcome = match (action, reply.status) {
            (Action::Close, 204) => Outcome::Closed,
            (Action::Balance | Action::List | Action::Deposit(_) | Action::Withdraw(_), 200) => {
                return self.account(&what(), &reply.body, &number.to_string(), action);
            }
            (Action::Withdraw(_), 400) if says_insufficient_funds(&reply.body) => {
                Outcome::InsufficientFunds
            }
            (_, 404) => Outcome::UnknownAccount,
            _ => self.odd(&what(), reply),
        };
        outcome.into()
    }

    fn odd(&mut self, what: &str, reply: &Verbatim) -> Outcome {
        let status = reply.status;
        if BUSY.contains(&status) {
            self.oddities.error(format!("status {status}"));
        } else {
            let example = || format!("{what}: {status} {}", shown(&reply.body));
            let kind = format!("status {status}, which the contract does not have there");
            self.oddities.wrong(&kind, example);
        }
        Outcome::Unknown
    }
}

impl Session for HttpSession<'_> {
    fn create(&mut self, initial: Cents) -> Created {
        let body = format!("{{\"initial_balance\":{initial}}}");
        let reply = match self.ask(&Asked::creation(&body), None, Manner::Plain) {
            Ok(reply) => reply,
            Err(lost) if self.lost(&lost) => return Created::Unknown,
            Err(_) => return Created::NotOpened,
        };
        match reply.status {
            201 => {
                let what = format!("POST /accounts {body}");
                let told = told::read(&reply.body);
                let number = told.as_ref().and_then(|it| it.account_number.clone());
                let Some(parsed) = number.as_deref().and_then(|it| it.parse().ok()) else {
                    let kind = "a new account without a number that is a UUID";
                    self.wrong(kind, &what, &reply.body);
                    return Created::Unknown;
                };
                if told.and_then(|it| it.message).as_deref() != Some(CREATED) {
                    let kind = "a new account without the message of the contract";
                    self.wrong(kind, &what, &reply.body);
                }
                let number = number.unwrap_or_default();
                let told = self.account(&what, &reply.body, &number, Action::Balance);
                if told.outcome != Outcome::Balance(initial.get()) {
                    let kind = "a new account with another balance than asked for";
                    self.wrong(kind, &what, &reply.body);
                }
                Created::Opened(parsed)
            }
            507 => {
                let told = said_limit(&reply.body);
                if told.is_none_or(|told| *self.limit.get_or_insert(told) != told) {
                    let kind =
                        "a refusal for want of room that is not worded as the contract has it";
                    self.wrong(kind, "POST /accounts", &reply.body);
                }
                Created::LimitReached
            }
            422 if largest_told(&reply.body).is_some_and(|largest| largest < initial) => {
                self.oddities.error(format!(
                    "an initial balance of {initial}: the server's largest amount is less (MAX_TRANSACTION_AMOUNT)"
                ));
                Created::NotOpened
            }
            _ => {
                self.odd("POST /accounts", &reply);
                Created::Unknown
            }
        }
    }

    fn ready(&mut self) {
        if !self.has_turn {
            self.pace.wait();
            self.has_turn = true;
        }
    }

    fn call_as(
        &mut self,
        manner: Manner,
        number: AccountNumber,
        action: Action,
    ) -> Option<Answered> {
        let asked = Asked::new(number, action);
        match self.ask(&asked, None, manner) {
            Ok(reply) => Some(self.read(number, action, &asked, &reply)),
            Err(lost) => self.lost(&lost).then_some(Outcome::Unknown.into()),
        }
    }

    fn call_with_key(&mut self, keyed: &Keyed) -> (Option<Answered>, Option<Verbatim>) {
        let asked = Asked::new(keyed.number, keyed.action);
        match self.ask(&asked, Some(keyed), Manner::Plain) {
            // The same request is being done for another connection.
            Ok(reply) if reply.status == 409 => {
                self.oddities.error("status 409".to_owned());
                (Some(Outcome::Unknown.into()), None)
            }
            Ok(reply) => {
                let answered = self.read(keyed.number, keyed.action, &asked, &reply);
                (Some(answered), Some(reply))
            }
            Err(lost) => (self.lost(&lost).then_some(Outcome::Unknown.into()), None),
        }
    }

    fn call_again(&mut self, keyed: &Keyed) -> Option<Verbatim> {
        let asked = Asked::new(keyed.number, keyed.action);
        match self.ask(&asked, Some(keyed), Manner::Plain) {
            Ok(reply) => Some(reply),
            Err(lost) => {
                self.lost(&lost);
                None
            }
        }
    }

    fn hang_up(
        &mut self,
        number: AccountNumber,
        action: Action,
        key: Option<&Keyed>,
        stage: Stage,
    ) -> bool {
        let asked = Asked::new(number, action);
        self.ready();
        self.has_turn = false;
        let fields = asked.fields(key);
        let connection = &self.connection;
        let mut request = Vec::new();
        let body = asked.body.as_deref().map(str::as_bytes);
        let address = connection.address();
        address.write_request(&mut request, asked.method, &asked.path, &fields, body);
        match stage {
            // Without its last byte it is no request yet.
            Stage::Half => {
                let half = request.get(..request.len() - 1).unwrap_or_default();
                connection.abandon(half, false);
                false
            }
            Stage::Sent => connection.abandon(&request, false),
            Stage::Begun => connection.abandon(&request, true),
        }
    }

    fn list(&mut self) -> Option<Listed> {
        let what = "GET /accounts";
        let reply = match self.ask(&Asked::accounts(), None, Manner::Plain) {
            Ok(reply) => reply,
            Err(lost) => {
                self.lost(&lost);
                return None;
            }
        };
        if reply.status != 200 {
            self.odd(what, &reply);
            return None;
        }
        let Ok(listing) = serde_json::from_slice::<Listing<'_>>(&reply.body) else {
            self.wrong("a listing that cannot be read", what, &reply.body);
            return None;
        };
        let mut listed = Listed {
            rows: Vec::with_capacity(listing.accounts.len()),
            total: listing.total_accounts,
        };
        for told in listing.accounts {
            let number = told.account_number.and_then(|number| number.parse().ok());
            let cents = told.balance.and_then(|sum| self.cents(what, sum.get()));
            let created_at = told.created_at.as_deref().and_then(told::time);
            let last_updated = told.last_updated.as_deref().and_then(told::time);
            let (Some(number), Some(cents), Some(created_at), Some(last_updated)) =
                (number, cents, created_at, last_updated)
            else {
                self.wrong("a listed account that cannot be read", what, &reply.body);
                return None;
            };
            if last_updated < created_at {
                let example = || format!("{what}: account {number}");
                self.oddities
                    .wrong("an account that changed before it was created", example);
            }
            listed.rows.push((number, cents));
        }
        Some(listed)
    }

    fn create_nonsense(&mut self) -> Option<u16> {
        let nonsense = Asked::creation("{\"initial_balance\":-1.0}");
        let reply = self.ask(&nonsense, None, Manner::Plain);
        reply.ok().map(|reply| reply.status)
    }

    fn take_oddities(&mut self) -> Oddities {
        std::mem::take(&mut self.oddities)
    }
}

fn verbatim(reply: Response<'_>) -> Verbatim {
    Verbatim {
        status: reply.status,
        body: reply.body().into_owned(),
    }
}

/// The limit in the contract's refusal of an account for want of room.
fn said_limit(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = text.strip_prefix("{\"detail\":\"Maximum number of accounts (")?;
    rest.strip_suffix(") reached\"}")?.parse().ok()
}

/// Whether this is the contract's refusal of a withdrawal, and not a 400 of somebody else's.
fn says_insufficient_funds(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("Insufficient funds")
}
