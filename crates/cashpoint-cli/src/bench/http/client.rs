//! One request after another, for all that is not measured.

use std::time::Duration;

use cashpoint::{AccountNumber, Amount, Cents};
use serde::Deserialize;
use serde_json::value::RawValue;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::client::Broken;

/// A client of a server of the contract.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    pub(super) fn new(url: &str, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Self {
            agent: Agent::new_with_config(config),
            url: url.to_owned(),
        }
    }

    pub(super) fn create(&self, initial: Amount) -> Result<AccountNumber, Broken> {
        #[derive(Deserialize)]
        struct Created<'a> {
            account_number: &'a str,
        }
        let body = format!("{{\"initial_balance\":{}}}", initial.cents());
        let text = self.post("/accounts", &body, 201)?;
        let created: Created<'_> = serde_json::from_str(&text).map_err(|_| {
            Broken(format!(
                "{} does not speak the contract: it answered {text}",
                self.url
            ))
        })?;
        created.account_number.parse().map_err(|error| {
            Broken(format!(
                "{} opened {}: {error}",
                self.url, created.account_number
            ))
        })
    }

    pub(super) fn deposit(&self, number: AccountNumber, amount: Amount) -> Result<(), Broken> {
        let body = format!("{{\"amount\":{}}}", amount.cents());
        self.post(&format!("/accounts/{number}/deposit"), &body, 200)?;
        Ok(())
    }

    pub(super) fn balance(&self, number: AccountNumber) -> Result<Cents, Broken> {
        #[derive(Deserialize)]
        struct Balance<'a> {
            #[serde(borrow)]
            balance: &'a RawValue,
        }
        let path = format!("/accounts/{number}/balance");
        let answer = self.agent.get(format!("{}{path}", self.url)).call();
        let text = self.text("GET", &path, answer, 200)?;
        serde_json::from_str(&text)
            .ok()
            .and_then(|answer: Balance<'_>| answer.balance.get().parse().ok())
            .ok_or_else(|| Broken(format!("GET {path} gave no balance, but {text}")))
    }

    pub(super) fn close(&self, number: AccountNumber) -> Result<(), Broken> {
        let path = format!("/accounts/{number}");
        let answer = self.agent.delete(format!("{}{path}", self.url)).call();
        self.text("DELETE", &path, answer, 204).map(drop)
    }

    fn post(&self, path: &str, body: &str, status: u16) -> Result<String, Broken> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let answer = request.content_type("application/json").send(body);
        self.text("POST", path, answer, status)
    }

    /// The body of an answer that has this status.
    fn text(
        &self,
        method: &str,
        path: &str,
        answer: Result<Response<Body>, ureq::Error>,
        status: u16,
    ) -> Result<String, Broken> {
        let unreachable = |error| Broken(format!("{} cannot be reached: {error}", self.url));
        let mut answer = answer.map_err(unreachable)?;
        let text = answer.body_mut().read_to_string().map_err(unreachable)?;
        match answer.status().as_u16() {
            found if found == status => Ok(text),
            507 => Err(Broken(format!(
                "{} takes no more accounts: {text}; choose fewer with --accounts, or raise its limit",
                self.url
            ))),
            422 => Err(Broken(format!(
                "{} refused {method} {path}: {text}; --initial-balance must be within its limits",
                self.url
            ))),
            found => Err(Broken(format!(
                "{} answered {method} {path} with {found} instead of {status}: {text}",
                self.url
            ))),
        }
    }
}
