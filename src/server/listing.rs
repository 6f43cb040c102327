//! Writes listings: one page, or all accounts as a stream that holds neither the text of all of them in
//! memory nor a thread for long.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::iter;

use futures_util::stream;
use hyper::header::CONTENT_TYPE;
use warp::Reply as _;
use warp::reply::Response;

use super::answer;
use super::json::Json;
use super::query::Page;
use super::wire::AccountItem;
use crate::service::{AccountSummary, Service};

/// How many accounts are read, or written, at a stretch, before other requests get their turn.
const STRETCH_ACCOUNTS: usize = 1000;

/// All accounts.
pub(super) async fn whole(service: &Service) -> Response {
    let accounts = read_all(service).await;
    let begin = begin(accounts.len(), service.account_limit());
    let pieces = iter::once(begin)
        .chain(items(accounts))
        .chain(iter::once("]}".to_owned()));
    let mut response =
        warp::reply::stream(stream::iter(pieces.map(Ok::<_, Infallible>))).into_response();
    response.headers_mut().insert(CONTENT_TYPE, answer::JSON);
    response
}

async fn read_all(service: &Service) -> Vec<AccountSummary> {
    let mut accounts: Vec<AccountSummary> = Vec::with_capacity(service.count());
    loop {
        let cursor = accounts.last().map(|account| account.created);
        let stretch = service.accounts_after(cursor, STRETCH_ACCOUNTS);
        let is_last = stretch.len() < STRETCH_ACCOUNTS;
        accounts.extend(stretch);
        if is_last {
            return accounts;
        }
        tokio::task::yield_now().await;
    }
}

/// A page of accounts, and where the next one begins.
pub(super) fn page(service: &Service, Page { limit, after }: Page) -> Response {
    // One more than asked for tells whether there are more.
    let mut accounts = service.accounts_after(after, limit + 1);
    let has_more = accounts.len() > limit;
    accounts.truncate(limit);
    let next = accounts
        .last()
        .filter(|_| has_more)
        .map(|account| account.created.get());

    let mut body = begin(service.count(), service.account_limit());
    body.extend(items(accounts));
    let next_after = next.map_or("null".to_owned(), |cursor| format!("\"{cursor}\""));
    // Writing to a `String` cannot fail.
    let _ = write!(
        body,
        r#"],"has_more":{has_more},"next_after":{next_after}}}"#
    );

    let next = next.map(|cursor| format!("/accounts?limit={limit}&after={cursor}"));
    answer::page(body, next)
}

fn begin(total_accounts: usize, max_accounts: usize) -> String {
    format!(r#"{{"total_accounts":{total_accounts},"max_accounts":{max_accounts},"accounts":["#)
}

/// The items of a list, a stretch at a time, with the commas between them.
fn items(accounts: Vec<AccountSummary>) -> impl Iterator<Item = String> {
    let mut accounts = accounts.into_iter();
    let mut separator = "";
    iter::from_fn(move || {
        let mut json = Json::new("");
        for account in accounts.by_ref().take(STRETCH_ACCOUNTS) {
            json = AccountItem::from(account).write(json.text(separator));
            separator = ",";
        }
        let text = json.done();
        (!text.is_empty()).then_some(text)
    })
}
