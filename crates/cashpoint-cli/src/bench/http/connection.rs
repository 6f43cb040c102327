//! One connection: requests that are under way on it, and the bytes that go out and come in.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::bench::workload::Step;
use crate::client::{self, Frame, Malformed};

/// How much is read at a time.
const READ: usize = 16 << 10;

/// The longest answer that is waited for.
const ANSWER_MAX: usize = 1 << 20;

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) step: Step,
    /// When it was to be sent. Latency counts from here.
    pub(super) intended: Instant,
    /// When it was sent.
    pub(super) sent: Instant,
}

/// Why a connection has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum End {
    #[error("connection closed")]
    Closed,
    #[error("connection failed: {0}")]
    Failed(io::ErrorKind),
    #[error("no answer in time")]
    Late,
    #[error("an answer that cannot be read")]
    Malformed,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.kind())
    }
}

impl From<Malformed> for End {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) pending: VecDeque<Pending>,
    outgoing: Vec<u8>,
    written: usize,
    incoming: Vec<u8>,
    /// Which part of `incoming` is yet to be looked at.
    unread: std::ops::Range<usize>,
}

impl Connection {
    /// Begins to connect.
    pub(super) fn open(to: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            pending: VecDeque::new(),
            outgoing: Vec::new(),
            written: 0,
            incoming: vec![0; READ],
            unread: 0..0,
        })
    }

    /// The request that `write` puts down is sent with the next [`flush`](Connection::flush).
    pub(super) fn send(&mut self, pending: Pending, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.outgoing);
        self.pending.push_back(pending);
    }

    /// Writes as much as the connection takes.
    pub(super) fn flush(&mut self) -> Result<(), End> {
        while let Some(rest) = self
            .outgoing
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match self.stream.write(rest) {
                Ok(written) => self.written += written,
                Err(error) => match error.kind() {
                    // Not connected yet, or full: an event says when it goes on.
                    io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected => return Ok(()),
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error.into()),
                },
            }
        }
        self.outgoing.clear();
        self.written = 0;
        Ok(())
    }

    /// Takes in what has come, and hands on each answer with its request.
    pub(super) fn receive(&mut self, mut answered: impl FnMut(Pending, Frame)) -> Result<(), End> {
        loop {
            if self.unread.end == self.incoming.len() {
                self.make_room()?;
            }
            let room = self.incoming.get_mut(self.unread.end..).unwrap_or_default();
            let room_length = room.len();
            let received = match self.stream.read(room) {
                Ok(0) => return Err(End::Closed),
                Ok(received) => received,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected => return Ok(()),
                    io::ErrorKind::Interrupted => continue,
                    _ => return Err(error.into()),
                },
            };
            self.unread.end += received;
            self.take_answers(&mut answered)?;
            // Less than there was room for is all there was. More makes an event of its own, and so does the
            // end of the connection.
            if received < room_length {
                return Ok(());
            }
        }
    }

    fn take_answers(&mut self, answered: &mut impl FnMut(Pending, Frame)) -> Result<(), End> {
        while !self.unread.is_empty() {
            let unread = self.incoming.get(self.unread.clone()).unwrap_or_default();
            let Some(answer) = client::first(unread, false)? else {
                return Ok(());
            };
            // An answer to nothing that was asked.
            let pending = self.pending.pop_front().ok_or(End::Malformed)?;
            self.unread.start += answer.length;
            answered(pending, answer);
            if answer.last {
                return Err(End::Closed);
            }
        }
        self.unread = 0..0;
        Ok(())
    }

    /// Moves what is unread to the front, or lets it grow.
    fn make_room(&mut self) -> Result<(), End> {
        if self.unread.start > 0 {
            self.incoming.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        } else if self.incoming.len() < ANSWER_MAX {
            self.incoming.resize(2 * self.incoming.len(), 0);
        } else {
            return Err(End::Malformed);
        }
        Ok(())
    }
}
