//! Whom a request is for: the host that it names, and the names that a service answers to.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest host that is looked at: the DNS has none that is longer.
const HOST_MAX_BYTES: usize = 255;

/// The longest port: a connection keeps the host that it was last asked for, and zeros could stand before a port without
/// end.
const PORT_MAX_BYTES: usize = 5;

/// A host and maybe a port, as in a `Host` header, an origin, or the target of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'text> {
    host: &'text [u8],
    port: Option<u16>,
}

impl<'text> Authority<'text> {
    /// Reads `uri-host [ ":" port ]` of RFC 9112. The host may be empty, and so may the port.
    pub(super) fn parse(text: &'text [u8]) -> Option<Self> {
        let host_bytes = match text.strip_prefix(b"[") {
            Some(address) => address.iter().position(|byte| *byte == b']')? + "[]".len(),
            None => text.iter().take_while(|byte| **byte != b':').count(),
        };
        let (host, port) = text.split_at_checked(host_bytes)?;
        let is_valid = host.len() <= HOST_MAX_BYTES
            && match host.strip_prefix(b"[") {
                Some(address) => is_ipv6(address.strip_suffix(b"]")?),
                None => is_name(host),
            };
        let port = match port {
            [] | [b':'] => None,
            [b':', digits @ ..] if digits.len() <= PORT_MAX_BYTES => {
                let is_number = digits.iter().all(u8::is_ascii_digit);
                let digits = is_number.then_some(digits)?;
                Some(std::str::from_utf8(digits).ok()?.parse().ok()?)
            }
            _ => return None,
        };
        is_valid.then_some(Self { host, port })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.host.is_empty()
    }

    /// Whether the host is an address, and no name that somebody could lead elsewhere.
    pub(super) fn is_address(&self) -> bool {
        let name = without_dot(self.host);
        let is_ipv4 = || std::str::from_utf8(name).is_ok_and(|it| it.parse::<Ipv4Addr>().is_ok());
        self.host.starts_with(b"[") || is_ipv4()
    }

    /// Whether this is the host.
    pub(super) fn is_of(&self, host: &HostName) -> bool {
        without_dot(self.host).eq_ignore_ascii_case(host.0.as_bytes())
    }

    /// Whether both are the same host and port. One that names no port means this one.
    pub(super) fn is_same(&self, other: &Self, default_port: u16) -> bool {
        let port = |it: &Self| it.port.unwrap_or(default_port);
        without_dot(self.host).eq_ignore_ascii_case(without_dot(other.host))
            && port(self) == port(other)
    }

    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// The host as it was written.
    pub(super) fn host(&self) -> Cow<'text, str> {
        String::from_utf8_lossy(self.host)
    }

    /// The host as it is compared.
    pub(super) fn name(&self) -> HostName {
        let host = String::from_utf8_lossy(without_dot(self.host));
        HostName(host.to_ascii_lowercase())
    }
}

/// A name is absolute with a dot at its end and without.
fn without_dot(host: &[u8]) -> &[u8] {
    host.strip_suffix(b".").unwrap_or(host)
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Whether this is a `reg-name` of RFC 3986, which IPv4 addresses are too.
fn is_name(host: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte);
    let mut rest = host;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if is_plain(byte) => rest,
            _ => return false,
        };
    }
}

/// The name of a host, or its address, without a port. Upper and lower case are the same, and so is a dot at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// The text is no name of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host name has no scheme, no port and no wildcard, such as cashpoint.example")]
pub struct ParseHostError;

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostName {
    type Err = ParseHostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_strict = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_name =
            !name.is_empty() && name.len() <= HOST_MAX_BYTES && name.bytes().all(is_strict);
        is_name.then_some(Self(name)).ok_or(ParseHostError)
    }
}
