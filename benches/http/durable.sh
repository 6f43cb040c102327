#!/usr/bin/env bash
# Withdrawals that are on disk when they are answered, one a request, each checked against its balance: `cashpoint
# serve --data` beside `cashpoint serve` in memory, PostgreSQL, and Redis with `appendfsync always`, all on one disk.
#
#   benches/http/durable.sh [--skip-postgres] [--skip-redis] [rounds] [seconds]      (7 rounds of 3 s)
#   DIRECTORY=/mnt/disk benches/http/durable.sh                                      on that disk, not in target/
#
# Needs PostgreSQL and Redis (Debian: apt-get install postgresql redis-server); what is not there is skipped, with a
# note. All of them keep their data in a new directory that is removed at the end, also after Ctrl-C. Run as root, the
# server of PostgreSQL runs as the user postgres, which must be able to get into the directory.
#
# All take turns, in an order that shifts; what counts are the medians, and the medians of the ratios of each round.
# Clients and servers share the processors. Cashpoint answers HTTP, to clients that check each answer; PostgreSQL has
# prepared statements over a Unix socket and writes the history in the same statement; Redis runs a script on its own
# protocol. Each is checked: no cent more or less is gone than was withdrawn.
set -euo pipefail
cd "$(dirname "$0")/../.."

postgres=yes redis=yes
while [[ ${1:-} == --* ]]; do
    case $1 in
    --skip-postgres) postgres=no ;;
    --skip-redis) redis=no ;;
    *) sed -n 's/^#   //p' "$0" >&2; exit 2 ;;
    esac
    shift
done
rounds=${1:-7} seconds=${2:-3}
accounts=10000 clients=32 initial_cents=1000000000

source benches/http/servers.sh
mkdir -p "${DIRECTORY:=target}"
data=$(mktemp -d "$(realpath "$DIRECTORY")/durable-XXXXXX")
# The path of a socket has to be short.
sockets=$(mktemp -d)
postgres_process=
end() {
    # For PostgreSQL SIGTERM means to wait for its clients.
    [ -z "$postgres_process" ] || kill -INT "$postgres_process" 2>/dev/null || true
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$logs" "$data" "$sockets"
}
trap end EXIT
fail() { echo "$1" >&2; exit 1; }
are_there() { local name; for name; do command -v "$name" >/dev/null || return 1; done; }

file_system=$(df --output=fstype "$data" | tail -n 1)
[ "$file_system" != tmpfs ] || fail "$data is in memory: set DIRECTORY to a directory on a disk"
echo "data in $data, on $file_system"

# Cashpoint.

cargo build --release --quiet --package cashpoint-cli
declare -A at
start durable target/release/cashpoint serve --host 127.0.0.1 --port 0 --data "$data/cashpoint" \
    --max-accounts $((accounts + 1)) --max-transaction-amount 100000000
at[durable]=$url
start memory target/release/cashpoint serve --host 127.0.0.1 --port 0 \
    --max-accounts $((accounts + 1)) --max-transaction-amount 100000000
at[memory]=$url

# Measures a server with a mix and a skew: cashpoint MODE MIXES SKEW.
cashpoint() {
    bench "${at[$1]}" --accounts "$accounts" --initial-balance 100000000 --connections 32,128 \
        --mix "$2" --skew "$3" >"$logs/cases"
    while read -r mix connections rate p99; do
        echo "$rate" >>"$logs/$1-$mix-$3-$connections"
        echo "$p99" >>"$logs/$1-$mix-$3-$connections-p99"
    done <"$logs/cases"
}
durable_uniform() { cashpoint durable withdraw,read uniform; }
durable_hot() { cashpoint durable withdraw hot; }
memory_uniform() { cashpoint memory withdraw,read uniform; }
contestants=(durable_uniform memory_uniform durable_hot)

# PostgreSQL.

