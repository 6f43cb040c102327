//! One request after another, for all that is not measured.

use std::time::Duration;

use cashpoint::{AccountNumber, Amount, Cents};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Address, Broken, Connection};

/// A client of a server of the contract, with a connection of its own.
#[derive(Debug)]
pub(super) struct Client<'a> {
    address: &'a Address,
    connection: Connection<'a>,
}

impl<'a> Client<'a> {
    pub(super) fn new(address: &'a Address, timeout: Duration) -> Self {
        Self {
            address,
            connection: Connection::new(address, timeout),
        }
    }

    pub(super) fn create(&mut self, initial: Amount) -> Result<AccountNumber, Broken> {
        #[derive(Deserialize)]
        struct Created<'a> {
            account_number: &'a str,
        }
        let body = format!("{{\"initial_balance\":{}}}", initial.cents());
        let text = self.ask("POST", "/accounts", Some(&body), 201)?;
        let created: Created<'_> = serde_json::from_str(&text).map_err(|_| {
            Broken(format!(
                "{} does not speak the contract: it answered {text}",
                self.address.url
            ))
        })?;
        created.account_number.parse().map_err(|error| {
            Broken(format!(
                "{} opened {}: {error}",
                self.address.url, created.account_number
            ))
        })
    }

    pub(super) fn deposit(&mut self, number: AccountNumber, amount: Amount) -> Result<(), Broken> {
        let body = format!("{{\"amount\":{}}}", amount.cents());
        let path = format!("/accounts/{number}/deposit");
        self.ask("POST", &path, Some(&body), 200).map(drop)
    }

    pub(super) fn balance(&mut self, number: AccountNumber) -> Result<Cents, Broken> {
        #[derive(Deserialize)]
        struct Balance<'a> {
            #[serde(borrow)]
            balance: &'a RawValue,
        }
        let path = format!("/accounts/{number}/balance");
        let text = self.ask("GET", &path, None, 200)?;
        serde_json::from_str(&text)
            .ok()
            .and_then(|answer: Balance<'_>| answer.balance.get().parse().ok())
            .ok_or_else(|| Broken(format!("GET {path} gave no balance, but {text}")))
    }

    pub(super) fn close(&mut self, number: AccountNumber) -> Result<(), Broken> {
        let path = format!("/accounts/{number}");
        self.ask("DELETE", &path, None, 204).map(drop)
    }

    /// The body of the answer, which has to have this status.
    fn ask(
        &mut self,
        method: &str,
        path: &str,
        json: Option<&str>,
        status: u16,
    ) -> Result<String, Broken> {
        let url = &self.address.url;
        let answer = self.connection.exchange(method, path, json);
        let answer = answer.map_err(|lost| Broken(format!("{url} cannot be reached: {lost}")))?;
        let text = String::from_utf8_lossy(&answer.body()).into_owned();
        match answer.status {
            found if found == status => Ok(text),
            507 => Err(Broken(format!(
                "{url} takes no more accounts: {text}; choose fewer with --accounts, or raise its limit"
            ))),
            422 => Err(Broken(format!(
                "{url} refused {method} {path}: {text}; --initial-balance must be within its limits"
            ))),
            found => Err(Broken(format!(
                "{url} answered {method} {path} with {found} instead of {status}: {text}"
            ))),
        }
    }
}
