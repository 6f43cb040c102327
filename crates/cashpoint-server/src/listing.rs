//! Writes listings: a page, or all accounts.
//!
//! A page, and all accounts if they are no more than the longest page has, are one answer. More accounts than that are a
//! stream, and what it promises holds because of these:
//!
//! - *Constant memory.* A stretch of accounts is read, written, and sent before the next is read. hyper holds two of
//!   them at most.
//! - *No thread for long.* Between two stretches the connection's task lets others have their turn.
//! - *A bounded number.* A stream holds a permit for as long as it lasts. There are [`STREAMS_MAX`](super::api::STREAMS_MAX); one more is refused.
//! - *Weakly consistent.* An account that is open throughout is listed once. One that is closed meanwhile may be left
//!   out. One that is opened meanwhile is left out, so a stream ends however fast accounts are opened.
//! - *Never more than was said.* `total_accounts` stands at the head and is the count at the beginning. Each account
//!   that is listed was counted: see [`Service::last_created`].

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use cashpoint::CreationNumber;
use cashpoint::service::{AccountSummary, Service};
use futures_util::stream;
use futures_util::{Stream, StreamExt as _};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Refusal};
use super::answer_memory;
use super::api::Api;
use super::front::{self, Response};
use super::json::Json;
use super::query::{PAGE_LIMIT_MAX, PageQuery};
use super::wire::AccountItem;

/// How many accounts are read and written at a stretch, before others have their turn: 40 KiB of text.
const STRETCH_ACCOUNTS: usize = 256;

/// Room for the text of an account, with the largest balance.
const ACCOUNT_BYTES: usize = 176;

/// Room for what stands around a list.
const FRAME_BYTES: usize = 160;

/// All accounts.
pub(super) fn whole(api: &Api) -> Result<Response, Refusal> {
    let service = &api.service;
    if service.count() <= PAGE_LIMIT_MAX {
        let accounts = service.accounts_after(None, PAGE_LIMIT_MAX + 1);
        // Others may have been opened since they were counted.
        if accounts.len() <= PAGE_LIMIT_MAX {
            let mut text = begin(accounts.len(), service.account_limit(), accounts.len());
            text = list(text, "", &accounts).text("]}");
            return Ok(answer::json_text(StatusCode::OK, text.done()));
        }
    }
    let permit = Arc::clone(&api.listings).try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::TooManyListings)?;
    let pieces = pieces(Arc::clone(service), permit);
    let mut response = front::streamed(pieces);
    response.headers_mut().insert(CONTENT_TYPE, answer::JSON);
    Ok(response)
}

/// A page of accounts, and where the next one begins.
pub(super) fn page(service: &Service, PageQuery { limit, after }: PageQuery) -> Response {
    // One more than asked for tells whether there are more.
    let mut accounts = service.accounts_after(after, limit + 1);
    let has_more = accounts.len() > limit;
    accounts.truncate(limit);
    let next = accounts
        .last()
        .filter(|_| has_more)
        .map(|account| account.created.get());

    let text = begin(service.count(), service.account_limit(), accounts.len());
    let mut body = list(text, "", &accounts).done();
    let next_after = next.map_or("null".to_owned(), |cursor| format!("\"{cursor}\""));
    // Writing to a `String` cannot fail.
    let _ = write!(
        body,
        r#"],"has_more":{has_more},"next_after":{next_after}}}"#
    );

    let next = next.map(|cursor| format!("/accounts?limit={limit}&after={cursor}"));
    answer::page(body, next)
}

/// A listing that is being sent.
struct Stretches {
    service: Arc<Service>,
    /// The last account that was written.
    last: Option<CreationNumber>,
    /// No later one is listed.
    newest: CreationNumber,
    /// What is sent holds it, too: it is given back once the client has taken all, or is gone.
    permit: Arc<OwnedSemaphorePermit>,
}

/// The text of a listing of all accounts: its head, then a stretch at a time.
fn pieces(
    service: Arc<Service>,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    // In this order, so that whoever is listed was counted.
    let newest = service.last_created();
    let head = begin(service.count(), service.account_limit(), 0).done();
    let stretches = Stretches {
        service,
        last: None,
        newest,
        permit: Arc::new(permit),
    };
    let stretches = stream::unfold(Some(stretches), |stretches| async {
        let mut stretches = stretches?;
        tokio::task::yield_now().await;
        let (text, is_last) = stretches.next();
        Some((Ok(text), (!is_last).then_some(stretches)))
    });
    stream::iter([Ok(Bytes::from(head))]).chain(stretches)
}

