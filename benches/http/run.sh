#!/usr/bin/env bash
# How many balance reads and deposits a second the service answers, over real sockets.
#
#   benches/http/run.sh [rounds] [seconds] [connections]      (5 rounds of 5 seconds, 32 connections)
#
# Needs wrk (Debian: apt-get install wrk) and curl. Reads and deposits take turns, each on one account,
# so that a slow moment of the machine hits both; the medians count. At the end the books are checked:
# every deposit that was answered must be on the account, to the cent.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${1:-5} seconds=${2:-5} connections=${3:-32}

command -v wrk >/dev/null || { echo "wrk is not installed: apt-get install wrk" >&2; exit 1; }
cargo build --release --quiet

log=$(mktemp)
target/release/cashpoint serve --host 127.0.0.1 --port 0 2>"$log" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -f "$log"' EXIT
until url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$log"); do
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.05
done

account() {
    curl -fsS "$url/accounts" -H 'Content-Type: application/json' -d '{}' | cut -d'"' -f4
}
read_from=$(account)
deposit_to=$(account)

# Runs wrk and prints: requests answered, requests a second, latencies p50 and p99 in ms, errors.
measure() {
    wrk --latency -t2 -c"$connections" -d"${seconds}s" -s benches/http/report.lua "$@" | tail -n 1
}

median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }

reads=() deposits=() answered=0
printf '%-9s %12s %10s %10s\n' '' 'requests/s' 'p50 ms' 'p99 ms'
for _ in $(seq "$rounds"); do
    for kind in read deposit; do
        if [ "$kind" = read ]; then
            result=$(measure "$url/accounts/$read_from/balance")
        else
            result=$(DEPOSIT=1 measure "$url/accounts/$deposit_to/deposit")
        fi
        read -r count rate p50 p99 errors <<<"$result"
        [ "$errors" = 0 ] || { echo "$errors $kind requests failed" >&2; exit 1; }
        printf '%-9s %12s %10s %10s\n' "$kind" "$rate" "$p50" "$p99"
        if [ "$kind" = read ]; then reads+=("$rate"); else deposits+=("$rate"); answered=$((answered + count)); fi
    done
done
printf 'median    %12s reads/s, %s deposits/s, %s connections\n' \
    "$(printf '%s\n' "${reads[@]}" | median)" "$(printf '%s\n' "${deposits[@]}" | median)" "$connections"

# Each deposit is of 0.01. Those that were under way when wrk hung up may or may not have happened.
cents=$(curl -fsS "$url/accounts/$deposit_to/balance" | sed 's/.*"balance":\([0-9]*\)\.\([0-9]*\).*/\1 \2/' |
    { read -r whole part; part=${part}0; echo $((whole * 100 + 10#${part:0:2})); })
under_way=$((rounds * connections))
if [ "$cents" -lt "$answered" ] || [ "$cents" -gt $((answered + under_way)) ]; then
    echo "the books do not balance: $answered deposits of one cent were answered, $cents are there" >&2
    exit 1
fi
echo "books     $answered deposits of one cent were answered, $cents are on the account"
