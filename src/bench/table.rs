//! The report as a table for the terminal.

use std::fmt::Write;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};

use super::books::Check;
use super::quantity::{grouped, rate, size, time};
use super::report::{CaseReport, Report};

/// The report as text.
pub(crate) fn table(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(HEADER);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for case in &report.cases {
        table.add_row(row(case, &report.workers));
    }
    let mut text = format!("{}\n{table}\n", title(report));
    for case in &report.cases {
        for (kind, count) in &case.errors {
            let name = case.name(&report.workers);
            let _ = writeln!(text, "errors: {name}: {} × {kind}", grouped(*count));
        }
    }
    let _ = writeln!(text, "{}", books(report.books.as_ref()));
    text
}

const HEADER: [&str; 12] = [
    "case", "ops/s", "lowest", "highest", "p50", "p90", "p99", "p99.9", "max", "refused", "CPU",
    "memory",
];

fn row(case: &CaseReport, workers: &str) -> [String; 12] {
    let name = case.name(workers);
    if case.rounds.is_empty() {
        let mut row = HEADER.map(|_| "–".to_owned());
        if let Some(first) = row.first_mut() {
            *first = name;
        }
        return row;
    }
    let (lowest, highest) = case.per_second_range();
    let latency = case.latency;
    let processors = case.median(|round| round.processors);
    [
        name,
        rate(case.per_second()),
        rate(lowest),
        rate(highest),
        time(latency.p50),
        time(latency.p90),
        time(latency.p99),
        time(latency.p99_9),
        time(latency.max),
        grouped(case.refused),
        processors.map_or("–".to_owned(), |processors| format!("{processors:.2}")),
        case.memory().map_or("–".to_owned(), size),
    ]
}

/// What was measured, where and how.
pub(super) fn title(report: &Report) -> String {
    let settings: Vec<_> = report
        .settings
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let machine = &report.machine;
    format!(
        "{}\n{} × {}; {}\n{}",
        report.target,
        machine.processors,
        machine.processor,
        machine.system,
        settings.join(", ")
    )
}

/// What the books said, in a sentence.
pub(super) fn books(check: Option<&Check>) -> String {
    let Some(check) = check else {
        return "books: not checked".to_owned();
    };
    let accounts = grouped(check.accounts);
    let mut text = if check.balanced() {
        format!("books: {accounts} accounts hold what was acknowledged, to the cent")
    } else {
        format!(
            "books: WRONG on {} of {accounts} accounts: {} cents are missing, {} too many",
            grouped(check.accounts_off),
            grouped(check.lost_cents.unsigned_abs()),
            grouped(check.created_cents.unsigned_abs())
        )
    };
    if check.unanswered_cents > 0 {
        let cents = grouped(check.unanswered_cents.unsigned_abs());
        let _ = write!(text, " ({cents} cents were sent and never answered for)");
    }
    text
}
