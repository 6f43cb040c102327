//! The path and the query of a request. The rules are at `cashpoint_server::fuzzing::target`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cashpoint_server::fuzzing::target(bytes));
