//! A file for beancount: a transaction for each movement, and each account opened and closed when it was.
//!
//! A `balance` directive is about the start of a day. So there is one for every account on the day after each day on
//! which it moved, and without tolerance: beancount's own would let a cent pass. An account that was closed has
//! none on the day after, for beancount knows it no more.
//!
//! Names of accounts begin with an upper-case letter there, so the number follows `N-`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use cashpoint::journal::Kind;
use cashpoint::{AccountNumber, Cents, IdempotencyKey, Timestamp};
use cashpoint_server::moment::{time_text, wall_clock};
use jiff::civil::Date;

use super::{Movement, Sheet, fixed};

const CASH: &str = "Equity:Cash";
const CARRIED_FORWARD: &str = "Equity:Opening-Balances";

/// Writes movements as transactions.
pub(crate) struct Beancount<W: Write> {
    out: W,
    currency: String,
    /// The day of what was written last.
    day: Option<Date>,
    /// What is on the accounts that moved on that day and are open.
    moved: BTreeMap<AccountNumber, Cents>,
}

impl<W: Write> Beancount<W> {
    /// Begins with options.
    pub(crate) fn new(mut out: W, currency: &str) -> io::Result<Self> {
        writeln!(
            out,
            "; From a journal of Cashpoint {}. All dates and times are in UTC.\n\
             option \"title\" \"Cashpoint\"\n\
             option \"operating_currency\" \"{currency}\"",
            env!("CARGO_PKG_VERSION")
        )?;
        Ok(Self {
            out,
            currency: currency.to_owned(),
            day: None,
            moved: BTreeMap::new(),
        })
    }

    /// Goes on to the day of `at`, and writes what belongs before it.
    fn go_on(&mut self, at: Timestamp) -> io::Result<Date> {
        let day = wall_clock(at).date();
        let currency = &self.currency;
        match self.day.replace(day) {
            None => writeln!(
                self.out,
                "\n{day} commodity {currency}\n{day} open {CASH} {currency}\n\
                 {day} open {CARRIED_FORWARD} {currency}"
            )?,
            Some(before) if before != day => self.assert_balances(before)?,
            Some(_) => {}
        }
        Ok(day)
    }

    /// Asserts what is on the accounts that moved on a day.
    fn assert_balances(&mut self, day: Date) -> io::Result<()> {
        // Only the year 9999 ends without a next day.
        let next = day.tomorrow().unwrap_or(day);
        let moved = std::mem::take(&mut self.moved);
        for (number, balance) in moved {
            writeln!(
                self.out,
                "\n{next} balance {}  {} ~ 0.00 {}",
                account(number),
                fixed(balance),
                self.currency
            )?;
        }
        Ok(())
    }

    fn open(&mut self, day: Date, number: AccountNumber) -> io::Result<()> {
        let (name, currency) = (account(number), &self.currency);
        writeln!(
            self.out,
            "\n{day} open {name} {currency}\n  account_number: \"{number}\""
        )
    }
}

fn account(number: AccountNumber) -> String {
    format!("Assets:Accounts:N-{number}")
}

/// As beancount reads strings.
fn quoted(key: &IdempotencyKey) -> String {
    let escaped = key.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

impl<W: Write> Sheet for Beancount<W> {
    fn carry_forward(
        &mut self,
        number: AccountNumber,
        balance: Cents,
        at: Timestamp,
    ) -> io::Result<()> {
        let day = self.go_on(at)?;
        self.open(day, number)?;
        let (name, sum, currency) = (account(number), fixed(balance), &self.currency);
        self.moved.insert(number, balance);
        let sign = if balance == Cents::ZERO { "" } else { "-" };
        writeln!(
            self.out,
            "\n{day} * \"carried forward\"\n  {name}  {sum} {currency}\n  {CARRIED_FORWARD}  {sign}{sum} {currency}"
        )
    }

    fn write(&mut self, movement: &Movement<'_>) -> io::Result<()> {
        let day = self.go_on(movement.at)?;
        if movement.kind == Kind::Opening {
            self.open(day, movement.number)?;
        }
        writeln!(
            self.out,
            "\n{day} * \"{}\"\n  sequence: {}\n  time: \"{}\"",
            movement.kind,
            movement.sequence,
            time_text(movement.at),
        )?;
        if let Some(key) = movement.key {
            writeln!(self.out, "  key: {}", quoted(key))?;
        }
        let ((sign, sign_of_cash), sum) = (movement.signs(), fixed(movement.amount));
        let (name, currency) = (account(movement.number), &self.currency);
        writeln!(
            self.out,
            "  {name}  {sign}{sum} {currency}\n  {CASH}  {sign_of_cash}{sum} {currency}"
        )?;
        if movement.kind == Kind::Closing {
            self.moved.remove(&movement.number);
            writeln!(self.out, "\n{day} close {name}")?;
        } else {
            self.moved.insert(movement.number, movement.balance);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(day) = self.day {
            self.assert_balances(day)?;
        }
        self.out.flush()
    }
}
