#!/usr/bin/env bash
# Whether the service in memory is as fast as it was at an earlier commit: reads and deposits, both versions by turns.
#
#   benches/http/before.sh COMMIT [rounds] [seconds] [connections]      (15 rounds of 2 s, 32 connections)
#
# Builds the earlier version below target/before/, and leaves it there for the next time. The same `cashpoint bench
# http`, this version's, drives both, and checks the books of both. What counts is the median of the ratios of each
# round; with two builds of one commit it shows how much is noise.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# -ge 1 ] || { sed -n 's/^#   //p' "$0" >&2; exit 2; }
commit=$(git rev-parse --short --verify "$1^{commit}")
rounds=${2:-15} seconds=${3:-2} connections=${4:-32}

source benches/http/servers.sh
before=target/before/$commit
if [ ! -d "$before" ]; then
    mkdir -p "$before.new"
    git archive "$commit" | tar -x -C "$before.new"
    mv "$before.new" "$before"
fi
(cd "$before" && CARGO_TARGET_DIR=target cargo build --release --locked --quiet --bin cashpoint)
cargo build --release --quiet --bin cashpoint

declare -A at
start before "$before/target/release/cashpoint" serve --host 127.0.0.1 --port 0
at[before]=$url
start now target/release/cashpoint serve --host 127.0.0.1 --port 0
at[now]=$url

printf '%-8s %-8s %12s %10s\n' '' '' 'requests/s' 'p99 ms'
for round in $(seq "$rounds"); do
    order='before now'
    [ $((round % 2)) = 1 ] || order='now before'
    for server in $order; do
        bench "${at[$server]}" --mix read,deposit --connections "$connections" >"$logs/cases"
        while read -r mix _ rate p99; do
            printf '%-8s %-8s %12s %10s\n' "$server" "$mix" "$rate" "$p99"
            echo "$rate" >>"$logs/$server-$mix"
        done <"$logs/cases"
    done
done
for mix in read deposit; do
    printf 'medians  %-8s %12s, %s at %s: %.3f of it\n' "$mix" "$(median <"$logs/now-$mix")" \
        "$(median <"$logs/before-$mix")" "$commit" "$(ratio "$logs/now-$mix" "$logs/before-$mix")"
done
