#!/bin/sh
# Collects the licences of what is linked into the binary, for whoever passes it on: `licenses.sh DIRECTORY`. One
# directory for each crate, and `crates.txt`, which says under which licences each is.
set -eu

out=$1
mkdir -p "$out"
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
list=$out/crates.txt
cargo tree --locked --package cashpoint-cli --edges normal --prefix none --format '{p} | {l}' |
    sed -e 's/ (proc-macro)//' -e 's/ (\*)$//' | sort -u | grep -v '^cashpoint' >"$list"

cut -d' ' -f1,2 "$list" | while read -r name version; do
    crate=$name-${version#v}
    mkdir -p "$out/$crate"
    find "$registry"/*/"$crate" -maxdepth 1 -type f \
        \( -iname 'license*' -o -iname 'licence*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'unlicense*' \) \
        -exec cp {} "$out/$crate/" \;
    # Some have none in their package: then it is known by its name in the list.
    rmdir "$out/$crate" 2>/dev/null || true
done

# The standard library, and the C library where that is linked in.
for file in "$(rustc --print sysroot)"/share/doc/rust/COPYRIGHT-library.html /usr/share/doc/libc6/copyright; do
    if [ -e "$file" ]; then
        mkdir -p "$out/system"
        cp "$file" "$out/system/$(basename "$(dirname "$file")")-$(basename "$file")"
    fi
done
