//! What is held of an idempotency key: a digest of 128 bits instead of its text.
//!
//! So a key of 255 characters takes no more memory than one of 36, and the number of keys bounds the memory that they
//! take.
//!
//! Two keys with the same digest would be taken for one. With a million keys that happens by chance with probability
//! 2^-89, and nobody can bring it about: the digest depends on a secret that each process draws at its start.
//! Neither the secret nor a digest ever leaves the process. On disk there is the text.
//!
//! All callers share one namespace of keys: a key is its text. An owner of keys would have to be hashed along with it.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use super::idempotency_key::IdempotencyKey;

static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Stands for an idempotency key, in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyDigest([u64; 2]);

/// Hashes digests by not hashing them: their bits are random, and nobody chose them.
pub(crate) type KeyDigestHash = BuildHasherDefault<AlreadyRandom>;

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

impl KeyDigest {
    pub(crate) fn of(key: &IdempotencyKey) -> Self {
        let mut hasher = SECRET.build_hasher();
        hasher.write(key.as_str().as_bytes());
        // Under a secret, the hashes of two texts have nothing to do with each other, and no key ends like these: so
        // 64 bits and 64 are 128.
        let half = |end: u8| {
            let mut hasher = hasher.clone();
            hasher.write_u8(end);
            hasher.finish()
        };
        Self([half(0), half(1)])
    }

    /// Half of it: enough to place it in a table.
    pub(crate) fn half(self) -> u64 {
        let Self([half, _]) = self;
        half
    }
}

impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.half());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_digest_depends_on_the_whole_text_in_both_halves() {
        let longest = "~".repeat(IdempotencyKey::LEN_MAX);
        let changed = (0..longest.len()).map(|at| {
            let (before, after) = longest.split_at(at);
            format!("{before}!{}", &after[1..])
        });
        let shorter = (1..longest.len()).map(|len| longest[..len].to_owned());
        let texts: Vec<String> = changed.chain(shorter).chain([longest.clone()]).collect();
        let digest = |text: &String| KeyDigest::of(&text.parse().unwrap());
        let [first, second] = [0, 1].map(|half| {
            let halves = texts.iter().map(|text| digest(text).0[half]);
            halves.collect::<HashSet<u64>>()
        });
        assert_eq!((first.len(), second.len()), (texts.len(), texts.len()));
        assert!(first.is_disjoint(&second));
        // The same text, in another place.
        assert_eq!(digest(&longest), digest(&longest.clone()));
    }
}
