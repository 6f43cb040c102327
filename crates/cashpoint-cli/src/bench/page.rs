//! The report as one page that needs nothing else: no network, no script.

use maud::{Markup, PreEscaped, html};

use super::plot;
use super::report::{BenchReport, CaseReport, Reconciliation};
use super::table::{books, spread};
use crate::client::Broken;
use crate::present::page;
use crate::present::quantity::{grouped, rate, size, time};

/// The report as an HTML page.
pub(crate) fn page(report: &BenchReport) -> Result<String, Broken> {
    let measured = report.cases.iter().any(|case| !case.rounds.is_empty());
    let scales = report.cases.iter().any(|case| {
        let other = |other: &CaseReport| other.mix == case.mix && other.workers != case.workers;
        report.cases.iter().any(other)
    });
    let body = html! {
        h1 { "cashpoint bench" }
        p { (report.target) ", measured " (report.began) " UTC by cashpoint " (report.cashpoint) }
        @if report.interrupted {
            p.wrong { "The run was stopped before its end." }
        }
        @let wrong = !matches!(&report.books, Reconciliation::Checked(check) if check.balanced());
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
        @if !report.seen.is_empty() {
            h2 { "Beside the rounds" }
            dl { @for (name, seen) in &report.seen { dt { (name) } dd { (seen) } } }
        }
        h2 { "How it was measured" }
        dl {
            @for (name, value) in &report.settings { dt { (name) } dd { (value) } }
            dt { "machine" }
            dd { (report.machine.processors) " × " (report.machine.processor) "; " (report.machine.system) }
        }
    };
    Ok(page::page(
        &format!("cashpoint bench: {}", report.target),
        STYLE,
        &body,
    ))
}

fn table(report: &BenchReport) -> Markup {
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

fn errors(report: &BenchReport) -> Markup {
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
.wrong { background: #fdd; padding: .5rem; font-weight: bold; }
svg { max-width: 100%; height: auto; }
th, td { text-align: right; }
th:first-child, td:first-child { text-align: left; }
figcaption { font-size: .85rem; }
.key { margin-right: 1rem; white-space: nowrap; }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .3em; }
";
