//! All that a client sends on one connection. The rules are at `cashpoint_server::fuzzing::connection`.

#![no_main]

#[expect(dead_code, reason = "the client has more uses for it")]
#[path = "../../crates/cashpoint-cli/src/client/answer.rs"]
mod answer;

use cashpoint_server::fuzzing::{Answered, connection};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| connection(bytes, first));

/// As the client reads it.
fn first(received: &[u8]) -> Option<Answered> {
    let answer = answer::first(received, false).ok()??;
    Some(Answered {
        status: answer.status,
        length: answer.length,
        content_type: answer.header(received, "content-type"),
        body: answer.body(received).into_owned(),
    })
}
