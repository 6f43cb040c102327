#!/usr/bin/env bash
# Has hledger and beancount read what `cashpoint journal export` writes, and holds every account, the total, every
# movement and every idempotency key that they find against `cashpoint journal check` and against what was answered. Has
# a validator hold reports against the schemas that `cashpoint schema` prints.
#
#   tests/exports/run.sh [BINARY]
#
# BINARY is target/debug/cashpoint unless given; it is not built here. There are two journals: one that a server writes
# under some thousand requests of several clients, with hostile keys; and one of several days, which the engine writes
# with a clock of its own (that one is made by `cargo test`). Needs Python 3 with venv, hledger and cargo.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=$(realpath -m "${1:-$root/target/debug/cashpoint}")
out=$root/target/exports
# shellcheck source=../support/scripts.sh
source "$root/tests/support/scripts.sh"
needs_binary
if ! command -v hledger >/dev/null; then
  echo "run.sh: there is no hledger; Debian has it: apt-get install hledger" >&2
  exit 2
fi

python_environment "$root/tests/exports/requirements.txt"
rm -rf "$out/service" "$out/days"
mkdir -p "$out/service" "$out/days/data"

# Exports a journal in all formats, has each checked by whom it is for, and compares.
compare() {
  local at=$1 format
  shift
  "$binary" journal check "$at/data" --json --balances >"$at/check.json"
  "$binary" journal show "$at/data" --json >"$at/show.jsonl"
  for format in csv jsonl hledger beancount; do
    "$binary" journal export "$at/data" --format "$format" --output "$at/books.$format" 2>/dev/null
  done
  accept "$at/books"
  hledger --file "$at/books.hledger" balance --flat --empty --output-format csv >"$at/balances.csv"
  hledger --file "$at/books.hledger" print --output-format json >"$at/print.json"
  "$venv/bin/python" "$root/tests/exports/compare.py" "$at" "$@"
}

# hledger and beancount find nothing wrong.
accept() {
  hledger --file "$1.hledger" check --strict ordereddates
  "$venv/bin/bean-check" --no-cache "$1.beancount"
}

serve_journal "$out/service/data" "$out/service/log"
"$venv/bin/python" "$root/tests/exports/clients.py" "$url" "$out/service/answered.json" &
clients=$!
# It is whole at any time, also while it is written.
checks=0
while kill -0 $clients 2>/dev/null; do
  "$binary" journal check "$out/service/data" >"$out/service/check.txt"
  checks=$((checks + 1))
done
wait $clients
kill $server
wait $server || true
echo "checked $checks times while it was written: whole"
compare "$out/service" "$out/service/answered.json"

JOURNAL=$out/days/data cargo test --quiet --locked --manifest-path "$root/Cargo.toml" --package cashpoint-cli --test journal \
  -- --ignored writes_a_journal_that_takes_days >/dev/null
compare "$out/days"

# Reports are what their schemas say.
"$binary" bench engine --accounts 10 --rounds 2 --duration 0.1 --json "$out/bench.json" >/dev/null
"$binary" bench compare "$out/bench.json" "$out/bench.json" --json >"$out/compare.json"
"$binary" verify http --operations 10000 --json "$out/verify.json" >/dev/null
cp "$out/service/check.json" "$out/journal-check.json"
for report in bench compare verify journal-check; do
  "$binary" schema $report >"$out/$report.schema.json"
  "$venv/bin/python" "$root/tests/exports/validate.py" "$out/$report.json" "$out/$report.schema.json"
done

# A part begins with balances carried forward, and is accepted by itself.
for part in '--from 1000' '--from 2026-02-01 --to 2026-02-02' '--to 2026-02-01T12:00:00'; do
  for format in hledger beancount; do
    # shellcheck disable=SC2086 # These are words.
    "$binary" journal export "$out/days/data" --format $format $part --output "$out/days/part.$format" 2>/dev/null
  done
  accept "$out/days/part"
  echo "a part is accepted: $part"
done