# Debian keeps the programs of each version in a place of its own.
programs=$(find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
if [ $postgres = yes ] && { [ -z "$programs" ] || ! are_there pgbench psql; }; then
    echo 'PostgreSQL is not installed, and is skipped: apt-get install postgresql'
    postgres=no
fi

as_postgres=()
start_postgres() {
    if [ "$(id -u)" = 0 ]; then
        as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
        chmod 755 "$data"
        "${as_postgres[@]}" test -x "$data" ||
            fail "the user postgres cannot get into $data: set DIRECTORY to a place where it can, or --skip-postgres"
        chown postgres "$sockets"
        install -d -o postgres -m 700 "$data/postgres"
    fi
    "${as_postgres[@]}" "$programs/initdb" -D "$data/postgres" -A trust -U postgres >"$logs/postgres" 2>&1 ||
        { cat "$logs/postgres" >&2; exit 1; }
    "${as_postgres[@]}" "$programs/postgres" -D "$data/postgres" -k "$sockets" -c listen_addresses= \
        -c shared_buffers=512MB -c max_wal_size=4GB -c fsync=on -c synchronous_commit=on >>"$logs/postgres" 2>&1 &
    postgres_process=$!
    pids+=($!)
    until "$programs/pg_isready" --quiet -h "$sockets"; do
        kill -0 $postgres_process 2>/dev/null || { cat "$logs/postgres" >&2; exit 1; }
        sleep 0.1
    done
    sql "create table accounts(id int primary key, balance bigint not null check(balance >= 0))" \
        "create table history(id bigserial primary key, account int, amount bigint, balance bigint,
            at timestamptz default now())" \
        "insert into accounts select id, $initial_cents from generate_series(1, $accounts) id" >/dev/null
    cat >"$logs/withdraw.sql" <<'SQL'
\set id random(1, :accounts)
with paid as (update accounts set balance = balance - 1 where id = :id and balance >= 1 returning id, balance)
insert into history(account, amount, balance) select id, -1, balance from paid;
SQL
}
sql() {
    local statement
    for statement; do psql -h "$sockets" -U postgres -v ON_ERROR_STOP=1 -qAtc "$statement"; done
}
pgbench_measures() {
    pgbench -h "$sockets" -U postgres -n -M prepared -D "accounts=$2" -f "$logs/withdraw.sql" -c $clients -j 1 \
        -T "$seconds" postgres >"$logs/pgbench" 2>&1 || { cat "$logs/pgbench" >&2; exit 1; }
    sed -n 's/^tps = \([0-9]*\).*/\1/p' "$logs/pgbench" >>"$logs/$1"
}
postgres_uniform() { pgbench_measures postgres-uniform "$accounts"; }
postgres_hot() { pgbench_measures postgres-hot 1; }
if [ $postgres = yes ]; then
    start_postgres
    contestants+=(postgres_uniform postgres_hot)
fi

# Redis.

if [ $redis = yes ] && ! are_there redis-server redis-benchmark redis-cli; then
    echo 'Redis is not installed, and is skipped: apt-get install redis-server'
    redis=no
fi

