//! The handlers of accounts: decode, call the service once, encode. No rule of business is decided here.

use cashpoint::{
    self as ledger, AccountNumber, Cents, Change, Command, IdempotencyKey, Receipt, UnknownAccount,
};
use hyper::StatusCode;

use super::answer::{self, Refusal};
use super::api::Api;
use super::decode::{self, RequestBody, SentAmount};
use super::front::Response;
use super::invalid::InvalidInputResponse;
use super::listing;
use super::query;
use super::wire::{
    AccountCreate, AccountCreateResponse, AccountListResponse, BalanceResponse, RefusalResponse,
    TransactionRequest, TransactionResponse, TransactionType, UnprocessableResponse,
};

/// What an idempotency key is for, in the OpenAPI document.
const KEY: &str = "With the same key, the same request is done once, and answered again as it was. \
    All clients share one namespace of keys: whoever sends the same request with the same key gets the first one's answer, \
    and with another request 422. So draw each key at random, with at least 128 bits, as in a version 4 UUID, and send it again \
    only to repeat its request. 404, 503 and 507 do not use up the key: the same request can be sent again with it";

/// What a 503 means, in the OpenAPI document.
const NOT_DONE: &str = "Nothing was done, or with a failed journal it is not known: ask again later, with the same key. \
    `Retry-After` says after how many seconds, where that is known";

/// What a 403 means, in the OpenAPI document.
const FOREIGN: &str = "A page of another origin asks, and the service is set up to take changes from pages of some origins only. \
    Nothing was done. Clients that are no web pages send no `Origin`, and are not concerned";

/// `POST /accounts`.
#[utoipa::path(post, path = "/accounts", tag = "accounts",
    summary = "Create an account",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = KEY)),
    request_body = AccountCreate,
    responses(
        (status = 201, description = "The account exists", body = AccountCreateResponse),
        (status = 403, description = FOREIGN, body = RefusalResponse),
        (status = 422, description = "Invalid input, or the key was used with another request", body = UnprocessableResponse),
        (status = 503, description = NOT_DONE, body = RefusalResponse),
        (status = 507, description = "There are as many accounts as allowed", body = RefusalResponse)))]
pub(super) async fn create(
    api: &Api,
    body: RequestBody<'_>,
    key: Option<IdempotencyKey>,
) -> Result<Response, Refusal> {
    let initial = decode::initial_balance(body, api.transaction_max)?;
    let change = Change::Open { initial };
    let created = |receipt: Receipt| {
        let created = AccountCreateResponse {
            account_number: receipt.number,
            balance: receipt.balance,
            message: "Account created successfully",
        };
        answer::json_text(StatusCode::CREATED, created.to_json())
    };
    let result = api.service.execute(Command { change, key }).await;
    answer::of(result, created, Refusal::from)
}

/// `GET /accounts/{account_number}/balance`.
#[utoipa::path(get, path = "/accounts/{account_number}/balance", tag = "accounts",
    summary = "Read a balance",
    params(("account_number" = String, Path, description = "The account's number"),
        ("at" = Option<String>, Query,
            description = "For the balance right after everything that happened up to this time, such as `2023-12-07T10:30:00` (a \
                date means the whole day), or up \
                to the transaction with this sequence number, not above the newest; also of an account that is closed \
                now. Needs a service that keeps a journal (`--data`)")),
    responses(
        (status = 200, description = "The balance", body = BalanceResponse),
        (status = 404, description = "There is no such account, or there was none then", body = RefusalResponse),
        (status = 410, description = "The segment of the journal that tells it has been taken away", body = RefusalResponse),
        (status = 422, description = "Invalid input", body = InvalidInputResponse),
        (status = 501, description = "The service keeps no journal", body = RefusalResponse),
        (status = 503, description = "The journal cannot be read there", body = RefusalResponse)))]
pub(super) fn balance(api: &Api, number: &str) -> Result<Response, Refusal> {
    let account_number = account_number(number)?;
    let balance = api.service.balance(account_number)?;
    Ok(answer::json_text(
        StatusCode::OK,
        BalanceResponse {
            account_number,
            balance,
            at: None,
        }
        .to_json(),
    ))
}

/// `POST /accounts/{account_number}/deposit`.
#[utoipa::path(post, path = "/accounts/{account_number}/deposit", tag = "transactions",
    summary = "Deposit money",
    params(("account_number" = String, Path, description = "The account's number"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = KEY)),
    request_body = TransactionRequest,
    responses(
        (status = 200, description = "The money has been added", body = TransactionResponse),
        (status = 403, description = FOREIGN, body = RefusalResponse),
        (status = 404, description = "There is no such account", body = RefusalResponse),
        (status = 422, description = "Invalid input, or the key was used with another request", body = UnprocessableResponse),
        (status = 503, description = NOT_DONE, body = RefusalResponse)))]
