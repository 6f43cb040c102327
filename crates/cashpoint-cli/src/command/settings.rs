//! Reads the values of settings. Each error says what is allowed; [`environment`](super::environment) adds the value that
//! was given, the flag and the variable.

use std::time::Duration;

use cashpoint::{Amount, Cents};
use cashpoint_server::{HostName, Origin};
use http::Uri;

/// The most accounts that may be asked for.
const MAX_ACCOUNTS_MAX: usize = 1_000_000_000;

/// The longest time that may be asked for: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// The longest time for which idempotency keys may be kept: a year.
const IDEMPOTENCY_WINDOW_S_MAX: u64 = 366 * 86_400;

/// Reads a number of things, from 1 to `most`.
pub(super) fn count(text: &str, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(format!("must be a whole number from 1 to {most}")),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "must be a whole number from 0 (any free port) to 65535".to_owned())
}

pub(super) fn host(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|character: char| character.is_whitespace()) {
        return Err("must be an address or a host name, such as 0.0.0.0 or localhost".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn max_accounts(text: &str) -> Result<usize, String> {
    count(text, MAX_ACCOUNTS_MAX)
}

pub(super) fn max_transaction_amount(text: &str) -> Result<Cents, String> {
    text.parse()
        .ok()
        .and_then(Amount::new)
        .map(Amount::cents)
        .ok_or_else(|| {
            format!(
                "must be an amount from 0.01 to {}, with at most two decimals",
                Cents::MAX
            )
        })
}

pub(super) fn idempotency_window(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (1..=IDEMPOTENCY_WINDOW_S_MAX).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| {
            format!("must be a whole number of seconds from 1 to {IDEMPOTENCY_WINDOW_S_MAX}")
        })
}

pub(super) fn idempotency_keys_max(text: &str) -> Result<usize, String> {
    count(text, 1_000_000_000)
}

pub(super) fn max_connections(text: &str) -> Result<usize, String> {
    count(text, 1_000_000)
}

pub(super) fn origin(text: &str) -> Result<Origin, String> {
    text.parse()
        .map_err(|error| format!("must be the URL of a site: {error}"))
}

/// The address of a server. `http://` goes without saying.
pub(super) fn url(text: &str) -> Result<Uri, String> {
    let text = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let url: Uri = text
        .parse()
        .map_err(|error| format!("must be an address such as http://localhost:8000: {error}"))?;
    match url.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("has a user or a password in it, which would not be sent: leave it out".to_owned())
        }
        _ => Ok(url),
    }
}

pub(super) fn host_name(text: &str) -> Result<HostName, String> {
    text.parse()
        .map_err(|error| format!("must be the name of a host: {error}"))
}

/// Reads whether something is to be so.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false (or 1 or 0, yes or no, on or off)".to_owned()),
    }
}

/// A time that may be nothing.
pub(super) fn delay(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("must be a number of seconds from 0 to {SECONDS_MAX}"))
}

/// A time that may not be nothing.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    delay(text)
        .ok()
        .filter(|timeout| *timeout >= Duration::from_millis(1))
        .ok_or_else(|| format!("must be a number of seconds from 0.001 to {SECONDS_MAX}"))
}
