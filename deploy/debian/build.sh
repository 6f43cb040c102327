#!/usr/bin/env bash
# Builds the Debian package: `deploy/debian/build.sh`, then `apt install ./target/debian/cashpoint_*.deb`.
#
# Needs cargo-deb: `cargo install --locked cargo-deb`. With a BINARY it packs that one, and does not build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

binary=${1:-}
if [ -z "$binary" ]; then
    cargo build --release --locked --package cashpoint-cli
    binary=${CARGO_TARGET_DIR:-target}/release/cashpoint
fi

# What is packed beside the sources.
out=target/debian/files
rm -rf "$out"
mkdir -p "$out"
cp "$binary" "$out/cashpoint"
mkdir "$out/man"
"$binary" man --all "$out/man"
gzip -9n "$out"/man/*
for shell in bash zsh fish; do "$binary" completions $shell >"$out/cashpoint.$shell"; done
./licenses.sh "$out/licenses"
cp crates/cashpoint-server/assets/vendor/*.LICENSE* crates/cashpoint-server/assets/vendor/*.NOTICE "$out/licenses"
tar --create --sort=name --owner=0 --group=0 --mtime=@0 --directory "$out" licenses | gzip -9n >"$out/licenses.tar.gz"

cargo deb --quiet --locked --no-build --package cashpoint-cli --output target/debian/
