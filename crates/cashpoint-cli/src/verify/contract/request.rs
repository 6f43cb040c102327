//! Requests as they are sent, and answers as they are held against the contract.

use super::Unanswered;
use super::stop::Stop;
use crate::client::{self, Address, Response};
use crate::verify::shown::{SHOWN_MAX_CHARS, shown};

/// Statuses of those who have no time now: it took too long, too many came, nobody is there behind the proxy.
pub(in crate::verify) const BUSY: [u16; 5] = [408, 429, 502, 503, 504];

/// The header field that goes without saying.
const JSON: &str = "Content-Type: application/json";

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    /// Header fields, each with its line end.
    pub(super) fields: String,
    pub(super) body: Option<String>,
}

pub(super) fn request(method: &'static str, path: impl Into<String>) -> Request {
    Request {
        method,
        path: path.into(),
        fields: String::new(),
        body: None,
    }
}

pub(super) fn get(path: impl Into<String>) -> Request {
    request("GET", path)
}

pub(super) fn delete(path: impl Into<String>) -> Request {
    request("DELETE", path)
}

/// A POST with a body of JSON.
pub(super) fn post(path: impl Into<String>, json: impl Into<String>) -> Request {
    request("POST", path)
        .field("Content-Type", "application/json")
        .body(json)
}

/// The path of an account, or of something of it.
pub(super) fn account(number: &str, rest: &str) -> String {
    format!("/accounts/{number}{rest}")
}

impl Request {
    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.extend([name, ": ", value, "\r\n"]);
        self
    }

    pub(super) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// As a line for a person.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{} {}", self.method, self.path);
        // What goes without saying is not said.
        for field in self.fields.lines() {
            if field != JSON {
                line.extend([" (", field, ")"]);
            }
        }
        let Some(body) = &self.body else {
            return shown(&line);
        };
        if !self.fields.contains("Content-Type:") {
            line.push_str(" (no Content-Type)");
        }
        if body.is_empty() {
            line.push_str(" (an empty body)");
        } else if body.len() > SHOWN_MAX_CHARS {
            line.extend([" (", &body.len().to_string(), " bytes)"]);
        }
        shown(format!("{line} {body}"))
    }

    /// As bytes, for those who send several at once.
    pub(super) fn to_bytes(&self, address: &Address) -> Vec<u8> {
        let mut bytes = Vec::new();
        let body = self.body.as_deref().map(str::as_bytes);
        address.write_request(&mut bytes, self.method, &self.path, &self.fields, body);
        bytes
    }
}

/// An answer, and the request that it answers.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) body: String,
    /// Whether the server ends the connection after it.
    pub(super) last: bool,
    found: client::Frame,
    bytes: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(request: String, reply: &Response<'_>) -> Self {
        let (found, bytes) = reply.parts();
        Self {
            request,
            status: reply.status,
            body: String::from_utf8_lossy(&reply.body()).into_owned(),
            last: found.last,
            found,
            bytes: bytes.to_vec(),
        }
    }

    /// Stops the rule if the server, or a proxy before it, had no time for the request: that is as no answer.
    pub(super) fn stop_if_busy(&self) -> Result<(), Stop> {
        if !BUSY.contains(&self.status) {
            return Ok(());
        }
        let request = self.request.clone();
        let why = shown(self.line());
        Err(Stop::Unanswered(Unanswered { request, why }))
    }

    /// The first header field of this name.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.found.header(&self.bytes, name)
    }

    /// What a header field lists, in lower case.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let value = self.header(name).unwrap_or_default();
        let items = value.split(',');
        items.map(|item| item.trim().to_ascii_lowercase()).collect()
    }

    /// As a line for a person.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.status, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_in_a_line() {
        let line = post("/accounts", "{\n}").field("Origin", "a").line();
        assert_eq!(line, "POST /accounts (Origin: a) { }");
        assert_eq!(get("/health").line(), "GET /health");
        let bare = request("POST", "/accounts").body("{}").line();
        assert_eq!(bare, "POST /accounts (no Content-Type) {}");
        let empty = post("/accounts", "").line();
        assert_eq!(empty, "POST /accounts (an empty body)");
        let long = post("/accounts", "x".repeat(1_000)).line();
        assert!(
            long.starts_with("POST /accounts (1000 bytes) xxx"),
            "{long}"
        );
        assert_eq!(long.chars().count(), SHOWN_MAX_CHARS + 1);
    }
}