start_redis() {
    local process
    mkdir "$data/redis"
    # It cannot find a free port by itself. Where another server has this one, it ends.
    while true; do
        port=$((20000 + RANDOM % 10000))
        redis-server --bind 127.0.0.1 --port $port --save '' --appendonly yes --appendfsync always \
            --dir "$data/redis" >"$logs/redis" 2>&1 &
        process=$!
        until grep -q 'eady to accept connections' "$logs/redis" || ! kill -0 $process 2>/dev/null; do sleep 0.1; done
        ! kill -0 $process 2>/dev/null || break
        grep -q 'Address already in use' "$logs/redis" || { cat "$logs/redis" >&2; exit 1; }
    done
    pids+=($process)
    # As redis-benchmark writes random numbers.
    redis-cli -p $port eval "for id = 0, $accounts - 1 do
        redis.call('SET', string.format('account:%012d', id), '$initial_cents') end" 0 >/dev/null
    withdraw=$(redis-cli -p $port script load "
        local balance = tonumber(redis.call('GET', KEYS[1]) or '0')
        if balance < tonumber(ARGV[1]) then return -1 end
        return redis.call('DECRBY', KEYS[1], ARGV[1])")
    redis_requests=0
}
# Runs so many requests, for it takes no time, and prints how many a second: redis_drives REQUESTS KEY.
redis_drives() {
    redis-benchmark -p $port -c $clients -n "$1" -r $accounts --csv EVALSHA "$withdraw" 1 "$2" 1 2>/dev/null |
        tail -n 1 | awk -F'","' '{ printf "%d\n", $2 }'
}
redis_measures() {
    local few=2000 many
    redis_drives $few "$2" >"$logs/redis-rate"
    many=$(($(<"$logs/redis-rate") * seconds))
    redis_drives $many "$2" >>"$logs/$1"
    redis_requests=$((redis_requests + few + many))
}
redis_uniform() { redis_measures redis-uniform account:__rand_int__; }
redis_hot() { redis_measures redis-hot account:000000000000; }
if [ $redis = yes ]; then
    start_redis
    contestants+=(redis_uniform redis_hot)
fi

# By turns.

for round in $(seq "$rounds"); do
    printf 'round %s of %s:' "$round" "$rounds"
    for turn in $(seq ${#contestants[@]}); do
        contestant=${contestants[$(((round + turn) % ${#contestants[@]}))]}
        printf ' %s' "$contestant"
        "$contestant"
    done
    echo
done

# The books of the others; `cashpoint bench` has checked ours.

if [ $postgres = yes ]; then
    lost=$(sql "select $accounts::bigint * $initial_cents - (select sum(balance) from accounts)
        - (select count(*) from history)")
    [ "$lost" = 0 ] || fail "the books of PostgreSQL do not balance: $lost cents are gone"
fi
if [ $redis = yes ]; then
    left=$(redis-cli -p $port eval "local sum = 0
        for id = 0, $accounts - 1 do sum = sum + redis.call('GET', string.format('account:%012d', id)) end
        return sum" 0)
    lost=$((accounts * initial_cents - left - redis_requests))
    [ $lost = 0 ] || fail "the books of Redis do not balance: $lost cents are gone"
fi

# The tables.

ours=$logs/durable-withdraw-uniform-32
row() {
    [ ! -e "$logs/$2" ] ||
        printf '%-62s %12s %8.2f\n' "$1" "$(median <"$logs/$2")" "$(ratio "$logs/$2" "$ours")"
}
printf '\n%-62s %12s %8s\n' 'medians' 'a second' 'ratio'
for connections in 32 128; do
    row "cashpoint, durable, withdraw, $accounts accounts, $connections connections" "durable-withdraw-uniform-$connections"
    row "cashpoint, durable, withdraw, one account, $connections connections" "durable-withdraw-hot-$connections"
    row "cashpoint, durable, read, $connections connections" "durable-read-uniform-$connections"
    row "cashpoint, in memory, withdraw, $accounts accounts, $connections connections" "memory-withdraw-uniform-$connections"
    row "cashpoint, in memory, read, $connections connections" "memory-read-uniform-$connections"
done
row "PostgreSQL, withdraw, $accounts accounts, $clients clients" postgres-uniform
row "PostgreSQL, withdraw, one account, $clients clients" postgres-hot
row "Redis, withdraw, $accounts accounts, $clients clients" redis-uniform
row "Redis, withdraw, one account, $clients clients" redis-hot

goal() {
    [ ! -e "$logs/$3" ] || [ ! -e "$logs/$4" ] ||
        printf '%-62s %12.2f %8s\n' "$1" "$(ratio "$logs/$3" "$logs/$4")" "$2"
}
printf '\n%-62s %12s %8s\n' 'goals (ratios by rounds)' 'reached' 'goal'
for connections in 32 128; do
    uniform=durable-withdraw-uniform-$connections hot=durable-withdraw-hot-$connections
    goal "over PostgreSQL, $accounts accounts, $connections connections" '>= 3' "$uniform" postgres-uniform
    goal "over PostgreSQL, one account, $connections connections" '>= 3' "$hot" postgres-hot
    goal "over Redis, $accounts accounts, $connections connections" '>= 2' "$uniform" redis-uniform
    goal "over Redis, one account, $connections connections" '>= 2' "$hot" redis-hot
    goal "one account over $accounts, $connections connections" '>= 0.9' "$hot" "$uniform"
    goal "reads, durable over in memory, $connections connections" '>= 0.95' \
        "durable-read-uniform-$connections" "memory-read-uniform-$connections"
    p99=$(median <"$logs/$uniform-p99")
    if [ $connections = 32 ]; then limit='< 5'; else limit=; fi
    printf '%-62s %12s %8s\n' "p99 of a withdrawal in ms, $connections connections" "$p99" "$limit"
done
