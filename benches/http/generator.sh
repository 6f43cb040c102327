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

source benches/http/servers.sh
needs wrk
cargo build --release --quiet --package cashpoint-cli
start cashpoint target/release/cashpoint serve --host 127.0.0.1 --port 0
balance=$url/accounts/$(account "$url")/balance

wrk_drives() { measure "$balance" | cut -d' ' -f2; }

bench_drives() {
    target/release/cashpoint bench http "$url" --mix read --accounts 1 --connections "$connections" \
        --rounds 1 --duration "$seconds" --warm-up 0.1 --json "$logs/report.json" >/dev/null
    grep -om1 '"per_second": [0-9]*' "$logs/report.json" | cut -d' ' -f2
}

printf '%12s %12s\n' wrk 'bench http'
for round in $(seq "$rounds"); do
    if [ $((round % 2)) = 1 ]; then
        wrk=$(wrk_drives) bench=$(bench_drives)
    else
        bench=$(bench_drives) wrk=$(wrk_drives)
    fi
    printf '%12s %12s\n' "$wrk" "$bench"
    echo "$bench" >>"$logs/bench"
    echo "$wrk" >>"$logs/wrk"
done
printf 'bench http drives %.2f of what wrk drives (median of %s rounds)\n' "$(ratio "$logs/bench" "$logs/wrk")" "$rounds"
