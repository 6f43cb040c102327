//! Origins of web pages (RFC 6454), and which of them may call the service.

use std::str::FromStr;

use hyper::header::HeaderValue;

use super::host::{Authority, HostName};

/// Which origins' pages may call the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Every origin.
    Any,
    /// These alone. Pages of others may change nothing, and read no answer.
    Only(Vec<Origin>),
}

impl AllowedOrigins {
    /// Whether this is one of the origins that are named.
    pub(super) fn names(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => false,
            Self::Only(allowed) => allowed.iter().any(|allowed| allowed.text == origin),
        }
    }
}

/// An origin, such as `https://cashpoint.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// As browsers write it.
    text: HeaderValue,
    host: HostName,
}

/// The text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is http:// or https:// with a host and no path, such as https://cashpoint.example"
)]
pub struct ParseOriginError;

impl Origin {
    /// The host of its pages.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// Whether its pages come from this host and port.
    pub(super) fn is_at(&self, authority: &Authority<'_>) -> bool {
        is_at(self.text.as_bytes(), authority)
    }
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    /// Reads an origin. A slash at its end, as in a URL copied from a browser, and the port that goes without saying are
    /// passed over.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://").ok_or(ParseOriginError)?;
        let default_port = default_port(scheme.as_bytes()).ok_or(ParseOriginError)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let authority = Authority::parse(rest.as_bytes()).ok_or(ParseOriginError)?;
        let host = match authority.is_address() {
            true => authority.name(),
            false => authority.host().parse().map_err(|_| ParseOriginError)?,
        };
        let port = authority.port().filter(|port| *port != default_port);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let text = format!("{scheme}://{}{port}", authority.host());
        let text = HeaderValue::try_from(text).map_err(|_| ParseOriginError)?;
        Ok(Self { text, host })
    }
}

/// Whether pages of `origin`, as a browser has sent it, come from this host and port. Whether over TLS, is not known here:
/// a proxy may have taken it off.
pub(super) fn is_at(origin: &[u8], authority: &Authority<'_>) -> bool {
    let Some((scheme, rest)) = split_scheme(origin) else {
        return false;
    };
    let its = Authority::parse(rest).filter(|its| !its.is_empty());
    let default_port = default_port(scheme);
    its.zip(default_port)
        .is_some_and(|(its, port)| its.is_same(authority, port))
}

fn split_scheme(origin: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = origin.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = origin.split_at_checked(end)?;
    Some((scheme, rest.strip_prefix(b"://")?))
}

fn default_port(scheme: &[u8]) -> Option<u16> {
    match scheme {
        b"http" => Some(80),
        b"https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for (text, written, host) in [
            ("https://a.example", "https://a.example", "a.example"),
            ("HTTPS://A.example/", "https://a.example", "a.example"),
            (
                "http://localhost:3000",
                "http://localhost:3000",
                "localhost",
            ),
            ("https://a.example:443/", "https://a.example", "a.example"),
            ("http://a.example:443", "http://a.example:443", "a.example"),
            ("http://a.example.:80", "http://a.example.", "a.example"),
            ("http://[::1]:3000", "http://[::1]:3000", "[::1]"),
            ("http://127.0.0.1", "http://127.0.0.1", "127.0.0.1"),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.text, written);
            assert_eq!(origin.host().to_string(), host);
        }
        for text in [
            "",
            "null",
            "a.example",
            "ftp://a.example",
            "https:a.example",
            "https://",
            "https:///",
            "https://.",
            "https://a.example/x",
            "https://a.example//",
            "https://a.example?x",
            "https://a@a.example",
            "https://*.a.example",
            "https://a.example:x",
            "https://a.example:65536",
            "https://\u{e9}.example",
            "*",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(ParseOriginError), "{text:?}");
        }
    }
}
