//! The report for the terminal.

use std::fmt::Write as _;

use super::report::{Finding, PhaseReport, Verdict, VerifyReport};
use super::timeline;
use crate::present::quantity::grouped;

/// The report as text.
pub(crate) fn text(report: &VerifyReport) -> String {
    let mut text = format!("{}\n\n", report.subject);
    for phase in &report.phases {
        write_phase(&mut text, phase);
    }
    let _ = writeln!(text, "{}", sentence(report));
    text
}

/// The verdict, in a sentence.
pub(super) fn sentence(report: &VerifyReport) -> String {
    let phases = |verdict| {
        let names = report
            .phases
            .iter()
            .filter(|phase| phase.verdict == verdict);
        names
            .map(|phase| phase.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match report.verdict {
        Verdict::Acquitted => "ACQUITTED: nothing was found that is wrong".to_owned(),
        Verdict::Convicted => format!("CONVICTED: {}", phases(Verdict::Convicted)),
        Verdict::Undecided => format!(
            "NO VERDICT: nothing was found that is wrong, but not everything was seen: {}",
            phases(Verdict::Undecided)
        ),
        Verdict::Skipped => "NO VERDICT: nothing was looked at".to_owned(),
    }
}

fn write_phase(text: &mut String, phase: &PhaseReport) {
    let (mark, word) = match phase.verdict {
        Verdict::Acquitted => ("✓", ""),
        Verdict::Convicted => ("✗", ""),
        Verdict::Undecided => ("?", " (undecided)"),
        Verdict::Skipped => ("–", " (skipped)"),
    };
    let _ = writeln!(text, "{mark} {}{word}", phase.name);
    for fact in &phase.facts {
        let _ = writeln!(text, "    {fact}");
    }
    for (kind, count) in &phase.errors {
        let _ = writeln!(text, "    {} × {kind}", grouped(*count));
    }
    for finding in &phase.findings {
        write_finding(text, finding);
    }
    text.push('\n');
}

fn write_finding(text: &mut String, finding: &Finding) {
    let times = match finding.count {
        1 => String::new(),
        count => format!(" ({} times)", grouped(count)),
    };
    let _ = writeln!(text, "  ✗ {}{times}", finding.what);
    for detail in &finding.details {
        let _ = writeln!(text, "      {detail}");
    }
    if let Some(history) = &finding.history {
        for line in timeline::lines(history) {
            let _ = writeln!(text, "      {line}");
        }
    }
}
