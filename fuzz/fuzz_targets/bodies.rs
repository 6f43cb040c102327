//! The body of a request. The rules are at `cashpoint::server::fuzzing::body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cashpoint::server::fuzzing::body(bytes));
