//! The plots of a report, as SVG.

#![expect(clippy::float_arithmetic, reason = "coordinates, not money")]

use plotters::prelude::*;

use super::report::{BenchReport, CaseReport};
use crate::client::Broken;
use crate::present::quantity::{rate, time};

const SIZE: (u32, u32) = (960, 380);
const FONT: &str = "sans-serif";

/// Colours that people with any colour vision tell apart (Okabe and Ito, 2008).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
    RGBColor(180, 170, 30),
];

/// The colour of the case, or the mix, with this index.
pub(super) fn colour(index: usize) -> RGBColor {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or(BLACK)
}

type Lines = Vec<(RGBColor, Vec<(f64, f64)>)>;

/// Throughput over the time of the run: every round of every case is a line.
pub(super) fn throughput(report: &BenchReport) -> Result<String, Broken> {
    let mut lines: Lines = Vec::new();
    for (index, case) in report.cases.iter().enumerate() {
        for round in &case.rounds {
            let points = round.slices.iter().enumerate().map(|(slice, count)| {
                let middle = (slice as f64 + 0.5) * report.slice_s;
                (round.began_s + middle, *count as f64 / report.slice_s)
            });
            lines.push((colour(index), points.collect()));
        }
    }
    let (x, y) = (
        0.0..highest(&lines, |point| point.0),
        0.0..highest(&lines, |point| point.1),
    );
    draw(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(40)
            .x_label_area_size(40)
            .y_label_area_size(90)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc("seconds since the run began")
            .y_desc("operations a second")
            .y_label_formatter(&|value| rate(*value))
            .label_style((FONT, 13))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (colour, points) in &lines {
            chart.draw_series(LineSeries::new(
                points.iter().copied(),
                colour.stroke_width(2),
            ))?;
        }
        Ok(())
    })
}

/// Latency by percentile. The axis is the number of nines, as HdrHistogram plots it.
pub(super) fn latency(report: &BenchReport) -> Result<String, Broken> {
    let nines = |quantile: f64| -(1.0 - quantile).log10();
    let mut lines: Lines = Vec::new();
    for (index, case) in report.cases.iter().enumerate() {
        let points = case
            .percentiles
            .iter()
            .filter(|(quantile, _)| *quantile < 1.0);
        let points = points.map(|(quantile, nanoseconds)| (nines(*quantile), *nanoseconds as f64));
        lines.push((colour(index), points.collect()));
    }
    let x = 0.0..highest(&lines, |point| point.0);
    let y = lowest(&lines, |point| point.1)..highest(&lines, |point| point.1);
    draw(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(40)
            .x_label_area_size(40)
            .y_label_area_size(90)
            .build_cartesian_2d(x, y.log_scale())?;
        chart
            .configure_mesh()
            .x_desc("of all operations took no longer")
            .y_desc("latency")
            .x_labels(7)
            .x_label_formatter(&|nines| percent(*nines))
            .y_label_formatter(&|nanoseconds| time(*nanoseconds as u64))
            .label_style((FONT, 13))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (colour, points) in &lines {
            chart.draw_series(LineSeries::new(
                points.iter().copied(),
                colour.stroke_width(2),
            ))?;
        }
        Ok(())
    })
}

/// Throughput by the number of workers: a line for each mix, with the range of the rounds.
pub(super) fn scaling(report: &BenchReport) -> Result<String, Broken> {
    let mixes = mixes(report);
    let of_mix = |mix: &str| -> Vec<&CaseReport> {
        let mut cases: Vec<_> = report.cases.iter().collect();
        cases.retain(|case| case.mix == mix && !case.rounds.is_empty());
        cases.sort_by_key(|case| case.workers);
        cases
    };
    let lines: Lines = mixes
        .iter()
        .enumerate()
        .map(|(index, mix)| {
            let cases = of_mix(mix);
            let points = cases
                .iter()
                .map(|case| (case.workers as f64, case.per_second()));
            (colour(index), points.collect())
        })
        .collect();
    let ranges: Lines = mixes
        .iter()
        .enumerate()
        .flat_map(|(index, mix)| of_mix(mix).into_iter().map(move |case| (index, case)))
        .map(|(index, case)| {
            let (lowest, highest) = case.per_second_range();
            let at = case.workers as f64;
            (colour(index), vec![(at, lowest), (at, highest)])
        })
        .collect();
    let (x, y) = (
        0.0..highest(&lines, |point| point.0),
        0.0..highest(&ranges, |point| point.1),
    );
    let workers = format!(
        "{} ({})",
        report.workers, "the bars span the slowest and the fastest round"
    );
    draw(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(40)
            .x_label_area_size(40)
            .y_label_area_size(90)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc(workers)
            .y_desc("operations a second")
            .y_label_formatter(&|value| rate(*value))
            .label_style((FONT, 13))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (colour, points) in lines.iter().chain(&ranges) {
            chart.draw_series(LineSeries::new(
                points.iter().copied(),
                colour.stroke_width(2),
            ))?;
        }
        for (colour, points) in &lines {
            let dots = points
                .iter()
                .map(|point| Circle::new(*point, 4, colour.filled()));
            chart.draw_series(dots)?;
        }
        Ok(())
    })
}

/// The mixes of a report, each once.
pub(super) fn mixes(report: &BenchReport) -> Vec<&str> {
    let mut mixes: Vec<&str> = Vec::new();
    for case in &report.cases {
        if !mixes.contains(&case.mix.as_str()) {
            mixes.push(&case.mix);
        }
    }
    mixes
}

/// `99.9 %` for three nines.
fn percent(nines: f64) -> String {
    let decimals = (nines.ceil() as usize).saturating_sub(2);
    format!("{:.decimals$} %", 100.0 * (1.0 - 10_f64.powf(-nines)))
}

/// A little above the highest coordinate.
fn highest(lines: &Lines, of: fn(&(f64, f64)) -> f64) -> f64 {
    let all = lines.iter().flat_map(|(_, points)| points).map(of);
    (all.fold(0.0, f64::max) * 1.05).max(1.0)
}

/// A little below the lowest coordinate.
fn lowest(lines: &Lines, of: fn(&(f64, f64)) -> f64) -> f64 {
    let all = lines.iter().flat_map(|(_, points)| points).map(of);
    (all.fold(f64::INFINITY, f64::min) * 0.9).clamp(0.5, 1e18)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(plot: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String, Broken> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let drawn = area
            .fill(&WHITE)
            .map_err(Into::into)
            .and_then(|()| plot(&area));
        drawn
            .and_then(|()| area.present().map_err(Into::into))
            .map_err(|error| Broken(format!("a plot cannot be drawn: {error}")))?;
    }
    Ok(svg)
}
