#!/usr/bin/env bash
# Drives the pages of a built service in a headless Chromium.
#
#   tests/browser/run.sh [BINARY [PYTEST_OPTION…]]
#
# BINARY is target/debug/cashpoint unless given; it is not built here. Screenshots go to target/browser/.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=$(realpath -m "${1:-$root/target/debug/cashpoint}")
shift || true
out=$root/target/browser
# shellcheck source=../support/scripts.sh
source "$root/tests/support/scripts.sh"

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
command -v curl >/dev/null || missing+=(curl)
command -v python3 >/dev/null || missing+=(python3)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if ((${#missing[@]})); then
  echo "run.sh: missing packages; install them with: apt-get install ${missing[*]}" >&2
  exit 2
fi
needs_binary

# All that is needed is listed; of axe-playwright-python only the file of axe-core.
PIP_NO_DEPS=1 python_environment "$root/tests/browser/requirements.txt"

export PYTHONDONTWRITEBYTECODE=1
export CASHPOINT_BINARY=$binary
export SCREENSHOTS=$out
exec "$venv/bin/python" -m pytest -p no:cacheprovider --durations=3 "$root/tests/browser" "$@"
