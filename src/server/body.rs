//! Reading a request's body, within bounds of size and time.

use std::time::Duration;

use bytes::{Buf, BufMut as _};
use futures_util::{Stream, StreamExt as _};

use super::answer::Refusal;

/// The largest body that is read. The largest that makes sense is a hundred bytes long.
const BODY_MAX_BYTES: usize = 16 * 1024;

/// How much more of a body that is too large is read, and thrown away, so that the client gets to see
/// the refusal and the connection lives on. Beyond it the connection is closed.
const BODY_DISCARD_MAX_BYTES: usize = 1024 * 1024;

/// Reads a body to its end.
///
/// # Errors
///
/// [`Refusal::BodyTooLarge`] above [`BODY_MAX_BYTES`]; [`Refusal::BodyTimedOut`] if the client takes
/// longer than `timeout` to send it; [`Refusal::BodyUnreadable`] if it breaks off or is no valid
/// chunked encoding.
pub(super) async fn read(
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    timeout: Duration,
) -> Result<Vec<u8>, Refusal> {
    match tokio::time::timeout(timeout, read_to_end(body)).await {
        Ok(read) => read,
        Err(_) => Err(Refusal::BodyTimedOut),
    }
}

async fn read_to_end(
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Vec<u8>, Refusal> {
    let mut body = std::pin::pin!(body);
    let mut read = Vec::new();
    let mut discarded_bytes = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Refusal::BodyUnreadable)?;
        if discarded_bytes == 0 && read.len() + chunk.remaining() <= BODY_MAX_BYTES {
            read.put(chunk);
            continue;
        }
        discarded_bytes += chunk.remaining();
        if discarded_bytes > BODY_DISCARD_MAX_BYTES {
            break;
        }
    }
    if discarded_bytes > 0 {
        Err(Refusal::BodyTooLarge)
    } else {
        Ok(read)
    }
}
