//! Who may ask: decided before anything else is, from the head of a request alone.
//!
//! - *A request names one host* (RFC 9112), and where the service knows its names, one of these. A page whose name was led
//!   here by its own DNS is of the service's own origin to a browser, so that nothing but the name gives it away. An
//!   address cannot be led elsewhere; and probes may use whatever name they have for the service.
//! - *A page of another origin changes nothing* where origins are configured. Browsers let it send JSON without asking
//!   (`no-cors`, with a `Blob` for a body), and forms. What they cannot be made to leave out is `Origin`, and
//!   `Sec-Fetch-Site`. A client that sends neither is no page.
//! - *The service's own page is at home* under every name that passed: it is from the host and the port that it asks. But
//!   where an origin is configured for them, that counts, for a page without TLS can be forged on the way.

use std::cell::RefCell;
use std::sync::Arc;

use hyper::body::Body;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Uri, Version};

use super::Config;
use super::head::{Field, KnownHeaders};
use super::host::{Authority, HostName};
use super::origin::{self, AllowedOrigins};

/// What probes ask, as they send it.
const PROBES: [&str; 3] = ["/health", "/livez", "/readyz"];

/// Decides about requests.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) origins: AllowedOrigins,
    /// The names that the service answers to. `None` if to all.
    names: Option<Vec<HostName>>,
}

/// Why a request is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    NoHost,
    SeveralHosts,
    InvalidHost,
    ForeignHost(HostName),
    ForeignOrigin,
}

/// The gate as the requests of one connection come to it.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) gate: Arc<Gate>,
    /// The last host that was let in. Clients name the same one with each request, which then need not be read.
    last_host: RefCell<Option<Vec<u8>>>,
}

impl Door {
    pub(super) fn of_connection(gate: &Arc<Gate>) -> Self {
        Self {
            gate: Arc::clone(gate),
            last_host: RefCell::default(),
        }
    }

    /// Why the request is turned away, if it is.
    pub(super) fn turn_away<B: Body>(
        &self,
        request: &Request<B>,
        headers: &KnownHeaders<'_>,
    ) -> Option<TurnedAway> {
        let host = headers.host.first.map(HeaderValue::as_bytes);
        let host =
            host.filter(|_| !headers.host.is_repeated && request.uri().authority().is_none());
        let is_known = host.is_some() && host == self.last_host.borrow().as_deref();
        let is_open = self.gate.origins == AllowedOrigins::Any || !is_change(request.method());
        if is_known && is_open {
            return None;
        }
        let decided = self.gate.turn_away(request, headers);
        if let (Ok(()), Some(host)) = (&decided, host)
            && !is_probe(request.uri())
        {
            self.last_host.replace(Some(host.to_vec()));
        }
        decided.err()
    }
}

impl Gate {
    pub(super) fn new(config: &Config) -> Self {
        let origins = config.allowed_origins.clone();
        let mut names = config.allowed_hosts.clone();
        let is_open = names.is_empty() && origins == AllowedOrigins::Any;
        if let AllowedOrigins::Only(origins) = &origins {
            names.extend(origins.iter().map(|origin| origin.host().clone()));
        }
        names.extend("localhost".parse());
        Self {
            origins,
            names: (!is_open).then_some(names),
        }
    }

    fn turn_away<B: Body>(
        &self,
        request: &Request<B>,
        headers: &KnownHeaders<'_>,
    ) -> Result<(), TurnedAway> {
        let host = self.host(request, headers.host)?;
        let is_foreign = is_change(request.method())
            && self.is_foreign(headers.origin, headers.fetch_site, host);
        match is_foreign {
            true => Err(TurnedAway::ForeignOrigin),
            false => Ok(()),
        }
    }

    /// The host that the request is for: that of its target, if that has one. HTTP/1.0 need not say it; browsers always do.
    fn host<'head, B: Body>(
        &self,
        request: &'head Request<B>,
        header: Field<'head>,
    ) -> Result<Option<Authority<'head>>, TurnedAway> {
        let parse = |text| Authority::parse(text).ok_or(TurnedAway::InvalidHost);
        let mut host = match header.first {
            Some(_) if header.is_repeated => return Err(TurnedAway::SeveralHosts),
            Some(host) => Some(parse(host.as_bytes())?),
            None if request.version() == Version::HTTP_10 => None,
            None => return Err(TurnedAway::NoHost),
        };
        if let Some(target) = request.uri().authority() {
            host = Some(parse(target.as_str().as_bytes())?);
        }
        let (Some(names), Some(host)) = (&self.names, &host) else {
            return Ok(host);
        };
        let is_known = host.is_address() || names.iter().any(|name| host.is_of(name));
        match is_known || is_probe(request.uri()) {
            true => Ok(Some(*host)),
            false if host.is_empty() => Err(TurnedAway::NoHost),
            false => Err(TurnedAway::ForeignHost(host.name())),
        }
    }

    /// Whether a browser says that a page asks which may change nothing. What it says twice, it does not say.
    fn is_foreign(&self, origin: Field<'_>, site: Field<'_>, host: Option<Authority<'_>>) -> bool {
        if self.origins == AllowedOrigins::Any {
            return false;
        }
        let is_at_home = site.first.is_none_or(|site| {
            let word = site.as_bytes();
            word == b"same-origin" || word == b"none"
        }) && !site.is_repeated;
        match origin.first {
            None => !is_at_home,
            Some(_) if origin.is_repeated => true,
            Some(origin) if self.origins.names(origin) => false,
            Some(origin) => !(is_at_home && host.is_some_and(|host| self.is_own(origin, &host))),
        }
    }

    /// Whether `origin` is that of the service's own page at this host.
    fn is_own(&self, origin: &HeaderValue, host: &Authority<'_>) -> bool {
        let is_configured = match &self.origins {
            AllowedOrigins::Any => false,
            AllowedOrigins::Only(origins) => origins.iter().any(|origin| origin.is_at(host)),
        };
        !is_configured && origin::is_at(origin.as_bytes(), host)
    }
}

/// Whether a request is a probe's.
pub(super) fn is_probe(target: &Uri) -> bool {
    PROBES.contains(&target.path())
}

fn is_change(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}
