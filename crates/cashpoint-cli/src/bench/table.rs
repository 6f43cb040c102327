//! The report as a table for the terminal.

use std::fmt::Write;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::report::{BenchReport, CaseReport, Reconciliation};
use crate::present::quantity::{grouped, rate, size, time};

/// How tables look: lines above, below and under the header.
pub(super) const STYLE: TableStyle = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// The report as text.
pub(crate) fn table(report: &BenchReport) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(HEADER);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for case in &report.cases {
        if case.rounds.is_empty() {
            table.add_row([case.name(&report.workers), "not measured".to_owned()]);
        } else {
            table.add_row(row(case, &report.workers));
        }
    }
    let mut text = format!("{}\n{table}\n", title(report));
    for case in &report.cases {
        let name = case.name(&report.workers);
        if case.refused > 0 {
            let refused = grouped(case.refused);
            let _ = writeln!(
                text,
                "refused: {name}: {refused} withdrawals for lack of money"
            );
        }
        for (kind, count) in &case.errors {
            let _ = writeln!(text, "errors: {name}: {} × {kind}", grouped(*count));
        }
    }
    for (name, seen) in &report.seen {
        let _ = writeln!(text, "{name}: {seen}");
    }
    let _ = writeln!(text, "{}", books(&report.books));
    text
}

const HEADER: [&str; 10] = [
    "case", "ops/s", "spread", "p50", "p90", "p99", "p99.9", "max", "CPU", "memory",
];

fn row(case: &CaseReport, workers: &str) -> [String; 10] {
    let latency = case.latency;
    let processors = case.median(|round| round.processors);
    [
        case.name(workers),
        rate(case.per_second()),
        spread(case),
        time(latency.p50),
        time(latency.p90),
        time(latency.p99),
        time(latency.p99_9),
        time(latency.max),
        processors.map_or("–".to_owned(), |processors| format!("{processors:.2}")),
        case.memory().map_or("–".to_owned(), size),
    ]
}

/// How far the slowest and the fastest round are from the median, such as `-4 +2 %`.
#[expect(clippy::float_arithmetic, reason = "ratios of rates, not money")]
pub(super) fn spread(case: &CaseReport) -> String {
    let (lowest, highest) = case.per_second_range();
    let off = |rate: f64| 100.0 * (rate / case.per_second() - 1.0);
    format!("{:+.0} {:+.0} %", off(lowest), off(highest))
}

/// What was measured, where and how.
pub(super) fn title(report: &BenchReport) -> String {
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
pub(super) fn books(books: &Reconciliation) -> String {
    let check = match books {
        Reconciliation::Checked(check) => check,
        Reconciliation::Unchecked(why) => return format!("books: NOT CHECKED: {why}"),
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
