#!/usr/bin/env bash
# How many balance reads and deposits a second the service answers, over real sockets, beside the same two
# endpoints in raw hyper (benches/src/raw_hyper.rs): `raw-hyper`, which loses no answer, and `raw-flush`, hyper with
# `pipeline_flush`, which is faster where requests are pipelined and may lose answers.
#
#   benches/http/run.sh [rounds] [seconds] [connections] [pipelining]      (15 rounds of 1 s, 32 connections, 1)
#
# Needs wrk (Debian: apt-get install wrk) and curl. All servers and both requests take turns, so that a slow
# moment of the machine hits all; what counts are the medians, and the median of the ratios of each round. Where
# client and servers share the processors, throughput says little; the processor time that the server takes
# for a request says more, and stands beside it (Linux). At the end the books are checked: every deposit that
# was answered must be on its account, to the cent.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${1:-15} seconds=${2:-1} connections=${3:-32}
export PIPELINE=${4:-1}

source benches/http/servers.sh
needs wrk
cargo build --release --quiet --package cashpoint-cli --package cashpoint-benches

# The processor time that a process has taken so far, in clock ticks; 0 where the system does not say.
ticks() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '{ print $12 + $13 }' || echo 0; }

declare -A at number process answered=()
start cashpoint target/release/cashpoint serve --host 127.0.0.1 --port 0
at[cashpoint]=$url process[cashpoint]=$!
start raw-hyper target/release/raw-hyper
at[raw-hyper]=$url process[raw-hyper]=$!
start raw-flush target/release/raw-hyper --pipeline-flush
at[raw-flush]=$url process[raw-flush]=$!
servers=(cashpoint raw-hyper raw-flush)
for server in "${servers[@]}"; do
    number[$server]=$(account "${at[$server]}")
    answered[$server]=0
done

printf '%-10s %-8s %12s %10s %10s %10s\n' '' '' 'requests/s' 'p50 ms' 'p99 ms' 'CPU µs'
for round in $(seq "$rounds"); do
    for kind in read deposit; do
        for turn in 0 1 2; do
            server=${servers[(round + turn) % 3]}
            account=${at[$server]}/accounts/${number[$server]}
            before=$(ticks "${process[$server]}")
            if [ "$kind" = read ]; then
                result=$(measure "$account/balance")
            else
                result=$(DEPOSIT=1 measure "$account/deposit")
            fi
            read -r count rate p50 p99 errors <<<"$result"
            [ "$errors" = 0 ] || { echo "$errors $kind requests failed" >&2; exit 1; }
            after=$(ticks "${process[$server]}")
            cpu=$(awk "BEGIN { printf \"%.2f\", ($after - $before) * 1e6 / $(getconf CLK_TCK) / $count }")
            printf '%-10s %-8s %12s %10s %10s %10s\n' "$server" "$kind" "$rate" "$p50" "$p99" "$cpu"
            echo "$rate" >>"$logs/$server-$kind"
            echo "$cpu" >>"$logs/$server-$kind-cpu"
            [ "$kind" = read ] || answered[$server]=$((answered[$server] + count))
        done
    done
done

for kind in read deposit; do
    ours=$logs/cashpoint-$kind
    printf 'medians    %-8s %12s requests/s, CPU %s µs\n' "$kind" "$(median <"$ours")" "$(median <"$ours-cpu")"
    for twin in raw-hyper raw-flush; do
        theirs=$logs/$twin-$kind
        printf '           %-8s %12s in %s: %.2f of it;  CPU %s µs: %.2f of it\n' '' "$(median <"$theirs")" "$twin" \
            "$(ratio "$ours" "$theirs")" "$(median <"$theirs-cpu")" "$(ratio "$ours-cpu" "$theirs-cpu")"
    done
done

# Each deposit is of 0.01. Those that were under way when wrk hung up may or may not have happened.
for server in "${servers[@]}"; do
    cents=$(curl -fsS "${at[$server]}/accounts/${number[$server]}/balance" |
        sed 's/.*"balance":\([0-9]*\)\.\([0-9]*\).*/\1 \2/' |
        { read -r whole part; part=${part}0; echo $((whole * 100 + 10#${part:0:2})); })
    under_way=$((rounds * connections * PIPELINE))
    if [ "$cents" -lt "${answered[$server]}" ] || [ "$cents" -gt $((answered[$server] + under_way)) ]; then
        echo "the books do not balance: ${answered[$server]} deposits of one cent were answered, $cents are there" >&2
        exit 1
    fi
    echo "books      $server: ${answered[$server]} deposits of one cent were answered, $cents are on the account"
done
