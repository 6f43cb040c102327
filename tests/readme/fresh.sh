#!/usr/bin/env bash
# Walks README in a fresh clone, as somebody does who has just found it: what builds, tests and installs, and what measures
# and verifies for minutes, none of which the test beside this file runs; it runs the rest. Fails with the first command
# that does, and says how long each takes. About 25 minutes on two processors.
#
#   tests/readme/fresh.sh
#
# It builds into the clone, and installs there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
git clone --quiet "$root" "$place/cashpoint"
cd "$place/cashpoint"
unset CARGO_TARGET_DIR
export CARGO_INSTALL_ROOT=$place/installed
export PATH=$CARGO_INSTALL_ROOT/bin:$PATH

# The commands of README that begin with $1, without what is said of them.
commands() {
  awk '/^```sh$/ {inside = 1; next} /^```$/ {inside = 0} inside' README.md | sed -n "s/ *#.*//; /^$1 /p"
}

told() {
  printf '%4s s  %s\n' "$((SECONDS - began))" "$1"
}

# Serves until it answers. Nobody else may listen there.
serve() {
  eval "exec $1" >"$place/log" 2>&1 &
  until curl --silent --fail --output "$place/health" localhost:8000/health; do
    kill -0 $! 2>/dev/null || { cat "$place/log" >&2; return 1; }
    sleep 1
  done
  told "$1"
  kill $!
  wait $! || true
}

if curl --silent --output /dev/null localhost:8000; then
  echo 'fresh.sh: something answers on port 8000 already' >&2
  exit 2
fi

walked=0
while read -r command; do
  began=$SECONDS
  case $command in
    *' serve'*) serve "$command" ;;
    # What asks a server that README has started before is walked by the test.
    *localhost:*) continue ;;
    *) eval "$command" >"$place/log" 2>&1 </dev/null || { cat "$place/log" >&2; echo "failed: $command" >&2; exit 1; }
       told "$command" ;;
  esac
  walked=$((walked + 1))
done < <(commands cargo; commands 'cashpoint verify'; commands 'cashpoint bench')
# A README that was written otherwise must not be walked by looking at nothing.
[ "$walked" -ge 8 ] || { echo "only $walked commands were found" >&2; exit 1; }
echo "README is what it says: $walked commands"
