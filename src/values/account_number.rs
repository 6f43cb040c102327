//! Account numbers: random UUIDs, made by the ledger.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
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

    /// Whether a ledger may have drawn it: whether it is a random (version 4) UUID.
    #[cfg(feature = "durable")]
    pub(crate) fn may_be_drawn(self) -> bool {
        let (first, second) = self.halves();
        first & 0xF000 == 0x4000 && second >> 62 == 0b10
    }

    /// The `index`th of numbers that are known in advance.
    #[cfg(all(test, feature = "durable"))]
    pub(crate) fn nth(index: u64) -> Self {
        Self::from_random_bytes(u128::from(index).to_be_bytes())
    }

    /// The number that would be drawn if the random source gave these.
    #[cfg(all(test, feature = "durable"))]
    pub(crate) fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
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
        // In the order of this machine: only that equal numbers are equal matters.
        state.write_u128(u128::from_ne_bytes(*self.0.as_bytes()));
    }
}

/// Hashes account numbers with a secret, in one multiplication.
///
/// A number that the ledger drew is 122 random bits, and would need no hash. But those of a journal need not have been
/// drawn: whoever forges one may choose numbers that fall into one place of a table that does not hash. That table grows
/// without end. The secret is drawn for each table, so nobody outside can choose numbers that meet there. SipHash would
/// do the same in 90 instructions more, at every operation.
#[derive(Clone)]
pub(crate) struct AccountNumberHash {
    secret: (u64, u64),
}

impl Default for AccountNumberHash {
    fn default() -> Self {
        let random = RandomState::new();
        Self {
            secret: (random.hash_one(0), random.hash_one(1)),
        }
    }
}

impl fmt::Debug for AccountNumberHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountNumberHash").finish_non_exhaustive()
    }
}

impl BuildHasher for AccountNumberHash {
    type Hasher = Folding;

    #[inline]
    fn build_hasher(&self) -> Folding {
        Folding {
            secret: self.secret,
            hash: 0,
        }
    }
}

/// Hashes one `u128`.
#[derive(Clone)]
pub(crate) struct Folding {
    secret: (u64, u64),
    hash: u64,
}

impl Hasher for Folding {
    #[inline]
    fn finish(&self) -> u64 {
        self.hash
    }

    #[inline]
    fn write_u128(&mut self, value: u128) {
        let (first, second) = self.secret;
        // The halves of the number, and then those of the product.
        let product = u128::from(value as u64 ^ first) * u128::from((value >> 64) as u64 ^ second);
        self.hash = product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("an account number hashes as one u128");
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
        let table = AccountNumberHash::default();
        let first = table.hash_one(AccountNumber::random());
        let hash = |_| table.hash_one(AccountNumber::random());
        let varied = (0..256).fold(0, |bits, turn| bits | (first ^ hash(turn)));
        assert_eq!(varied, u64::MAX);
    }

    /// How many of these numbers share a place in a table of so many places, at most.
    fn crowd(places: u64, numbers: impl Iterator<Item = AccountNumber>) -> usize {
        let table = AccountNumberHash::default();
        let mut held = std::collections::HashMap::new();
        for number in numbers {
            *held.entry(table.hash_one(number) % places).or_insert(0) += 1;
        }
        held.into_values().max().unwrap_or(0)
    }

    /// Numbers that a forger may choose, as many as there are places. Of random ones about eight share one.
    #[test]
    fn chosen_numbers_share_no_place_of_a_table() {
        const PLACES: u64 = 1 << 16;
        type Halves = fn(u64) -> (u64, u64);
        let families: [(&str, Halves); 6] = [
            ("one xor", |it| (it << 16, it << 16)),
            ("one sum", |it| (it << 16, !(it << 16))),
            ("low bits", |it| (it, !0)),
            ("middle bits", |it| (it << 24, !0)),
            ("high bits", |it| (it << 48, !0)),
            ("high bits of both", |it| {
                ((it & 0xFF) << 56, (it >> 8) << 56)
            }),
        ];
        for (name, family) in families {
            let numbers = (0..PLACES).map(|it| AccountNumber::from_halves(family(it)));
            let shared = crowd(PLACES, numbers);
            assert!(shared <= 24, "{name}: {shared} share a place");
        }
    }
}
