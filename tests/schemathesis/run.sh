#!/usr/bin/env bash
# Holds a built service against its own OpenAPI document: schemathesis makes requests from it, valid ones and
# others, and checks each answer against it.
#
#   tests/schemathesis/run.sh [BINARY [SCHEMATHESIS_OPTION…]]
#
# BINARY is target/debug/cashpoint unless given; it is not built here. Needs Python 3 with venv, and curl. Requests go
# to 127.0.0.1 alone. It fails on an answer of 500 or above, and on one that is outside the document.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=$(realpath -m "${1:-$root/target/debug/cashpoint}")
shift || true
out=$root/target/schemathesis
venv=$out/venv
requirements=$root/tests/schemathesis/requirements.txt
if [[ ! -x $binary ]]; then
  echo "run.sh: $binary is no program; build it with: cargo build" >&2
  exit 2
fi

# The copy of the requirements says which ones the environment holds.
if ! cmp --silent "$requirements" "$venv/requirements.txt"; then
  rm -rf "$venv"
  mkdir -p "$out"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
  cp "$requirements" "$venv/requirements.txt"
fi

# More accounts than it makes: a 507 would be right, and schemathesis takes every one for a fault. With a journal,
# for history is a 501 without one.
rm -rf "$out/data"
"$binary" serve --host 127.0.0.1 --port 0 --max-accounts 100000 --data "$out/data" 2>"$out/server.log" &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$out/server.log") && break
  sleep 0.1
done

# Without them nearly every answer would be a 404.
open_account() {
  curl --silent --fail --json '{"initial_balance": 10000}' "$url/accounts" | grep -o '[0-9a-f-]\{36\}'
}
ACCOUNT=$(open_account)
GOING=$(open_account)
export ACCOUNT GOING

cd "$out"
"$venv/bin/schemathesis" --config-file "$root/tests/schemathesis/schemathesis.toml" run "$url/openapi.json" "$@"
if grep -q 'panicked at' "$out/server.log"; then
  echo "run.sh: the server panicked, see $out/server.log" >&2
  exit 1
fi
