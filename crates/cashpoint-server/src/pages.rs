//! The pages for people: the console at `/`, and the documentation. They are part of the binary, and
//! work without the internet.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};

use super::answer;
use super::front::Response;

/// A file that is served as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StaticFile {
    path: &'static str,
    content_type: &'static str,
    /// What the browser may load and run for it.
    policy: &'static str,
    content: &'static [u8],
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
            content: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $file)),
        }
    };
}

static PAGES: [StaticFile; 10] = [
    page!("/", HTML, STRICT, "console.html"),
    page!("/assets/console.css", CSS, STRICT, "console.css"),
    page!("/assets/console.js", JAVASCRIPT, STRICT, "console.js"),
    page!("/docs", HTML, DOCUMENTATION, "docs.html"),
    page!("/assets/docs.js", JAVASCRIPT, STRICT, "docs.js"),
    page!("/redoc", HTML, DOCUMENTATION, "redoc.html"),
    page!("/assets/redoc.js", JAVASCRIPT, STRICT, "redoc.js"),
    page!(
        "/assets/swagger-ui.css",
        CSS,
        STRICT,
        "vendor/swagger-ui.css"
    ),
    page!(
        "/assets/swagger-ui-bundle.js",
        JAVASCRIPT,
        STRICT,
        "vendor/swagger-ui-bundle.js"
    ),
    page!(
        "/assets/redoc.standalone.js",
        JAVASCRIPT,
        STRICT,
        "vendor/redoc.standalone.js"
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

impl StaticFile {
    pub(super) fn response(&self) -> Response {
        let content_type = HeaderValue::from_static(self.content_type);
        let mut response = answer::with_type(StatusCode::OK, content_type, self.content);
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(self.policy),
        );
        // Not `no-referrer`: a form of the page's own would then be sent with an `Origin` of `null`.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}
