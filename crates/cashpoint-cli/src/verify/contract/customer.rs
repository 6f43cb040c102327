//! What rules do as customers of a server: they open accounts, move money, and look what is there.

use cashpoint::Cents;

use super::json;
use super::probe::{Probe, is_path_segment};
use super::request::{Exchange, Request, account, get, post};
use super::stop::Stop;

impl Probe<'_> {
    /// Asks for an account, where one should be opened unless the server is full.
    pub(super) fn create(&mut self, request: &Request) -> Result<Exchange, Stop> {
        let answer = self.send(request)?;
        if answer.status == 507 {
            let why = "the server has no room for another account".to_owned();
            return Err(Stop::NotChecked(why));
        }
        Ok(answer)
    }

    /// Opens an account with this on it. Its number.
    pub(super) fn open(&mut self, balance: &str) -> Result<String, Stop> {
        let request = post("/accounts", format!("{{\"initial_balance\":{balance}}}"));
        let answer = self.create(&request)?;
        let number = json::string_at(&answer.body, &["account_number"]);
        match number.filter(|number| answer.status == 201 && is_path_segment(number)) {
            Some(number) => Ok(number),
            None => {
                self.allow(&answer, balance)?;
                let contract = "201 and the number of the new account";
                Err(self.deviate(&answer.request, contract, answer.line()))
            }
        }
    }

    /// Notes a deviation unless this is on an account.
    pub(super) fn check_balance(&mut self, number: &str, balance: &str) -> Result<(), Stop> {
        let body = format!("{{\"account_number\":\"{number}\",\"balance\":{balance}}}");
        self.ask(&get(account(number, "/balance")), 200, &body)?;
        Ok(())
    }

    /// Moves money, and notes a deviation unless the answer says so.
    pub(super) fn check_movement(
        &mut self,
        number: &str,
        movement: Movement,
        sent: &str,
        amount: &str,
        balance: &str,
    ) -> Result<Option<String>, Stop> {
        let request = post(
            account(number, movement.path()),
            format!("{{\"amount\":{sent}}}"),
        );
        let pattern = format!(
            "{{\"account_number\":\"{number}\",\"new_balance\":{balance},\"transaction_amount\":{amount},\
             \"transaction_type\":\"{}\",\"timestamp\":\"<time>\"}}",
            movement.name()
        );
        let answer = self.send(&request)?;
        self.allow(&answer, amount)?;
        let values = self.fits(&answer, 200, &pattern);
        Ok(values.and_then(|values| values.into_iter().next()))
    }

    /// The largest amount of one deposit, as the server's own description or refusal tells.
    pub(super) fn largest_amount(&mut self) -> Result<Cents, Stop> {
        let description = self.send(&get("/openapi.json"))?;
        let keys = [
            "components",
            "schemas",
            "TransactionRequest",
            "properties",
            "amount",
            "maximum",
        ];
        if let Some(maximum) = json::value_at(&description.body, &keys)
            && let Ok(maximum) = maximum.parse()
        {
            return Ok(maximum);
        }
        let refusal = self.send(&post("/accounts", "{\"initial_balance\":1e30}"))?;
        largest_told(refusal.body.as_bytes()).ok_or_else(|| {
            Stop::NotChecked("the server does not tell its largest amount".to_owned())
        })
    }

    /// Goes on unless an amount was refused because the server's settings do not allow it.
    fn allow(&mut self, answer: &Exchange, amount: &str) -> Result<(), Stop> {
        match amount.parse::<Cents>() {
            Ok(amount) if answer.status == 422 => self.need_amounts_up_to(amount.get()),
            _ => Ok(()),
        }
    }

    /// Goes on only if amounts up to this many cents are allowed.
    pub(super) fn need_amounts_up_to(&mut self, cents: i64) -> Result<(), Stop> {
        match self.largest_amount() {
            Ok(largest) if largest.get() < cents => Err(Stop::NotChecked(format!(
                "the server's largest amount is only {largest}"
            ))),
            // One that is not told may be large enough.
            Ok(_) | Err(Stop::NotChecked(_)) => Ok(()),
            Err(stop) => Err(stop),
        }
    }
}

/// The largest amount, as the refusal of one above it tells.
pub(in crate::verify) fn largest_told(refusal: &[u8]) -> Option<Cents> {
    let detail = json::value_at(std::str::from_utf8(refusal).ok()?, &["detail"])?;
    let first = *json::items(detail)?.first()?;
    json::value_at(first, &["ctx", "le"])?.parse().ok()
}

/// Which way money goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Movement {
    Deposit,
    Withdrawal,
}

impl Movement {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Deposit => "/deposit",
            Self::Withdrawal => "/withdraw",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
        }
    }
}
