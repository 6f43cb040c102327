//! What a path means, and which methods it takes.

use std::borrow::Cow;

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::pages::{self, StaticFile};

/// What a path leads to. An account number is still text here: one that is malformed is an account that
/// does not exist, not a path that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint<'path> {
    Accounts,
    Account(&'path str),
    Balance(&'path str),
    Deposit(&'path str),
    Withdraw(&'path str),
    Transactions(&'path str),
    Health,
    Live,
    Ready,
    OpenApi,
    StaticFile(&'static StaticFile),
}

impl<'path> Endpoint<'path> {
    /// Finds what `path`, [decoded], leads to.
    pub(super) fn of(path: &'path str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/accounts/") {
            return Self::of_account(rest);
        }
        match path {
            "/accounts" => Some(Self::Accounts),
            "/health" => Some(Self::Health),
            "/livez" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            "/openapi.json" => Some(Self::OpenApi),
            _ => pages::find(path).map(Self::StaticFile),
        }
    }

    /// Finds what the part of a path after `/accounts/` leads to.
    fn of_account(rest: &'path str) -> Option<Self> {
        let (number, operation) = match rest.split_once('/') {
            Some((number, operation)) => (number, Some(operation)),
            None => (rest, None),
        };
        if number.is_empty() {
            return None;
        }
        match operation {
            None => Some(Self::Account(number)),
            Some("balance") => Some(Self::Balance(number)),
            Some("deposit") => Some(Self::Deposit(number)),
            Some("withdraw") => Some(Self::Withdraw(number)),
            Some("transactions") => Some(Self::Transactions(number)),
            Some(_) => None,
        }
    }

    /// The methods that it takes.
    pub(super) fn methods(self) -> &'static [Method] {
        static GET: [Method; 1] = [Method::GET];
        static GET_AND_HEAD: [Method; 2] = [Method::GET, Method::HEAD];
        static POST: [Method; 1] = [Method::POST];
        static DELETE: [Method; 1] = [Method::DELETE];
        static GET_AND_POST: [Method; 2] = [Method::GET, Method::POST];
        match self {
            Self::Accounts => &GET_AND_POST,
            Self::Account(_) => &DELETE,
            Self::Deposit(_) | Self::Withdraw(_) => &POST,
            Self::Balance(_) | Self::Transactions(_) => &GET,
            // Monitors and load balancers ask with HEAD. hyper leaves out the body, and keeps its length.
            Self::Health | Self::Live | Self::Ready | Self::OpenApi | Self::StaticFile(_) => {
                &GET_AND_HEAD
            }
        }
    }

    /// Whether it takes `method`.
    pub(super) fn takes(self, method: &Method) -> bool {
        self.methods().contains(method)
    }
}

/// A path with its percent escapes decoded. Nearly none has any.
pub(super) fn decoded(path: &str) -> Cow<'_, str> {
    if path.contains('%') {
        percent_decode_str(path).decode_utf8_lossy()
    } else {
        path.into()
    }
}

/// A path, as it was sent, without the slashes at its end, if it leads somewhere without them.
pub(super) fn without_trailing_slash(path: &str) -> Option<&str> {
    let trimmed = path.trim_end_matches('/');
    (trimmed.len() < path.len() && Endpoint::of(&decoded(trimmed)).is_some()).then_some(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_contract_leads_somewhere() {
        for (path, endpoint) in [
            ("/accounts", Endpoint::Accounts),
            ("/accounts/n", Endpoint::Account("n")),
            ("/accounts/n/balance", Endpoint::Balance("n")),
            ("/accounts/n/deposit", Endpoint::Deposit("n")),
            ("/accounts/n/withdraw", Endpoint::Withdraw("n")),
            ("/accounts/n/transactions", Endpoint::Transactions("n")),
            ("/health", Endpoint::Health),
            ("/livez", Endpoint::Live),
            ("/readyz", Endpoint::Ready),
            ("/openapi.json", Endpoint::OpenApi),
        ] {
            assert_eq!(Endpoint::of(path), Some(endpoint), "{path}");
        }
        for path in ["/", "/docs", "/redoc"] {
            assert!(
                matches!(Endpoint::of(path), Some(Endpoint::StaticFile(_))),
                "{path}"
            );
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "",
            "*",
            "/nope",
            "/accounts/",
            "/accounts//balance",
            "/accounts/n/close",
            "/health/x",
        ] {
            assert_eq!(Endpoint::of(path), None, "{path}");
        }
    }

    #[test]
    fn a_trailing_slash_is_dropped_only_where_that_leads_somewhere() {
        assert_eq!(without_trailing_slash("/accounts/"), Some("/accounts"));
        assert_eq!(
            without_trailing_slash("/accounts/n/balance//"),
            Some("/accounts/n/balance")
        );
        for path in [
            "/",
            "//",
            "/nope/",
            "/accounts",
            "/accounts%2F",
            "//evil.example/",
        ] {
            assert_eq!(without_trailing_slash(path), None, "{path}");
        }
    }
}
