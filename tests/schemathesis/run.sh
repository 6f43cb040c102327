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
# shellcheck source=../support/scripts.sh
source "$root/tests/support/scripts.sh"
needs_binary

python_environment "$root/tests/schemathesis/requirements.txt"

# With a journal, for history is a 501 without one.
rm -rf "$out/data"
serve_journal "$out/data" "$out/server.log"

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
