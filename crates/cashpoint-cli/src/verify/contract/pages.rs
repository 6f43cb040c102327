//! The pages for people, and the description for programs.

use cashpoint::Cents;

use super::probe::Probe;
use super::request::{Exchange, get, request};
use super::stop::Stop;
use super::{Rule, json};

pub(super) const RULES: &[Rule] = &[
    Rule::new("the start page is HTML", start_page),
    Rule::new("the documentation is HTML", documentation),
    Rule::better("the pages load nothing from elsewhere", self_contained),
    Rule::better("HEAD is answered as GET, without the body", head),
    Rule::new(
        "openapi.json is OpenAPI 3 and describes every operation",
        operations,
    ),
    Rule::new("openapi.json has the schemas by their names", schemas),
    Rule::new("openapi.json tells the bounds of amounts", bounds),
];

fn check_page(probe: &mut Probe<'_>, path: &str) -> Result<Exchange, Stop> {
    let answer = probe.send(&get(path))?;
    let content_type = answer.header("Content-Type").unwrap_or_default();
    let is_html = content_type.to_ascii_lowercase().starts_with("text/html")
        && answer.body.to_ascii_lowercase().contains("<html");
    if answer.status != 200 || !is_html {
        let answered = format!("{} of {content_type}: {}", answer.status, answer.body);
        probe.deviate(&answer.request, "200 with a page of HTML", answered);
    }
    Ok(answer)
}

fn start_page(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let answer = check_page(probe, "/")?;
    let text = answer.body.to_ascii_lowercase();
    probe.check(text.contains("account"), &answer, "a page about accounts");
    Ok(())
}

fn documentation(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for path in ["/docs", "/redoc"] {
        check_page(probe, path)?;
    }
    Ok(())
}

fn head(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for path in ["/", "/health", "/docs", "/redoc", "/openapi.json"] {
        let page = probe.send(&get(path))?;
        let answer = probe.send(&request("HEAD", path))?;
        probe.check(answer.status == page.status, &answer, "the status of GET");
        let content_type = page.header("Content-Type");
        probe.check_header(&answer, "Content-Type", content_type.as_deref());
    }
    Ok(())
}

fn self_contained(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for page in ["/", "/docs", "/redoc"] {
        let answer = probe.send(&get(page))?;
        for resource in resources(&answer.body) {
            if resource.starts_with("data:") || resource.starts_with('#') {
                continue;
            }
            if resource.contains("://") || resource.starts_with("//") {
                let answered = format!("a page that loads {resource}");
                probe.deviate(
                    &answer.request,
                    "a page that works without the internet",
                    answered,
                );
            } else {
                // A server behind a proxy may know its prefix, or not.
                let resource = resource
                    .strip_prefix(&*probe.address().prefix)
                    .unwrap_or(&resource);
                let path = format!("/{}", resource.trim_start_matches(['.', '/']));
                let loaded = probe.send(&get(path))?;
                let is_there = loaded.status == 200;
                probe.check(is_there, &loaded, &format!("200, for {page} loads it"));
            }
        }
    }
    Ok(())
}

/// What a page loads: what its scripts, style sheets and pictures name. Links that a person follows are not
/// among it.
fn resources(page: &str) -> Vec<String> {
    let mut resources = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let name = tag.split(|it: char| it.is_whitespace()).next();
        let attribute = match name.unwrap_or_default().to_ascii_lowercase().as_str() {
            "script" | "img" | "iframe" => "src=",
            "link" => "href=",
            _ => continue,
        };
        let Some((_, value)) = tag.split_once(attribute) else {
            continue;
        };
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.split(quote).nth(1),
            _ => value.split_whitespace().next(),
        };
        resources.extend(value.filter(|value| !value.is_empty()).map(str::to_owned));
    }
    resources
}

