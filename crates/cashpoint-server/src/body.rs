//! Reading a request's body, within bounds of size, time, and memory for all of them together.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, BufMut as _};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::Refusal;
use super::front::BrokenBody;

/// The largest body that is read. The largest that makes sense is a hundred bytes long.
const BODY_MAX_BYTES: usize = 16 * 1024;

/// The largest body that each connection may have under way.
const SMALL_MAX_BYTES: usize = 1024;

/// How many larger ones may be under way at a time, on all connections together. Clients that announce bodies and do not
/// send them to their end could otherwise hold [`BODY_MAX_BYTES`] each.
const LARGE_BODIES_MAX: usize = 256;

/// Reads the bodies of one server.
#[derive(Debug)]
pub(super) struct Bodies {
    timeout: Duration,
    large: Semaphore,
}

impl Bodies {
    /// A client may take `timeout` to send a body.
    pub(super) fn new(timeout: Duration) -> Self {
        let large = Semaphore::new(LARGE_BODIES_MAX);
        Self { timeout, large }
    }

    /// Reads a body to its end. `announced_bytes` is its length, where the request says it.
    ///
    /// # Errors
    ///
    /// [`Refusal::BodyTooLarge`] above [`BODY_MAX_BYTES`], as soon as this is known; [`Refusal::TooManyLargeBodies`];
    /// [`Refusal::BodyTimedOut`] if the client takes too long; [`Refusal::BodyUnreadable`] if it breaks off or is no
    /// valid chunked encoding.
    pub(super) async fn read<S, B>(
        &self,
        body: S,
        announced_bytes: Option<u64>,
    ) -> Result<Vec<u8>, Refusal>
    where
        S: Stream<Item = Result<B, BrokenBody>> + Unpin,
        B: Buf,
    {
        let expected_bytes = match announced_bytes {
            Some(length) if length > BODY_MAX_BYTES as u64 => return Err(Refusal::BodyTooLarge),
            _ => announced_bytes.unwrap_or_default() as usize,
        };
        let mut reading = pin!(self.read_to_end(body, expected_bytes));
        // Most bodies came with their head, or are none: for them no timer is set.
        match reading.as_mut().now_or_never() {
            Some(read) => read,
            None => tokio::time::timeout(self.timeout, reading)
                .await
                .unwrap_or(Err(Refusal::BodyTimedOut)),
        }
    }

    async fn read_to_end<B: Buf>(
        &self,
        mut body: impl Stream<Item = Result<B, BrokenBody>> + Unpin,
        expected_bytes: usize,
    ) -> Result<Vec<u8>, Refusal> {
        let mut permit = self.permit_for(expected_bytes)?;
        let mut read = Vec::with_capacity(expected_bytes);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| Refusal::BodyUnreadable)?;
            let bytes = read.len() + chunk.remaining();
            if bytes > BODY_MAX_BYTES {
                return Err(Refusal::BodyTooLarge);
            }
            if permit.is_none() {
                permit = self.permit_for(bytes)?;
            }
            read.put(chunk);
        }
        Ok(read)
    }

    /// The permit for a body that has at least so many bytes, if it needs one.
    fn permit_for(&self, bytes: usize) -> Result<Option<SemaphorePermit<'_>>, Refusal> {
        if bytes <= SMALL_MAX_BYTES {
            return Ok(None);
        }
        let permit = self.large.try_acquire();
        permit.map(Some).map_err(|_| Refusal::TooManyLargeBodies)
    }
}
