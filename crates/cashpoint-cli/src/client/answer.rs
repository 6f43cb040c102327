//! Where an HTTP/1.1 answer ends, and what its status is.

use std::borrow::Cow;

use httparse::{EMPTY_HEADER, Status};

/// The most header fields that an answer may have.
const FIELDS_MAX: usize = 128;

/// A complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) status: u16,
    /// How many bytes it takes, head and body.
    pub(crate) length: usize,
    /// How many of them are the head.
    head_length: usize,
    chunked: bool,
    /// Whether no other follows on its connection.
    pub(crate) last: bool,
}

impl Frame {
    /// Its body, from the bytes that it was found in.
    pub(crate) fn body<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut rest = bytes.get(self.head_length..self.length).unwrap_or_default();
        if !self.chunked {
            return Cow::Borrowed(rest);
        }
        let mut body = Vec::new();
        while let Ok(Status::Complete((line, size))) = httparse::parse_chunk_size(rest) {
            let end = line + size as usize;
            body.extend_from_slice(rest.get(line..end).unwrap_or_default());
            // The chunk has a line end after it.
            rest = rest.get(end + 2..).unwrap_or_default();
        }
        Cow::Owned(body)
    }

    /// The value of its first header field of this name, from the bytes that it was found in.
    pub(crate) fn header(&self, bytes: &[u8], name: &str) -> Option<String> {
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        head.parse(bytes).ok()?;
        let mut fields = head.headers.iter();
        let field = fields.find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(field.value).into_owned())
    }
}

/// What was received is no answer that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The answer that `bytes` begin with, if all of it is there. `ended` if nothing comes after them.
pub(crate) fn first(bytes: &[u8], ended: bool) -> Result<Option<Frame>, Malformed> {
    find(bytes, ended, true)
}

/// The same for an answer to HEAD, which has no body, whatever its fields say of one.
pub(crate) fn first_to_head(bytes: &[u8], ended: bool) -> Result<Option<Frame>, Malformed> {
    find(bytes, ended, false)
}

fn find(bytes: &[u8], ended: bool, may_have_body: bool) -> Result<Option<Frame>, Malformed> {
    let mut fields = [EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let Status::Complete(head_length) = head.parse(bytes).map_err(|_| Malformed)? else {
        return Ok(None);
    };
    let status = head.code.ok_or(Malformed)?;
    let mut body = Body::Missing;
    let mut last = head.version == Some(0);
    for field in head.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            body = Body::Length(number(field.value)?);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            body = Body::Chunked;
        } else if field.name.eq_ignore_ascii_case("connection") {
            last = field.value.eq_ignore_ascii_case(b"close");
        }
    }
    let rest = bytes.get(head_length..).unwrap_or_default();
    let body_length = match body {
        _ if !may_have_body || status < 200 || status == 204 || status == 304 => Some(0),
        Body::Length(length) => (rest.len() >= length).then_some(length),
        Body::Chunked => chunked_length(rest)?,
        // It lasts until the connection ends, which has to be said.
        Body::Missing if last => ended.then_some(rest.len()),
        Body::Missing => return Err(Malformed),
    };
    Ok(body_length.map(|body_length| Frame {
        status,
        length: head_length + body_length,
        head_length,
        chunked: may_have_body && matches!(body, Body::Chunked),
        last,
    }))
}

enum Body {
    Missing,
    Length(usize),
    Chunked,
}

fn number(text: &[u8]) -> Result<usize, Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
    text.trim().parse().map_err(|_| Malformed)
}

/// How long a chunked body is that begins here, with the trailers behind it, if all of it is there.
fn chunked_length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Status::Complete((line, size)) =
            httparse::parse_chunk_size(rest).map_err(|_| Malformed)?
        else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(|_| Malformed)?;
        if size == 0 {
            let mut trailers = [EMPTY_HEADER; FIELDS_MAX];
            let rest = rest.get(line..).unwrap_or_default();
            let end = httparse::parse_headers(rest, &mut trailers).map_err(|_| Malformed)?;
            return Ok(match end {
                Status::Complete((length, _)) => Some(at + line + length),
                Status::Partial => None,
            });
        }
        // The line that gives the size, the chunk, and the end of its line.
        at = size.checked_add(at + line + 2).ok_or(Malformed)?;
        if at > bytes.len() {
            return Ok(None);
        }
    }
}

