//! A decimal text, read and printed. The rules are in `tests/exact`.

#![no_main]

#[path = "../../tests/exact/mod.rs"]
mod exact;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exact::amount(bytes));
