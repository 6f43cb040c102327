//! The socket as hyper sees it: what is written in one turn of a connection's task leaves in one `send`.
//!
//! A client that pipelines has many small answers made in one turn. hyper would write each by itself, and its own
//! remedy (`pipeline_flush`) withholds answers and has no bound. Here hyper writes into a buffer, and says that it has
//! flushed when nothing is sent yet. What makes this safe is [`Outgoing::drive`], which polls hyper's connection: after
//! every poll, whatever came of it, it sends what is in the buffer. So:
//!
//! - *Nothing is withheld.* Before the task sleeps, whatever for, the buffer is empty, or the socket is full and wakes the
//!   task when there is room. A turn is bounded, too: hyper ends it after 16 requests.
//! - *What waits is bounded.* hyper is told to wait while the buffer and the socket are full, and then it neither answers
//!   nor reads.
//! - *A large answer is not copied.* It goes from where it is to the socket, behind what waits.
//! - *Nothing waits for ever.* See [`Lag`].

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::timer::{ConnectionTimer, Deadline};

/// The most that waits in the buffer to be sent.
const WAITING_MAX_BYTES: usize = 64 * 1024;

/// From this size on a write is passed on to the socket instead of being copied.
const LARGE_MIN_BYTES: usize = 16 * 1024;

/// How much of what waits a client has to take in time, unless less waits.
const TAKEN_IN_TIME_BYTES: usize = 64 * 1024;

/// The largest buffer that a connection keeps while nothing waits: that of 16 pipelined answers, which is made anew
/// otherwise with every turn, and may have doubled by as little as a byte.
const KEPT_MAX_BYTES: usize = 16 * 1024;

/// What hyper reads from and writes to: the two sides of a socket.
#[derive(Debug)]
pub(super) struct Transport<R, W> {
    incoming: R,
    is_at_end: bool,
    outgoing: Outgoing<W>,
}

/// The sending side of a connection, which hyper and the task that polls it share.
#[derive(Debug)]
pub(super) struct Outgoing<W>(Arc<Mutex<Buffered<W>>>);

/// The sending side of a socket, and what waits to be sent.
#[derive(Debug)]
struct Buffered<W> {
    socket: W,
    waiting: Vec<u8>,
    is_finished: bool,
    lag: Lag,
}

/// How far a client is behind with taking its answers.
///
/// It is behind while the socket is full, and then has a time for each [`TAKEN_IN_TIME_BYTES`], or for all that waits if
/// that is less. So a long answer may take as long as it needs over a slow line, but no client holds one for ever by taking
/// a byte now and then. A client that is not behind costs two comparisons a turn, and no timer.
#[derive(Debug)]
struct Lag {
    timer: ConnectionTimer,
    timeout: Duration,
    /// Whether the socket took nothing when something was written last.
    is_full: bool,
    behind: Option<Behind>,
}

#[derive(Debug)]
struct Behind {
    deadline: Deadline,
    taken_bytes: usize,
}

impl<R, W> Transport<R, W> {
    /// The two sides of a socket, of a client that has `answer_timeout` for each part of an answer.
    pub(super) fn new((incoming, socket): (R, W), answer_timeout: Duration) -> Self {
        let outgoing = Buffered {
            socket,
            waiting: Vec::new(),
            is_finished: false,
            lag: Lag {
                timer: ConnectionTimer::default(),
                timeout: answer_timeout,
                is_full: false,
                behind: None,
            },
        };
        Self {
            incoming,
            is_at_end: false,
            outgoing: Outgoing(Arc::new(Mutex::new(outgoing))),
        }
    }

    pub(super) fn outgoing(&self) -> Outgoing<W> {
        Outgoing(Arc::clone(&self.outgoing.0))
    }

    /// The timer of this connection.
    pub(super) fn timer(&self) -> ConnectionTimer {
        let outgoing = self.outgoing.0.lock();
        let outgoing = outgoing.unwrap_or_else(PoisonError::into_inner);
        outgoing.lag.timer.clone()
    }

