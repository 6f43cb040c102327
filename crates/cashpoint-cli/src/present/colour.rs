//! Colour for a verdict, where it is read on a terminal.

use std::env;
use std::io::{self, IsTerminal as _};

use clap::builder::styling::{AnsiColor, Style};

/// What a mark or a verdict at the begin of a line is painted with.
const PAINTS: [(&str, AnsiColor); 6] = [
    ("✓", AnsiColor::Green),
    ("✗", AnsiColor::Red),
    ("?", AnsiColor::Yellow),
    ("ACQUITTED", AnsiColor::Green),
    ("CONVICTED", AnsiColor::Red),
    ("NO VERDICT", AnsiColor::Yellow),
];

/// Whether standard output wants colour: it is a terminal that knows it, and nobody has set `NO_COLOR`.
pub(crate) fn is_wanted() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// `text` with the marks and verdicts at the begins of its lines in colour.
pub(crate) fn painted(text: &str) -> String {
    text.split_inclusive('\n').map(painted_line).collect()
}

fn painted_line(line: &str) -> String {
    let trimmed = line.trim_start();
    let paint = PAINTS.iter().find(|(begin, _)| trimmed.starts_with(begin));
    let Some((begin, colour)) = paint else {
        return line.to_owned();
    };
    let style = Style::new().fg_color(Some((*colour).into())).bold();
    let (indent, rest) = line.split_at(line.len() - trimmed.len());
    let rest = rest.strip_prefix(begin).unwrap_or(rest);
    format!("{indent}{style}{begin}{style:#}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_verdicts_are_painted_and_nothing_else_is_changed() {
        let text = "a server\n\n✗ one\n    a fact ✓\n  ✗ what\nCONVICTED: one\n";
        let painted = painted(text);
        let plain = painted
            .replace("\u{1b}[1m\u{1b}[31m", "")
            .replace("\u{1b}[0m", "");
        assert_eq!(plain, text);
        assert_eq!(painted.matches("\u{1b}[31m").count(), 3);
    }
}
