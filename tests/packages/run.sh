#!/usr/bin/env bash
# What is passed on to others: the crates as they would be published, and the Debian package, which is installed,
# started as its unit says, and removed again.
#
#   tests/packages/run.sh [BINARY]
#
# BINARY is target/debug/cashpoint unless given; it is not built here. Needs cargo-deb, systemd-analyze, adduser, and root: the
# package is installed in a copy of this system that exists for this process alone, and changes nothing outside.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=$(realpath -m "${1:-$root/target/debug/cashpoint}")
# shellcheck source=../support/scripts.sh
source "$root/tests/support/scripts.sh"
needs_binary
cd "$root"

# Nothing is sent. Tests and examples of several crates stay with the sources, as cargo says.
said=$(cargo publish --workspace --dry-run --no-verify --locked --allow-dirty 2>&1) || { echo "$said" >&2; exit 1; }
unexpected=$(grep '^warning' <<<"$said" | grep -v -e 'ignoring [a-z]* `' -e 'aborting upload due to dry run' || true)
[ -z "$unexpected" ] || { echo "$unexpected" >&2; exit 1; }
[ "$(grep -c Uploading <<<"$said")" = 3 ] || { echo "$said" >&2; exit 1; }
echo 'three crates can be published'

package=$(deploy/debian/build.sh "$binary")
echo "built: $package"
# It fails whatever it has to say, for the command is not installed here: what else it says counts.
said=$(systemd-analyze verify --man=no --recursive-errors=no deploy/debian/cashpoint.service 2>&1 || true)
unexpected=$(grep -v -e 'is not executable: No such file' -e '^$' <<<"$said" || true)
[ -z "$unexpected" ] || { echo "$unexpected" >&2; exit 1; }
# 0 is the best, 10 the worst.
systemd-analyze security --offline=true --threshold=15 deploy/debian/cashpoint.service | tail -1

if ! unshare --mount --net true 2>/dev/null; then
  echo 'SKIPPED: the package is not installed; that needs root and mounts' >&2
  exit
fi
exec unshare --mount --net --pid --fork "$root/tests/packages/install.sh" "$root/$package"
