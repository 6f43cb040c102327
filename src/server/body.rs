//! Reading a request's body, within bounds of size and time.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, BufMut as _};
use futures_util::{FutureExt as _, Stream, StreamExt as _};

use super::answer::Refusal;

/// The largest body that is read. The largest that makes sense is a hundred bytes long.
const BODY_MAX_BYTES: usize = 16 * 1024;

/// How much more of a body that is too large is read, and thrown away, so that a client that sends first
/// and listens afterwards gets to see the refusal. Beyond it the connection is closed.
const BODY_DISCARD_MAX_BYTES: usize = 1024 * 1024;

/// Reads a body to its end. `announced_bytes` is its length, where the request says it.
///
/// A body that is too large is refused as soon as this is known; what still comes of it is thrown away
/// while the refusal is on its way.
///
/// # Errors
///
/// [`Refusal::BodyTooLarge`] above [`BODY_MAX_BYTES`]; [`Refusal::BodyTimedOut`] if the client takes
/// longer than `timeout` to send it; [`Refusal::BodyUnreadable`] if it breaks off or is no valid
/// chunked encoding.
pub(super) async fn read<S, B>(
    mut body: S,
    announced_bytes: Option<u64>,
    timeout: Duration,
) -> Result<Vec<u8>, Refusal>
where
    S: Stream<Item = Result<B, warp::Error>> + Send + Unpin + 'static,
    B: Buf + Send + 'static,
{
    let read = match announced_bytes {
        Some(length) if length > BODY_MAX_BYTES as u64 => Err(Refusal::BodyTooLarge),
        _ => {
            let expected_bytes = announced_bytes.unwrap_or_default() as usize;
            let mut reading = pin!(read_to_end(&mut body, expected_bytes));
            // Most bodies came with their head, or are none: for them no timer is set.
            match reading.as_mut().now_or_never() {
                Some(read) => read,
                None => tokio::time::timeout(timeout, reading)
                    .await
                    .unwrap_or(Err(Refusal::BodyTimedOut)),
            }
        }
    };
    if matches!(read, Err(Refusal::BodyTooLarge)) {
        tokio::spawn(tokio::time::timeout(timeout, discard(body)));
    }
    read
}

async fn read_to_end<B: Buf>(
    body: &mut (impl Stream<Item = Result<B, warp::Error>> + Unpin),
    expected_bytes: usize,
) -> Result<Vec<u8>, Refusal> {
    let mut read = Vec::with_capacity(expected_bytes);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Refusal::BodyUnreadable)?;
        if read.len() + chunk.remaining() > BODY_MAX_BYTES {
            return Err(Refusal::BodyTooLarge);
        }
        read.put(chunk);
    }
    Ok(read)
}

async fn discard<B: Buf>(mut body: impl Stream<Item = Result<B, warp::Error>> + Unpin) {
    let mut discarded_bytes = 0;
    while let Some(Ok(chunk)) = body.next().await {
        discarded_bytes += chunk.remaining();
        if discarded_bytes > BODY_DISCARD_MAX_BYTES {
            break;
        }
    }
}
