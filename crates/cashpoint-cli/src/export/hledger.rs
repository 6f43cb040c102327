//! A journal for hledger: a transaction for each movement, with the balance after it asserted.
//!
//! Times never run backwards and the order is the journal's, so every assertion holds where it stands. `hledger
//! check --strict` passes: each account is declared before it is used, and so is the commodity.
//!
//! Comments have a syntax of their own, for tags, dates and more, and hledger knows no quotes there. So a key is
//! percent-encoded, other than letters, digits, `-`, `.`, `_` and `~`.

use std::io::{self, Write};

use cashpoint::{AccountNumber, Cents, Timestamp};
use cashpoint_server::moment::{time_text, wall_clock};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Movement, Sheet, fixed};

const CASH: &str = "equity:cash";
const CARRIED_FORWARD: &str = "equity:opening balances";

/// What is encoded in a key.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Writes movements as transactions.
pub(crate) struct Hledger<W: Write> {
    out: W,
    currency: String,
}

impl<W: Write> Hledger<W> {
    /// Begins with declarations.
    pub(crate) fn new(mut out: W, currency: &str) -> io::Result<Self> {
        writeln!(
            out,
            "; From a journal of Cashpoint {}. All dates and times are in UTC.\n\
             decimal-mark .\n\
             commodity 1000.00 {currency}\n\
             account {CASH}\n\
             account {CARRIED_FORWARD}",
            env!("CARGO_PKG_VERSION")
        )?;
        Ok(Self {
            out,
            currency: currency.to_owned(),
        })
    }

    fn declare(&mut self, number: AccountNumber) -> io::Result<()> {
        writeln!(self.out, "\naccount {}", account(number))
    }
}

fn account(number: AccountNumber) -> String {
    format!("assets:accounts:{number}")
}

impl<W: Write> Sheet for Hledger<W> {
    fn carry_forward(
        &mut self,
        number: AccountNumber,
        balance: Cents,
        at: Timestamp,
    ) -> io::Result<()> {
        self.declare(number)?;
        let (currency, sum) = (&self.currency, fixed(balance));
        writeln!(
            self.out,
            "\n{} * carried forward\n    {}  {sum} {currency} = {sum} {currency}\n    {CARRIED_FORWARD}",
            wall_clock(at).date(),
            account(number),
        )
    }

    fn write(&mut self, movement: &Movement<'_>) -> io::Result<()> {
        if movement.kind == cashpoint::journal::Kind::Opening {
            self.declare(movement.number)?;
        }
        write!(
            self.out,
            "\n{} * ({}) {}\n    ; sequence:{}, time:{}",
            wall_clock(movement.at).date(),
            movement.sequence,
            movement.kind,
            movement.sequence,
            time_text(movement.at),
        )?;
        if let Some(key) = movement.key {
            write!(
                self.out,
                ", key:{}",
                utf8_percent_encode(key.as_str(), ENCODED)
            )?;
        }
        let ((sign, sign_of_cash), sum) = (movement.signs(), fixed(movement.amount));
        let (currency, balance) = (&self.currency, fixed(movement.balance));
        writeln!(
            self.out,
            "\n    {}  {sign}{sum} {currency} = {balance} {currency}\n    {CASH}  {sign_of_cash}{sum} {currency}",
            account(movement.number),
        )
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