fn description(probe: &mut Probe<'_>) -> Result<Exchange, Stop> {
    let answer = probe.send(&get("/openapi.json"))?;
    let version = json::string_at(&answer.body, &["openapi"]).unwrap_or_default();
    if answer.status != 200 || !version.starts_with("3.") {
        return Err(probe.deviate(&answer.request, "200 with OpenAPI 3.x", answer.line()));
    }
    probe.check_header(&answer, "Content-Type", Some("application/json"));
    Ok(answer)
}

fn operations(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let answer = description(probe)?;
    let paths = json::value_at(&answer.body, &["paths"]).unwrap_or_default();
    let Some(templates) = json::keys(paths) else {
        probe.check(false, &answer, "an object of paths");
        return Ok(());
    };
    for (path, method, success) in [
        ("/accounts", "post", "201"),
        ("/accounts", "get", "200"),
        ("/accounts/{}/balance", "get", "200"),
        ("/accounts/{}/deposit", "post", "200"),
        ("/accounts/{}/withdraw", "post", "200"),
        ("/accounts/{}", "delete", "204"),
        ("/health", "get", "200"),
        ("/", "get", "200"),
    ] {
        let mut templates = templates.iter();
        let described = templates.find(|it| without_names(it) == without_names(path));
        let response = described
            .and_then(|template| json::value_at(paths, &[template, method, "responses", success]));
        if response.is_none() {
            let contract = format!("{method} {path} with an answer {success}");
            probe.deviate(&answer.request, contract, "a description without it");
        }
    }
    Ok(())
}

/// A path with `{}` for each parameter, whatever its name.
fn without_names(template: &str) -> String {
    let parts = template.trim_end_matches('/').split('/');
    let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn schemas(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let answer = description(probe)?;
    for name in [
        "AccountCreate",
        "AccountCreateResponse",
        "BalanceResponse",
        "TransactionRequest",
        "TransactionResponse",
        "HTTPValidationError",
        "ValidationError",
    ] {
        if json::value_at(&answer.body, &["components", "schemas", name]).is_none() {
            let contract = format!("a schema {name}");
            probe.deviate(&answer.request, contract, "a description without it");
        }
    }
    Ok(())
}

fn bounds(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let answer = description(probe)?;
    let bound = |schema: &str, field: &str, bound: &str| {
        let keys = ["components", "schemas", schema, "properties", field, bound];
        json::value_at(&answer.body, &keys).and_then(|bound| bound.parse::<Cents>().ok())
    };
    let amount = |name: &str| bound("TransactionRequest", "amount", name);
    let initial = |name: &str| bound("AccountCreate", "initial_balance", name);
    let largest = amount("maximum");
    for (what, found, is_right) in [
        (
            "amount: exclusiveMinimum 0",
            amount("exclusiveMinimum"),
            Some(Cents::ZERO),
        ),
        (
            "initial_balance: minimum 0",
            initial("minimum"),
            Some(Cents::ZERO),
        ),
        (
            "initial_balance: default 0.0",
            initial("default"),
            Some(Cents::ZERO),
        ),
        (
            "initial_balance: the maximum of amount",
            initial("maximum"),
            largest,
        ),
    ] {
        if found.is_none() || found != is_right {
            let answered = found.map_or("none".to_owned(), |found| found.to_string());
            probe.deviate(&answer.request, what, answered);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_loads_is_found() {
        let page = "<html><head><link rel=stylesheet href=/a.css><script src=\"https://cdn.example/b.js\">\
                    </script><SCRIPT>var x = 1 < 2;</SCRIPT><img alt='' src='c.png'></head>\
                    <a href=\"https://elsewhere.example\">";
        assert_eq!(
            resources(page),
            ["/a.css", "https://cdn.example/b.js", "c.png"]
        );
    }

    #[test]
    fn parameters_of_paths_have_any_name() {
        assert_eq!(
            without_names("/accounts/{n}/balance"),
            "/accounts/{}/balance"
        );
    }
}
