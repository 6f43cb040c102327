//! The report as one page that needs nothing else: no network, no script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::plot;
use super::report::{Books, CaseReport, Report};
use super::table::{books, spread};
use crate::client::Broken;
use crate::quantity::{grouped, rate, size, time};

/// The report as an HTML page.
pub(crate) fn page(report: &Report) -> Result<String, Broken> {
    let measured = report.cases.iter().any(|case| !case.rounds.is_empty());
    let scales = report.cases.iter().any(|case| {
        let other = |other: &CaseReport| other.mix == case.mix && other.workers != case.workers;
        report.cases.iter().any(other)
    });
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "cashpoint bench: " (report.target) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "cashpoint bench" }
                p { (report.target) ", measured " (report.began) " UTC by cashpoint " (report.cashpoint) }
                @if report.interrupted {
                    p.wrong { "The run was stopped before its end." }
                }
                @let wrong = !matches!(&report.books, Books::Checked(check) if check.balanced());
                p.wrong[wrong] { (books(&report.books)) }
                (table(report))
                @if measured {
                    @let names = report.cases.iter().map(|case| case.name(&report.workers)).collect::<Vec<_>>();
                    (figure("Throughput over time", "Each line is a round of a case; the cases take turns.",
                        &names, plot::throughput(report)?))
                    (figure("Latency by percentile", "", &names, plot::latency(report)?))
                    @if scales {
                        @let mixes = plot::mixes(report).into_iter().map(str::to_owned).collect::<Vec<_>>();
                        (figure("Scaling", "", &mixes, plot::scaling(report)?))
                    }
                }
                (errors(report))
                h2 { "How it was measured" }
                dl {
                    @for (name, value) in &report.settings { dt { (name) } dd { (value) } }
                    dt { "machine" }
                    dd { (report.machine.processors) " × " (report.machine.processor) "; " (report.machine.system) }
                }
            }
        }
    };
    Ok(page.into_string())
}

fn table(report: &Report) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                @for name in ["case", "ops/s", "spread", "p50", "p90", "p99", "p99.9", "max",
                    "refused", "CPU", "memory"] { th { (name) } }
            } }
            tbody { @for case in &report.cases {
                @let latency = case.latency;
                tr {
                    td { (case.name(&report.workers)) }
                    @if case.rounds.is_empty() {
                        td colspan="10" { "not measured" }
                    } @else {
                        td { b { (rate(case.per_second())) } }
                        td { (spread(case)) }
                        @for value in [latency.p50, latency.p90, latency.p99, latency.p99_9, latency.max] {
                            td { (time(value)) }
                        }
                        td { (grouped(case.refused)) }
                        td { @match case.median(|round| round.processors) {
                            Some(processors) => (format!("{processors:.2}")), None => "–"
                        } }
                        td { @match case.memory() { Some(bytes) => (size(bytes)), None => "–" } }
                    }
                }
            } }
        } }
    }
}

fn figure(title: &str, caption: &str, names: &[String], svg: String) -> Markup {
    html! {
        h2 { (title) }
        figure {
            div.wide role="img" aria-label=(title) { (PreEscaped(svg)) }
            figcaption {
                (caption) " "
                @for (index, name) in names.iter().enumerate() {
                    @let colour = plot::colour(index);
                    span.key {
                        i style=(format!("background:rgb({},{},{})", colour.0, colour.1, colour.2)) {}
                        (name)
                    }
                }
            }
        }
    }
}

fn errors(report: &Report) -> Markup {
    html! {
        @if report.cases.iter().any(|case| !case.errors.is_empty()) {
            h2 { "Errors" }
            ul { @for case in &report.cases { @for (kind, count) in &case.errors {
                li { (case.name(&report.workers)) ": " (grouped(*count)) " × " (kind) }
            } } }
        }
    }
}

const STYLE: &str = "
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wrong { background: #fdd; padding: .5rem; font-weight: bold; }
.wide { overflow-x: auto; } svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 0; } figcaption { font-size: .85rem; }
.key { margin-right: 1rem; white-space: nowrap; }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .3em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { color: #666; } dd { margin: 0; }
";
