//! Just enough HTTP/1.1 to stand between a client and a server, and to change what is said. The tests of the
//! contract's rules include this file as well.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// A request or an answer.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Request or status line.
    pub(crate) start: String,
    /// Names in lower case, but for those of the length.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether its length is told.
    pub(crate) has_length: bool,
}

impl Message {
    /// An answer with a JSON body.
    pub(crate) fn answer(status: u16, json: &str) -> Self {
        let content_type = ("content-type".to_owned(), "application/json".to_owned());
        Self {
            start: format!("HTTP/1.1 {status} X"),
            fields: if json.is_empty() {
                Vec::new()
            } else {
                vec![content_type]
            },
            body: json.as_bytes().to_vec(),
            has_length: status != 204,
        }
    }

    /// The next message. None at the end of the connection.
    pub(crate) fn read(reader: &mut impl BufRead) -> Option<Self> {
        Self::read_after(reader, |_| ())
    }

    /// The same, and shows `see` its head before the body is read.
    fn read_after(reader: &mut impl BufRead, see: impl FnOnce(&Self)) -> Option<Self> {
        let (mut message, mut length, is_chunked) = Self::read_head(reader)?;
        see(&message);
        loop {
            if is_chunked {
                let size = line(reader)?;
                let size = size.split(';').next().unwrap_or_default();
                length = usize::from_str_radix(size, 16).ok()?;
            }
            let begin = message.body.len();
            message.body.resize(begin + length, 0);
            reader.read_exact(message.body.get_mut(begin..)?).ok()?;
            if !is_chunked {
                return Some(message);
            }
            line(reader)?;
            if length == 0 {
                return Some(message);
            }
        }
    }

    /// The head of the next message, the length of its body, and whether that comes in chunks.
    fn read_head(reader: &mut impl BufRead) -> Option<(Self, usize, bool)> {
        let start = line(reader)?;
        let mut message = Self {
            start,
            fields: Vec::new(),
            body: Vec::new(),
            has_length: false,
        };
        let mut length = 0;
        let mut is_chunked = false;
        loop {
            let line = line(reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let (name, value) = (name.to_ascii_lowercase(), value.trim());
            match name.as_str() {
                "content-length" => length = value.parse().ok()?,
                "transfer-encoding" => is_chunked = true,
                _ => {
                    message.fields.push((name, value.to_owned()));
                    continue;
                }
            }
            message.has_length = true;
        }
        Some((message, length, is_chunked))
    }

    pub(crate) fn write(&self, mut stream: &TcpStream) -> Option<()> {
        let mut bytes = format!("{}\r\n", self.start).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if self.has_length {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes).ok()
    }

    /// A word of the start line: of a request the method and the path, of an answer the version and the status.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(it, _)| it != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line).ok()? == 0 {
        return None;
    }
    Some(
        String::from_utf8_lossy(&line)
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
    )
}

/// A connection to the server behind, opened when it is needed.
pub(crate) struct Upstream {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let stream = None;
        Self { address, stream }
    }

    pub(crate) fn ask(&mut self, request: &Message) -> Option<Message> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).ok()?;
                stream.set_nodelay(true).ok()?;
                BufReader::new(stream)
            }
        };
        request.write(stream.get_ref())?;
        let answer = match request.word(0) {
            "HEAD" => Message::read_head(&mut stream)?.0,
            _ => Message::read(&mut stream)?,
        };
        if answer.field("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Some(answer)
    }
}

/// Listens until the process ends, and has each request answered: `answer` is given the connection to the
/// server at `behind` that belongs to the client's. The connection ends where it has no answer.
pub(crate) fn serve(
    behind: SocketAddr,
    answer: impl Fn(Message, &mut Upstream) -> Option<Message> + Send + Sync + 'static,
) -> SocketAddr {
    serve_seeing(behind, |_| (), answer)
}

/// As [`serve`], and shows `see` the head of each request before its body is read.
pub(crate) fn serve_seeing(
    behind: SocketAddr,
    see: impl Fn(&Message) + Send + Sync + 'static,
    answer: impl Fn(Message, &mut Upstream) -> Option<Message> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || serve_on(listener, behind, see, answer));
    address
}

/// As [`serve_seeing`], on a listener that is there, and on this thread.
pub(crate) fn serve_on(
    listener: TcpListener,
    behind: SocketAddr,
    see: impl Fn(&Message) + Send + Sync + 'static,
    answer: impl Fn(Message, &mut Upstream) -> Option<Message> + Send + Sync + 'static,
) {
    let serving = Arc::new((see, answer));
    for stream in listener.incoming().map_while(Result::ok) {
        let serving = Arc::clone(&serving);
        thread::spawn(move || -> Option<()> {
            stream.set_nodelay(true).ok()?;
            let mut upstream = Upstream::new(behind);
            let mut reader = BufReader::new(stream.try_clone().ok()?);
            let (see, answer) = &*serving;
            loop {
                let request = Message::read_after(&mut reader, see)?;
                let answer = answer(request, &mut upstream)?;
                answer.write(&stream)?;
                if answer.field("connection") == Some("close") {
                    return None;
                }
            }
        });
    }
}
