//! A connection that is asked one thing after another, and waits for each answer.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::answer::{Frame, Malformed, first, first_to_head};
use super::{Address, Broken};

/// The longest answer that is waited for.
const ANSWER_MAX_BYTES: usize = 64 << 20;

/// What is said of an answer that is not HTTP.
const UNREADABLE: &str = "an answer that cannot be read";

/// What is said of one that does not end within [`ANSWER_MAX_BYTES`], such as a listing of very many accounts.
const TOO_LONG: &str = "an answer of more than 64 MiB";

/// How much is read at a time.
const READ_BYTES: usize = 16 << 10;

/// A connection to a server, opened when it is first needed and again after it was lost.
///
/// It never sends a request twice, so that the caller knows of each whether it may have been done.
#[derive(Debug)]
pub(crate) struct Connection<'a> {
    address: &'a Address,
    timeout: Duration,
    stream: Option<TcpStream>,
    request: Vec<u8>,
    received: Vec<u8>,
}

/// How a client behaves while it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It sends all, and waits.
    Plain,
    /// It goes quiet for this long before the last byte of its request.
    Pauses(Duration),
    /// It shuts down its sending side once all is sent, and waits.
    HalfCloses,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// Nothing was sent, so nothing was done.
    #[error("not connected: {0}")]
    NotSent(io::ErrorKind),
    /// Something was sent, and may have been done, now or later, or not.
    #[error("{0}")]
    Unanswered(&'static str),
}

impl Lost {
    /// Whether something was answered, though nothing that can be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        *self == Self::Unanswered(UNREADABLE)
    }
}

impl From<Lost> for Broken {
    fn from(lost: Lost) -> Self {
        Self::new(lost)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    answer: Frame,
    bytes: &'a [u8],
}

impl Response<'_> {
    pub(crate) fn body(&self) -> std::borrow::Cow<'_, [u8]> {
        self.answer.body(self.bytes)
    }

    /// The value of its first header field of this name.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.answer.header(self.bytes, name)
    }

    /// What was found in which bytes, for those who keep it.
    pub(crate) fn parts(&self) -> (Frame, &[u8]) {
        (self.answer, self.bytes)
    }
}

impl<'a> Connection<'a> {
    pub(crate) fn new(address: &'a Address, timeout: Duration) -> Self {
        Self {
            address,
            timeout,
            stream: None,
            request: Vec::new(),
            received: Vec::new(),
        }
    }

    /// The server that it is a connection to.
    pub(crate) fn address(&self) -> &Address {
        self.address
    }

