"""The real service, as a process of its own, and a client that keeps amounts as text."""

import json
import os
import re
import subprocess
import threading
import urllib.error
import urllib.request

START_TIMEOUT_S = 10
SETTINGS = (
    "ALLOWED_HOST",
    "ALLOWED_ORIGIN",
    "HOST",
    "PORT",
    "MAX_ACCOUNTS",
    "MAX_TRANSACTION_AMOUNT",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "ENVIRONMENT",
    "RENDER_EXTERNAL_URL",
    "DATA",
    "EXIT_ON_FAILURE",
    "IDEMPOTENCY_WINDOW",
    "IDEMPOTENCY_KEYS_MAX",
)


class Service:
    """A running service, on a port of its own unless one is given."""

    def __init__(self, *flags: str, port: int = 0):
        # A setting of whoever runs the tests must not reach the service.
        environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.process = subprocess.Popen(
            [os.environ["CASHPOINT_BINARY"], "serve", "--host", "127.0.0.1", "--port", str(port), *flags],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self._wait_until_it_listens()
        self.log = []
        # A pipe that nobody reads would fill up, and lines be lost.
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read_log(self) -> None:
        for line in self.process.stderr:
            self.log.append(line)

    def _wait_until_it_listens(self) -> str:
        watchdog = threading.Timer(START_TIMEOUT_S, self.process.kill)
        watchdog.start()
        printed = ""
        try:
            for line in self.process.stderr:
                printed += line
                if listening := re.search(r"listening on (http://\S+)", line):
                    return listening[1]
        finally:
            watchdog.cancel()
        raise AssertionError(f"the service did not start: {printed}")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def call(self, method: str, path: str, body: str | None = None, key: str | None = None):
        """The status and the value of an answer, in which every number is the text it came as."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else body.encode(),
            headers={"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as refused:
            status, text = refused.code, refused.read().decode()
        return status, value_of(text)

    def create(self, amount: str = "0.0") -> str:
        status, account = self.call("POST", "/accounts", json.dumps({"initial_balance": amount}))
        assert status == 201, account
        return account["account_number"]

    def balance(self, number: str) -> str:
        status, account = self.call("GET", f"/accounts/{number}/balance")
        assert status == 200, account
        return account["balance"]

    def accounts(self) -> list[dict]:
        return self.call("GET", "/accounts")[1]["accounts"]


def value_of(text: str):
    """The value of a JSON text, in which every number stays text."""
    return json.loads(text, parse_float=str, parse_int=str) if text else None
