//! The pages for people: the console at `/`, and the documentation. They are part of the binary, and
//! work without the internet.

use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, REFERRER_POLICY,
    VARY,
};

use super::answer;
use super::front::Response;
use super::sent::Sent;

/// A file that is served as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StaticFile {
    path: &'static str,
    content_type: &'static str,
    /// What the browser may load and run for it.
    policy: &'static str,
    content: &'static [u8],
    /// The content, compressed.
    gzip: &'static [u8],
    /// Stands for the content: in an `ETag`, and in the address by which a page names the file.
    version: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Nothing from elsewhere, nothing inline.
const STRICT: &str = "default-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Swagger UI and ReDoc write styles into the page; ReDoc searches in a worker.
const DOCUMENTATION: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; worker-src 'self' blob:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! page {
    ($path:literal, $content_type:expr, $policy:expr, $file:literal) => {
        StaticFile {
            path: $path,
            content_type: $content_type,
            policy: $policy,
            content: include_bytes!(concat!(env!("OUT_DIR"), "/", $file)),
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $file, ".gz")),
            version: include_str!(concat!(env!("OUT_DIR"), "/", $file, ".version")),
        }
    };
}

static PAGES: [StaticFile; 16] = [
    page!("/", HTML, STRICT, "console.html"),
    page!("/assets/console.css", CSS, STRICT, "console.css"),
    page!("/assets/console.js", JAVASCRIPT, STRICT, "console.js"),
    page!("/assets/csv.js", JAVASCRIPT, STRICT, "csv.js"),
    page!("/assets/element.js", JAVASCRIPT, STRICT, "element.js"),
    page!("/assets/request.js", JAVASCRIPT, STRICT, "request.js"),
    page!("/assets/slip.js", JAVASCRIPT, STRICT, "slip.js"),
    page!("/assets/step.js", JAVASCRIPT, STRICT, "step.js"),
    page!("/assets/words.js", JAVASCRIPT, STRICT, "words.js"),
    page!("/docs", HTML, DOCUMENTATION, "docs.html"),
    page!("/assets/docs.js", JAVASCRIPT, STRICT, "docs.js"),
    page!("/redoc", HTML, DOCUMENTATION, "redoc.html"),
    page!("/assets/redoc.js", JAVASCRIPT, STRICT, "redoc.js"),
    page!("/assets/swagger-ui.css", CSS, STRICT, "swagger-ui.css"),
    page!(
        "/assets/swagger-ui-bundle.js",
        JAVASCRIPT,
        STRICT,
        "swagger-ui-bundle.js"
    ),
    page!(
        "/assets/redoc.standalone.js",
        JAVASCRIPT,
        STRICT,
        "redoc.standalone.js"
    ),
];

/// `GET /`. It describes [`StaticFile::response`] for one page; the others are no part of the API.
#[utoipa::path(get, path = "/", tag = "pages",
    summary = "The console",
    description = "A page to look at the service and to move money by hand.",
    responses((status = 200, description = "The page", body = String, content_type = "text/html; charset=utf-8")))]
#[expect(dead_code, reason = "describes what `StaticFile::response` answers")]
pub(super) fn console() {}

/// The page at `path`.
pub(super) fn find(path: &str) -> Option<&'static StaticFile> {
    PAGES.iter().find(|page| page.path == path)
}

/// What a browser that has asked for it by its version never asks for again: a year.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Whoever keeps it asks, each time, whether it is still the same.
const ASKED_FOR_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

impl StaticFile {
    pub(super) fn response(&self, sent: &Sent) -> Response {
        // Weak, so that it is one for both forms.
        let tag = format!("W/\"{}\"", self.version);
        let is_same = sent
            .if_none_match
            .as_ref()
            .is_some_and(|it| names(it, &tag));
        let content_type = HeaderValue::from_static(self.content_type);
        let mut response = match (is_same, sent.accepts_gzip) {
            (true, _) => answer::empty(StatusCode::NOT_MODIFIED),
            (false, true) => answer::with_type(StatusCode::OK, content_type, self.gzip),
            (false, false) => answer::with_type(StatusCode::OK, content_type, self.content),
        };
        let headers = response.headers_mut();
        if !is_same && sent.accepts_gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        let by_version = sent.query.strip_prefix("v=") == Some(self.version);
        headers.insert(
            CACHE_CONTROL,
            if by_version { KEPT } else { ASKED_FOR_AGAIN },
        );
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(self.policy),
        );
        // Not `no-referrer`: a form of the page's own would then be sent with an `Origin` of `null`.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }
}

/// Whether an `If-None-Match` names `tag`, which is compared weakly.
fn names(if_none_match: &HeaderValue, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let named = if_none_match.to_str().unwrap_or_default();
    named == "*" || named.split(',').any(|it| strong(it) == strong(tag))
}
