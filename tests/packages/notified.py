"""Runs a service as systemd does with `Type=notify`, and fails unless it says when it is ready, answers, and stops.

    notified.py USER COMMAND…

In a network of its own: it needs the loopback alone, and turns that on.
"""

import fcntl
import os
import pwd
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

PATIENCE_S = 20
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))

user, *command = sys.argv[1:]
identity = pwd.getpwnam(user)
place = Path(tempfile.mkdtemp())
os.chown(place, identity.pw_uid, identity.pw_gid)
path = place / "notify"
notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notified.bind(str(path))
os.chown(path, identity.pw_uid, identity.pw_gid)
notified.settimeout(PATIENCE_S)

service = subprocess.Popen(
    command, user=identity.pw_uid, group=identity.pw_gid, umask=0o077, env={"NOTIFY_SOCKET": str(path)}, cwd="/"
)
try:
    assert notified.recv(4096).split() == [b"READY=1"], "the first thing that it tells"
    # Ready means that it answers: there is no second try.
    with urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=PATIENCE_S) as answer:
        assert b'"mode":"durable"' in answer.read()
    request = urllib.request.Request("http://127.0.0.1:8000/accounts", b'{"initial_balance":1}', method="POST")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert answer.status == 201
    service.terminate()
    assert notified.recv(4096).split() == [b"STOPPING=1"], "the second"
    assert service.wait(PATIENCE_S) == 0
finally:
    service.kill()
print("ready when it answered, stopped when it was asked to")