/// Reads what a server may have sent, one answer after another, and asserts what holds of any bytes. Fuzzing calls
/// it, and so does a test with the corpus of that.
///
/// - An answer ends within the bytes that it was found in; what follows it does not change it, and without its
///   last byte it is not whole.
/// - Its body is no longer than it is itself.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_rules(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Some(answer)) = first(rest, false) {
        let own = rest.get(..answer.length).unwrap_or_default();
        assert_eq!(own.len(), answer.length, "it ends beyond what was received");
        assert_eq!(
            first(own, false),
            Ok(Some(answer)),
            "what follows changes it"
        );
        if let Some((_, shorter)) = own.split_last() {
            assert_eq!(
                first(shorter, false),
                Ok(None),
                "it is whole before its end"
            );
        }
        assert!(answer.body(rest).len() <= answer.length);
        for name in ["content-length", "link", "x"] {
            let _ = answer.header(rest, name);
        }
        rest = rest.get(answer.length..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `first` ever more of `bytes`: it must find nothing until the answer is complete.
    fn read(bytes: &str, length: usize) -> Frame {
        for end in 0..length {
            assert_eq!(
                first(&bytes.as_bytes()[..end], false),
                Ok(None),
                "after {end} bytes"
            );
        }
        let answer = first(bytes.as_bytes(), false).unwrap().unwrap();
        assert_eq!(answer.length, length);
        answer
    }

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let one = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        let answer = read(&format!("{one}{one}"), one.len());
        assert_eq!((answer.status, answer.last), (200, false));
        assert_eq!(*answer.body(one.as_bytes()), *b"hello");
    }

    #[test]
    fn a_chunked_answer_ends_with_its_last_chunk() {
        let one = "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                   5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n";
        let answer = read(&format!("{one}HTTP"), one.len());
        assert_eq!((answer.status, answer.last), (400, true));
        let field = answer.header(one.as_bytes(), "transfer-encoding");
        assert_eq!(field.as_deref(), Some("chunked"));
        assert_eq!(answer.header(one.as_bytes(), "Allow"), None);
        assert_eq!(*answer.body(one.as_bytes()), *b"hello!");
    }

    #[test]
    fn trailers_belong_to_the_answer_and_not_to_its_body() {
        let one = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n";
        let answer = read(&format!("{one}HTTP"), one.len());
        assert_eq!(*answer.body(one.as_bytes()), *b"hi");
    }

    #[test]
    fn an_answer_to_head_ends_with_its_head() {
        for field in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            let one = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n");
            let answer = first_to_head(one.as_bytes(), false).unwrap().unwrap();
            assert_eq!(answer.length, one.len());
            assert_eq!(*answer.body(one.as_bytes()), *b"");
        }
    }

    #[test]
    fn one_without_a_body_ends_with_its_head() {
        let answer = read("HTTP/1.1 204 No Content\r\n\r\n", 27);
        assert_eq!((answer.status, answer.last), (204, false));
        let interim = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", 25);
        assert_eq!((interim.status, interim.last), (100, false));
    }

    #[test]
    fn some_end_with_their_connection() {
        for head in [
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        ] {
            let bytes = format!("{head}hello");
            assert_eq!(first(bytes.as_bytes(), false), Ok(None), "{head}");
            let answer = first(bytes.as_bytes(), true).unwrap().unwrap();
            assert!(answer.last);
            assert_eq!(*answer.body(bytes.as_bytes()), *b"hello");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffe\r\n",
        ] {
            assert_eq!(first(bytes.as_bytes(), false), Err(Malformed), "{bytes:?}");
        }
    }
}