    /// Sends a request with a JSON body, or none, and waits for its answer.
    pub(crate) fn exchange(
        &mut self,
        method: &str,
        path: &str,
        json: Option<&str>,
    ) -> Result<Response<'_>, Lost> {
        match json {
            Some(json) => {
                let fields = "Content-Type: application/json\r\n";
                self.exchange_with(method, path, fields, Some(json.as_bytes()))
            }
            None => self.exchange_with(method, path, "", None),
        }
    }

    /// Sends a request with these header `fields`, each with its line end, and waits for its answer.
    pub(crate) fn exchange_with(
        &mut self,
        method: &str,
        path: &str,
        fields: &str,
        body: Option<&[u8]>,
    ) -> Result<Response<'_>, Lost> {
        self.exchange_as(Manner::Plain, method, path, fields, body)
    }

    /// The same by a client of this manner.
    pub(crate) fn exchange_as(
        &mut self,
        manner: Manner,
        method: &str,
        path: &str,
        fields: &str,
        body: Option<&[u8]>,
    ) -> Result<Response<'_>, Lost> {
        self.request.clear();
        let request = &mut self.request;
        self.address
            .write_request(request, method, path, fields, body);

        self.received.clear();
        let mut stream = self.send(manner)?;
        let find = match method {
            "HEAD" => first_to_head,
            _ => first,
        };
        let answer = self.receive(&mut stream, find)?;
        // What came beyond the answer is not the beginning of the next one: nothing was asked for that.
        let is_whole = self.received.len() == answer.length;
        if !answer.last && is_whole && manner != Manner::HalfCloses {
            self.stream = Some(stream);
        }
        Ok(Response {
            status: answer.status,
            answer,
            bytes: &self.received,
        })
    }

    /// Sends `bytes` as they are, and shows `see` each of the `count` answers that they should have. Fewer
    /// come if one of them is the last on its connection.
    pub(crate) fn converse(
        &mut self,
        bytes: &[u8],
        count: usize,
        mut see: impl FnMut(&Response<'_>),
    ) -> Result<(), Lost> {
        self.request.clear();
        self.request.extend_from_slice(bytes);
        self.received.clear();
        let mut stream = self.send(Manner::Plain)?;
        for _ in 0..count {
            let answer = self.receive(&mut stream, first)?;
            see(&Response {
                status: answer.status,
                answer,
                bytes: &self.received,
            });
            self.received.drain(..answer.length);
            if answer.last {
                return Ok(());
            }
        }
        self.stream = Some(stream);
        Ok(())
    }

    /// Sends `bytes` over a connection of its own and, if it `waits`, until the first of an answer are there; then hangs up. Whether
    /// anything may have been sent.
    pub(crate) fn abandon(&self, bytes: &[u8], waits: bool) -> bool {
        let Ok(mut stream) = self.connect() else {
            return false;
        };
        if stream.write_all(bytes).is_ok() && waits {
            let _ = stream.read(&mut [0; 1]);
        }
        true
    }

    /// Sends what is to be sent.
    fn send(&mut self, manner: Manner) -> Result<TcpStream, Lost> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self
                .connect()
                .map_err(|error| Lost::NotSent(error.kind()))?,
        };
        let (begin, end) = match manner {
            Manner::Pauses(_) => self.request.split_at(self.request.len().saturating_sub(1)),
            Manner::Plain | Manner::HalfCloses => (self.request.as_slice(), [].as_slice()),
        };
        stream.write_all(begin).map_err(unanswered)?;
        if let Manner::Pauses(pause) = manner {
            std::thread::sleep(pause);
            stream.write_all(end).map_err(unanswered)?;
        }
        if manner == Manner::HalfCloses {
            stream.shutdown(Shutdown::Write).map_err(unanswered)?;
        }
        Ok(stream)
    }

    /// Waits until `received` begins with an answer. What a server says before it (1xx) is passed over.
    fn receive(
        &mut self,
        stream: &mut TcpStream,
        find: fn(&[u8], bool) -> Result<Option<Frame>, Malformed>,
    ) -> Result<Frame, Lost> {
        let deadline = Instant::now() + self.timeout;
        let mut chunk = [0; READ_BYTES];
        let mut ended = false;
        loop {
            match find(&self.received, ended) {
                Ok(Some(answer)) if answer.status < 200 => {
                    self.received.drain(..answer.length);
                    continue;
                }
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) if self.received.len() <= ANSWER_MAX_BYTES => {}
                Ok(None) => return Err(Lost::Unanswered(TOO_LONG)),
                Err(Malformed) => return Err(Lost::Unanswered(UNREADABLE)),
            }
            if Instant::now() > deadline {
                return Err(Lost::Unanswered("no answer in time"));
            }
            match stream.read(&mut chunk) {
                // Some answers end with their connection.
                Ok(0) if !ended => ended = true,
                Ok(0) => return Err(Lost::Unanswered("connection closed")),
                Ok(read) => {
                    let read = chunk.get(..read).unwrap_or_default();
                    self.received.extend_from_slice(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unanswered(error)),
            }
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address.socket, self.timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(stream)
    }
}

fn unanswered(error: io::Error) -> Lost {
    Lost::Unanswered(match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::BrokenPipe => "connection closed",
        _ => "connection failed",
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Who answers the first request on each connection with these bytes, and nothing else.
    fn address_of_one_that_says(answer: &'static [u8]) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    if matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
                        stream.write_all(answer).unwrap();
                    }
                    // Reads to the end, for a client whose connection is closed tells of it.
                    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
                });
            }
        });
        Address::resolve(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn what_is_said_before_the_answer_is_passed_over() {
        let address = address_of_one_that_says(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
              HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        );
        let mut connection = Connection::new(&address, Duration::from_secs(30));
        let reply = connection.exchange("GET", "/", None).unwrap();
        assert_eq!((reply.status, &*reply.body()), (200, &b"hi"[..]));
    }

    #[test]
    fn what_comes_beyond_an_answer_answers_nothing() {
        let address = address_of_one_that_says(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
        );
        let mut connection = Connection::new(&address, Duration::from_secs(30));
        for _ in 0..2 {
            // The second on a connection of its own, where the first would be silent.
            let reply = connection.exchange("GET", "/", None).unwrap();
            assert_eq!(reply.status, 200);
        }
    }
}
