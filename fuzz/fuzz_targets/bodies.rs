//! The body of a request. The rules are at `cashpoint_server::fuzzing::body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cashpoint_server::fuzzing::body(bytes));
