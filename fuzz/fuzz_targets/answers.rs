//! What a server may have answered. The rules are in the file that is included: the client's own.

#![no_main]

#[path = "../../crates/cashpoint-cli/src/client/answer.rs"]
mod answer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answer::assert_rules(bytes));
