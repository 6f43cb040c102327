#!/usr/bin/env bash
# Whether `cashpoint bench http` drives a server as hard as wrk does, with as many connections.
#
#   benches/http/generator.sh [rounds] [seconds] [connections]      (9 rounds of 2 s, 32 connections)
#
# Needs wrk (Debian: apt-get install wrk) and curl. Both read the balance of one account of the same server, by
# turns; the median of the ratios of each round counts.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${1:-9} seconds=${2:-2} connections=${3:-32}

command -v wrk >/dev/null || { echo "wrk is not installed: apt-get install wrk" >&2; exit 1; }
cargo build --release --quiet --package cashpoint

work=$(mktemp -d)
target/release/cashpoint serve --host 127.0.0.1 --port 0 2>"$work/log" &
trap 'kill $! 2>/dev/null; wait 2>/dev/null || true; rm -rf "$work"' EXIT
until url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$work/log"); do
    kill -0 $! 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.05
done
number=$(curl -fsS "$url/accounts" -H 'Content-Type: application/json' -d '{}' | cut -d'"' -f4)

wrk_drives() {
    wrk --latency -t2 -c"$connections" -d"${seconds}s" -s benches/http/report.lua "$url/accounts/$number/balance" |
        tail -n 1 | cut -d' ' -f2
}

bench_drives() {
    target/release/cashpoint bench http "$url" --mix read --accounts 1 --connections "$connections" \
        --rounds 1 --duration "$seconds" --warm-up 0.1 --json "$work/report.json" >/dev/null
    grep -om1 '"per_second": [0-9]*' "$work/report.json" | cut -d' ' -f2
}

median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }

printf '%12s %12s\n' wrk 'bench http'
for round in $(seq "$rounds"); do
    if [ $((round % 2)) = 1 ]; then
        wrk=$(wrk_drives) bench=$(bench_drives)
    else
        bench=$(bench_drives) wrk=$(wrk_drives)
    fi
    printf '%12s %12s\n' "$wrk" "$bench"
    awk "BEGIN { print $bench / $wrk }" >>"$work/ratios"
done
printf 'bench http drives %.2f of what wrk drives (median of %s rounds)\n' "$(median <"$work/ratios")" "$rounds"
