//! The handlers of history. It is on disk, and only a durable ledger has one.
//!
//! Reads of the disk block, so they run on threads of their own, a few at a time: whoever reads much history waits
//! for others who do, and never keeps a balance or a deposit waiting.

use std::sync::Arc;

use cashpoint::AccountNumber;
use cashpoint::durable::DurableLedger;
use cashpoint::history::{HistoryError, Order, Statement, StatementQuery};
use hyper::StatusCode;
use tracing::error;

use super::accounts::account_number;
use super::answer::{self, Refusal};
use super::api::Api;
use super::front::Response;
use super::invalid::InvalidInputResponse;
use super::json::Json;
use super::query::{self, SentAt};
use super::wire::{BalanceResponse, RefusalResponse, TransactionItem, TransactionListResponse};

/// `GET /accounts/{account_number}/transactions`.
#[utoipa::path(get, path = "/accounts/{account_number}/transactions", tag = "transactions",
    summary = "Read a statement",
    description = "What happened on an account, also on one that is closed, a page at a time. The header `Link` leads to \
        the next page. Names that are not known are refused. Needs a service that keeps a journal (`--data`).",
    params(("account_number" = String, Path, description = "The account's number"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "The most transactions to show; 100 by default"),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
        ("from" = Option<String>, Query,
            description = "Only what happened on this day, such as `2023-12-07`, or at this time, such as `2023-12-07T10:30:00`, or later; in UTC if it has no offset"),
        ("to" = Option<String>, Query,
            description = "Only what happened up to the end of this day, or before this time; in UTC if it has no offset"),
        ("order" = Option<String>, Query, pattern = "^(desc|asc)$",
            description = "`desc`, newest first, by default; `asc`, oldest first")),
    responses(
        (status = 200, description = "The transactions", body = TransactionListResponse),
        (status = 404, description = "There is and was no such account", body = RefusalResponse),
        (status = 410, description = "The segment of the journal that it was in has been taken away", body = RefusalResponse),
        (status = 422, description = "Invalid input", body = InvalidInputResponse),
        (status = 501, description = "The service keeps no journal", body = RefusalResponse),
        (status = 503, description = "The journal cannot be read there", body = RefusalResponse)))]
pub(super) async fn transactions(
    api: &Api,
    number: &str,
    query: &str,
) -> Result<Response, Refusal> {
    let query = query::statement(query)?;
    read(api, number, move |ledger, number| {
        let statement = ledger.statement(number, &query)?;
        Ok(page(number, &query, statement))
    })
    .await
}

/// The balance at another time.
pub(super) async fn balance(api: &Api, number: &str, sent: SentAt) -> Result<Response, Refusal> {
    let ledger = api.service.durable_ledger().ok_or(Refusal::NoHistory)?;
    let at = sent.within(ledger.newest_sequence())?;
    read(api, number, move |ledger, account_number| {
        let response = BalanceResponse {
            account_number,
            balance: ledger.balance_at(account_number, at)?,
            at: Some(at),
        };
        Ok(answer::json_text(StatusCode::OK, response.to_json()))
    })
    .await
}

/// Has `ask` read history where that holds nobody up.
async fn read(
    api: &Api,
    number: &str,
    ask: impl FnOnce(&DurableLedger, AccountNumber) -> Result<Response, HistoryError> + Send + 'static,
) -> Result<Response, Refusal> {
    if api.service.durable_ledger().is_none() {
        return Err(Refusal::NoHistory);
    }
    let number = account_number(number)?;
    let permit = Arc::clone(&api.history_readers).acquire_owned().await;
    let service = Arc::clone(&api.service);
    let reading = tokio::task::spawn_blocking(move || {
        // It is given back when the reading ends, also if the client has gone by then.
        let _permit = permit;
        service.durable_ledger().map(|ledger| ask(ledger, number))
    });
    match reading.await {
        Ok(Some(told)) => told.map_err(refusal),
        Ok(None) => Err(Refusal::NoHistory),
        Err(error) if error.is_panic() => Err(Refusal::HistoryUnreadable(
            "The service has a fault: see its log".to_owned(),
        )),
        Err(_) => Err(Refusal::HistoryUnreadable(
            "The service is stopping".to_owned(),
        )),
    }
}

fn refusal(error: HistoryError) -> Refusal {
    let detail = answer::sentence(&error);
    match error {
        HistoryError::UnknownAccount(_) => Refusal::AccountNotFound,
        HistoryError::NoSuchCursor { cursor, newest, .. } => {
            query::no_cursor(cursor, newest).into()
        }
        HistoryError::TakenAway { .. } => Refusal::HistoryTakenAway(detail),
        // Unreadable, or what a later version has.
        _ => {
            error!(detail, "history cannot be read");
            Refusal::HistoryUnreadable(detail)
        }
    }
}

fn page(number: AccountNumber, query: &StatementQuery, statement: Statement) -> Response {
    let next = statement.next.map(|next| next_page(number, query, next));
    let body = TransactionListResponse {
        account_number: number,
        transactions: statement
            .entries
            .into_iter()
            .map(TransactionItem::from)
            .collect(),
        has_more: statement.next.is_some(),
        next_cursor: statement.next,
    };
    answer::page(body.to_json(), next)
}

/// The next page, asked for as this one was.
fn next_page(number: AccountNumber, query: &StatementQuery, next: u64) -> String {
    let mut next_page = Json::new("/accounts/")
        .number(number)
        .text("/transactions?limit=")
        .count(query.limit as u64)
        .text("&cursor=")
        .count(next);
    for (name, time) in [("&from=", query.from), ("&to=", query.to)] {
        if let Some(time) = time {
            next_page = next_page.text(name).time(time);
        }
    }
    if query.order == Order::OldestFirst {
        next_page = next_page.text("&order=asc");
    }
    next_page.done()
}
