//! `cashpoint schema`.

use clap::{Args, ValueEnum};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::{Failure, journal, output};
use crate::bench::{BenchReport, Comparison};
use crate::verify::VerifyReport;

/// Print the JSON schema of a report that programs read.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cashpoint schema bench > bench.schema.json")]
pub(super) struct Arguments {
    /// The report.
    report: ReportName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReportName {
    /// What `cashpoint bench --json FILE` writes.
    Bench,
    /// What `cashpoint bench compare --json` prints.
    Compare,
    /// What `cashpoint verify --json FILE` writes.
    Verify,
    /// What `cashpoint journal check --json` prints.
    JournalCheck,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let schema = match arguments.report {
        ReportName::Bench => schema_of::<BenchReport>(),
        ReportName::Compare => schema_of::<Comparison>(),
        ReportName::Verify => schema_of::<VerifyReport>(),
        ReportName::JournalCheck => schema_of::<journal::JournalReport>(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure(error.to_string()))?;
    output::print(&format!("{text}\n"))
}

/// The schema of what is written, in the dialect of 2020-12.
fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>()
}
