//! The sending side of a TCP connection, which breaks off what it does not end.
//!
//! A connection that is dropped in the middle of an answer would end like one whose answer is complete: to a client
//! that knows no chunks that is the same, and the system would keep what waits to be sent for as long as the client
//! takes some of it. So a connection is reset, and what waits thrown away, unless its end was sent: when it takes its
//! answers too slowly, when it is cut off at a stop, and when its task fails.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;

/// The sending side of a connection. It is there until it is dropped.
#[derive(Debug)]
pub(super) struct SendingSide {
    half: Option<OwnedWriteHalf>,
    is_ended: bool,
}

impl SendingSide {
    pub(super) fn new(half: OwnedWriteHalf) -> Self {
        Self {
            half: Some(half),
            is_ended: false,
        }
    }

    fn half(&mut self) -> io::Result<Pin<&mut OwnedWriteHalf>> {
        let half = self.half.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(half))
    }
}

impl Drop for SendingSide {
    fn drop(&mut self) {
        if self.is_ended {
            return;
        }
        if let Some(half) = self.half.take() {
            // Where this fails, the connection is gone already.
            let _ = SockRef::from(half.as_ref()).set_linger(Some(Duration::ZERO));
            // Dropped, it would send the end of a complete answer.
            half.forget();
        }
    }
}

impl AsyncWrite for SendingSide {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.half()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.half()?.poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.half()?.poll_shutdown(cx))?;
        self.is_ended = true;
        Poll::Ready(Ok(()))
    }
}
