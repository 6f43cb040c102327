//! Comma-separated values, as RFC 4180 has them: a line for each movement, with the sum that the account gains.
//!
//! A key stands there as it is. One that begins with `=`, `+`, `-` or `@` is a formula to a spreadsheet that is not
//! told that the column holds text.

use std::io::{self, Write};

use cashpoint::{AccountNumber, Cents, IdempotencyKey, Timestamp};
use cashpoint_server::moment::time_text;

use super::{Movement, Sheet};

const COLUMNS: [&str; 8] = [
    "sequence",
    "timestamp",
    "type",
    "account_number",
    "amount",
    "change",
    "balance",
    "idempotency_key",
];

/// Writes movements as lines of a table.
pub(crate) struct Csv<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> Csv<W> {
    /// Begins with the names of the columns.
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self { writer })
    }
}

impl<W: Write> Sheet for Csv<W> {
    /// Each line has the balance after it, and the sums of a part are those of the part.
    fn carry_forward(&mut self, _: AccountNumber, _: Cents, _: Timestamp) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, movement: &Movement<'_>) -> io::Result<()> {
        let (sign, _) = movement.signs();
        self.writer.write_record([
            movement.sequence.to_string().as_str(),
            &time_text(movement.at),
            movement.kind.name(),
            &movement.number.to_string(),
            &movement.amount.to_string(),
            &format!("{sign}{}", movement.amount),
            &movement.balance.to_string(),
            movement.key.map_or("", IdempotencyKey::as_str),
        ])?;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
