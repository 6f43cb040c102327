# For the scripts beside it, which source this after they have set `rounds`: servers that end with the script, and
# medians.

command -v wrk >/dev/null || { echo "wrk is not installed: apt-get install wrk" >&2; exit 1; }

# For what the servers log, and for figures.
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

# Opens an account on the server at this address, and prints its number.
account() {
    curl -fsS "$1/accounts" -H 'Content-Type: application/json' -d '{"initial_balance":0}' | cut -d'"' -f4
}

# Runs wrk and prints: requests answered, requests a second, latencies p50 and p99 in ms, errors.
measure() {
    wrk --latency -t2 -c"$connections" -d"${seconds}s" -s benches/http/report.lua "$1" | tail -n 1
}

median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }

# The median of the quotients, round by round, of two columns of figures.
ratio() { paste "$1" "$2" | awk '{ print $1 / $2 }' | median; }
