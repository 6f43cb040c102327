#!/usr/bin/env bash
# Fuzzes each target for a while, one after another. The committed corpus is where each begins.
#
#   fuzz/run.sh [SECONDS [TARGET…]]      60 seconds each unless said otherwise
#
# Needs: cargo install cargo-fuzz. With a stable toolchain as well: AddressSanitizer comes with it, but the flag
# that turns it on does not, so RUSTC_BOOTSTRAP is set for this one build. SANITIZER=none does without; then inputs
# come several times as fast.
#
# What is found goes to fuzz/artifacts/TARGET. Once it is mended, its smallest form belongs into fuzz/corpus/TARGET,
# which `cargo test` replays. New inputs that reach new code go to fuzz/target/corpus, and are not committed.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(amounts answers bodies connections targets)

export RUSTC_BOOTSTRAP=1
for target in "${targets[@]}"; do
    found=fuzz/target/corpus/$target
    mkdir -p "$found"
    echo "=== $target, for $seconds s"
    # The begin of the program's own output tells nothing but the seed.
    cargo fuzz run --sanitizer "${SANITIZER:-address}" "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=10 -max_len=4096 -print_final_stats=1 -verbosity=1 2>&1 |
        grep --line-buffered -vE '^(#[0-9]+|INFO)'
done