impl Stretches {
    /// The text of the next stretch, and whether it is the last.
    fn next(&mut self) -> (Bytes, bool) {
        let mut accounts = self.service.accounts_after(self.last, STRETCH_ACCOUNTS);
        accounts.retain(|account| account.created <= self.newest);
        let is_last = accounts.len() < STRETCH_ACCOUNTS;

        let separator = if self.last.is_some() { "," } else { "" };
        let text = Json::with_capacity(accounts.len() * ACCOUNT_BYTES + FRAME_BYTES);
        let text = list(text, separator, &accounts);
        let text = if is_last { text.text("]}") } else { text };
        self.last = accounts.last().map(|account| account.created);
        let permit = Arc::clone(&self.permit);
        (answer_memory::held(text.done(), permit), is_last)
    }
}

/// What stands before a list, with room for so many accounts behind it.
fn begin(total_accounts: usize, max_accounts: usize, room_for: usize) -> Json {
    Json::with_capacity(room_for * ACCOUNT_BYTES + FRAME_BYTES)
        .text(r#"{"total_accounts":"#)
        .count(total_accounts as u64)
        .text(r#","max_accounts":"#)
        .count(max_accounts as u64)
        .text(r#","accounts":["#)
}

/// Accounts with commas between them, and `separator` before the first.
fn list(text: Json, separator: &'static str, accounts: &[AccountSummary]) -> Json {
    let mut text = text;
    let mut separator = separator;
    for account in accounts {
        text = AccountItem::from(*account).write(text.text(separator));
        separator = ",";
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;

    use futures_util::FutureExt as _;
    use tokio::sync::Semaphore;

    use super::*;
    use cashpoint::AccountNumber;
    use cashpoint::Cents;

    fn open(service: &Service, count: usize) -> Vec<AccountNumber> {
        let opened = (0..count).map(|_| {
            let answer = service.create(Cents::ZERO).now_or_never().unwrap();
            answer.unwrap().number
        });
        opened.collect()
    }

    fn close(service: &Service, number: AccountNumber) {
        let answer = service.close(number).now_or_never().unwrap();
        answer.unwrap();
    }

    fn with_accounts(count: usize) -> (Arc<Service>, Vec<AccountNumber>) {
        let service = Arc::new(Service::in_memory(10_000));
        let numbers = open(&service, count);
        (service, numbers)
    }

    fn permit(permits: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        Arc::clone(permits).try_acquire_owned().unwrap()
    }

    /// Takes a stream piece by piece.
    struct Reader<S>(std::pin::Pin<Box<S>>);

    fn begin_reading(
        service: &Arc<Service>,
    ) -> Reader<impl Stream<Item = Result<Bytes, Infallible>>> {
        let permit = permit(&Arc::new(Semaphore::new(1)));
        Reader(Box::pin(pieces(Arc::clone(service), permit)))
    }

    impl<S: Stream<Item = Result<Bytes, Infallible>>> Reader<S> {
        /// The next piece; it is ready at the first or at the second turn.
        fn piece(&mut self) -> Option<String> {
            let mut next = self.0.next();
            let ready = (&mut next).now_or_never();
            let piece = ready.or_else(|| (&mut next).now_or_never()).unwrap();
            piece.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap())
        }

        fn rest(&mut self) -> String {
            std::iter::from_fn(|| self.piece()).collect()
        }
    }

    /// What a listing says: how many accounts there are, and their numbers.
    #[track_caller]
    fn read(text: &str) -> (usize, Vec<AccountNumber>) {
        let listing: serde_json::Value = serde_json::from_str(text).unwrap();
        let total = listing["total_accounts"].as_u64().unwrap();
        let accounts = listing["accounts"].as_array().unwrap();
        let numbers = accounts
            .iter()
            .map(|account| account["account_number"].as_str().unwrap().parse().unwrap());
        (usize::try_from(total).unwrap(), numbers.collect())
    }

    #[test]
    fn a_stream_lists_every_account_in_order_however_many_stretches_there_are() {
        const EDGE: usize = STRETCH_ACCOUNTS;
        for count in [0, 1, EDGE - 1, EDGE, EDGE + 1, 2 * EDGE, 2 * EDGE + 1, 1001] {
            let (service, numbers) = with_accounts(count);
            assert_eq!(read(&begin_reading(&service).rest()), (count, numbers));
        }
    }

    #[test]
    fn no_piece_outgrows_its_room_and_others_have_their_turn_between_two() {
        let service = Arc::new(Service::in_memory(1_000));
        for _ in 0..1_000 {
            let created = service.create(Cents::MAX).now_or_never().unwrap();
            created.unwrap();
        }
        let mut reader = begin_reading(&service);
        let _head = reader.piece();
        loop {
            let mut next = reader.0.next();
            let piece = match (&mut next).now_or_never() {
                None => (&mut next).now_or_never().unwrap(),
                Some(None) => break,
                Some(Some(_)) => panic!("no turn for others"),
            };
            let Some(piece) = piece else { break };
            let piece_bytes = piece.unwrap().len();
            assert!(
                piece_bytes <= STRETCH_ACCOUNTS * ACCOUNT_BYTES,
                "{piece_bytes}"
            );
        }
    }

    #[test]
    fn accounts_that_come_and_go_between_stretches_take_no_other_away() {
        let (service, numbers) = with_accounts(4 * STRETCH_ACCOUNTS);
        let mut reader = begin_reading(&service);
        let mut text = reader.piece().unwrap() + &reader.piece().unwrap();
        // The first and the last that were listed, the next, and the last of all.
        let listed = [0, STRETCH_ACCOUNTS - 1];
        let unlisted = [STRETCH_ACCOUNTS, 4 * STRETCH_ACCOUNTS - 1];
        for at in listed.into_iter().chain(unlisted) {
            close(&service, numbers[at]);
        }
        while let Some(piece) = reader.piece() {
            text += &piece;
            open(&service, STRETCH_ACCOUNTS);
        }
        let mut expected = numbers.clone();
        expected.retain(|number| !unlisted.map(|at| numbers[at]).contains(number));
        assert_eq!(read(&text), (4 * STRETCH_ACCOUNTS, expected));

        // All that was not listed yet is gone.
        let (service, numbers) = with_accounts(2 * STRETCH_ACCOUNTS);
        let mut reader = begin_reading(&service);
        let text = reader.piece().unwrap() + &reader.piece().unwrap();
        let (listed, unlisted) = numbers.split_at(STRETCH_ACCOUNTS);
        unlisted.iter().for_each(|number| close(&service, *number));
        assert_eq!(
            read(&(text + &reader.rest())),
            (numbers.len(), listed.to_vec())
        );
    }

    #[test]
    fn no_more_are_listed_than_were_counted() {
        let (service, _) = with_accounts(10);
        let is_over = AtomicBool::new(false);
        let told = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    for number in open(&service, 50) {
                        close(&service, number);
                    }
                }
            });
            let told: Vec<_> = (0..1_000).map(|_| begin_reading(&service).rest()).collect();
            is_over.store(true, Relaxed);
            told
        });
        for text in told {
            let (total, listed) = read(&text);
            assert!(listed.len() <= total, "{} of {total}", listed.len());
        }
    }

    #[test]
    fn a_permit_is_given_back_when_all_is_taken_or_the_client_is_gone() {
        let (service, _) = with_accounts(1);
        let permits = Arc::new(Semaphore::new(1));
        let mut stream = Box::pin(pieces(Arc::clone(&service), permit(&permits)));
        assert_eq!(permits.available_permits(), 0);
        let mut pieces_left = Vec::new();
        while let Some(piece) = {
            let mut next = stream.next();
            let ready = (&mut next).now_or_never();
            ready.or_else(|| (&mut next).now_or_never()).unwrap()
        } {
            pieces_left.push(piece.unwrap());
        }
        drop(stream);
        assert_eq!(permits.available_permits(), 0, "the last piece waits");
        drop(pieces_left);
        assert_eq!(permits.available_permits(), 1);

        let mut stream = Box::pin(pieces(service, permit(&permits)));
        let _head = stream.next().now_or_never();
        drop(stream);
        assert_eq!(permits.available_permits(), 1);
    }
}
