//! What a rule asks with: it sends, compares, notes deviations, and remembers which accounts to close.

use std::thread;
use std::time::Instant;

use super::pattern::{fit, fit_with_more};
use super::request::{BUSY, Exchange, Request, account, delete};
use super::stop::Stop;
use super::{
    DEVIATIONS_MAX, Deviation, RETRIES, RULE_REQUESTS_MAX, RULE_TIMEOUTS, Unanswered, json,
};
use crate::client::{Address, Connection, Lost};
use crate::verify::pace::retry_after;
use crate::verify::server::Server;
use crate::verify::shown::shown;

/// A server, and what one rule knows about it.
pub(super) struct Probe<'a> {
    server: &'a Server,
    /// No request begins later.
    deadline: Instant,
    /// Accounts that are to be closed.
    opened: Vec<String>,
    deviations: Vec<Deviation>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(server: &'a Server) -> Self {
        Self {
            server,
            deadline: deadline(server, RULE_TIMEOUTS),
            opened: Vec::new(),
            deviations: Vec::new(),
        }
    }

    pub(super) fn address(&self) -> &'a Address {
        &self.server.address
    }

    pub(super) fn into_deviations(self) -> Vec<Deviation> {
        self.deviations
    }

    pub(super) fn deviates(&self) -> bool {
        !self.deviations.is_empty()
    }

    /// Takes back the deviations that were noted.
    pub(super) fn excuse(&mut self) {
        self.deviations.clear();
    }

    /// A connection of its own.
    pub(super) fn connect(&self) -> Connection<'a> {
        self.server.connect()
    }

    /// Sends a request on a connection of its own, and waits for its answer.
    pub(super) fn send(&mut self, request: &Request) -> Result<Exchange, Stop> {
        let mut connection = self.connect();
        self.send_on(&mut connection, request)?
            .map_err(|lost| self.unanswered(request.line(), &lost))
    }

    /// Sends a request, and leaves it to the caller what no answer means there.
    pub(super) fn send_on(
        &mut self,
        connection: &mut Connection<'_>,
        request: &Request,
    ) -> Result<Result<Exchange, Lost>, Stop> {
        self.keep_time(request.line())?;
        let Request {
            method,
            path,
            fields,
            body,
        } = request;
        let body = body.as_ref().map(String::as_bytes);
        let mut tries = 0;
        let answer = loop {
            self.server.pace.wait();
            let answer = match connection.exchange_with(method, path, fields, body) {
                Ok(reply) => Exchange::new(request.line(), &reply),
                Err(lost) => return Ok(Err(lost)),
            };
            match retry_after(answer.header("retry-after").as_deref()) {
                Some(pause) if tries < RETRIES && was_not_done(method, answer.status) => {
                    thread::sleep(pause);
                    tries += 1;
                }
                _ => break answer,
            }
        };
        answer.stop_if_busy()?;
        if *method == "POST" && is_creation(path) {
            self.note_account(&answer);
        }
        if *method == "DELETE" && answer.status == 204 {
            self.opened.retain(|number| !path.ends_with(number));
        }
        Ok(Ok(answer))
    }

    /// Sends bytes as they are on a connection of their own; the `count` answers to them, or how many came
    /// before there were no more.
    pub(super) fn converse(
        &mut self,
        what: &str,
        bytes: &[u8],
        count: usize,
    ) -> Result<(Vec<Exchange>, Result<(), Lost>), Stop> {
        self.keep_time(what.to_owned())?;
        (0..count).for_each(|_| self.server.pace.wait());
        let mut answers = Vec::new();
        let end = self.connect().converse(bytes, count, |reply| {
            answers.push(Exchange::new(what.to_owned(), reply));
        });
        for answer in &answers {
            self.note_account(answer);
        }
        Ok((answers, end))
    }

    fn keep_time(&self, request: String) -> Result<(), Stop> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        let why = "the requests of this rule took too long".to_owned();
        Err(Stop::Unanswered(Unanswered { request, why }))
    }

    /// Why there is no answer; noted, if there was one that is not HTTP.
    pub(super) fn unanswered(&mut self, request: String, lost: &Lost) -> Stop {
        if lost.is_unreadable() {
            return self.deviate(
                request,
                "an answer in HTTP/1.1, with its length",
                lost.to_string(),
            );
        }
        let why = lost.to_string();
        Stop::Unanswered(Unanswered { request, why })
    }

    /// Remembers the account that an answer says it opened, whether it should have or not.
    fn note_account(&mut self, answer: &Exchange) {
        if (200..300).contains(&answer.status)
            && let Some(number) = json::string_at(&answer.body, &["account_number"])
            && is_path_segment(&number)
            && !self.opened.contains(&number)
        {
            self.opened.push(number);
        }
    }

    /// Closes what was opened. Which accounts were not closed.
    pub(super) fn close_accounts(&mut self) -> Vec<String> {
        self.deadline = deadline(self.server, 1);
        let mut connection = self.connect();
        let mut left_open = Vec::new();
        for number in std::mem::take(&mut self.opened) {
            let request = delete(account(&number, ""));
            // Once more where the connection broke: on another one.
            let is_closed = (0..2).any(|_| {
                let answer = self.send_on(&mut connection, &request);
                matches!(answer, Ok(Ok(answer)) if matches!(answer.status, 200..300 | 404))
            });
            if !is_closed {
                left_open.push(number);
            }
        }
        left_open
    }

    /// Notes that something was not answered as the contract says.
    pub(super) fn deviate(
        &mut self,
        request: impl Into<String>,
        contract: impl Into<String>,
        answered: impl Into<String>,
    ) -> Stop {
        self.deviate_because(None, request, contract, answered)
    }

    /// The same where the `cause` is known, and breaks many rules.
    fn deviate_because(
        &mut self,
        cause: Option<String>,
        request: impl Into<String>,
        contract: impl Into<String>,
        answered: impl Into<String>,
    ) -> Stop {
        if self.deviations.len() < DEVIATIONS_MAX {
            self.deviations.push(Deviation {
                request: shown(request.into()),
                contract: shown(contract.into()),
                answered: shown(answered.into()),
                cause,
            });
        }
        Stop::Deviates
    }

    /// Notes a deviation unless something `holds` of an answer.
    pub(super) fn check(&mut self, holds: bool, answer: &Exchange, contract: &str) {
        if !holds {
            self.deviate(&answer.request, contract, answer.line());
        }
    }

    /// Notes a deviation unless the header field of this name has this value.
    pub(super) fn check_header(&mut self, answer: &Exchange, name: &str, value: Option<&str>) {
        let found = answer.header(name);
        if found.as_deref() != value {
            let said = |value: Option<&str>| match value {
                Some(value) => format!("{name}: {value}"),
                None => format!("no {name}"),
            };
            let answered = format!("{} with {}", answer.status, said(found.as_deref()));
            self.deviate(&answer.request, said(value), answered);
        }
    }

    /// Holds status, body and content type against the contract. The values at the pattern's placeholders, if
    /// they fit; else a deviation is noted.
    pub(super) fn fits(
        &mut self,
        answer: &Exchange,
        status: u16,
        pattern: &str,
    ) -> Option<Vec<String>> {
        let values = match answer.status == status {
            true => self.fit(&answer.request, pattern, &answer.body),
            false => None,
        };
        if values.is_none() {
            self.deviate(
                &answer.request,
                format!("{status} {pattern}").trim_end(),
                answer.line(),
            );
        } else if pattern.starts_with('{') {
            let content_type = answer.header("Content-Type").unwrap_or_default();
            if content_type != JSON {
                let cause = format!("answers are of the type {content_type:?}, and not {JSON}");
                let contract = format!("Content-Type: {JSON}");
                let answered = format!("{} of the type {content_type}", answer.status);
                self.deviate_because(Some(cause), &answer.request, contract, answered);
            }
        }
        values
    }

    /// Holds a body, or a part of one, against a pattern. The values at its placeholders, also if there are further fields: these
    /// are noted.
    pub(super) fn fit(&mut self, request: &str, pattern: &str, text: &str) -> Option<Vec<String>> {
        let exact = fit(pattern, text).or_else(|| fit(pattern, &without_link(text)?));
        exact.or_else(|| {
            let (values, names) = fit_with_more(pattern, text)?;
            let names: Vec<_> = names.into_iter().collect();
            if names.is_empty() {
                return Some(values);
            }
            let cause = format!(
                "answers have fields that the contract does not have: {}",
                names.join(", ")
            );
            self.deviate_because(Some(cause), request, pattern, text);
            Some(values)
        })
    }

    /// As [`fits`](Self::fits), for answers that the rule cannot go on without.
    pub(super) fn expect(
        &mut self,
        answer: &Exchange,
        status: u16,
        pattern: &str,
    ) -> Result<Vec<String>, Stop> {
        self.fits(answer, status, pattern).ok_or(Stop::Deviates)
    }

    /// Sends a request and holds its answer against the contract.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        status: u16,
        pattern: &str,
    ) -> Result<Option<Vec<String>>, Stop> {
        let answer = self.send(request)?;
        Ok(self.fits(&answer, status, pattern))
    }
}

