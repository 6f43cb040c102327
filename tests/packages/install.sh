#!/usr/bin/env bash
# Installs a Debian package in a copy of this system, and looks whether it works: `run.sh` gives it mounts of its own.
set -euo pipefail

package=$1
at=$(mktemp -d)
mount -t tmpfs tmpfs "$at"
mkdir "$at"/{upper,work,system}
mount -t overlay overlay -o "lowerdir=/,upperdir=$at/upper,workdir=$at/work" "$at/system"
for kept in dev proc sys tmp; do mount --rbind "/$kept" "$at/system/$kept"; done
mount -t proc proc "$at/system/proc"
cp "$package" "$at/system/root/cashpoint.deb"
cp "$(dirname "${BASH_SOURCE[0]}")/notified.py" "$at/system/root/"

# In the copy, with nothing of this environment.
inside() {
  chroot "$at/system" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
}

inside dpkg --install /root/cashpoint.deb >/dev/null
inside cashpoint --version
inside getent passwd cashpoint | grep -q ':/var/lib/cashpoint:/usr/sbin/nologin$'

# As its unit says: as its user, with its settings; ready is told once it answers.
unit=/usr/lib/systemd/system/cashpoint.service
command=$(inside sed -n 's/^ExecStart=//p' "$unit")
inside grep -q '^Type=notify$' "$unit"
inside install -d -m 700 -o cashpoint -g cashpoint /var/lib/cashpoint
# shellcheck disable=SC2086 # These are words.
inside python3 /root/notified.py cashpoint $command
inside cashpoint journal check /var/lib/cashpoint/ledger >/dev/null
inside sh -c 'zcat /usr/share/man/man1/cashpoint-serve.1.gz' | grep -q 'max.*accounts'

# Settings that were changed survive a new version; money survives a purge.
inside sh -c 'echo "# changed here" >>/etc/cashpoint/cashpoint.toml'
inside dpkg --install /root/cashpoint.deb >/dev/null
inside grep -q '# changed here' /etc/cashpoint/cashpoint.toml
inside dpkg --purge cashpoint >/dev/null 2>&1
inside test ! -e /usr/bin/cashpoint
inside test -e /var/lib/cashpoint/ledger
echo 'installed, started as a user of its own, installed again, purged; the ledger is still there'
