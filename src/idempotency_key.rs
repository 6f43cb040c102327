//! The key with which a client marks a request that it may send again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An idempotency key: 1 to 255 visible ASCII characters, chosen by the client. A clone shares the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(Arc<str>);

/// The text is not an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdempotencyKeyError {
    /// There is no character.
    #[error("an idempotency key has at least one character")]
    Empty,
    /// There are too many characters.
    #[error(
        "an idempotency key has at most {} characters",
        IdempotencyKey::LEN_MAX
    )]
    TooLong,
    /// There is a space, a control character, or one that is not ASCII.
    #[error("an idempotency key has visible ASCII characters only")]
    NotVisible,
}

impl IdempotencyKey {
    /// The largest number of characters of a key.
    pub const LEN_MAX: usize = 255;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = ParseIdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            Err(ParseIdempotencyKeyError::Empty)
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(ParseIdempotencyKeyError::NotVisible)
        } else if text.len() > Self::LEN_MAX {
            Err(ParseIdempotencyKeyError::TooLong)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ParseIdempotencyKeyError::{Empty, NotVisible, TooLong};
    use super::*;

    proptest! {
        #[test]
        fn a_key_reads_back_from_its_text(text in "[!-~]{1,255}") {
            let key: IdempotencyKey = text.parse().unwrap();
            prop_assert_eq!(key.as_str(), text.as_str());
            prop_assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_for_its_reason() {
        let longest = "~".repeat(IdempotencyKey::LEN_MAX);
        assert!(longest.parse::<IdempotencyKey>().is_ok());
        let too_long = format!("{longest}~");
        for (text, reason) in [
            ("", Empty),
            (&too_long, TooLong),
            (" ", NotVisible),
            ("a b", NotVisible),
            ("a\n", NotVisible),
            ("\u{7f}", NotVisible),
            ("\u{e9}", NotVisible),
        ] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(reason), "{text:?}");
        }
    }
}