    /// Whether all that the client will ever send has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    /// Polls a connection to its end, and sends what it has written after each poll.
    ///
    /// Ends early if nothing can be sent any more, or the client takes too long to take it.
    pub(super) async fn drive<T>(&self, connection: impl Future<Output = T>) -> io::Result<T> {
        let mut connection = pin!(connection);
        poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            let mut outgoing = self.buffered();
            // If the socket is full, this has the task woken once it is not.
            let sent = outgoing.poll_send(cx);
            match (polled, sent) {
                (Poll::Ready(ended), _) => Poll::Ready(Ok(ended)),
                (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
                (Poll::Pending, _) => outgoing.lag.poll_too_late(cx).map(Err),
            }
        })
        .await
    }

    /// Sends what waits, then `last`, and ends the sending side. Does nothing if hyper has ended it.
    pub(super) async fn finish(&self, last: &[u8]) -> io::Result<()> {
        self.buffered().waiting.extend_from_slice(last);
        poll_fn(|cx| {
            let mut outgoing = self.buffered();
            match outgoing.poll_finish(cx) {
                Poll::Pending => outgoing.lag.poll_too_late(cx).map(Err),
                finished => finished,
            }
        })
        .await
    }

    /// Never waits: only one task has the connection.
    fn buffered(&self) -> MutexGuard<'_, Buffered<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: AsyncWrite + Unpin> Buffered<W> {
    /// Takes all of `parts`, or, where they are large, some of them.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let is_large = bytes >= LARGE_MIN_BYTES;
        if is_large || self.waiting.len() + bytes > WAITING_MAX_BYTES {
            ready!(self.poll_send(cx))?;
        }
        if is_large {
            let written = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
            self.lag.note(&written);
            return written;
        }
        for part in parts {
            self.waiting.extend_from_slice(part);
        }
        Poll::Ready(Ok(bytes))
    }

    /// Sends all that waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let sent = Pin::new(&mut self.socket).poll_write(cx, &self.waiting);
            self.lag.note(&sent);
            let sent = ready!(sent)?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if sent == self.waiting.len() {
                self.waiting.clear();
            } else {
                self.waiting.drain(..sent);
            }
        }
        if self.waiting.capacity() > KEPT_MAX_BYTES {
            self.waiting = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_finished {
            ready!(self.poll_send(cx))?;
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            self.is_finished = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl Lag {
    /// Notes what came of a write to the socket.
    fn note(&mut self, written: &Poll<io::Result<usize>>) {
        self.is_full = written.is_pending();
        let begins_anew = match (&mut self.behind, written) {
            (None, written) => written.is_pending(),
            (Some(behind), Poll::Ready(Ok(bytes))) => {
                behind.taken_bytes += bytes;
                behind.taken_bytes >= TAKEN_IN_TIME_BYTES
            }
            (Some(_), _) => false,
        };
        if begins_anew {
            self.behind = Instant::now().checked_add(self.timeout).map(|at| Behind {
                deadline: self.timer.deadline(at),
                taken_bytes: 0,
            });
        }
    }

    /// At the end of a turn: ready with an error if the client had its time, and something still waits.
    fn poll_too_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if !self.is_full {
            self.behind = None;
        }
        let Some(behind) = &mut self.behind else {
            return Poll::Pending;
        };
        ready!(Pin::new(&mut behind.deadline).poll(cx));
        let error = "the client takes its answer too slowly";
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, error))
    }
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Transport<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.incoming).poll_read(cx, into))?;
        self.is_at_end = into.filled().len() == before;
        Poll::Ready(Ok(()))
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Transport<R, W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.buffered().poll_write(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing to do: [`Outgoing::drive`] sends at the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.buffered().poll_finish(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::task::Waker;

    use super::*;

    /// A socket with so much room, and what it was given.
    #[derive(Default)]
    struct Peer {
        room: usize,
        received: Vec<u8>,
        sends: usize,
        has_ended: bool,
    }

    impl AsyncWrite for Peer {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            assert!(!self.has_ended, "sent behind the end");
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Poll::Pending;
            }
            self.received.extend_from_slice(&bytes[..taken]);
            self.room -= taken;
            self.sends += 1;
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            assert!(!self.has_ended, "ended twice");
            self.has_ended = true;
            Poll::Ready(Ok(()))
        }
    }

    type Tested = Transport<(), Peer>;

    fn with_room(room: usize) -> Tested {
        within(Duration::from_secs(3600), room)
    }

    fn within(answer_timeout: Duration, room: usize) -> Tested {
        let peer = Peer {
            room,
            ..Peer::default()
        };
        Transport::new(((), peer), answer_timeout)
    }

    fn give_room(transport: &Tested, bytes: usize) {
        transport.outgoing.buffered().socket.room += bytes;
    }

    /// How much a client that is behind has taken in the time that it has now.
    fn taken(transport: &Tested) -> Option<usize> {
        let outgoing = transport.outgoing.buffered();
        outgoing
            .lag
            .behind
            .as_ref()
            .map(|behind| behind.taken_bytes)
    }

    fn cx() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    fn write(transport: &mut Tested, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(transport).poll_write(&mut cx(), bytes)
    }

    fn waiting(transport: &Tested) -> usize {
        transport.outgoing.buffered().waiting.len()
    }

    /// One turn of a connection that does nothing and sleeps.
    fn turn(transport: &Tested) {
        let mut driven = pin!(transport.outgoing.drive(pending::<()>()));
        assert!(driven.as_mut().poll(&mut cx()).is_pending());
    }

    #[test]
    fn what_is_written_in_one_turn_leaves_in_one_send_before_the_task_sleeps() {
        let mut transport = with_room(usize::MAX);
        let outgoing = transport.outgoing();
        let mut turns = pin!(outgoing.drive(poll_fn(|cx| {
            for _ in 0..16 {
                let written = Pin::new(&mut transport).poll_write(cx, b"answer");
                assert!(matches!(written, Poll::Ready(Ok(6))));
                assert!(Pin::new(&mut transport).poll_flush(cx).is_ready());
            }
            Poll::<()>::Pending
        })));
        for turn in 1..=3 {
            assert!(turns.as_mut().poll(&mut cx()).is_pending());
            let sent = outgoing.buffered();
            assert_eq!(sent.socket.sends, turn);
            assert_eq!(sent.socket.received.len(), turn * 16 * 6);
        }
    }

    #[test]
    fn the_buffer_of_pipelined_answers_is_kept_whatever_their_size() {
        for size in 2..=512 {
            let mut transport = with_room(usize::MAX);
            for n in 1..=16 {
                // The number in the ids of answers grows by a digit.
                let bytes = vec![b'x'; size - usize::from(n < 10)];
                assert!(write(&mut transport, &bytes).is_ready());
            }
            turn(&transport);
            let kept_bytes = transport.outgoing.buffered().waiting.capacity();
            assert!(kept_bytes > 0, "of 16 times {size} bytes");
        }
    }

    #[tokio::test]
    async fn whoever_does_not_read_has_no_more_written_for_them_than_fits_in() {
        for piece in [1, 350, LARGE_MIN_BYTES - 1, LARGE_MIN_BYTES, 1 << 20] {
            let mut transport = with_room(0);
            let bytes = vec![b'x'; piece];
            let mut written = 0;
            while let Poll::Ready(taken) = write(&mut transport, &bytes) {
                written += taken.unwrap();
                turn(&transport);
                assert!(waiting(&transport) <= WAITING_MAX_BYTES);
            }
            assert_eq!(waiting(&transport), written);
            assert_eq!(written == 0, piece >= LARGE_MIN_BYTES, "{piece}");
            // There is room again.
            transport.outgoing.buffered().socket.room = usize::MAX;
            assert!(
                matches!(write(&mut transport, &bytes), Poll::Ready(Ok(taken)) if taken == piece)
            );
        }
    }

    #[tokio::test]
    async fn all_arrives_in_order_however_little_the_socket_takes() {
        let mut transport = with_room(0);
        let mut written = Vec::new();
        for n in 0..2_000_usize {
            let size = [7, 350, 5_000, 20_000, 70_000][n % 5] + n;
            let bytes: Vec<u8> = (0..size).map(|at| (at * 7 + n) as u8).collect();
            if let Poll::Ready(taken) = write(&mut transport, &bytes) {
                written.extend_from_slice(&bytes[..taken.unwrap()]);
            }
            transport.outgoing.buffered().socket.room += n * 37 % 40_000;
            if n % 3 == 0 {
                turn(&transport);
            }
        }
        transport.outgoing.buffered().socket.room = usize::MAX;
        turn(&transport);
        let sent = transport.outgoing.buffered();
        assert_eq!(sent.socket.received.len(), written.len());
        assert!(sent.socket.received == written);
        assert!(
            sent.waiting.capacity() <= KEPT_MAX_BYTES,
            "a large buffer is not kept"
        );
    }

    #[test]
    fn what_waits_is_sent_before_the_end_and_the_end_comes_once() {
        let mut transport = with_room(4);
        assert!(write(&mut transport, b"answer").is_ready());
        assert!(
            Pin::new(&mut transport)
                .poll_shutdown(&mut cx())
                .is_pending()
        );
        transport.outgoing.buffered().socket.room = usize::MAX;
        assert!(Pin::new(&mut transport).poll_shutdown(&mut cx()).is_ready());
        assert!(
            pin!(transport.outgoing.finish(b"refusal"))
                .poll(&mut cx())
                .is_ready()
        );
        assert_eq!(transport.outgoing.buffered().socket.received, b"answer");
    }

    #[tokio::test]
    async fn a_client_is_behind_while_something_waits_and_its_time_begins_anew_with_each_part() {
        const PART: usize = TAKEN_IN_TIME_BYTES;
        // What is copied, and what goes past the buffer.
        for piece in [1_000, PART - 1, PART] {
            let mut transport = with_room(usize::MAX);
            let bytes = vec![b'x'; piece];
            assert!(write(&mut transport, &bytes).is_ready());
            turn(&transport);
            assert_eq!(taken(&transport), None, "{piece}");

            transport.outgoing.buffered().socket.room = 0;
            let mut written = 0;
            let mut fill = |transport: &mut Tested| {
                while let Poll::Ready(taken) = write(transport, &bytes) {
                    written += taken.unwrap();
                }
                turn(transport);
            };
            fill(&mut transport);
            assert_eq!(taken(&transport), Some(0), "{piece}");
            // A part less a byte, then that byte, then half a part.
            for (room, now_taken) in [(PART - 1, PART - 1), (1, 0), (PART / 2, PART / 2)] {
                give_room(&transport, room);
                fill(&mut transport);
                assert_eq!(taken(&transport), Some(now_taken), "{piece}");
            }
            give_room(&transport, usize::MAX / 2);
            turn(&transport);
            assert!(write(&mut transport, &bytes).is_ready());
            turn(&transport);
            assert_eq!(taken(&transport), None, "{piece}: nothing waits");
        }
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_in_its_time_is_given_up() {
        const TIME: Duration = Duration::from_millis(20);
        for piece in [1, LARGE_MIN_BYTES] {
            let bytes = vec![b'x'; piece];
            // While hyper serves the connection: one that writes, and sleeps where it cannot.
            let mut transport = within(TIME, 0);
            let outgoing = transport.outgoing();
            let begin = Instant::now();
            let serving = poll_fn(|cx| {
                let _ = Pin::new(&mut transport).poll_write(cx, &bytes);
                Poll::<()>::Pending
            });
            let error = outgoing.drive(serving).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(begin.elapsed() >= TIME);
        }
        // And at its end.
        let transport = within(TIME, 3);
        let error = transport.outgoing().finish(b"refusal").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // One that is not behind may be idle for longer.
        let transport = within(TIME, usize::MAX);
        let idle = tokio::time::sleep(3 * TIME);
        assert!(transport.outgoing().drive(idle).await.is_ok());
    }

    #[test]
    fn a_connection_that_ends_has_its_last_answer_sent() {
        let mut transport = with_room(usize::MAX);
        assert!(write(&mut transport, b"answer, ").is_ready());
        let outgoing = transport.outgoing();
        let ended = pin!(outgoing.drive(async { 1 })).poll(&mut cx());
        assert!(matches!(ended, Poll::Ready(Ok(1))));
        assert!(pin!(outgoing.finish(b"refusal")).poll(&mut cx()).is_ready());
        assert_eq!(outgoing.buffered().socket.received, b"answer, refusal");
    }
}
