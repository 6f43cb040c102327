//! The memory of answers that clients have not taken yet.

use bytes::Bytes;

/// A text and what it holds for as long as it is in memory.
struct Held<P> {
    text: String,
    _permit: P,
}

impl<P> AsRef<[u8]> for Held<P> {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// A part of an answer that lets go of `permit` once it was sent, or never will be.
pub(super) fn held(text: String, permit: impl Send + 'static) -> Bytes {
    Bytes::from_owner(Held {
        text,
        _permit: permit,
    })
}
