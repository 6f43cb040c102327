//! Where a server is.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use http::Uri;

use super::Broken;

/// How long one address of several may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the server is.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) url: String,
    /// Host and port.
    pub(crate) authority: String,
    /// What precedes the contract's paths.
    pub(crate) prefix: String,
    pub(crate) socket: SocketAddr,
}

impl Address {
    pub(crate) fn resolve(url: &Uri) -> Result<Self, Broken> {
        let host = match (url.scheme_str(), url.host()) {
            (Some("http"), Some(host)) => host,
            _ => {
                return Err(Broken(format!(
                    "{url} is not the address of a server that this can talk to: it begins with http://"
                )));
            }
        };
        let port = url.port_u16().unwrap_or(80);
        let sockets: Vec<_> = (host.trim_matches(['[', ']']), port)
            .to_socket_addrs()
            .map_err(|error| Broken(format!("{host} is not known: {error}")))?
            .collect();
        // Of several, such as localhost has, the first at which somebody listens.
        let listens = |socket: &&SocketAddr| TcpStream::connect_timeout(socket, PATIENCE).is_ok();
        let socket = sockets.iter().find(listens).or(sockets.first());
        let socket = *socket.ok_or_else(|| Broken(format!("{host} has no address")))?;
        Ok(Self {
            url: url.to_string().trim_end_matches('/').to_owned(),
            authority: format!("{host}:{port}"),
            prefix: url.path().trim_end_matches('/').to_owned(),
            socket,
        })
    }

    /// Adds to `out` a request to the server, with these header `fields`, each with its line end.
    pub(crate) fn write_request(
        &self,
        out: &mut Vec<u8>,
        method: &str,
        path: &str,
        fields: &str,
        body: Option<&[u8]>,
    ) {
        let Self {
            prefix, authority, ..
        } = self;
        // Writing to a `Vec` cannot fail.
        let _ = write!(
            out,
            "{method} {prefix}{path} HTTP/1.1\r\nHost: {authority}\r\n{fields}"
        );
        if let Some(body) = body {
            let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
            out.extend_from_slice(body);
        } else {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// As [`resolve`](Self::resolve), for paths from the root on, whatever the path of `url`.
    pub(crate) fn of_host(url: &Uri) -> Result<Self, Broken> {
        let prefix = String::new();
        Ok(Self {
            prefix,
            ..Self::resolve(url)?
        })
    }
}