/// When a rule begins no more requests: after so many times the timeout of one, or later where answers take long.
fn deadline(server: &Server, timeouts: u32) -> Instant {
    Instant::now() + (server.timeout * timeouts).max(server.usual * RULE_REQUESTS_MAX)
}

/// The type of all answers but pages.
const JSON: &str = "application/json";

/// The body of a refusal.
pub(super) fn detail(text: &str) -> String {
    format!("{{\"detail\":\"{text}\"}}")
}

/// Whether a request may be sent once more after this status.
fn was_not_done(method: &str, status: u16) -> bool {
    status == 429 || (method == "GET" && BUSY.contains(&status))
}

fn is_creation(path: &str) -> bool {
    path.split('?')
        .next()
        .unwrap_or_default()
        .trim_end_matches('/')
        == "/accounts"
}

/// The longest account number that is taken for one, in bytes.
const NUMBER_MAX_BYTES: usize = 256;

/// Whether an account number can be part of a path as it is.
pub(super) fn is_path_segment(number: &str) -> bool {
    (1..=NUMBER_MAX_BYTES).contains(&number.len())
        && number
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"/?#%".contains(&byte))
}

/// A refusal without the link to its documentation that the original adds. A rule of its own is about it.
fn without_link(body: &str) -> Option<String> {
    let (before, link) = body.split_once(",\"url\":\"")?;
    let (_, after) = link.split_once('"')?;
    Some(format!("{before}{after}"))
}
