//! One connection, from its first byte to its last: hyper serves it, and what hyper leaves undone is done here.
//!
//! hyper hangs up on some requests without a word. And if a connection is closed while bytes are unread, the system resets
//! it: a client that has not read its last answer yet loses it. So a client that is not understood gets one refusal; and at
//! its end a connection is closed for sending only, and what still comes is read and thrown away for a short time.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;

use super::Config;
use super::front::Response;
use super::seat::{HeadTimer, Seat};
use super::transport::Transport;

/// The largest head of a request that is read. hyper reads it, and pipelined requests, into a buffer that it keeps
/// while the connection is idle: so this is also about what each connection may hold for good.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// How long a client is still listened to after the last answer, unless it ends the connection itself.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// How long that may still take once the server is to stop, for a client that has sent more than was answered.
const LINGER_STOPPING_MAX: Duration = Duration::from_secs(1);

/// How much is read at a time. Little, because thousands of connections may linger at a time.
const LINGER_READ_BYTES: usize = 2 * 1024;

/// How hyper serves each connection, but for its timer.
pub(super) fn builder(config: &Config) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // No `writev(false)`, which would save some instructions: hyper would copy each answer into a buffer that it never
    // shrinks, and an idle connection would keep the room of the largest page that it was ever sent.
    builder
        .header_read_timeout(config.header_timeout)
        // It is asked for twice: the buffer has room for more than its limit, and a head that has arrived as a whole is not
        // held against that.
        .max_buf_size(HEAD_MAX_BYTES)
        .max_header_size(HEAD_MAX_BYTES)
        // A client that ends its sending side may still wait for answers. One that is gone looks the same: its
        // connection ends with the answer to the request that it is in.
        .half_close(true);
    builder
}

/// Serves one connection to its end; once it is asked to leave, to the end of the request that it is in.
pub(super) async fn serve<S, R, W>(
    transport: Transport<R, W>,
    builder: &http1::Builder,
    service: S,
    seat: &Arc<Seat>,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
    R: AsyncRead + Unpin + 'static,
    W: AsyncWrite + Unpin + 'static,
{
    let outgoing = transport.outgoing();
    let mut builder = builder.clone();
    builder.timer(HeadTimer {
        timer: transport.timer(),
        seat: Arc::clone(seat),
    });
    let mut connection = builder.serve_connection(TokioIo::new(transport), service);
    let served = tokio::select! {
        biased;
        served = outgoing.drive(&mut connection) => served,
        () = seat.leaves() => {
            Pin::new(&mut connection).graceful_shutdown();
            outgoing.drive(&mut connection).await
        }
    };
    let left = connection.into_parts();
    let mut transport = left.io.into_inner();
    // What a client does wrong below HTTP, a timeout included, is its own affair.
    let ended = match served {
        Ok(Ok(())) => outgoing.finish(b"").await,
        Ok(Err(error)) => {
            debug!(%error, "connection ended early");
            let refusal = refusal(&error, &left.read_buf).map(last_answer);
            let refusal = refusal.unwrap_or_default();
            outgoing.finish(refusal.as_bytes()).await
        }
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) if transport.is_at_end() => {}
        Ok(()) => {
            let mut unanswered_bytes = left.read_buf.len();
            // What was read is not needed any more, and there may be much of it.
            drop(left.read_buf);
            tokio::select! {
                biased;
                () = linger(&mut transport, LINGER_MAX, &mut unanswered_bytes) => return,
                () = seat.leaves() => {}
            }
            // Nobody waits for a client that is silent. One that goes on sending would lose the answers on their way to it.
            if unanswered_bytes > 0 {
                linger(&mut transport, LINGER_STOPPING_MAX, &mut unanswered_bytes).await;
            }
        }
        Err(error) => debug!(%error, "connection lost"),
    }
}

/// The answer to what is no request, where hyper has not answered itself: `unread` is what it has read and not
/// understood. A client that has sent no part of a request is told nothing.
fn refusal(error: &hyper::Error, unread: &[u8]) -> Option<StatusCode> {
    let has_begun = unread.iter().any(|byte| !b"\r\n".contains(byte));
    match error {
        _ if !has_begun => None,
        error if error.is_timeout() => Some(StatusCode::REQUEST_TIMEOUT),
        error if error.is_parse() || error.is_incomplete_message() => Some(StatusCode::BAD_REQUEST),
        _ => None,
    }
}

/// An answer as hyper writes it to what it does not understand.
fn last_answer(status: StatusCode) -> String {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now());
    let date = date.map(|date| format!("date: {date}\r\n"));
    let date = date.unwrap_or_default();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n{date}\r\n")
}

/// Reads what a client still sends after the last answer, counts it, and throws it away, for as long as `time`.
async fn linger(incoming: &mut (impl AsyncRead + Unpin), time: Duration, bytes: &mut usize) {
    let mut buffer = vec![0; LINGER_READ_BYTES];
    let discard = async {
        while let Ok(read @ 1..) = read(incoming, &mut buffer).await {
            *bytes += read;
        }
    };
    // Too late is as good as done.
    let _ = tokio::time::timeout(time, discard).await;
}

async fn read(from: &mut (impl AsyncRead + Unpin), into: &mut [u8]) -> io::Result<usize> {
    let mut into = ReadBuf::new(into);
    poll_fn(|cx| Pin::new(&mut *from).poll_read(cx, &mut into)).await?;
    Ok(into.filled().len())
}
