//! A trailing slash.

use super::probe::Probe;
use super::request::{Request, account, delete, get, post};
use super::stop::Stop;
use super::{Rule, listing};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "a trailing slash is redirected with 307 to the path without it",
        redirected,
    ),
    Rule::new("a redirect keeps the query", query_kept),
    Rule::new(
        "nothing is done before a redirect is followed",
        nothing_done,
    )
    .counting(),
    Rule::better("a redirect names no host", no_host),
];

fn check_redirect(probe: &mut Probe<'_>, request: &Request, to: &str) -> Result<(), Stop> {
    let answer = probe.send(request)?;
    let location = answer.header("Location").unwrap_or_default();
    // Who names a host deviates from another rule.
    let path = match location.split_once("://") {
        Some((_, rest)) => rest
            .find('/')
            .and_then(|at| rest.get(at..))
            .unwrap_or_default(),
        None => &*location,
    };
    // A server behind a proxy may know its prefix, or not.
    let path = path.strip_prefix(&*probe.address().prefix).unwrap_or(path);
    if answer.status != 307 || path != to {
        let answered = format!("{} with Location: {location}", answer.status);
        probe.deviate(
            &answer.request,
            format!("307 with Location: {to}"),
            answered,
        );
    }
    Ok(())
}

fn redirected(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("10.0")?;
    for path in ["/accounts", "/health", "/docs"] {
        check_redirect(probe, &get(format!("{path}/")), path)?;
    }
    let balance = account(&number, "/balance");
    check_redirect(probe, &get(format!("{balance}/")), &balance)?;
    check_redirect(probe, &delete(account(&number, "/")), &account(&number, ""))?;
    for verb in ["/deposit", "/withdraw"] {
        let path = account(&number, verb);
        let request = post(format!("{path}/"), "{\"amount\":1.0}");
        check_redirect(probe, &request, &path)?;
    }
    probe.check_balance(&number, "10.0")
}

fn query_kept(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let request = get("/accounts/?limit=2&x=%20y");
    check_redirect(probe, &request, "/accounts?limit=2&x=%20y")
}

fn nothing_done(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("10.0")?;
    let before = listing::listed(probe)?.total;
    for request in [
        post("/accounts/", "{\"initial_balance\":2.5}"),
        post(account(&number, "/deposit/"), "{\"amount\":1.0}"),
        post(account(&number, "/withdraw/"), "{\"amount\":1.0}"),
        delete(account(&number, "/")),
    ] {
        let answer = probe.send(&request)?;
        probe.check(answer.status == 307, &answer, "307");
    }
    let after = listing::listed(probe)?;
    let contract = format!("{before} accounts, for none was opened or closed");
    probe.check(after.total == before, &after.answer, &contract);
    probe.check_balance(&number, "10.0")
}

fn no_host(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let answer = probe.send(&get("/accounts/"))?;
    let location = answer.header("Location").unwrap_or_default();
    if !location.starts_with('/') || location.starts_with("//") {
        let answered = format!("{} with Location: {location}", answer.status);
        probe.deviate(&answer.request, "a Location that begins with /", answered);
    }
    Ok(())
}
