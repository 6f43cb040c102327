//! A server of the contract, over HTTP.
//!
//! Each worker has a connection of its own, and one request under way on it. What cannot be known stays
//! unknown: a request whose connection breaks before its answer may have been done, now or later.

use std::time::Duration;

use cashpoint::{AccountNumber, Cents};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::contract::{BUSY, largest_told};
use super::history::{Action, Outcome};
use super::shown::shown;
use super::subject::{Created, Oddities, Room, Session, Subject};
use crate::client::{Address, Broken, Connection, Lost};

/// How long a worker waits before it connects again to a server that is not there.
const RECONNECT_PAUSE: Duration = Duration::from_millis(5);

/// Statuses below 500 that say nothing of the request: it came too slowly, or too many came.
const TRANSIENT: [u16; 2] = [408, 429];

/// A server.
#[derive(Clone, Debug)]
pub(super) struct HttpSubject {
    pub(super) address: Address,
    pub(super) timeout: Duration,
}

impl HttpSubject {
    /// Fails if nobody is there.
    pub(super) fn reach(&self) -> Result<(), Broken> {
        let mut connection = Connection::new(&self.address, self.timeout);
        match connection.exchange("GET", "/health", None) {
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
        let mut connection = Connection::new(&self.address, self.timeout);
        let mut said = Vec::new();
        for (method, path, body) in [
            ("GET", "/health", None),
            ("GET", "/accounts", None),
            ("POST", "/accounts/0/deposit", Some("{}")),
        ] {
            let Ok(answer) = connection.exchange(method, path, body) else {
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

impl Subject for HttpSubject {
    fn session(&self) -> Box<dyn Session + '_> {
        Box::new(HttpSession {
            connection: Connection::new(&self.address, self.timeout),
            oddities: Oddities::default(),
        })
    }

    fn room(&self) -> Result<Room, Broken> {
        #[derive(Deserialize)]
        struct Health {
            accounts_count: usize,
            max_accounts: usize,
        }
        let url = &self.address.url;
        let mut connection = Connection::new(&self.address, self.timeout);
        let reply = connection
            .exchange("GET", "/health", None)
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
}

/// How much is shown of an answer that is none of the contract.
const SAMPLE_BYTES: usize = 80;

/// A worker's connection.
struct HttpSession<'a> {
    connection: Connection<'a>,
    oddities: Oddities,
}

/// A status and a body.
struct OwnedResponse {
    status: u16,
    body: Vec<u8>,
}

/// What an answer says of money. Sums as they were written.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    account_number: Option<&'a str>,
    #[serde(borrow)]
    balance: Option<&'a RawValue>,
    #[serde(borrow)]
    new_balance: Option<&'a RawValue>,
}

/// What a listing says.
#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    accounts: Vec<Told<'a>>,
}

impl HttpSession<'_> {
    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        json: Option<&str>,
    ) -> Result<OwnedResponse, Lost> {
        let reply = self.connection.exchange(method, path, json)?;
        Ok(OwnedResponse {
            status: reply.status,
            body: reply.body().into_owned(),
        })
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

    /// Reads the balance that an answer tells.
    fn balance(&mut self, what: &str, body: &[u8]) -> Outcome {
        let told: Option<Told<'_>> = serde_json::from_slice(body).ok();
        let sum = told.and_then(|told| told.new_balance.or(told.balance));
        let Some(sum) = sum.map(RawValue::get) else {
            let example = || format!("{what}: {}", shown(body));
            self.oddities.wrong("an answer without a balance", example);
            return Outcome::Unknown;
        };
        self.cents(what, sum)
            .map_or(Outcome::Unknown, Outcome::Balance)
    }

    /// Reads a sum of money.
    fn cents(&mut self, what: &str, sum: &str) -> Option<i64> {
        exact_cents(sum).or_else(|| {
            let kind = "a balance that is not written in whole cents";
            let example = || format!("{what}: {}", shown(sum));
            self.oddities.wrong(kind, example);
            // As near as it is to a cent, the history may still tell more.
            sum.parse::<Cents>().ok().map(Cents::get)
        })
    }

    fn odd(&mut self, what: &str, reply: &OwnedResponse) -> Outcome {
        let status = reply.status;
        if status >= 500 || TRANSIENT.contains(&status) {
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
        let reply = match self.exchange("POST", "/accounts", Some(&body)) {
            Ok(reply) => reply,
            Err(lost) if self.lost(&lost) => return Created::Unknown,
            Err(_) => return Created::NotOpened,
        };
        match reply.status {
            201 => {
                let told: Option<Told<'_>> = serde_json::from_slice(&reply.body).ok();
                let number = told.and_then(|told| told.account_number?.parse().ok());
                let Some(number) = number else {
                    self.oddities
                        .wrong("a new account without a number that is a UUID", || {
                            format!("POST /accounts: {}", shown(&reply.body))
                        });
                    return Created::Unknown;
                };
                if self.balance("POST /accounts", &reply.body) != Outcome::Balance(initial.get()) {
                    self.oddities
                        .wrong("a new account with another balance than asked for", || {
                            format!("POST /accounts {body}: {}", shown(&reply.body))
                        });
                }
                Created::Opened(number)
            }
            507 => Created::LimitReached,
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

    fn call(&mut self, number: AccountNumber, action: Action) -> Option<Outcome> {
        let (method, operation, sum) = match action {
            Action::Balance | Action::List => ("GET", "/balance", None),
            Action::Deposit(sum) => ("POST", "/deposit", Some(sum)),
            Action::Withdraw(sum) => ("POST", "/withdraw", Some(sum)),
            Action::Close => ("DELETE", "", None),
        };
        let path = format!("/accounts/{number}{operation}");
        let body = sum
            .and_then(Cents::new)
            .map(|sum| format!("{{\"amount\":{sum}}}"));
        let reply = match self.exchange(method, &path, body.as_deref()) {
            Ok(reply) => reply,
            Err(lost) => return self.lost(&lost).then_some(Outcome::Unknown),
        };
        Some(match (action, reply.status) {
            (Action::Close, 204) => Outcome::Closed,
            (Action::Balance | Action::List | Action::Deposit(_) | Action::Withdraw(_), 200) => {
                self.balance(&format!("{method} {path}"), &reply.body)
            }
            (Action::Withdraw(_), 400) if says_insufficient_funds(&reply.body) => {
                Outcome::InsufficientFunds
            }
            (_, 404) => Outcome::UnknownAccount,
            _ => self.odd(&format!("{method} {path}"), &reply),
        })
    }

    fn list(&mut self) -> Option<Vec<(AccountNumber, i64)>> {
        let what = "GET /accounts";
        let reply = match self.exchange("GET", "/accounts", None) {
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
            let example = || format!("{what}: {}", shown(&reply.body));
            self.oddities
                .wrong("a listing that cannot be read", example);
            return None;
        };
        let mut accounts = Vec::with_capacity(listing.accounts.len());
        for told in listing.accounts {
            let number = told.account_number.and_then(|number| number.parse().ok());
            let cents = told.balance.and_then(|sum| self.cents(what, sum.get()));
            let (Some(number), Some(cents)) = (number, cents) else {
                let example = || format!("{what}: {}", shown(&reply.body));
                self.oddities
                    .wrong("a listed account that cannot be read", example);
                return None;
            };
            accounts.push((number, cents));
        }
        Some(accounts)
    }

    fn take_oddities(&mut self) -> Oddities {
        std::mem::take(&mut self.oddities)
    }
}

/// Whether this is the contract's refusal of a withdrawal, and not a 400 of somebody else's.
fn says_insufficient_funds(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("Insufficient funds")
}

/// A sum in cents, if its decimals are those of whole cents.
fn exact_cents(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > 2 || text.contains(['e', 'E']) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let cents: i64 = format!("{decimals:0<2}").parse().ok()?;
    let sum = whole.checked_mul(100)?;
    if text.starts_with('-') {
        sum.checked_sub(cents)
    } else {
        sum.checked_add(cents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_cents_are_exact() {
        for (text, cents) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("0.1", Some(10)),
            ("12.34", Some(1_234)),
            ("1000.00", Some(100_000)),
            ("-0.05", Some(-5)),
            ("-3.5", Some(-350)),
            ("0.30000000000000004", None),
            ("0.001", None),
            ("1e3", None),
            ("null", None),
            ("\"1\"", None),
        ] {
            assert_eq!(exact_cents(text), cents, "{text}");
        }
    }
}
