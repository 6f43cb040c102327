# For the scripts beside it, which source this after they have set `rounds`: servers that end with the script, and
# medians.

# Ends the script unless this command is there.
needs() { command -v "$1" >/dev/null || { echo "$1 is not installed: apt-get install $1" >&2; exit 1; }; }

# For what the servers log, and for figures.
logs=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null || true; rm -rf "$logs"' EXIT

# Starts a server, and sets `url` to where it listens.
start() {
    "${@:2}" 2>"$logs/$1" &
    pids+=($!)
    until url=$(grep -som1 'http://127.0.0.1:[0-9]*' "$logs/$1"); do
        kill -0 $! 2>/dev/null || { cat "$logs/$1" >&2; exit 1; }
        sleep 0.05
    done
}

# Opens an account on the server at this address, and prints its number.
account() {
    curl -fsS "$1/accounts" -H 'Content-Type: application/json' -d '{"initial_balance":0}' | cut -d'"' -f4
}

# Runs wrk and prints: requests answered, requests a second, latencies p50 and p99 in ms, errors.
measure() {
    wrk --latency -t2 -c"$connections" -d"${seconds}s" -s benches/http/report.lua "$1" | tail -n 1
}

# Measures the server at an address with `cashpoint bench http`, once, and prints a line for each case: mix,
# connections, operations a second, p99 in ms. It fails if the books do not balance.
bench() {
    target/release/cashpoint bench http "$@" --rounds 1 --duration "$seconds" --json "$logs/report.json" \
        >"$logs/bench" 2>&1 || { cat "$logs/bench" >&2; return 1; }
    awk -F'[:,]' '
        /"mix":/ { gsub(/[" ]/, "", $2); mix = $2 }
        /"workers": [0-9]/ { connections = $2 + 0 }
        /"per_second":/ { rate = $2 }
        /"p99":/ && rate { printf "%s %d %.0f %.3f\n", mix, connections, rate, $2 / 1e6; rate = 0 }
    ' "$logs/report.json"
}

median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }

# The median of the quotients, round by round, of two columns of figures.
ratio() { paste "$1" "$2" | awk '{ print $1 / $2 }' | median; }
