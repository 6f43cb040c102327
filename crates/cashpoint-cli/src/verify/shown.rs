//! What a server said, fit for a person to read.

/// How much of it is shown. A longer answer is seldom read, and may be as long as its server likes.
pub(super) const SHOWN_MAX_CHARS: usize = 400;

/// The beginning of it, in one line and without control characters: nobody steers a terminal with it, or forges a
/// line of the report.
pub(super) fn shown(said: impl AsRef<[u8]>) -> String {
    let text = String::from_utf8_lossy(said.as_ref());
    let mut characters = text.trim_end().chars();
    let begin = characters.by_ref().take(SHOWN_MAX_CHARS);
    let mut shown = String::new();
    for character in begin {
        match character {
            _ if character.is_control() => shown.push(' '),
            _ if is_invisible(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Whether it has no width, or turns the direction of what follows.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_short_line() {
        assert_eq!(shown("a\n\u{1b}[2J\u{9b}é\n"), "a  [2J é");
        assert_eq!(shown([b'a', 0xff]), "a\u{fffd}");
        assert_eq!(shown("1\u{200b}0\u{202e}1"), "1\\u{200b}0\\u{202e}1");
        let long = shown("x".repeat(1_000));
        assert_eq!(long.chars().count(), SHOWN_MAX_CHARS + 1);
        assert_eq!(shown(&long), long, "what is shown already stays as it is");
    }
}
