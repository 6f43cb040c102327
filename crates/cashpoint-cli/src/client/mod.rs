//! Talking to a server of the contract: what `bench` and `verify` have in common.
//!
//! Both decide themselves when they send what, and on which connection, and must know of each request whether
//! it may have been done; no HTTP client leaves them that. Here is the rest: where a server is (`address`),
//! where its answers end (`answer`), one request after another (`connection`), and a server of our own to talk
//! to (`own_server`).

mod address;
mod answer;
mod connection;
mod own_server;

use std::fmt;

pub(crate) use address::Address;
pub(crate) use answer::{Frame, Malformed, first};
pub(crate) use connection::{Connection, Lost, Manner, Response};
pub(crate) use own_server::OwnServer;

/// Why something cannot be measured or verified, for a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

impl Broken {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::answer::assert_rules;

    #[test]
    fn the_corpus_of_answers_breaks_no_rule() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/answers");
        let mut replayed = 0;
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            // Shown if it fails.
            println!("{}", path.display());
            assert_rules(&fs::read(path).unwrap());
            replayed += 1;
        }
        assert!(replayed >= 10, "{replayed} files");
    }
}
