//! The report as a table for the terminal.

use std::fmt::Write;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::report::{BenchReport, CaseReport, Reconciliation};
use crate::client::Broken;
use crate::present::quantity::{grouped, rate, size, time};

/// How tables look: lines above, below and under the header.
pub(super) const STYLE: TableStyle = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// A spread of more than this, in percent of the median on either side, is told: such rounds say little.
const SPREAD_TOLD: f64 = 15.0;

/// The report as text, for a terminal of so many columns if it is for one: there a table that is too wide for it leaves
/// out what is asked for least.
pub(crate) fn table(report: &BenchReport, columns: Option<usize>) -> String {
    let whole = cases(report, &HEADER);
    let width = whole.lines().map(|line| line.chars().count()).max();
    let table = match columns.zip(width) {
        Some((columns, width)) if width > columns => cases(report, &NARROW),
        _ => whole,
    };
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
    if report.cases.iter().any(is_spread_wide) {
        let _ = writeln!(
            text,
            "spread: rounds lie more than {SPREAD_TOLD} % beside their median: the machine was busy. Run it again, or \
             with more --rounds, before you believe a difference"
        );
    }
    let _ = writeln!(text, "{}", books(&report.books));
    text
}

/// The cases as a table of Markdown, with what was measured above it.
pub(crate) fn markdown(report: &BenchReport) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = format!("{}\n\n", title(report).replace('\n', "  \n"));
    text += &line(&HEADER.map(str::to_owned));
    text += &format!("|---|{}\n", "---:|".repeat(HEADER.len() - 1));
    for case in report.cases.iter().filter(|case| !case.rounds.is_empty()) {
        text += &line(&row(case, &report.workers));
    }
    let _ = writeln!(text, "\n{}", books(&report.books));
    text
}

/// The cases as comma-separated values: rates in operations a second, latencies in nanoseconds, of all rounds together.
pub(crate) fn csv(report: &BenchReport) -> Result<String, Broken> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "mix",
        report.workers.as_str(),
        "rounds",
        "per_second",
        "lowest",
        "highest",
        "p50_ns",
        "p90_ns",
        "p99_ns",
        "p99_9_ns",
        "max_ns",
        "refused",
        "errors",
    ])
    .map_err(Broken::new)?;
    for case in report.cases.iter().filter(|case| !case.rounds.is_empty()) {
        let (lowest, highest) = case.per_second_range();
        let latency = case.latency;
        out.write_record([
            case.mix.clone(),
            case.workers.to_string(),
            case.rounds.len().to_string(),
            case.per_second().to_string(),
            lowest.to_string(),
            highest.to_string(),
            latency.p50.to_string(),
            latency.p90.to_string(),
            latency.p99.to_string(),
            latency.p99_9.to_string(),
            latency.max.to_string(),
            case.refused.to_string(),
            case.errors.values().sum::<u64>().to_string(),
        ])
        .map_err(Broken::new)?;
    }
    let written = out.into_inner().map_err(Broken::new)?;
    String::from_utf8(written).map_err(Broken::new)
}

/// The table of all cases, with these columns.
fn cases(report: &BenchReport, header: &[&str]) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for case in &report.cases {
        if case.rounds.is_empty() {
            table.add_row([case.name(&report.workers), "not measured".to_owned()]);
        } else {
            let cells = HEADER.iter().zip(row(case, &report.workers));
            let shown = cells.filter(|(name, _)| header.contains(name));
            table.add_row(shown.map(|(_, cell)| cell));
        }
    }
    table.to_string()
}

#[expect(clippy::float_arithmetic, reason = "ratios of rates, not money")]
fn is_spread_wide(case: &CaseReport) -> bool {
    let (lowest, highest) = case.per_second_range();
    let off = |rate: f64| 100.0 * (rate / case.per_second() - 1.0).abs();
    !case.rounds.is_empty() && off(lowest).max(off(highest)) > SPREAD_TOLD
}

const HEADER: [&str; 10] = [
    "case", "ops/s", "spread", "p50", "p90", "p99", "p99.9", "max", "CPU", "memory",
];

/// What fits 80 columns.
const NARROW: [&str; 6] = ["case", "ops/s", "spread", "p50", "p99", "max"];

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::{Latency, RoundReport};

    fn report(rates: &[f64]) -> BenchReport {
        let long_ns = 999_999_999;
        let latency = Latency {
            p50: long_ns,
            p90: long_ns,
            p99: long_ns,
            p99_9: long_ns,
            max: long_ns,
        };
        let rounds = rates.iter().map(|rate| RoundReport {
            began_s: 0.0,
            per_second: *rate,
            latency,
            slices: Vec::new(),
            processors: Some(1.5),
            memory: Some(1 << 30),
        });
        let mut report = BenchReport::new("a server".to_owned(), "connections", Vec::new());
        report.cases = vec![CaseReport {
            mix: "withdraw".to_owned(),
            workers: 16_384,
            rounds: rounds.collect(),
            latency,
            percentiles: Vec::new(),
            refused: 0,
            errors: [].into(),
        }];
        report
    }

    #[test]
    fn on_a_narrow_terminal_the_table_fits() {
        let report = report(&[100_000.0, 110_000.0, 120_000.0]);
        let rows = |columns| {
            let text = table(&report, columns);
            let widest = text
                .lines()
                .filter(|line| line.starts_with(['─', '═', ' ']));
            let widest = widest.map(|line| line.chars().count()).max().unwrap();
            (widest, text)
        };
        let (whole, text) = rows(None);
        assert!(whole > 80 && text.contains("p99.9"), "{text}");
        let (narrow, text) = rows(Some(80));
        assert!(narrow <= 80 && !text.contains("p99.9"), "{text}");
        assert_eq!(rows(Some(200)).0, whole);
    }

    #[test]
    fn other_programs_get_rows_of_the_same_figures() {
        let mut report = report(&[100.0, 110.5, 120.0]);
        report.cases[0].mix = "90:5,5 | x".to_owned();
        let csv = csv(&report).unwrap();
        let mut rows = csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(&rows.headers().unwrap()[1], "connections");
        let row = rows.records().next().unwrap().unwrap();
        assert_eq!(
            (&row[0], &row[1], &row[3], &row[6]),
            ("90:5,5 | x", "16384", "110.5", "999999999")
        );
        let markdown = markdown(&report);
        let rows: Vec<_> = markdown
            .lines()
            .filter(|line| line.starts_with('|'))
            .collect();
        assert_eq!(rows.len(), 3, "{markdown}");
        assert!(rows[2].contains("90:5,5 \\| x"), "{markdown}");
    }

    #[test]
    fn a_wide_spread_is_told() {
        let wide = "the machine was busy";
        assert!(table(&report(&[80.0, 100.0, 101.0]), None).contains(wide));
        assert!(!table(&report(&[95.0, 100.0, 101.0]), None).contains(wide));
    }
}
