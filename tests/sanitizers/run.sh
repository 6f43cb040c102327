#!/usr/bin/env bash
# Lets ThreadSanitizer and AddressSanitizer watch the engine under threads.
#
#   tests/sanitizers/run.sh [thread|address [ROUNDS]]      both, 2000 rounds, unless said otherwise
#
# Works with a stable toolchain: the runtimes of the sanitizers come with it, but the flag that turns them on does
# not, so RUSTC_BOOTSTRAP is set for this one build. The standard library is not instrumented. For ThreadSanitizer
# that is an ABI that does not match, which is let pass; what it would report is order that std's own atomics make,
# so the program joins its threads by hand. Atomics, the map and the skip list are generic or inlined, and watched.
set -euo pipefail
cd "$(dirname "$0")/../.."
sanitizers=("${1:-thread}")
[ $# -gt 0 ] || sanitizers=(thread address)
rounds=${2:-2000}

target=$(rustc --version --verbose | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
# Which alarms are false, and why.
export TSAN_OPTIONS="suppressions=$PWD/tests/sanitizers/thread.supp ${TSAN_OPTIONS:-}"
for sanitizer in "${sanitizers[@]}"; do
    echo "=== $sanitizer"
    flags="-Zsanitizer=$sanitizer"
    # The durable ledger waits by std's mutexes, and frees by the fence in std's `Arc`. ThreadSanitizer sees neither,
    # and would report each wait; AddressSanitizer watches callers who drop an answer while it is sent.
    features=
    [ "$sanitizer" = thread ] || features=durable
    [ "$sanitizer" = address ] || flags+=' -Cunsafe-allow-abi-mismatch=sanitizer'
    # With a target named, the flags are not for build scripts and macros.
    RUSTFLAGS=$flags cargo test --quiet --locked --package cashpoint --no-default-features --features "$features" --test sanitizers \
        --target "$target" --target-dir "target/sanitizers/$sanitizer" -- "$rounds"
done
