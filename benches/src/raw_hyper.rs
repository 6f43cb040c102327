//! The server's limit: reading a balance and depositing in raw hyper, with the hardening that
//! `cashpoint serve` has and nothing else.
//!
//! `cargo run --release -p cashpoint-benches --bin raw-hyper [--pipeline-flush]`
//!
//! With `--pipeline-flush` hyper sends the answers to pipelined requests together. That is faster, and no way to serve
//! money: hyper then keeps an answer for as long as a byte stands behind its request, may close the connection with the
//! answer unsent, and has no bound on what it makes for a client that does not read. It shows what is possible if
//! answers may be lost. Without it each answer is sent by itself, and none is lost.
//!
//! No router, no error texts, no CORS, no log, no id of the request; but the same engine, the same limits
//! and timeouts, and answers of the same bytes. What `cashpoint serve` lacks to this is what its comforts
//! cost. `benches/http/run.sh` measures both by turns.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cashpoint::service::Service as Accounts;
use cashpoint::{AccountNumber, Amount, Cents};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use jiff::tz::Offset;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_MAX_BYTES: usize = 16 * 1024;
const CONNECTION_BUFFER_MAX_BYTES: usize = 64 * 1024;
const CONNECTIONS_MAX: usize = 16_384;
const ACCOUNTS_MAX: usize = 1_000_000;

fn main() -> io::Result<()> {
    let flushes_pipelines = std::env::args().any(|argument| argument == "--pipeline-flush");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(flushes_pipelines))
}

async fn serve(flushes_pipelines: bool) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let accounts = Arc::new(Accounts::in_memory(ACCOUNTS_MAX));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(CONNECTION_BUFFER_MAX_BYTES)
        .half_close(!flushes_pipelines)
        .pipeline_flush(flushes_pipelines);
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return Ok(());
        };
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(BODY_TIMEOUT))?;
        let accounts = Arc::clone(&accounts);
        let service = service_fn(move |request| answer(Arc::clone(&accounts), request));
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let watched = graceful.watcher().watch(connection);
        connections.spawn(async move {
            let _ = watched.await;
            drop(permit);
        });
    }
}

async fn answer(
    accounts: Arc<Accounts>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let answered = match path
        .strip_prefix("/accounts/")
        .and_then(|it| it.split_once('/'))
    {
        Some((number, "balance")) if head.method == Method::GET => balance(&accounts, number),
        Some((number, "deposit")) if head.method == Method::POST => {
            deposit(&accounts, number, body).await
        }
        None if path == "/accounts" && head.method == Method::POST => create(&accounts, body).await,
        _ => None,
    };
    Ok(answered.unwrap_or_else(|| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    }))
}

fn balance(accounts: &Accounts, number: &str) -> Option<Response<Full<Bytes>>> {
    let number: AccountNumber = number.parse().ok()?;
    let balance = accounts.balance(number).ok()?;
    let mut text = String::with_capacity(96);
    write!(
        text,
        r#"{{"account_number":"{number}","balance":{balance}}}"#
    )
    .ok()?;
    Some(json(text))
}

async fn deposit(
    accounts: &Accounts,
    number: &str,
    body: Incoming,
) -> Option<Response<Full<Bytes>>> {
    let amount = amount(&read(body).await?, b"{\"amount\":")?;
    let number: AccountNumber = number.parse().ok()?;
    let receipt = accounts.deposit(number, Amount::new(amount)?).await.ok()?;
    let balance = receipt.balance;
    let at = jiff::Timestamp::from_microsecond(receipt.at.as_micros()).ok()?;
    let at = Offset::UTC.to_datetime(at);
    let mut text = String::with_capacity(208);
    write!(
        text,
        r#"{{"account_number":"{number}","new_balance":{balance},"transaction_amount":{amount},"transaction_type":"deposit","timestamp":"{at:.6}"}}"#
    )
    .ok()?;
    Some(json(text))
}

async fn create(accounts: &Accounts, body: Incoming) -> Option<Response<Full<Bytes>>> {
    let body = read(body).await?;
    let initial = amount(&body, b"{\"initial_balance\":").unwrap_or_default();
    let number = accounts.create(initial).await.ok()?.number;
    Some(json(format!(
        r#"{{"account_number":"{number}","balance":{initial},"message":"Account created successfully"}}"#
    )))
}

/// The body, within its limit and its time.
async fn read(body: Incoming) -> Option<Bytes> {
    let whole = Limited::new(body, BODY_MAX_BYTES).collect();
    let collected = tokio::time::timeout(BODY_TIMEOUT, whole).await.ok()?.ok()?;
    Some(collected.to_bytes())
}

/// The number behind `key`. What is not exactly such a body is not read.
fn amount(body: &[u8], key: &[u8]) -> Option<Cents> {
    let number = body.strip_prefix(key)?.strip_suffix(b"}")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn json(text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
