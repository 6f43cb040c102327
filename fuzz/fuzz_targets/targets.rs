//! The path and the query of a request. The rules are at `cashpoint::server::fuzzing::target`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cashpoint::server::fuzzing::target(bytes));
