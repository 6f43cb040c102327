//! The key with which a client marks a request that it may send again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// An idempotency key: 1 to 255 visible ASCII characters, chosen by the client. A clone shares the text.
///
/// All clients of a ledger share one namespace of keys. Whoever sends a request with the key of another client's
/// request gets that one's answer if it is the same request, and a refusal if it is not; a key that was used beforehand
/// stands in the way of whoever comes with it later. So a key must be one that nobody can guess: draw it at
/// [random](Self::random), and not from what it stands for.
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

    /// Draws a key from the operating system's random source: a version 4 UUID. To repeat a request, send the same key
    /// again.
    ///
    /// # Panics
    ///
    /// If the operating system has no random source.
    #[must_use]
    pub fn random() -> Self {
        let mut text = [0; 36];
        let text = Uuid::new_v4().hyphenated().encode_lower(&mut text);
        Self((&*text).into())
    }

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
    fn random_keys_are_keys_and_differ() {
        let [one, other] = [(); 2].map(|()| IdempotencyKey::random());
        assert_ne!(one, other);
        assert_eq!(one.as_str().parse(), Ok(one.clone()));
        assert_eq!(one.as_str().len(), 36);
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
