//! Account numbers: random UUIDs, made by the ledger.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::str::FromStr;

use uuid::Uuid;

/// The number of an account: a random (version 4) UUID.
///
/// Its text is lower case with hyphens, and no other spelling is read: a number has one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountNumber(Uuid);

impl AccountNumber {
    /// The length of a number's text, in bytes.
    pub const TEXT_LEN: usize = 36;

    /// Draws a number from the operating system's random source.
    ///
    /// # Panics
    ///
    /// If the operating system has no random source.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Its two halves. The first is never 0: the version is in it.
    pub(crate) fn halves(self) -> (u64, u64) {
        self.0.as_u64_pair()
    }

    /// The number of these [halves](Self::halves).
    pub(crate) fn from_halves((first, second): (u64, u64)) -> Self {
        Self(Uuid::from_u64_pair(first, second))
    }

    /// Writes the number's text into `buffer` and returns it.
    pub fn encode(self, buffer: &mut [u8; Self::TEXT_LEN]) -> &mut str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; Self::TEXT_LEN]))
    }
}

/// The text is not an account number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account number is a UUID in lower case with hyphens")]
pub struct ParseAccountNumberError;

impl FromStr for AccountNumber {
    type Err = ParseAccountNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The length alone rules out the other forms that a UUID may take: braced, URN, plain.
        if text.len() != Self::TEXT_LEN || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(ParseAccountNumberError);
        }
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| ParseAccountNumberError)
    }
}

impl Hash for AccountNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (high, low) = self.halves();
        state.write_u64(high ^ low);
    }
}

/// Hashes account numbers by not hashing them.
///
/// A number is 122 random bits that no client chose, and the two halves do not overlap in the six that
/// are fixed: their xor is 64 random bits already. SipHash would add 90 instructions to every
/// operation. For a key that a client may choose this would be an invitation to collide; never use it
/// there.
pub(crate) type AccountNumberHash = BuildHasherDefault<AlreadyRandom>;

/// Passes one `u64` through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AlreadyRandom(u64);

impl Hasher for AlreadyRandom {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("what is random already hashes as one u64");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_from_its_text() {
        let number = AccountNumber::random();
        let text = number.to_string();
        assert_eq!(text.parse(), Ok(number));
        assert_eq!(text.as_bytes()[14], b'4', "version 4: {text}");
        assert!(
            matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "variant: {text}"
        );
    }

    #[test]
    fn only_one_spelling_is_read() {
        let text = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert!(text.parse::<AccountNumber>().is_ok());
        for other in [
            "",
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
            "0f8fad5bd9cb469fa16570867728950e",
            "{0f8fad5b-d9cb-469f-a165-70867728950e}",
            "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
            "0f8fad5b-d9cb-469f-a165-70867728950e ",
            "0f8fad5b-d9cb-469f-a165-7086772895zz",
            "0f8fad5bd-9cb-469f-a165-70867728950e",
        ] {
            assert_eq!(
                other.parse::<AccountNumber>(),
                Err(ParseAccountNumberError),
                "{other:?}"
            );
        }
    }

    #[test]
    fn every_bit_of_the_hash_varies() {
        use std::hash::BuildHasher as _;
        let hash = |number| AccountNumberHash::default().hash_one(number);
        let first = hash(AccountNumber::random());
        let varied = (0..256).fold(0, |bits, _| bits | (first ^ hash(AccountNumber::random())));
        assert_eq!(varied, u64::MAX);
    }
}