pub(super) async fn deposit(
    api: &Api,
    number: &str,
    body: RequestBody<'_>,
    key: Option<IdempotencyKey>,
) -> Result<Response, Refusal> {
    let sent = decode::amount(body, api.transaction_max)?;
    let number = account_number(number)?;
    let amount = sent.amount;
    let change = Change::Deposit { number, amount };
    let result = api.service.execute(Command { change, key }).await;
    let refused = |refusal| match refusal {
        ledger::Refusal::BalanceLimit { balance } => {
            let room = Cents::new(Cents::MAX.get() - balance.get()).unwrap_or_default();
            sent.above(room).into()
        }
        refusal => refusal.into(),
    };
    let granted = |receipt| transaction(&sent, TransactionType::Deposit, receipt);
    answer::of(result, granted, refused)
}

/// `POST /accounts/{account_number}/withdraw`.
#[utoipa::path(post, path = "/accounts/{account_number}/withdraw", tag = "transactions",
    summary = "Withdraw money",
    params(("account_number" = String, Path, description = "The account's number"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = KEY)),
    request_body = TransactionRequest,
    responses(
        (status = 200, description = "The money has been taken out", body = TransactionResponse),
        (status = 400, description = "There is not enough money on the account", body = RefusalResponse),
        (status = 403, description = FOREIGN, body = RefusalResponse),
        (status = 404, description = "There is no such account", body = RefusalResponse),
        (status = 422, description = "Invalid input, or the key was used with another request", body = UnprocessableResponse),
        (status = 503, description = NOT_DONE, body = RefusalResponse)))]
pub(super) async fn withdraw(
    api: &Api,
    number: &str,
    body: RequestBody<'_>,
    key: Option<IdempotencyKey>,
) -> Result<Response, Refusal> {
    let sent = decode::amount(body, api.transaction_max)?;
    let number = account_number(number)?;
    let amount = sent.amount;
    let change = Change::Withdraw { number, amount };
    let result = api.service.execute(Command { change, key }).await;
    let granted = |receipt| transaction(&sent, TransactionType::Withdrawal, receipt);
    answer::of(result, granted, Refusal::from)
}

/// `DELETE /accounts/{account_number}`.
#[utoipa::path(delete, path = "/accounts/{account_number}", tag = "accounts",
    summary = "Delete an account",
    description = "Closes the account for good, also when money is left on it.",
    params(("account_number" = String, Path, description = "The account's number"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = KEY)),
    responses(
        (status = 204, description = "The account is gone"),
        (status = 403, description = FOREIGN, body = RefusalResponse),
        (status = 404, description = "There is no such account", body = RefusalResponse),
        (status = 422, description = "Invalid input, or the key was used with another request", body = UnprocessableResponse),
        (status = 503, description = NOT_DONE, body = RefusalResponse)))]
pub(super) async fn delete(
    api: &Api,
    number: &str,
    key: Option<IdempotencyKey>,
) -> Result<Response, Refusal> {
    let number = account_number(number)?;
    let change = Change::Close { number };
    let result = api.service.execute(Command { change, key }).await;
    answer::of(result, |_| answer::no_content(), Refusal::from)
}

/// `GET /accounts`.
#[utoipa::path(get, path = "/accounts", tag = "accounts",
    summary = "List accounts",
    description = "All accounts in order of creation, or a page of them if `limit` or `after` is sent. \
        The header `Link` then leads to the next page. More than 1,000 accounts without `limit` are sent as they are read: \
        `total_accounts` is their number at the beginning, those opened later are not among them, and those closed meanwhile \
        may be missing.",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000,
            description = "The most accounts to list; 100 if only `after` is sent"),
        ("after" = Option<String>, Query,
            description = "Where to go on: the `next_after` of the page before")),
    responses(
        (status = 200, description = "The accounts", body = AccountListResponse),
        (status = 422, description = "Invalid input", body = InvalidInputResponse),
        (status = 503, description = "Too many listings of more than 1,000 accounts are being sent: ask for pages, or again \
            after `Retry-After` seconds", body = RefusalResponse)))]
pub(super) fn list(api: &Api, sent: &str) -> Result<Response, Refusal> {
    match query::page(sent)? {
        Some(page) => {
            let page = page.within(api.service.last_created())?;
            Ok(listing::page(&api.service, page))
        }
        None => listing::whole(api),
    }
}

/// A text that is no account number is the number of no account.
pub(super) fn account_number(text: &str) -> Result<AccountNumber, UnknownAccount> {
    text.parse().map_err(|_| UnknownAccount)
}

fn transaction(
    sent: &SentAmount<'_>,
    transaction_type: TransactionType,
    receipt: Receipt,
) -> Response {
    let transaction = TransactionResponse {
        account_number: receipt.number,
        new_balance: receipt.balance,
        transaction_amount: sent.amount,
        transaction_type,
        timestamp: receipt.at,
    };
    answer::json_text(StatusCode::OK, transaction.to_json())
}
