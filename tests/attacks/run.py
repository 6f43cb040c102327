#!/usr/bin/env python3
"""Exhaustion attacks on a running service, and what a bystander notices of them.

    cargo build --release && python3 tests/attacks/run.py target/release/cashpoint

Each attack has a service of its own, with the default settings but for those that stand beside it. A bystander asks for a balance
and deposits a cent, by turns on one connection that it keeps and on new ones; first alone, then beside the attack, three
times by turns. The bystander's 99th percentile may rise tenfold, and the service's memory up to the bound of the
attack. Otherwise the exit code is 1.
"""

import contextlib
import json
import multiprocessing
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3
QUIET_S = 3
ATTACKED_S = 5
SLOWER_MAX = 10


class Service:
    """A running service, and an account in it."""

    def __init__(self, binary, flags):
        self.log = tempfile.TemporaryFile("w+")
        flags = ["--host", "127.0.0.1", "--port", "0", *flags]
        self.process = subprocess.Popen([binary, "serve", *flags], stderr=self.log)
        deadline = time.monotonic() + 30
        while True:
            self.log.seek(0)
            found = re.search(r"listening on http://127.0.0.1:(\d+)", self.log.read())
            if found:
                break
            assert self.process.poll() is None and time.monotonic() < deadline, "the service does not start"
            time.sleep(0.05)
        self.port = int(found[1])
        self.account = json.loads(ask(self.connect(), post("/accounts", "{}"))[1])["account_number"]

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) / 1024

    def stop(self):
        self.process.kill()
        self.process.wait()


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(path, body, fields=""):
    length = f"Content-Length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}{fields}\r\n{body}".encode()


def ask(connection, request):
    """Sends a request and returns the status and the body of its answer."""
    connection.sendall(request)
    answer = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        answer += piece
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) >= int(re.search(rb"(?i)content-length: (\d+)", head)[1]):
            return int(answer[9:12]), body


def bystander(service, seconds):
    """The 99th percentile of the bystander's requests, in milliseconds, and how many were not answered as they should be."""
    kept, took, wrong = service.connect(), [], 0
    requests = [
        get(f"/accounts/{service.account}/balance"),
        post(f"/accounts/{service.account}/deposit", '{"amount":0.01}'),
    ]
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        count += 1
        request = requests[count % 2]
        is_new = count % 4 < 2
        begin = time.perf_counter()
        try:
            connection = service.connect() if is_new else kept
            wrong += ask(connection, request)[0] != 200
            if is_new:
                connection.close()
        except OSError:
            # It was asked to leave, as whoever keeps a connection may be.
            wrong += is_new
            kept = service.connect()
        took.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.002)
    return statistics.quantiles(took, n=100)[98], wrong


def hold(service, count, sent):
    """So many connections that have sent this."""
    connections = []
    for _ in range(count):
        connection = service.connect()
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.send(sent)
        connections.append(connection)
    return connections


def slowly(connections, bytes_a_second):
    """Reads so much of each connection, for ever."""
    while True:
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.recv(bytes_a_second // 10)
        time.sleep(0.1)


def slow_listings(service):
    slowly(hold(service, 40, get("/accounts")), 25_000)


def slow_statements(service):
    slowly(hold(service, 200, get(f"/accounts/{service.account}/transactions?limit=1000")), 5_000)


def polite_clients(service):
    connections = hold(service, 1_000, get("/livez"))
    while True:
        for index, connection in enumerate(connections):
            time.sleep(0.02)
            # Whoever was asked to leave comes again.
            try:
                connection.recv(4096)
                connection.send(get("/livez"))
            except OSError:
                connections[index] = hold(service, 1, get("/livez"))[0]


def unfinished_bodies(service):
    head = b"POST /accounts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16384\r\n\r\n"
    connections = hold(service, 4_000, head + b" " * 16_383)
    time.sleep(3600)
    return connections


def unfinished_heads(service):
    connections = hold(service, 4_000, b"GET /" + b"x" * 16_000)
    time.sleep(3600)
    return connections


def deaf_clients(service):
    connections = hold(service, 200, get("/health") * 2_000)
    time.sleep(3600)
    return connections


def long_keys(service):
    connection, next_key = service.connect(), 0
    path = f"/accounts/{service.account}/deposit"
    while True:
        keys = range(next_key, next_key + 50)
        next_key += 50
        requests = [post(path, '{"amount":0.01}', f"Idempotency-Key: {key:0>255}\r\n") for key in keys]
        connection.sendall(b"".join(requests))
        answers = b""
        while answers.count(b"\r\n\r\n") < 50:
            answers += connection.recv(65536)


def many_accounts(service):
    connection = service.connect()
    for _ in range(1_000_000 // 500):
        connection.sendall(post("/accounts", "{}") * 500)
        answers = 0
        while answers < 500:
            answers += connection.recv(1 << 20).count(b"\r\n\r\n")


def many_entries(service):
    connection = service.connect()
    for _ in range(2_000):
        ask(connection, post(f"/accounts/{service.account}/deposit", '{"amount":0.01}'))


# The attack; what it is called; further settings; what is done before; by how much memory may grow, in MiB.
ATTACKS = [
    (slow_listings, "40 read all of a million accounts, 25 kB/s each", ["--max-accounts", "1000001"], many_accounts, 16),
    (slow_statements, "200 read 1,000 entries of a statement, 5 kB/s each", ["--data"], many_entries, 96),
    (polite_clients, "1,000 hold all of 1,000 connections, a request each 20 s", ["--max-connections", "1000"], None, 32),
    (unfinished_bodies, "4,000 leave a body of 16 KiB unfinished", [], None, 144),
    (unfinished_heads, "4,000 leave a head of 16 kB unfinished", [], None, 160),
    (deaf_clients, "200 ask 2,000 times and read nothing", [], None, 64),
    (long_keys, "one uses keys of 255 characters as fast as it can", [], None, 170),
]


def try_attack(binary, attack, name, flags, before, growth_max_mib):
    """Prints a row, and returns whether all bounds were kept."""
    with tempfile.TemporaryDirectory() as place:
        flags = [part for flag in flags for part in ((flag, f"{place}/ledger") if flag == "--data" else (flag,))]
        service = Service(binary, flags)
        try:
            if before:
                before(service)
            quiet, attacked, wrong = [], [], 0
            bystander(service, 1)
            begin_mib = service.peak_mib()
            for _ in range(ROUNDS):
                quiet.append(bystander(service, QUIET_S)[0])
                attacker = multiprocessing.Process(target=attack, args=(service,), daemon=True)
                attacker.start()
                time.sleep(2)
                p99, not_served = bystander(service, ATTACKED_S)
                assert attacker.is_alive(), "the attack has ended"
                attacker.kill()
                attacker.join()
                attacked.append(p99)
                wrong += not_served
                time.sleep(1)
            slower = statistics.median(one / other for one, other in zip(attacked, quiet))
            growth_mib = service.peak_mib() - begin_mib
        finally:
            service.stop()
    quiet, attacked = statistics.median(quiet), statistics.median(attacked)
    print(
        f"| {name} | {quiet:.2f} ms | {attacked:.2f} ms | {slower:.1f} | {wrong} | {growth_mib:.0f} MiB | {growth_max_mib} MiB |",
        flush=True,
    )
    return slower <= SLOWER_MAX and growth_mib <= growth_max_mib and wrong == 0


def main():
    binary = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("| attack | p99 alone | p99 beside it | times | not served | memory grew by | at most |")
    print("|---|---|---|---|---|---|---|")
    results = [try_attack(binary, *attack) for attack in ATTACKS]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
