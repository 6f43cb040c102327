//! JSON, a record a line. Amounts are numbers with their very decimals, as the service prints them.

use std::fmt::Display;
use std::io::{self, Write};

use cashpoint::journal::{Kind, Record};
use cashpoint::{AccountNumber, Cents, Timestamp};
use cashpoint_server::moment::time_text;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Movement, Sheet};

/// For `serialize_with`: a number by its decimal text, which a JSON library would take for a binary float.
pub(crate) fn exact<S: Serializer>(sum: &impl Display, to: S) -> Result<S::Ok, S::Error> {
    let number = RawValue::from_string(sum.to_string()).map_err(S::Error::custom)?;
    number.serialize(to)
}

fn exact_or_null<S: Serializer>(sum: &Option<Cents>, to: S) -> Result<S::Ok, S::Error> {
    match sum {
        Some(sum) => exact(sum, to),
        None => to.serialize_none(),
    }
}

/// A record as a line.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    sequence: u64,
    timestamp: String,
    #[serde(rename = "type")]
    kind: &'static str,
    account_number: Option<String>,
    #[serde(serialize_with = "exact")]
    amount: Cents,
    #[serde(serialize_with = "exact_or_null")]
    balance: Option<Cents>,
    idempotency_key: Option<&'a str>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(record: &'a Record) -> Self {
        Self {
            sequence: record.sequence,
            timestamp: time_text(record.at),
            kind: Kind::from(record.change).name(),
            account_number: record.number().map(|number| number.to_string()),
            amount: record.amount(),
            balance: record.balance_after(),
            idempotency_key: record.key.as_ref().map(|key| key.as_str()),
            refused: record.outcome.err().map(|refusal| refusal.to_string()),
        }
    }

    fn moved(movement: &Movement<'a>) -> Self {
        Self {
            sequence: movement.sequence,
            timestamp: time_text(movement.at),
            kind: movement.kind.name(),
            account_number: Some(movement.number.to_string()),
            amount: movement.amount,
            balance: Some(movement.balance),
            idempotency_key: movement.key.map(|key| key.as_str()),
            refused: None,
        }
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

/// Writes movements as lines.
pub(crate) struct JsonLines<W: Write>(pub(crate) W);

impl<W: Write> Sheet for JsonLines<W> {
    /// Each line has the balance after it.
    fn carry_forward(&mut self, _: AccountNumber, _: Cents, _: Timestamp) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, movement: &Movement<'_>) -> io::Result<()> {
        Line::moved(movement).write(&mut self.0)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
