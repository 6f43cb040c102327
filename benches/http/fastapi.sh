#!/usr/bin/env bash
# How many times the throughput of the Python service Cashpoint has: balance reads and deposits over real
# sockets, by turns, beside a FastAPI service with the same two endpoints (fastapi/app.py).
#
#   benches/http/fastapi.sh [rounds] [seconds] [connections]      (7 rounds of 2 s, 32 connections)
#
# Needs wrk and curl (Debian: apt-get install wrk curl), and Python 3 with venv, into which it installs FastAPI
# and uvicorn from PyPI, below target/. One worker, as the original: its state is in memory.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${1:-7} seconds=${2:-2} connections=${3:-32}

command -v wrk >/dev/null || { echo "wrk is not installed: apt-get install wrk" >&2; exit 1; }
cargo build --release --quiet --package cashpoint
python=target/bench-fastapi/bin/python
[ -x "$python" ] || python3 -m venv target/bench-fastapi
"$python" -m pip install --quiet --disable-pip-version-check --requirement benches/http/fastapi/requirements.txt

logs=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null || true; rm -rf "$logs"' EXIT

# Starts a server, and sets `url` to where it listens.
start() {
    "${@:2}" 2>"$logs/$1" &
    pids+=($!)
    until url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$logs/$1"); do
        kill -0 $! 2>/dev/null || { cat "$logs/$1" >&2; exit 1; }
        sleep 0.05
    done
}

account() {
    curl -fsS "$1/accounts" -H 'Content-Type: application/json' -d '{"initial_balance":0}' | cut -d'"' -f4
}

# Requests answered a second.
measure() {
    wrk --latency -t2 -c"$connections" -d"${seconds}s" -s benches/http/report.lua "$1" | tail -n 1 | cut -d' ' -f2
}

median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }

declare -A at
start cashpoint target/release/cashpoint serve --host 127.0.0.1 --port 0
at[cashpoint]=$url/accounts/$(account "$url")
start fastapi "$python" -m uvicorn --app-dir benches/http/fastapi --host 127.0.0.1 --port 0 --no-access-log app:app
at[fastapi]=$url/accounts/$(account "$url")

printf '%-8s %12s %12s\n' '' cashpoint FastAPI
for round in $(seq "$rounds"); do
    for kind in read deposit; do
        for server in cashpoint fastapi; do
            if [ "$kind" = read ]; then
                rate=$(measure "${at[$server]}/balance")
            else
                rate=$(DEPOSIT=1 measure "${at[$server]}/deposit")
            fi
            echo "$rate" >>"$logs/$server-$kind"
        done
        printf '%-8s %12s %12s\n' "$kind" "$(tail -n 1 "$logs/cashpoint-$kind")" "$(tail -n 1 "$logs/fastapi-$kind")"
    done
done
for kind in read deposit; do
    printf 'medians: %-8s %s and %s a second; by rounds, %s times\n' "$kind" \
        "$(median <"$logs/cashpoint-$kind")" "$(median <"$logs/fastapi-$kind")" \
        "$(paste "$logs/cashpoint-$kind" "$logs/fastapi-$kind" | awk '{ print $1 / $2 }' | median | xargs printf '%.0f')"
done
