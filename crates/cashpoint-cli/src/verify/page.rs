//! The report as one page that needs nothing else: no network, no script.

use maud::{Markup, html};

use super::evidence::Evidence;
use super::report::{Finding, PhaseReport, Verdict, VerifyReport};
use super::text::sentence;
use super::timeline::{self, Row};
use crate::present::page;
use crate::present::quantity::grouped;

/// The report as an HTML page.
pub(crate) fn page(report: &VerifyReport) -> String {
    let body = html! {
        h1 { "cashpoint verify" }
        p { (report.subject) ", verified " (report.began) " UTC by cashpoint " (report.cashpoint) }
        p.verdict.(class(report.verdict)) { (sentence(report)) }
        @for phase in &report.phases { (section(phase)) }
        h2 { "How it was verified" }
        dl { @for (name, value) in &report.settings { dt { (name) } dd { (value) } } }
    };
    page::page(
        &format!("cashpoint verify: {}", report.subject),
        STYLE,
        &body,
    )
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Acquitted => "good",
        Verdict::Convicted => "bad",
        Verdict::Undecided | Verdict::Skipped => "open",
    }
}

fn section(phase: &PhaseReport) -> Markup {
    html! {
        h2 { span.mark.(class(phase.verdict)) { (word(phase.verdict)) } " " (phase.name) }
        ul {
            @for fact in &phase.facts { li { (fact) } }
            @for (kind, count) in &phase.errors {
                li { (grouped(*count)) " × " (kind) }
            }
        }
        @for finding in &phase.findings { (article(finding)) }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Acquitted => "acquitted",
        Verdict::Convicted => "convicted",
        Verdict::Undecided => "undecided",
        Verdict::Skipped => "skipped",
    }
}

fn article(finding: &Finding) -> Markup {
    html! {
        article {
            h3 {
                (finding.what)
                @if finding.count > 1 { " (" (grouped(finding.count)) " times)" }
            }
            @for detail in &finding.details { pre { (detail) } }
            @if let Some(history) = &finding.history { (figure(history)) }
        }
    }
}

/// Operations as bars along time: those that overlap are above each other.
fn figure(history: &Evidence) -> Markup {
    html! {
        figure {
            @for line in timeline::before(history) { p { (line) } }
            div.wide { table {
                thead { tr { th { "who" } th { "asked for" } th { "was told" } th { "took" } th.time { "from call to answer" } } }
                tbody { @for row in timeline::rows(history) { (bar(&row)) } }
            } }
            @if let Some(line) = timeline::after(history) { p { (line) } }
        }
    }
}

fn bar(row: &Row) -> Markup {
    // In percent, with two decimals.
    let percent = |part: u64| format!("{}.{:02}%", part / 100, part % 100);
    let place = format!(
        "margin-left:{};width:max(3px,{})",
        percent(row.from),
        percent(row.until.saturating_sub(row.from))
    );
    html! {
        tr.wrong[row.wrong] {
            td { (row.who) } td { (row.asked) } td { (row.told) } td { (row.took) }
            td.time { div style=(place) {} }
        }
    }
}

const STYLE: &str = "
h3 { font-size: 1rem; } figure p { margin: .2rem 0; }
.verdict { padding: .5rem 1rem; font-weight: bold; }
.mark { padding: .1rem .5rem; font-size: .85rem; }
.good { background: #d9f2dd; } .bad { background: #fdd; } .open { background: #fff3c9; }
article { border-left: 4px solid #c33; padding-left: 1rem; margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; font-size: .85rem; }
table { width: 100%; }
th, td { text-align: left; }
td.time, th.time { width: 50%; min-width: 16rem; }
td.time div { height: .8rem; background: #4a7ab5; border-radius: 2px; }
tr.wrong { background: #fdd; } tr.wrong td.time div { background: #c33; }
";
