//! `cashpoint health`.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use http::Uri;
use http::uri::PathAndQuery;

use super::{Failure, output, settings};
use crate::client::{Address, Connection};

/// Ask a service whether it is well; the exit code is 0 if it is.
///
/// Made for the health checks of containers, which have no other program to ask with.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The service, or its health page [default: the service on this machine, by HOST and PORT].
    #[arg(value_parser = settings::url)]
    url: Option<Uri>,

    /// Where the service on this machine listens.
    #[arg(long, env = "HOST", default_value = "0.0.0.0", value_parser = settings::host)]
    host: String,

    /// The port of the service on this machine.
    #[arg(long, env = "PORT", default_value = "8000", value_parser = settings::port)]
    port: u16,

    /// How long to wait for the answer.
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = settings::timeout)]
    timeout: Duration,
}

const EXAMPLES: &str = "\
Examples:
  cashpoint health
  PORT=9000 cashpoint health
  cashpoint health http://localhost:9000";

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let url = arguments.url();
    let not_well = |why: String| Failure(format!("{url} is not well: {why}"));
    let parsed: Uri = url.parse().map_err(|error| not_well(format!("{error}")))?;
    let path = parsed.path_and_query().map_or("/", PathAndQuery::as_str);
    let address = Address::of_host(&parsed).map_err(|broken| not_well(broken.to_string()))?;
    let mut connection = Connection::new(&address, arguments.timeout);
    let answer = connection.exchange("GET", path, None);
    let answer = answer.map_err(|lost| not_well(lost.to_string()))?;
    let body = String::from_utf8_lossy(&answer.body()).into_owned();
    match answer.status {
        200..300 => output::print(&format!("{body}\n")),
        status => Err(not_well(format!("it answered {status}: {body}"))),
    }
}

impl Arguments {
    fn url(&self) -> String {
        match &self.url {
            Some(url) => {
                let said = url.to_string();
                let said = said.trim_end_matches('/');
                match url.path().trim_end_matches('/') {
                    "" => format!("{said}/health"),
                    _ => said.to_owned(),
                }
            }
            None => format!("http://{}/health", self.local_authority()),
        }
    }

    /// The host and port of the service on this machine. One that listens on all addresses is asked on
    /// the loopback.
    fn local_authority(&self) -> String {
        let host = match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
            Ok(IpAddr::V6(address)) if address.is_unspecified() => "[::1]".to_owned(),
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        format!("{host}:{}", self.port)
    }
}
