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

source benches/http/servers.sh
needs wrk
cargo build --release --quiet --package cashpoint-cli
python=target/bench-fastapi/bin/python
[ -x "$python" ] || python3 -m venv target/bench-fastapi
"$python" -m pip install --quiet --disable-pip-version-check --requirement benches/http/fastapi/requirements.txt

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
                result=$(measure "${at[$server]}/balance")
            else
                result=$(DEPOSIT=1 measure "${at[$server]}/deposit")
            fi
            cut -d' ' -f2 <<<"$result" >>"$logs/$server-$kind"
        done
        printf '%-8s %12s %12s\n' "$kind" "$(tail -n 1 "$logs/cashpoint-$kind")" "$(tail -n 1 "$logs/fastapi-$kind")"
    done
done
for kind in read deposit; do
    printf 'medians: %-8s %s and %s a second; by rounds, %s times\n' "$kind" \
        "$(median <"$logs/cashpoint-$kind")" "$(median <"$logs/fastapi-$kind")" \
        "$(printf '%.0f' "$(ratio "$logs/cashpoint-$kind" "$logs/fastapi-$kind")")"
done
