//! From a request's query to what the service takes, or to what is wrong with it.
//!
//! The paths of the service that this one replaces pass over names that they do not know, as it does. A statement, which
//! it does not have, refuses them: with a wrong name it would show something else than was meant.

use cashpoint::history::{At, Order, StatementQuery};
use cashpoint::{CreationNumber, Timestamp};

use super::invalid::{InvalidInput, Place};
use crate::moment::{self, Moment, ParseMomentError};

/// The most accounts, or transactions, on a page.
pub(super) const PAGE_LIMIT_MAX: usize = 1000;

/// How many are on a page if its length is not asked for.
const PAGE_LIMIT_DEFAULT: usize = 100;

const LIMIT: Place = Place::Query("limit");
const AFTER: Place = Place::Query("after");
const CURSOR: Place = Place::Query("cursor");
const FROM: Place = Place::Query("from");
const TO: Place = Place::Query("to");
const ORDER: Place = Place::Query("order");
const AT: Place = Place::Query("at");

/// What a statement may be asked for by.
const STATEMENT_NAMES: [&str; 5] = ["limit", "cursor", "from", "to", "order"];

/// Which part of the accounts a listing is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageQuery {
    pub(super) limit: usize,
    pub(super) after: Option<CreationNumber>,
}

/// Reads the page that a query asks for. `None` if it asks for none, which means all accounts.
pub(super) fn page(query: &str) -> Result<Option<PageQuery>, InvalidInput> {
    let mut limit = None;
    let mut after = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "limit" => limit = Some(page_limit(&value)?),
            "after" => after = Some(CreationNumber::from_u64(whole_number(AFTER, &value)?)),
            _ => {}
        }
    }
    let asked = limit.is_some() || after.is_some();
    Ok(asked.then(|| PageQuery {
        limit: limit.unwrap_or(PAGE_LIMIT_DEFAULT),
        after,
    }))
}

impl PageQuery {
    /// Refuses a cursor that no page gave.
    pub(super) fn within(self, newest: CreationNumber) -> Result<Self, InvalidInput> {
        match self.after {
            Some(after) if after > newest => {
                let reason = "a cursor is the next_after of an earlier page of this service";
                let sent = after.get().to_string();
                Err(InvalidInput::wrong_form(AFTER, &sent, reason))
            }
            _ => Ok(self),
        }
    }
}

fn page_limit(text: &str) -> Result<usize, InvalidInput> {
    let number: i128 = text
        .parse()
        .map_err(|_| InvalidInput::no_integer(LIMIT, text))?;
    match usize::try_from(number) {
        Ok(limit @ 1..=PAGE_LIMIT_MAX) => Ok(limit),
        _ if number < 1 => Err(InvalidInput::integer_below(LIMIT, text, 1)),
        _ => Err(InvalidInput::integer_above(LIMIT, text, PAGE_LIMIT_MAX)),
    }
}

fn whole_number(place: Place, text: &str) -> Result<u64, InvalidInput> {
    // Rust reads a sign here, and answers never have one.
    let number = text.parse().ok().filter(|_| !text.starts_with('+'));
    number.ok_or_else(|| InvalidInput::no_integer(place, text))
}

/// Reads which part of an account's history a query asks for.
pub(super) fn statement(query: &str) -> Result<StatementQuery, InvalidInput> {
    let mut asked = StatementQuery {
        limit: PAGE_LIMIT_DEFAULT,
        ..StatementQuery::default()
    };
    let mut sent_to = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "limit" => asked.limit = page_limit(&value)?,
            "cursor" => asked.cursor = Some(whole_number(CURSOR, &value)?),
            "from" => asked.from = Some(time(FROM, &value, Moment::begin)?),
            "to" => {
                asked.to = Some(time(TO, &value, Moment::end)?);
                sent_to = Some(value);
            }
            "order" => asked.order = order(&value)?,
            _ => {
                let known = &STATEMENT_NAMES;
                return Err(InvalidInput::unknown_parameter(&name, &value, known));
            }
        }
    }
    if let (Some(from), Some(to), Some(sent)) = (asked.from, asked.to, sent_to)
        && to <= from
    {
        let reason = "a range ends after it begins: 'to' must be later than 'from'";
        return Err(InvalidInput::wrong_form(TO, &sent, reason));
    }
    // The end of the last day that can be written cannot be written, and nothing comes after it.
    asked.to = asked.to.filter(|to| moment::is_writable(*to));
    Ok(asked)
}

/// Reads a time, as that edge of a range.
fn time(
    place: Place,
    text: &str,
    edge: impl FnOnce(Moment) -> Option<Timestamp>,
) -> Result<Timestamp, InvalidInput> {
    let moment = moment(place, text)?;
    edge(moment).ok_or_else(|| {
        let reason = format!("a number is not a time: {}", moment::WRITTEN);
        InvalidInput::wrong_form(place, text, &reason)
    })
}

fn moment(place: Place, text: &str) -> Result<Moment, InvalidInput> {
    text.parse().map_err(|error: ParseMomentError| {
        let reason = match text.rsplit_once(' ') {
            Some((time, offset)) if format!("{time}+{offset}").parse::<Moment>().is_ok() => format!(
                "the + of an offset arrived as a blank, because in a query it is written as %2B: {}",
                moment::WRITTEN
            ),
            _ => error.to_string(),
        };
        InvalidInput::wrong_form(place, text, &reason)
    })
}

fn order(text: &str) -> Result<Order, InvalidInput> {
    match text {
        "desc" => Ok(Order::NewestFirst),
        "asc" => Ok(Order::OldestFirst),
        _ => {
            let reason = "an order is 'desc', newest first, or 'asc', oldest first";
            Err(InvalidInput::wrong_form(ORDER, text, reason))
        }
    }
}

/// Which balance is asked for, and how that was sent.
#[derive(Debug)]
pub(super) struct SentAt {
    pub(super) at: At,
    sent: String,
}

/// Reads which time's balance a query asks for. `None` if it asks for none, which means now.
pub(super) fn at(query: &str) -> Result<Option<SentAt>, InvalidInput> {
    let mut asked = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "at" {
            let at = match moment(AT, &value)? {
                Moment::Position(sequence) => At::Sequence(sequence),
                Moment::Instant(time) => At::Time(time),
                // All that happened on that day is part of it.
                Moment::Day(begin) => At::Time(last_of_day(begin)),
            };
            let sent = value.into_owned();
            asked = Some(SentAt { at, sent });
        }
    }
    Ok(asked)
}

fn last_of_day(begin: Timestamp) -> Timestamp {
    let end = Moment::Day(begin).end().unwrap_or(begin);
    Timestamp::from_micros(end.as_micros() - 1)
}

impl SentAt {
    /// Refuses a number that is no sequence number yet: a year, say, which would be answered with today's balance.
    pub(super) fn within(self, newest: u64) -> Result<At, InvalidInput> {
        match self.at {
            At::Sequence(sequence) if sequence > newest => {
                let reason = format!(
                    "the newest sequence number is {newest}, and this is above it; {}",
                    moment::WRITTEN
                );
                Err(InvalidInput::wrong_form(AT, &self.sent, &reason))
            }
            at => Ok(at),
        }
    }
}

/// Refuses a cursor that no page of this account gave.
pub(super) fn no_cursor(cursor: u64, newest: u64) -> InvalidInput {
    let reason = format!(
        "a cursor is the next_cursor of an earlier page of this account: its newest entry is {newest}"
    );
    InvalidInput::wrong_form(CURSOR, &cursor.to_string(), &reason)
}
