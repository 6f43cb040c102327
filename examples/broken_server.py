"""A small server of the contract that loses money. `cashpoint verify` shows how:

    python3 examples/broken_server.py                                       # listens on port 9000
    cashpoint verify http http://localhost:9000 --only histories --operations 10000 --connections 4

The fault is in `change`: it reads a balance, thinks, and writes. Two threads that do so at once lose one change.
"""

import json
import sys
import time
import uuid
from datetime import datetime, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

balances = {}
created = {}


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def change(self, number, kind, amount):
        balance = balances[number]
        after = balance + amount if kind == "deposit" else balance - amount
        if after < 0:
            return self.answer(400, {"detail": "Insufficient funds"})
        time.sleep(0.0001)  # a database, a log line, or nothing at all
        balances[number] = after
        told = {"account_number": number, "new_balance": float(after), "transaction_amount": float(amount)}
        self.answer(200, told | {"transaction_type": kind, "timestamp": now()})

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # the client has hung up
        body = json.loads(body, parse_float=Decimal)
        if self.path == "/accounts":
            number = str(uuid.uuid4())
            created[number], balances[number] = now(), Decimal(body["initial_balance"])
            told = {"account_number": number, "balance": float(balances[number])}
            return self.answer(201, told | {"message": "Account created successfully"})
        _, _, number, action = self.path.split("/")
        if number not in balances:
            return self.answer(404, {"detail": "Account not found"})
        self.change(number, "deposit" if action == "deposit" else "withdrawal", Decimal(body["amount"]))

    def do_GET(self):
        if self.path == "/accounts":
            shown = [(number, float(balance), created[number]) for number, balance in list(balances.items())]
            names = ("account_number", "balance", "created_at", "last_updated")
            accounts = [dict(zip(names, (*row, row[2]))) for row in shown]
            return self.answer(200, {"total_accounts": len(accounts), "accounts": accounts})
        number = self.path.removeprefix("/accounts/").removesuffix("/balance")
        balance = balances.get(number)
        if balance is None:
            return self.answer(404, {"detail": "Account not found"})
        self.answer(200, {"account_number": number, "balance": float(balance)})

    def do_DELETE(self):
        known = balances.pop(self.path.removeprefix("/accounts/"), None) is not None
        self.answer(204 if known else 404, None if known else {"detail": "Account not found"})

    def answer(self, status, value):
        body = json.dumps(value).encode() if value is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer.handle_error = lambda *_: None  # clients hang up
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
