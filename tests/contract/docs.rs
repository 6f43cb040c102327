//! The pages and the description of the service; they need nothing but the service itself.

use crate::support::Server;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The document at `/openapi.json`.
pub(crate) fn description(server: &Server) -> Value {
    let response = server.get("/openapi.json");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    response.json()
}

#[test]
fn the_description_is_openapi_3_and_lists_every_operation() {
    let server = Server::start();
    let document = description(&server);
    let version = document["openapi"].as_str().expect("a version");
    assert!(version.starts_with("3."), "{version}");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    for (path, method, success) in [
        ("/accounts", "post", "201"),
        ("/accounts", "get", "200"),
        ("/accounts/{}/balance", "get", "200"),
        ("/accounts/{}/transactions", "get", "200"),
        ("/accounts/{}/deposit", "post", "200"),
        ("/accounts/{}/withdraw", "post", "200"),
        ("/accounts/{}", "delete", "204"),
        ("/health", "get", "200"),
        ("/", "get", "200"),
    ] {
        let (_, operations) = document["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .find(|(template, _)| without_parameter_names(template) == path)
            .unwrap_or_else(|| panic!("{path} is not described"));
        let operation = &operations[method];
        assert!(
            operation["responses"][success].is_object(),
            "{method} {path}: {operation}"
        );
        if path.contains("{}") {
            let parameters = [&operation["parameters"], &operations["parameters"]];
            let mut parameters = parameters
                .iter()
                .filter_map(|list| list.as_array())
                .flatten();
            assert!(
                parameters.any(|it| it["in"] == "path" && it["required"] == true),
                "{path}"
            );
        }
    }
}

fn without_parameter_names(template: &str) -> String {
    let parts = template.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn the_description_has_the_schemas_of_the_original_with_the_limits_in_force() {
    for (setting, maximum) in [("10000.0", 10_000.0), ("99.5", 99.5)] {
        let server = Server::configure()
            .env("MAX_TRANSACTION_AMOUNT", setting)
            .start();
        let document = description(&server);
        let schemas = &document["components"]["schemas"];
        for name in [
            "AccountCreate",
            "AccountCreateResponse",
            "BalanceResponse",
            "TransactionRequest",
            "TransactionResponse",
            "HTTPValidationError",
            "ValidationError",
        ] {
            assert!(schemas[name].is_object(), "{name} is not described");
        }
        let number = |value: &Value| value.as_f64();
        let amount = &schemas["TransactionRequest"]["properties"]["amount"];
        assert_eq!(number(&amount["exclusiveMinimum"]), Some(0.0), "{amount}");
        assert_eq!(number(&amount["maximum"]), Some(maximum), "{amount}");
        assert_eq!(schemas["TransactionRequest"]["required"], json!(["amount"]));
        let balance = &schemas["AccountCreate"]["properties"]["initial_balance"];
        assert_eq!(number(&balance["minimum"]), Some(0.0), "{balance}");
        assert_eq!(number(&balance["maximum"]), Some(maximum), "{balance}");
        assert_eq!(number(&balance["default"]), Some(0.0), "{balance}");
        let required = schemas["AccountCreate"]["required"].as_array();
        assert!(
            required.is_none_or(Vec::is_empty),
            "{}",
            schemas["AccountCreate"]
        );
    }
}

#[test]
fn the_described_answers_have_the_keys_of_the_real_ones() {
    let server = Server::start();
    let document = description(&server);
    let created = server.post("/accounts", "{}");
    let path = format!("/accounts/{}", created.account_number());
    let refused = server.post("/accounts", r#"{"initial_balance":-1}"#);
    let listing = server.get("/accounts");
    let data = tempfile::tempdir().unwrap();
    let with_history = Server::configure()
        .flag("--data", data.path().to_str().unwrap())
        .start();
    let told = format!("/accounts/{}", with_history.open_account("1.0"));
    let statement = with_history.get(&format!("{told}/transactions")).json();
    for (schema, answer) in [
        ("TransactionItem", statement["transactions"][0].clone()),
        ("TransactionListResponse", statement),
        (
            "BalanceResponse",
            with_history.get(&format!("{told}/balance?at=1")).json(),
        ),
        ("AccountCreateResponse", created.json()),
        (
            "BalanceResponse",
            server.get(&format!("{path}/balance")).json(),
        ),
        (
            "TransactionResponse",
            server
                .post(&format!("{path}/deposit"), r#"{"amount":1}"#)
                .json(),
        ),
        ("AccountItem", listing.json()["accounts"][0].clone()),
        ("AccountListResponse", listing.json()),
        (
            "AccountListResponse",
            server.get("/accounts?limit=1").json(),
        ),
        ("HealthResponse", server.get("/health").json()),
        ("StatusResponse", server.get("/livez").json()),
        ("StatusResponse", server.get("/readyz").json()),
        ("RefusalResponse", server.get("/accounts/x/balance").json()),
        ("HTTPValidationError", refused.json()),
        ("ValidationError", refused.json()["detail"][0].clone()),
    ] {
        let schema = &document["components"]["schemas"][schema];
        let answer = answer.as_object().unwrap();
        for key in answer.keys() {
            assert!(
                schema["properties"][key].is_object(),
                "{key} is not in {schema}"
            );
        }
        for key in schema["required"].as_array().unwrap() {
            let key = key.as_str().unwrap();
            assert!(answer.contains_key(key), "{key} of {schema} is missing");
        }
    }
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    let server = Server::start();
    let document = description(&server);
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty(), "schemas are referred to");
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .expect("a reference into the document");
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

fn collect_references(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values()
                .for_each(|value| collect_references(value, references));
        }
        Value::Array(list) => list
            .iter()
            .for_each(|it| collect_references(it, references)),
        _ => {}
    }
}

/// The tags of a page, without comments and without the text of its scripts and styles.
fn tags(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        if rest.starts_with("<!--") {
            rest = rest.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[..=end];
        rest = &rest[end + 1..];
        for raw in ["script", "style"] {
            if tag.to_ascii_lowercase().starts_with(&format!("<{raw}")) {
                rest = rest
                    .split_once(&format!("</{raw}"))
                    .map_or("", |(_, after)| after);
            }
        }
        tags.push(tag.to_owned());
    }
    tags
}

/// The value of a tag's attribute.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}="))?;
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
    Some(match quote {
        Some(quote) => after[1..].split(quote).next()?.to_owned(),
        None => after.split([' ', '>']).next()?.to_owned(),
    })
}

/// What a browser loads to show a page.
fn resources(page: &str) -> Vec<String> {
    let loading = |tag: &String| !tag.starts_with("<a ") && !tag.starts_with("</");
    let tags: Vec<String> = tags(page).into_iter().filter(loading).collect();
    let of = |name: &'static str| tags.iter().filter_map(move |tag| attribute(tag, name));
    of("src")
        .chain(of("href"))
        .chain(of("data"))
        .filter(|url| !url.starts_with("data:"))
        .collect()
}

#[test]
fn the_pages_are_html_and_load_nothing_from_elsewhere() {
    let server = Server::start();
    for path in ["/", "/docs", "/redoc"] {
        let response = server.get(path);
        assert_eq!(response.status, 200, "{path}");
        let content_type = response.header("content-type").unwrap_or_default();
        assert!(
            content_type.starts_with("text/html"),
            "{path}: {content_type}"
        );
        let page = response.text();
        assert!(page.to_ascii_lowercase().contains("<html"), "{path}");
        for url in resources(&page) {
            assert!(
                !url.contains("://") && !url.starts_with("//"),
                "{path} loads {url}"
            );
            assert!(
                url.starts_with('/'),
                "{path}: {url} depends on where the page lies"
            );
            let resource = server.get(&url);
            assert_eq!(resource.status, 200, "{path} loads {url}");
            assert!(!resource.body.is_empty(), "{path} loads {url}");
            let kind = resource.header("content-type").unwrap_or_default();
            for (extension, expected) in [(".js", "javascript"), (".css", "text/css")] {
                let matches = !url.ends_with(extension) || kind.contains(expected);
                assert!(matches, "{url} is served as {kind}");
            }
            if url.ends_with(".css") {
                assert_css_loads_nothing_from_elsewhere(&resource.text(), &url);
            }
        }
        assert_css_loads_nothing_from_elsewhere(&page, path);
    }
}

#[track_caller]
fn assert_css_loads_nothing_from_elsewhere(css: &str, case: &str) {
    for loading in [
        "url(http",
        "url(\"http",
        "url('http",
        "url(//",
        "@import \"http",
        "@import 'http",
    ] {
        assert!(!css.contains(loading), "{case} has {loading}");
    }
}

#[test]
fn the_documentation_pages_show_the_description_of_this_service() {
    let server = Server::start();
    for path in ["/docs", "/redoc"] {
        let page = server.get(path).text();
        let own_scripts = resources(&page)
            .into_iter()
            .map(|url| server.get(&url).text());
        let shown = own_scripts
            .chain([page])
            .any(|text| text.contains("/openapi.json"));
        assert!(shown, "{path} does not refer to /openapi.json");
    }
}

#[test]
fn the_first_page_welcomes_and_shows_how_to_use_the_service() {
    let server = Server::start();
    let page = server.get("/").text();
    for part in ["/accounts", "curl", "/docs", "deposit", "withdraw"] {
        assert!(page.contains(part), "the page does not mention {part}");
    }
}
